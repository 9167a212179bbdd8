"""Ctrl-C and a polite kill as a number to look at, so that the step under way is finished and kept."""

from __future__ import annotations

import signal
from types import FrameType


class Interrupt:
    """Inside this context the first SIGINT or SIGTERM is only noted; a second one acts as ever."""

    def __init__(self) -> None:
        self.number = 0

    def __enter__(self) -> Interrupt:
        self._before = {int(s): signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = number
        signal.signal(number, self._before[number])

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
