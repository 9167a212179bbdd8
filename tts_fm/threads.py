"""How many threads a network is computed with on the processor."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

MOST = 4
"""More threads make a network of this size hardly faster, and wait for each other more often."""
QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Where a container says how much of the processors it may use."""
_SAID = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")  # whoever sets one of these has chosen


def bound() -> None:
    """Let PyTorch take half of the processors that this process may use, and at most :data:`MOST`.

    All threads wait for the slowest after each operation. With a thread for every processor, one other busy process makes
    all of them wait, and spin meanwhile: many times slower than a single thread. The number is the same whenever the
    program runs on a machine, so that a seed gives the same sound there.
    """
    if not any(os.environ.get(name) for name in _SAID):
        torch.set_num_threads(min(max(1, processors() // 2), MOST, torch.get_num_threads()))


@contextmanager
def one() -> Iterator[None]:
    """Compute with one thread here: sums of several are rounded in another order, so that bytes depend on how many."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def processors() -> int:
    """Return how many processors this process may use, by its affinity and by the quota of its container."""
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(there, _quota()))


def _quota() -> int:
    """Return the whole processors that a container's quota allows, a great many where there is none."""
    try:
        most, period = QUOTA.read_text(encoding="ascii").split()
        return int(most) // int(period)
    except (OSError, ValueError):  # not Linux, no container, or "max"
        return 1_000_000
