"""What stands before the server's surface: keys, whose page asks, how large and how slow a request may be."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tts_fm.serving import errors
from tts_fm.serving.errors import ApiError
from tts_fm.serving.queue import Full, Left, Queue, Stopping

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that only this machine reaches."""

MAX_BODY = 16 * 2**20  # bytes: a recording of 10 MB in base64, and some
_LARGE, _MOST_LARGE = 2**18, 8  # bytes; so many bodies above that are taken in at the same time
_BODY_SECONDS, _IDLE_SECONDS = 60.0, 60.0
SPOKEN = ("/v1/audio/speech", "/v1/audio/speech/batch")
"""What needs a place in the queue."""

_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_OPEN = {("GET", "/"), ("GET", "/health"), ("GET", "/openapi.json"), ("GET", "/v1/audio/voices")}
"""What is told without a key: Open WebUI asks for the voices so."""


@dataclass(frozen=True)
class Rules:
    """What is asked of a request.

    Attributes:
        digests: of the keys, see :func:`digest`: one of them must come with it; none is asked for where there are none.
        origins: web pages of other servers that may ask, ``*`` for all.
        is_local: whether only names of this machine may be in ``Host`` (else a web page could rename itself to it).
        is_named: whether what stands before this server gives each request its id in ``X-Request-ID``, and tells it.
    """

    digests: Sequence[bytes] = ()
    origins: Sequence[str] = ()
    is_local: bool = True
    is_named: bool = False


def digest(key: str) -> bytes:
    """Return what is kept of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class Guard:
    """Refuses what is not allowed before anything of it is read, and names each request."""

    def __init__(self, app: ASGIApp, rules: Rules, queue: Queue) -> None:
        self.app, self._rules, self._queue, self._large = app, rules, queue, 0
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        identity, send = self._identity(scope, send)
        try:
            key = self._check(scope)
        except ApiError as error:
            if scope["type"] == "websocket":
                return await send({"type": "websocket.close", "code": 1008, "reason": error.detail[:120]})
            return await error.response()(scope, receive, send)
        scope.setdefault("state", {}).update(request=identity, key=key)
        if scope["type"] == "websocket":
            return await self.app(scope, receive, send)
        await self._pass_on(scope, receive, _patient(send))

    def _identity(self, scope: Scope, send: Send) -> tuple[str, Send]:
        """Return the request's id, and ``send`` that tells it."""
        given = Headers(scope=scope).get("x-request-id", "") if self._rules.is_named else ""
        if _ID.fullmatch(given):
            return given, send
        identity = f"req_{secrets.token_hex(12)}"
        return identity, send if scope["type"] == "websocket" else _named(send, identity)

    def _check(self, scope: Scope) -> str:
        """Return the id of the request's key. Raises ApiError where it may not come in."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._rules.is_local and urlsplit(f"//{host}").hostname not in LOOPBACK:
            raise ApiError(403, "this server answers only to names of its own machine: 127.0.0.1 or localhost")
        origin = headers.get("origin")
        is_ours = origin is None or urlsplit(origin).netloc == host
        if not is_ours and origin not in self._rules.origins and "*" not in self._rules.origins:
            raise ApiError(403, "pages of other servers may not ask; let them in with --allow-origin", code="origin")
        key = self._key(headers.get("authorization", ""))
        is_open = (scope.get("method"), scope["path"]) in _OPEN or scope.get("method") == "OPTIONS"
        if key is None and not is_open:
            raise ApiError(401, "a key is needed: Authorization: Bearer KEY", code="invalid_api_key")
        return "-" if key is None else key

    def _key(self, authorization: str) -> str | None:
        """Return the id of a key that is known, ``-`` where none is needed, else None; all keys are compared."""
        if not self._rules.digests:
            return "-"
        kind, _, key = authorization.partition(" ")
        given = digest(key.strip())
        known = [hmac.compare_digest(given, ours) for ours in self._rules.digests]
        return given.hex()[:8] if any(known) and kind.lower() == "bearer" else None

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the surface answer, while the body is bounded in size and time, and few large ones come in together.

        Where no place is free, that is told before anything is read, or else before it is understood: a crowd is sent away
        at little cost.
        """
        is_spoken = scope["method"] == "POST" and scope["path"] in SPOKEN
        try:
            if is_spoken:
                self._queue.check()
            is_large = self._is_large(Headers(scope=scope))
        except (ApiError, Full, Stopping) as refusal:
            return await errors.understood(refusal).response()(scope, receive, send)
        body = _Body(receive, self._forget_large if is_large else lambda: None)
        self._large += is_large
        try:
            await (self._with_place if is_spoken else self.app)(scope, body, send)
        except TimeoutError:  # of a client that takes nothing
            pass
        except Exception as error:  # it was answered where it could be; here it is kept from a log with paths in it
            if not isinstance(error.__cause__, Left):
                errors.log_failure(error)
        finally:
            body.done()

    async def _with_place(self, scope: Scope, body: _Body, send: Send) -> None:
        """Let the surface answer what needs a place in the queue, and keep one for it as soon as all of it is here."""
        try:
            await body.arrive()
            place = self._queue.keep()
        except (ApiError, Full, Stopping) as refusal:
            return await errors.understood(refusal).response()(scope, body, send)
        scope["state"]["place"] = place
        try:
            # One at a time, and others in between: to understand a request takes as long as to refuse ten.
            async with self._turn:
                await asyncio.sleep(0)
            await self.app(scope, body, send)
        finally:
            place.give_back()

    def _is_large(self, headers: Headers) -> bool:
        """Return whether a body is one of few that may come in together. Raises ApiError where it may not come in."""
        length = headers.get("content-length")
        is_large = length is None and "transfer-encoding" in headers
        if length is not None:
            size = int(length) if length.isdecimal() else 0
            is_large = size > _LARGE
            if size > MAX_BODY:
                raise ApiError(413, f"the request has more than {MAX_BODY:,} bytes", code="too_large")
        if is_large and self._large >= _MOST_LARGE:
            raise ApiError(429, "too many large requests at once; come again", code="busy", retry_after=1)
        return is_large

    def _forget_large(self) -> None:
        self._large -= 1


