"""What a run costs, and two or more of them side by side: medians, ranges, and ratios of neighbours."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds of the processor, of the clock, and the most memory in MB (0: not measured)."""

    processor: float
    clock: float
    memory: float = 0.0


@dataclass(frozen=True)
class Row:
    """What is compared, what it was, and what it is now."""

    what: str
    then: Callable[[], Cost]
    now: Callable[[], Cost]


def timed(run: Callable[[], object]) -> Cost:
    """Return what ``run`` takes in this process."""
    processor, clock = time.process_time(), time.perf_counter()
    run()
    return Cost(time.process_time() - processor, time.perf_counter() - clock)


def started(arguments: Sequence[str]) -> Cost:
    """Run Python with ``arguments`` and return what the process took, its start included."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"python {' '.join(arguments)} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss / 1024)


def print_rows(rows: Sequence[Row], repeats: int) -> None:
    """Print a table: each row's two ways run in turn, so that what else the machine does meets both."""
    print("| | then | now | processor time, now / then | clock, now / then | memory, now / then |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        for warm in (row.then, row.now):  # kernels are chosen, files are read
            warm()
        thens, nows = zip(*((row.then(), row.now()) for _ in range(repeats)), strict=True)
        of = {name: ratio(thens, nows, name) for name in ("processor", "clock", "memory")}
        print(f"| {' | '.join((row.what, middle(thens), middle(nows), *of.values()))} |", flush=True)


def middle(costs: Sequence[Cost]) -> str:
    """Return the medians of processor time and memory."""
    memory = statistics.median(cost.memory for cost in costs)
    return f"{statistics.median(cost.processor for cost in costs):.2f} s" + (f", {memory:.0f} MB" if memory else "")


def ratio(thens: Sequence[Cost], nows: Sequence[Cost], name: str) -> str:
    """Return the median and the range of the ratios of neighbours, nothing where it was not measured."""
    pairs = [(getattr(then, name), getattr(now, name)) for then, now in zip(thens, nows, strict=True)]
    ratios = [now / then for then, now in pairs if then > 0]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else ""
