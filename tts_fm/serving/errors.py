"""Errors as OpenAI's clients expect them, whatever went wrong: one JSON object with a sentence in it."""

from __future__ import annotations

import logging
import traceback
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from tts_fm.errors import without_paths
from tts_fm.serving.queue import Full, Left, Stopping

GONE = 499
"""The status of a request whose client left, in metrics and audit; nobody receives it."""

_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_LOGGED = "it was logged"
_log = logging.getLogger(__name__)


class ErrorDetail(BaseModel):
    """What went wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(BaseModel):
    """An error."""

    error: ErrorDetail


class ApiError(HTTPException):
    """An answer that is an error.

    Args:
        status: HTTP's number.
        message: one sentence: what was wrong, what is allowed, what to do.
        param: the field of the request that it is about.
        code: a word for programs.
        retry_after: seconds after which it is worth to come again.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        if status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        super().__init__(status, message, headers)
        self.param, self.code = param, code

    def response(self) -> JSONResponse:
        """Return it as an answer."""
        return JSONResponse(body_of(self), self.status_code, self.headers)


def body_of(error: ApiError) -> dict[str, Any]:
    """Return the JSON of an error."""
    kind = _KINDS.get(error.status_code, "server_error" if error.status_code >= 500 else "invalid_request_error")
    detail = ErrorDetail(message=error.detail, type=kind, param=error.param, code=error.code)
    return ErrorBody(error=detail).model_dump()


def understood(error: Exception) -> ApiError:
    """Return what a client is told about ``error``; what is our own fault is logged, without texts and paths."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, Full):
        return ApiError(
            429,
            f"all places are taken; come again in {error.retry_after} s",
            code="busy",
            retry_after=error.retry_after,
        )
    if isinstance(error, Stopping):
        return ApiError(503, "the server is stopping; ask another one, or come again later", code="stopping")
    if isinstance(error, Left):
        return ApiError(GONE, "the client left", code="left")
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        return ApiError(error.status_code, str(error.detail), code=_CODES.get(error.status_code))
    if isinstance(error, ValueError):  # all that a person can cause; InputError is one
        return ApiError(400, without_paths(" ".join(str(error).split())), code="invalid_value")
    log_failure(error)
    return ApiError(500, "the server failed; its log says where", code="failed")


def log_failure(error: BaseException) -> None:
    """Log once the kind of ``error`` and the lines it came through; not its message, which may hold what somebody wrote."""
    if _LOGGED in getattr(error, "__notes__", ()):
        return
    error.add_note(_LOGGED)
    frames = [f"{frame.f_globals.get('__name__')}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
    _log.error("a request failed: %s at %s", type(error).__name__, " < ".join(reversed(frames[-6:])))


def handle(app: FastAPI) -> None:
    """Let ``app`` answer all errors in this form."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        response = understood(error).response()
        if response.status_code == 405:
            response.headers["Allow"] = ", ".join(_allowed(request))
        return response

    for kind in (HTTPException, RequestValidationError, ValueError, Full, Stopping, Left, Exception):
        app.add_exception_handler(kind, answer)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the part of a route's OpenAPI page that tells of its errors."""
    return {status: {"model": ErrorBody, "description": _MEANINGS[status]} for status in statuses}


def _allowed(request: Request) -> list[str]:
    """Return the methods that there are for the request's path; each of them is a route of its own."""
    paths = request.app.openapi()["paths"].items()
    theirs = [methods for path, methods in paths if compile_path(path)[0].match(request.url.path)]
    return sorted({method.upper() for methods in theirs for method in methods})


def _invalid(error: RequestValidationError) -> ApiError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    known = {"json_invalid": f"the body is no JSON: {first.get('ctx', {}).get('error', '')}"}
    message = known.get(first["type"], f"{where or 'the body'}: {first['msg']}")
    return ApiError(400, message, param=where or None, code=first["type"])


_CODES = {404: "not_found", 405: "method_not_allowed", 415: "unsupported_media_type"}
_MEANINGS = {
    400: "A mistake in the request.",
    401: "No key, or an unknown one.",
    403: "Not allowed on this server, or from this page.",
    404: "No such thing; the message says what there is.",
    408: "The request took too long to arrive.",
    413: "The request is too large.",
    429: "All places are taken; Retry-After says when to come again.",
    500: "The server failed.",
    503: "The server is stopping, or what was to speak on a cluster has died.",
}
