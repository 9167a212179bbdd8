"""What Ray costs a batch: a list said by ``tts-fm batch`` in one process and by one worker of a cluster, by clock and processor.

python -m scripts.ray_overhead LIST OUT --ray auto [--model FOLDER]
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

_LOOK = 0.25  # seconds between two looks at what processes have computed
_TICKS = os.sysconf("SC_CLK_TCK")
_RAYS = ("raylet", "gcs_server", "ray::")
"""How the names of Ray's own processes, and of its workers, begin; its helpers are children of these."""


def main(
    listed: Annotated[Path, typer.Argument(metavar="LIST", help="What tts-fm batch takes; some short lines.")],
    out: Annotated[Path, typer.Argument(help="A folder for the speech, made anew.")],
    ray: Annotated[str, typer.Option(help="A Ray cluster that does nothing else.")] = "auto",
    model: Annotated[str, typer.Option(help="The model that speaks.")] = "default",
    rounds: Annotated[int, typer.Option(min=1, help="How often each says the list, in turn.")] = 1,
) -> None:
    """Print the figures as JSON."""
    shutil.rmtree(out, ignore_errors=True)
    figures: dict[str, list[dict[str, float]]] = {"one process": [], "one worker on Ray": []}
    for i in range(rounds):
        figures["one process"].append(_measured(listed, out / f"alone-{i}", model, []))
        figures["one worker on Ray"].append(_measured(listed, out / f"ray-{i}", model, ["--ray", ray]))
    print(json.dumps(figures, indent=1))


def _measured(listed: Path, out: Path, model: str, options: list[str]) -> dict[str, float]:
    """Return what it takes until the first line is said, and for each line after it.

    The lines are shards of their own: each has a marker, which is written when it is said.
    """
    command = [sys.executable, "-m", "tts_fm.commands", "batch", str(listed), str(out), "--model", model, "--quiet"]
    command += ["--shards", "webdataset", "--shard-size", "1", "--workers", "1", "--device", "cpu", *options]
    began = time.time()
    process = subprocess.Popen(command)
    course = _Course(process.pid)
    if process.wait():
        raise SystemExit(f"it failed: {' '.join(command)}")
    course.end()
    said = sorted(marker.stat().st_mtime for marker in (out / "done").glob("*.json"))
    first, last = said[0], said[-1]
    return {
        "seconds until the first line is said": round(first - began, 2),
        "seconds for each line after it": round((last - first) / (len(said) - 1), 3),
        "seconds from the last line to the end": round(course.ended - last, 2),
        "processor until the first line is said": round(course.at(first), 2),
        "processor for each line after it": round((course.at(last) - course.at(first)) / (len(said) - 1), 3),
        "processor from the last line to the end": round(course.at(course.ended) - course.at(last), 2),
    }


class _Course:
    """How much a process, its children and Ray's processes have computed, at which time (Linux)."""

    def __init__(self, process: int) -> None:
        self._process, self._taken, self._is_over = process, dict[int, float](), threading.Event()
        self._before = {pid: ticks for pid, ticks in self._look().items() if pid != process}
        self._times, self._sums = [time.time()], [0.0]
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> None:
        """Look no more."""
        self.ended = time.time()
        self._is_over.set()
        self._thread.join()

    def at(self, when: float) -> float:
        """Return the seconds computed until ``when``."""
        return float(np.interp(when, self._times, self._sums))

    def _watch(self) -> None:
        while not self._is_over.wait(_LOOK):
            self._taken |= self._look()  # what has died keeps what it was last seen with
            self._times.append(time.time())
            self._sums.append(sum(ticks - self._before.get(pid, 0) for pid, ticks in self._taken.items()) / _TICKS)

    def _look(self) -> dict[int, float]:
        """Return the ticks of each process that counts."""
        found: dict[int, tuple[int, bool, float]] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                words = (folder / "cmdline").read_bytes().split(b"\0")[0].decode(errors="replace")
            except OSError:  # it has just ended
                continue
            is_rays = words.rpartition("/")[2].startswith(_RAYS)
            found[int(folder.name)] = int(fields[1]), is_rays, int(fields[11]) + int(fields[12])
        return {pid: ticks for pid, (_, _, ticks) in found.items() if self._counts(pid, found)}

    def _counts(self, pid: int, found: dict[int, tuple[int, bool, float]]) -> bool:
        while pid in found:
            parent, is_rays, _ = found[pid]
            if pid == self._process or is_rays:
                return True
            pid = parent
        return False


if __name__ == "__main__":
    typer.run(main)
