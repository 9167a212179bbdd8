"""The server on a Ray cluster: as many replicas behind Ray Serve as there is to do, each with a model and a queue of its own."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp

from tts_fm import cluster
from tts_fm.errors import ArgumentError, WorkersError
from tts_fm.serving import proxy
from tts_fm.serving.setup import Setup

NAME = "tts-fm"
"""What the application is called on the cluster."""

_CONTROLLER = "SERVE_CONTROLLER_ACTOR"  # an actor of this name is there where Ray Serve is at work
_MORE_AFTER, _FEWER_AFTER = 10, 600  # seconds in which there was too much, or too little, to do
_PROXY_SECONDS = 300.0
_FINISH_SECONDS = 600.0  # a replica that is stopped may take so long to finish what it has taken on
_AT_ONCE = (
    1_000  # requests that a replica is handed; its own queue turns away who is too many, and says when to come again
)


@dataclass(frozen=True)
class Size:
    """How many replicas there are at least and at most; no ``most`` is as many as the cluster has room for."""

    least: int = 1
    most: int | None = None

    @staticmethod
    def of(text: str) -> Size:
        """Return what ``N`` or ``LEAST:MOST`` says. Raises ValueError for anything else."""
        least, colon, most = text.partition(":")
        numbers = [least, most] if colon else [least, least]
        if not all(number.isdecimal() for number in numbers) or not 1 <= int(numbers[0]) <= int(numbers[1]):
            raise ValueError(f"--replicas {text} is no number of replicas; write 4, or 1:4 for one to four")
        return Size(*map(int, numbers))


class Replica:
    """One model with the whole surface; Ray Serve asks it for its application, in the process that it runs in."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    def __serve_build_asgi_app__(self) -> ASGIApp:
        setup = replace(self._setup, rules=replace(self._setup.rules, is_named=True))  # by Ray's proxy
        return setup.build(setup.service(setup.origin.load()))


def serve(setup: Setup, host: str, port: int, address: str, size: Size, on_start: Callable[[], None]) -> None:
    """Answer at ``host`` and ``port`` of the cluster's head until SIGTERM or Ctrl-C, then finish what runs.

    ``on_start`` is called as soon as the first replicas answer.

    Raises:
        ValueError: there is no cluster at ``address``, or something else is served on it.
        WorkersError: the replicas cannot be started.
    """
    with cluster.connected(address, proxy.ENVIRONMENT) as ray:
        serving = _ray_serve()
        try:
            ray.get_actor(_CONTROLLER, namespace="serve")
        except ValueError:  # there is none
            pass
        else:
            raise ValueError("Ray Serve is at work on this cluster already; end that first: serve shutdown")
        quiet = {"enable_access_log": False, "log_level": "ERROR"}  # they would write addresses and paths
        try:
            with suppress(TimeoutError):  # a busy machine; what was begun goes on
                serving.start(
                    proxy_location="HeadOnly", http_options={"host": host, "port": port}, logging_config=quiet
                )
            serving.run(_deployment(ray, serving, setup, size).bind(setup), name=NAME, logging_config=quiet)
            _wait_for_the_proxy(serving)
            on_start()
            _wait_for_the_end()
            _finish(serving)
        except RuntimeError as error:
            raise WorkersError(f"Ray Serve cannot start: {cluster.reason(error)}") from None
        finally:
            serving.shutdown()


def _deployment(ray: Any, serving: Any, setup: Setup, size: Size) -> Any:
    needs, room = cluster.needs(ray, setup.origin.device)
    most = max(size.least, room) if size.most is None else size.most
    count: dict[str, Any] = {"num_replicas": size.least}
    if most > size.least:
        count = {
            "autoscaling_config": {
                "min_replicas": size.least,
                "max_replicas": most,
                "target_ongoing_requests": 2 * setup.at_once,  # as many wait as run
                "upscale_delay_s": _MORE_AFTER,
                "downscale_delay_s": _FEWER_AFTER,
            }
        }
    return serving.deployment(
        serving.ingress()(Replica),
        name="speech",
        ray_actor_options=needs,
        max_ongoing_requests=_AT_ONCE,
        graceful_shutdown_timeout_s=_FINISH_SECONDS,
        **count,
    )


def _wait_for_the_proxy(serving: Any) -> None:
    end = time.monotonic() + _PROXY_SECONDS
    while not all(state.value == "HEALTHY" for state in serving.status().proxies.values()):
        if time.monotonic() > end:
            raise RuntimeError(f"nothing listens after {_PROXY_SECONDS:g} s; Ray's log of the proxy says why")
        time.sleep(0.5)


def _finish(serving: Any) -> None:
    """Take nothing more, and let the replicas finish what they have."""
    end = time.monotonic() + _FINISH_SECONDS
    while NAME in serving.status().applications and time.monotonic() < end:
        with suppress(TimeoutError):  # after a minute, in which not all was finished
            serving.delete(NAME)


def _ray_serve() -> Any:
    try:
        from ray import serve as serving  # pyright: ignore[reportMissingImports] (an extra)
    except ImportError:
        raise ArgumentError("Ray Serve is not installed; run: pip install 'tts-fm[ray]'", "ray") from None
    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    return serving


def _wait_for_the_end() -> None:
    is_over = threading.Event()
    handlers = {number: signal.signal(number, lambda *_: is_over.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        is_over.wait()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
