"""How much longer a sentence takes beside a busy process: with one thread, the default, and one for each processor."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

_SPIN = "while True: pass"
_SPEAK = """
import sys, time
from tts_fm import Synthesizer
synthesizer = Synthesizer.load("default")
synthesizer.speak(sys.argv[1], seed=0)
for line in sys.stdin:
    began = time.perf_counter()
    synthesizer.speak(sys.argv[1], seed=0)
    print(time.perf_counter() - began, flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="how often each is measured; the median counts")
    parser.add_argument("--most-seconds", type=float, default=240, help="when it ends with what is measured until then")
    parser.add_argument("--text", default="Hello.", help="what is said")
    args = parser.parse_args()
    until = time.monotonic() + args.most_seconds
    numbers = {"1": "1", "default": "", "all": str(os.cpu_count())}
    speakers = {name: _speaker(number, args.text) for name, number in numbers.items()}
    try:
        alone = _measured(speakers, args.runs, until)
        busy = subprocess.Popen([sys.executable, "-c", _SPIN])
        try:
            beside = _measured(speakers, args.runs, until)
        finally:
            busy.kill()
    finally:
        for speaker in speakers.values():
            speaker.kill()
    for name in speakers:
        print(
            f"threads {name:8} {alone[name]:6.2f} s; beside a busy process {beside[name]:6.2f} s, "
            f"{beside[name] / beside['1']:.2f} of one thread's time"
        )


def _speaker(threads: str, text: str) -> subprocess.Popen[str]:
    """Return a process that says ``text`` in so many threads, each time it is sent a line, and answers with the seconds."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    }
    environment |= {"OMP_NUM_THREADS": threads} if threads else {}
    command = [sys.executable, "-c", _SPEAK, text]
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def _measured(speakers: dict[str, subprocess.Popen[str]], runs: int, until: float) -> dict[str, float]:
    """Return the median seconds of each, measured in turn, so that all meet the same machine."""
    seconds: dict[str, list[float]] = {name: [] for name in speakers}
    for _ in range(runs):
        if time.monotonic() > until and all(seconds.values()):
            break
        for name, speaker in speakers.items():
            assert speaker.stdin is not None and speaker.stdout is not None
            speaker.stdin.write("\n")
            speaker.stdin.flush()
            seconds[name].append(float(speaker.stdout.readline()))
    return {name: statistics.median(one) for name, one in seconds.items()}


if __name__ == "__main__":
    main()
