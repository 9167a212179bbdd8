"""Who says the shards of a batch: the interface; each other file here is one way to spread them over processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence

from tts_fm.batch.job import Job
from tts_fm.batch.shards import Done, Shard
from tts_fm.plugins import Plugin

OnWay = Callable[[int, float], None]
"""Told of (lines, seconds of speech) said in shards that are not done yet, by an executor that can see so far."""


class Executor(Plugin, ABC):
    """Lets ``workers`` say shards; None are as many as there is room for. ``address`` is where they are, if not here."""

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        self.workers, self.address = workers, address

    @abstractmethod
    def run(self, job: Job, shards: Sequence[Shard], on_way: OnWay) -> Generator[Done, None, None]:
        """Yield what became of each shard, as soon as it is done; when it is closed, the workers are let go.

        Raises:
            ValueError: there are no workers to be had.
            WorkersError: the workers cannot go on.
        """
