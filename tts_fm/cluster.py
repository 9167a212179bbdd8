"""A Ray cluster: connected to, quietly, and the same work done on many things by it."""

from __future__ import annotations

import logging
import pickle
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, TypeVar

from tts_fm.errors import ArgumentError, WorkersError

A = TypeVar("A")
B = TypeVar("B")
_KNOCK_SECONDS = 10.0
_NEVER, _BUSY = -1.0, 1.0
"""Shares of a pool's actors that work, at which Ray Data lets one go, and starts one where fewer than wanted are there.

By its own, 0.5 and 1.75, it lets the second of two go as soon as that has started, before it gets work, and starts none again.
"""


@contextmanager
def connected(address: str, environment: Mapping[str, str] | None = None) -> Iterator[Any]:
    """Yield the package ``ray``, connected to the cluster at ``address`` (``auto``: the one this machine belongs to).

    Whatever is started has these variables in its ``environment``.

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
        _knock(address)
        runtime = None if environment is None else {"env_vars": dict(environment)}
        ray.init(address=address, runtime_env=runtime, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError, RayError) as error:
        first = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"there is no Ray cluster at {address!r} ({first}); start one: ray start --head") from None
    try:
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = False
        context.autoscaling_config.actor_pool_util_downscaling_threshold = _NEVER
        context.autoscaling_config.actor_pool_util_upscaling_threshold = _BUSY
        with redirect_stdout(sys.stderr):  # Ray prints what has died; the standard output is for data
            yield ray
    except RayError as error:
        raise WorkersError(f"Ray cannot go on: {reason(error)}; what is done is kept, so run it again") from None
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError where nobody listens at ``address``: Ray would ask there again and again, for ten minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()


def needs(ray: Any, device: str) -> tuple[dict[str, int], int]:
    """Return what an actor with a model on ``device`` takes of the cluster, and how many of them there is room for."""
    there = ray.cluster_resources()
    kind = "GPU" if device != "cpu" and there.get("GPU", 0) > 0 else "CPU"
    return {f"num_{kind.lower()}s": 1}, max(1, round(there.get(kind, 1)))


def rows(ray: Any, things: Sequence[Any], size: int = 1) -> Any:
    """Return ``things`` for Ray Data, ``size`` of them for a task; a row has one, pickled, as ``thing``."""
    tasks = max(1, -(-len(things) // size))
    return ray.data.from_items([{"thing": pickle.dumps(thing)} for thing in things], override_num_blocks=tasks)


def spread(work: Callable[[A], B], things: Sequence[A], address: str, size: int) -> Iterator[B]:
    """Yield ``work(thing)`` for each of ``things``, as they are done, ``size`` of them in a task."""

    with connected(address) as ray:
        for row in rows(ray, things, size).map(_worked, fn_args=(pickle.dumps(work),)).iter_rows():
            yield pickle.loads(row["done"])


def reason(error: Exception) -> str:
    """Return the last line that says something of what Ray tells about ``error``."""
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)


def _worked(row: dict[str, Any], work: bytes) -> dict[str, Any]:
    """Return the row of what was done with a row's thing; ``work`` is the function, pickled."""
    return {"done": pickle.dumps(pickle.loads(work)(pickle.loads(row["thing"])))}
