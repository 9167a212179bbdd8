"""From start to stop: the socket, the signals, and the end that lets everything that runs be finished."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Generator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

_REQUEST_SECONDS = 10.0  # from a connection to its first request
_UNREAD_SECONDS = 60  # after which a client that takes nothing is cut off
_MAX_MESSAGE = 4 * 2**20  # bytes of a websocket's message


def server(app: ASGIApp, on_stop: Callable[[], None]) -> uvicorn.Server:
    """Return what serves ``app``: its ``run(sockets=[...])`` lasts until SIGTERM, Ctrl-C or ``should_exit``.

    ``on_stop`` is called then, and what runs is finished; a second Ctrl-C does not wait for it.
    """
    config = uvicorn.Config(
        app,
        http=_Protocol,
        ws="websockets-sansio",
        ws_max_size=_MAX_MESSAGE,
        log_config=None,
        log_level="critical",  # it would write addresses and paths
        access_log=False,
        server_header=False,
        timeout_keep_alive=30,
        lifespan="on",
    )
    return _Server(config, on_stop)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one. Raises ValueError where it cannot."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family, backlog=512)
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{host}:{port} cannot be listened on ({reason}); take another --host or --port") from None
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # inherited by connections; closing one waits for its client, this does not
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _UNREAD_SECONDS)
    return listener


class _Protocol(H11Protocol):
    """HTTP; a connection on which no request comes is cut."""

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self.loop.call_later(_REQUEST_SECONDS, self._cut_if_silent)

    def _cut_if_silent(self) -> None:
        if self.scope is None and not self.transport.is_closing():
            self.transport.abort()


class _Server(uvicorn.Server):
    """Stops on a signal as on any other end; uvicorn's own would raise the signal again, and the exit be no success."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_stop = on_stop

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if threading.current_thread() is not threading.main_thread():  # only there can signals be heard
            yield
            return
        handlers = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._on_stop()
        await super().shutdown(sockets)
