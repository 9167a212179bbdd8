"""Who is spoken for next: few at once, a few more wait, and whoever comes then is told when to come again."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Check = Callable[[], None]
"""Called by a work between two steps; raises where nobody wants the rest."""

_MOST_WAIT = 120  # seconds that Retry-After names at most


class Full(Exception):
    """All places are taken; ``retry_after`` seconds later one may be free."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"all places are taken for about {retry_after} s")
        self.retry_after = retry_after


class Stopping(Exception):
    """The server takes nothing more."""


class Left(Exception):
    """Nobody wants the rest of a work."""


@dataclass(frozen=True)
class _End:
    error: BaseException | None


class Job(Generic[T]):
    """A work in the queue or on the device: iterate it for what it makes, as it is made.

    What it makes is kept until it is asked for, so a slow client does not hold the device.
    """

    def __init__(self, queue: Queue, work: Callable[[Check], Iterator[T]]) -> None:
        self._queue, self._work = queue, work
        self._loop = asyncio.get_running_loop()
        self._made: asyncio.Queue[T | _End] = asyncio.Queue()
        self._is_left = threading.Event()
        self.is_running = False
        self._future = queue.workers.submit(self._run)

    def __aiter__(self) -> Job[T]:
        return self

    async def __anext__(self) -> T:
        """Return what was made next. Raises what the work raised, and Left after :meth:`leave`."""
        item = await self._made.get()
        if isinstance(item, _End):
            self._made.put_nowait(item)  # whoever asks again gets the same answer
            raise StopAsyncIteration if item.error is None else item.error
        return item

    def leave(self) -> None:
        """Want nothing more: a work that waits is taken out of the queue, one that runs ends with its step."""
        self._is_left.set()
        self._queue.held.discard(self)
        self.withdraw(Left())

    def withdraw(self, reason: Exception) -> None:
        """Take it out of the queue where it still waits; ``reason`` is what its client gets."""
        if self._future.cancel():
            self._ended(reason, None)

    def _check(self) -> None:
        if self._is_left.is_set():
            raise Left

    def _run(self) -> None:
        began, self.is_running, error = time.monotonic(), True, None
        try:
            self._check()
            for item in self._work(self._check):
                self._tell(self._made.put_nowait, item)
                self._check()
        except BaseException as failure:  # it belongs to whoever iterates
            error = failure
        self._tell(self._ended, error, time.monotonic() - began)

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(function, *arguments)

    def _ended(self, error: BaseException | None, seconds: float | None) -> None:
        self._queue.busy.discard(self)
        self._made.put_nowait(_End(error))
        if seconds is not None and not isinstance(error, Left):
            self._queue.learn(seconds)


class Place:
    """A place that is kept for a request while it is understood."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def give_back(self) -> None:
        """Let somebody else have it; once is enough."""
        self._queue.kept.discard(self)


class Queue:
    """The places of a device.

    Args:
        at_once: how many works run at the same time.
        most_waiting: how many more may wait.
        most_held: how many may be unfinished or not yet fetched by their clients, all together.
    """

    def __init__(self, at_once: int = 1, most_waiting: int = 16, most_held: int = 128) -> None:
        self.at_once, self.most_waiting, self.most_held = at_once, most_waiting, most_held
        self.workers = ThreadPoolExecutor(at_once, thread_name_prefix="generation")
        self.busy: set[Job] = set()
        self.held: set[Job] = set()
        self.kept: set[Place] = set()
        self.is_stopping = False
        self._usual_seconds = 1.0

    @property
    def running(self) -> int:
        """How many works are on the device."""
        return sum(job.is_running for job in self.busy)

    @property
    def waiting(self) -> int:
        """How many works wait for their turn."""
        return len(self.busy) - self.running

    def keep(self) -> Place:
        """Keep a place for a work that :meth:`begin` is given later. Raises as that does."""
        self.check()
        place = Place(self)
        self.kept.add(place)
        return place

    def begin(self, work: Callable[[Check], Iterator[T]], place: Place | None = None) -> Job[T]:
        """Put ``work`` into the queue, at its kept ``place``, to be run in a thread with a function to call between its steps.

        Raises:
            Full: as many as may run and wait do so already.
            Stopping: the server takes nothing more.
        """
        if place is not None:
            place.give_back()
        self.check()
        job = Job(self, work)
        self.busy.add(job)
        self.held.add(job)
        return job

    def check(self) -> None:
        """Raise what :meth:`begin` would raise now."""
        if self.is_stopping:
            raise Stopping
        busy, held = len(self.busy) + len(self.kept), len(self.held) + len(self.kept)
        if busy >= self.at_once + self.most_waiting or held >= self.most_held:
            raise Full(self.expected_seconds())

    def expected_seconds(self) -> int:
        """Return after how many seconds a place should be free, from how long works took."""
        return min(max(1, math.ceil(self._usual_seconds / self.at_once)), _MOST_WAIT)

    def learn(self, seconds: float) -> None:
        """Remember how long a work took: what is usual moves a fifth of the way."""
        self._usual_seconds += 0.2 * (seconds - self._usual_seconds)

    def stop(self) -> None:
        """Take nothing more and send away who waits; what runs goes on."""
        self.is_stopping = True
        for job in list(self.busy):
            job.withdraw(Stopping())

    def close(self) -> None:
        """Let what still runs end with its step."""
        self.stop()
        for job in list(self.busy):
            job.leave()
        self.workers.shutdown(wait=True)
