"""The surface put together: routes on one service, their errors, and the guard before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from tts_fm import __version__
from tts_fm.serving import about_routes, errors, speech_routes, stream_routes, voice_routes
from tts_fm.serving.guard import Guard, Rules
from tts_fm.serving.metrics import Counted
from tts_fm.serving.service import Service


def build(service: Service, rules: Rules) -> ASGIApp:
    """Return the server's application."""
    app = surface(service)
    guarded: ASGIApp = Counted(Guard(app, rules, service.queue), service.metrics)
    if rules.origins:  # before the guard: a browser asks without a key whether it may ask
        guarded = CORSMiddleware(
            guarded,
            rules.origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["*"],
            allow_credentials=False,
        )
    return guarded


def surface(service: Service) -> FastAPI:
    """Return the routes, with nothing before them."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app = FastAPI(
        title="tts_fm",
        version=__version__,
        summary="Speech by flow matching, over OpenAI's interface.",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        separate_input_output_schemas=False,
    )
    app.state.service, app.state.streams = service, set()
    for routes in (speech_routes, voice_routes, about_routes, stream_routes):
        app.include_router(routes.router)
    errors.handle(app)
    _without_422(app)
    return app


def _without_422(app: FastAPI) -> None:
    """Let the OpenAPI page tell what is so: a mistake in a request is a 400."""
    page = app.openapi()
    for path in page["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        page["components"]["schemas"].pop(name, None)
