"""One generation at a time on the device, its progress, and stopping it between two steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TypeVar

from tts_fm.sampler import OnStep

T = TypeVar("T")
_BEAT = 0.2  # seconds between two signs of life; a generator can be closed only while it gives one


class Stopped(Exception):
    """The visitor cancelled, or left."""


@dataclass(frozen=True)
class Progress:
    """Steps done, of how many; none in all while it waits for its turn or prepares."""

    done: int = 0
    total: int = 0
    is_waiting: bool = True


class Device:
    """What can generate one thing at a time; whoever comes meanwhile waits."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="generation")
        self._is_closed = threading.Event()

    def run(self, work: Callable[[OnStep], T]) -> Generator[Progress, None, T]:
        """Yield how far ``work`` is, a few times a second, and return what it returns; otherwise as :meth:`stream`."""
        results: list[T] = []

        def once(on_step: OnStep) -> Iterator[None]:
            results.append(work(on_step))
            yield None

        for progress in self.stream(once):
            if progress is not None:
                yield progress
        return results[0]

    def stream(self, work: Callable[[OnStep], Iterator[T]]) -> Generator[Progress | T, None, None]:
        """Yield what ``work`` yields as soon as it does, and between that how far it is, a few times a second.

        ``work`` is given a function to call after each step. Where this generator is closed, as gradio does on Cancel and
        when a visitor leaves, that function raises :class:`Stopped`, so the work ends with the step it is in.
        """
        is_stopped = threading.Event()
        progress = Progress()
        parts: SimpleQueue[tuple[T] | None] = SimpleQueue()

        def on_step(done: int, total: int) -> None:
            nonlocal progress
            if is_stopped.is_set() or self._is_closed.is_set():
                raise Stopped
            progress = Progress(done, total, is_waiting=False)

        def begin() -> None:
            try:
                on_step(0, 0)
                for part in work(on_step):
                    parts.put((part,))
            finally:
                parts.put(None)

        future: Future[None] = self._worker.submit(begin)
        try:
            yield progress
            while True:
                try:
                    part = parts.get(timeout=_BEAT)
                except Empty:
                    if future.cancelled():
                        raise Stopped from None
                    yield progress
                    continue
                if part is None:
                    future.result()
                    return
                yield part[0]
        finally:
            is_stopped.set()
            future.cancel()

    def close(self) -> None:
        """Stop what is being generated, and take nothing more."""
        self._is_closed.set()
        self._worker.shutdown(wait=False, cancel_futures=True)
