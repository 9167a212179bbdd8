"""A Ray cluster: connected to, quietly, and the same work done on many things by it."""

from __future__ import annotations

import logging
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, TypeVar

from tts_fm.errors import ArgumentError, WorkersError

A = TypeVar("A")
B = TypeVar("B")


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Yield the package ``ray``, connected to the cluster at ``address`` (``auto``: the one this machine belongs to).

    Raises:
        ValueError: there is no such cluster, or Ray is not installed.
        WorkersError: Ray has given up what was asked of it.
    """
    try:
        import ray  # pyright: ignore[reportMissingImports] (an extra)
        import ray.data  # pyright: ignore[reportMissingImports]
        from ray.exceptions import RayError  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ArgumentError("Ray is not installed; run: pip install 'tts-fm[ray]'", "ray") from None
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"there is no Ray cluster at {address!r} ({reason}); start one: ray start --head") from None
    try:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = False
        with redirect_stdout(sys.stderr):  # Ray prints what has died; the standard output is for data
            yield ray
    except RayError as error:
        reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
        raise WorkersError(f"Ray cannot go on: {reason.strip()}; what is done is kept, so run it again") from None
    finally:
        ray.shutdown()


def rows(ray: Any, things: Sequence[Any], size: int = 1) -> Any:
    """Return ``things`` for Ray Data, ``size`` of them for a task; a row has one, pickled, as ``thing``."""
    tasks = max(1, -(-len(things) // size))
    return ray.data.from_items([{"thing": pickle.dumps(thing)} for thing in things], override_num_blocks=tasks)


def spread(work: Callable[[A], B], things: Sequence[A], address: str, size: int) -> Iterator[B]:
    """Yield ``work(thing)`` for each of ``things``, as they are done, ``size`` of them in a task."""

    def on_row(row: dict[str, Any]) -> dict[str, Any]:
        return {"done": pickle.dumps(work(pickle.loads(row["thing"])))}

    with connected(address) as ray:
        for row in rows(ray, things, size).map(on_row).iter_rows():
            yield pickle.loads(row["done"])
