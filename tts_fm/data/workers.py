"""The same work on many things: in this process, or spread over several."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

from tts_fm import cluster

A = TypeVar("A")
B = TypeVar("B")
_WORTH_A_PROCESS = 200  # things; starting one takes some seconds
_IN_A_TASK = 50  # things; of a cluster, which notes each task


def spread(work: Callable[[A], B], things: Sequence[A], workers: int | None, address: str | None = None) -> Iterator[B]:
    """Yield ``work(thing)`` for each of ``things``, in order; those of a cluster as they are done.

    Args:
        work: a function of a module, so that other processes find it.
        things: what to work on.
        workers: processes; 1 is this one, None as many as are worth starting.
        address: of a Ray cluster that does it in place of processes, see :func:`tts_fm.cluster.connected`.
    """
    if address is not None:
        yield from cluster.spread(work, things, address, _IN_A_TASK)
        return
    if workers is None:
        cores = os.cpu_count()
        workers = max(1, min(1 if cores is None else cores, len(things) // _WORTH_A_PROCESS))
    if workers == 1:
        yield from map(work, things)
        return
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_settle)
    try:
        yield from pool.map(work, things, chunksize=2)
    finally:
        pool.shutdown(cancel_futures=True)


def _settle() -> None:
    """Leave the other cores to the other processes, and Ctrl-C to the one that asked."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
