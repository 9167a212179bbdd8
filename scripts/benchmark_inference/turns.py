"""A process that works when it is its turn: it waits before each piece of work, and tells what it has cost so far.

Needs nothing but Python, so that the process of another package can have it.
"""

from __future__ import annotations

import json
import sys
import time


class Turns:
    """What is printed goes to stderr from now on: stdout is for telling."""

    def __init__(self) -> None:
        self._tell, sys.stdout = sys.stdout, sys.stderr

    def wait(self, **facts: str | float) -> None:
        """Tell seconds of the processor and the most memory (MB) so far, and wait for a line on stdin."""
        costs = {"processor": time.process_time(), "memory": _peak()}
        print(json.dumps(costs | facts), file=self._tell, flush=True)
        if not sys.stdin.readline():
            raise SystemExit("nobody gives turns any more")


def _peak() -> float:
    """Return the most memory that was resident at a time; that of a child starts with its own program (Linux)."""
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
