"""What Ray Serve's proxy tells a client whose replica has died: Ray alone would say 500, and no word about it."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tts_fm.serving.errors import ApiError

ENVIRONMENT = {
    "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": f"{__name__}.middlewares",
    "RAY_SERVE_PROXY_PREFER_LOCAL_NODE_ROUTING": "0",
    "RAY_SERVE_PROXY_PREFER_LOCAL_AZ_ROUTING": "0",
}
"""What Ray reads in the process of its proxy: whom to call for what stands before it, and that the replica beside it is not asked
first: it would be asked always, for it takes on whatever comes, and every other one be idle."""


def middlewares() -> list[Middleware]:
    """Return what stands before the proxy."""
    return [Middleware(Honest)]


class Honest:
    """Answers where nothing was answered; a sound that had begun is left to break off, which its client sees."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        await self.app(scope, receive, watched)
        if not has_begun:
            message = "what was to speak has died before it did; ask again"
            await ApiError(503, message, code="died", retry_after=1).response()(scope, receive, send)