class _Body:
    """A request's body, bounded."""

    def __init__(self, receive: Receive, on_done) -> None:
        self._receive, self._on_done = receive, on_done
        self._size, self._is_done = 0, False
        self._deadline = asyncio.get_running_loop().time() + _BODY_SECONDS
        self._arrived: deque[Message] = deque()

    async def arrive(self) -> None:
        """Wait until all of it is here, or its client is gone."""
        while True:
            self._arrived.append(message := await self._next())
            if message["type"] != "http.request" or not message.get("more_body", False):
                return

    async def __call__(self) -> Message:
        """Return the next message, as ASGI's ``receive`` does."""
        return self._arrived.popleft() if self._arrived else await self._next()

    async def _next(self) -> Message:
        if self._is_done:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise ApiError(408, f"the request did not arrive within {_BODY_SECONDS:g} s", code="timeout") from None
        self._size += len(message.get("body", b""))
        if self._size > MAX_BODY:
            raise ApiError(413, f"the request has more than {MAX_BODY:,} bytes", code="too_large")
        if not message.get("more_body", False):
            self.done()
        return message

    def done(self) -> None:
        """Say that it is in, once."""
        if not self._is_done:
            self._is_done = True
            self._on_done()


def _named(send: Send, identity: str) -> Send:
    """Return ``send`` that tells the request's id, as OpenAI does."""

    async def named(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], (b"x-request-id", identity.encode())]}
        await send(message)

    return named


def _patient(send: Send) -> Send:
    """Return ``send`` that gives up where a client takes nothing for a while."""

    async def patient(message: Message) -> None:
        async with asyncio.timeout(_IDLE_SECONDS):
            await send(message)

    return patient
