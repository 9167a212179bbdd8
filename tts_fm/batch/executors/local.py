"""Processes on this machine: one thread each on the CPU, one for each GPU where there are any."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import Any

import torch

from tts_fm import loading, threads
from tts_fm.batch.executors import Executor, OnWay
from tts_fm.batch.job import Job
from tts_fm.batch.shards import Done, Shard
from tts_fm.batch.speaker import Speaker
from tts_fm.errors import WorkersError

_LOOK = 0.5  # seconds between two looks at what the workers have done
_SPAWN = multiprocessing.get_context("spawn")


class Local(Executor):
    """This process where it is enough, else new ones; those that die are replaced, and their shards said anew."""

    def run(self, job: Job, shards: Sequence[Shard], on_way: OnWay) -> Generator[Done, None, None]:
        devices = _devices(job.origin.device, self.workers)[: max(1, len(shards))]
        if len(devices) == 1:
            yield from _alone(job, devices[0], shards, on_way)
            return
        left = {shard.number: shard for shard in shards}
        while left:
            before = len(left)
            try:
                for done in _together(job, devices, list(left.values()), on_way):
                    del left[done.number]
                    yield done
            except BrokenProcessPool:
                if len(left) == before:
                    raise WorkersError(
                        "the workers were killed before any of them had done a shard, for want of memory perhaps; "
                        "take fewer with --workers, or smaller shards"
                    ) from None


def _devices(name: str, workers: int | None) -> list[str]:
    """Return the device of each worker."""
    device = loading.pick_device(name)
    if device.type == "cuda" and device.index is None:
        there = torch.cuda.device_count()
        return [f"cuda:{i % there}" for i in range(there if workers is None else workers)]
    most = threads.processors() if device.type == "cpu" else 1
    return [str(device)] * (most if workers is None else workers)


def _alone(job: Job, device: str, shards: Sequence[Shard], on_way: OnWay) -> Iterator[Done]:
    lengths: list[float] = []

    def on_line(seconds: float) -> None:
        lengths.append(seconds)
        on_way(len(lengths), sum(lengths))

    speaker = Speaker(job, device)
    for shard in shards:
        done = speaker.say(shard, on_line)
        lengths.clear()
        yield done


def _together(job: Job, devices: Sequence[str], shards: Sequence[Shard], on_way: OnWay) -> Iterator[Done]:
    counts = _SPAWN.RawArray("d", 2 * len(devices) + 1)  # no lock, which a worker that is killed would keep
    places = _SPAWN.SimpleQueue()
    for place in enumerate(devices):
        places.put(place)
    pool = ProcessPoolExecutor(len(devices), mp_context=_SPAWN, initializer=_start, initargs=(job, places, counts))
    try:
        waiting = {pool.submit(_say, shard) for shard in shards}
        while waiting:
            finished, waiting = wait(waiting, _LOOK, FIRST_COMPLETED)
            on_way(round(sum(counts[0:-1:2])), sum(counts[1:-1:2]))
            for future in finished:
                yield future.result()
    finally:
        counts[-1] = 1.0  # whoever works finishes the line under way
        pool.shutdown(cancel_futures=True)


class _Stopped(Exception):
    """The process that asked has enough."""


class _Worker:
    """What a process holds: its speaker, and where it tells how many lines and seconds of its shard are said."""

    speaker: Speaker
    counts: Any
    place: int

    def say(self, shard: Shard) -> Done:
        """Say ``shard``; its lines and seconds are told until it is done."""
        lines, seconds = 2 * self.place, 2 * self.place + 1

        def on_line(length: float) -> None:
            self.counts[lines] += 1
            self.counts[seconds] += length
            if self.counts[-1]:
                raise _Stopped

        try:
            return self.speaker.say(shard, on_line)
        finally:
            self.counts[lines] = self.counts[seconds] = 0


_worker = _Worker()


def _start(job: Job, places: Any, counts: Any) -> None:
    """Make this process a worker: Ctrl-C is for the one that asked, and when that dies so does this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker.place, device = places.get()
    _worker.counts, _worker.speaker = counts, Speaker(job, device)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait_for([parent.sentinel])
    os._exit(1)


def _say(shard: Shard) -> Done:
    return _worker.say(shard)
