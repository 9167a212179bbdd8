"""How much longer a sentence takes beside a busy process: with one thread, the default, and one for each processor."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

_SPIN = "while True: pass"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="how often each is measured; the median counts")
    runs = parser.parse_args().runs
    numbers = {"1": "1", "default": "", "all": str(os.cpu_count())}
    alone = {name: _seconds(number, runs) for name, number in numbers.items()}
    busy = subprocess.Popen([sys.executable, "-c", _SPIN])
    try:
        beside = {name: _seconds(number, runs) for name, number in numbers.items()}
    finally:
        busy.kill()
    for name in numbers:
        print(
            f"threads {name:8} {alone[name]:6.2f} s; beside a busy process {beside[name]:6.2f} s, "
            f"{beside[name] / beside['1']:.2f} of one thread's time"
        )


def _seconds(threads: str, runs: int) -> float:
    """Return the median computing time of a sentence by the command, in a new process each time."""
    environment = {
        name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    }
    environment |= {"OMP_NUM_THREADS": threads} if threads else {}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "tts_fm.commands", "synthesize", "--text", "Hello.", "--json", "--quiet"]
        command += ["--seed", "0", "--output", str(Path(folder) / "a.wav")]
        records = [
            json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)
            for _ in range(runs)
        ]
    return statistics.median(record["real_time_factor"] * record["seconds"] for record in records)


if __name__ == "__main__":
    main()
