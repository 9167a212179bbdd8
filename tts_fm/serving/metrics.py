"""Numbers for Prometheus: who came, who was turned away, how long it took, and how much was said."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tts_fm.serving.guard import SPOKEN
from tts_fm.serving.queue import Queue

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60, 120, 300)


class Metrics:
    """The counters of one server."""

    def __init__(self, queue: Queue) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "tts_fm_requests", "Requests by route and status.", ("route", "status"), registry=self.registry
        )
        self.first_byte = Histogram(
            "tts_fm_first_byte_seconds", "From a request to its first sound.", buckets=_SECONDS, registry=self.registry
        )
        self.whole = Histogram(
            "tts_fm_speech_request_seconds",
            "From a request to its last sound.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.spoken = Counter("tts_fm_spoken_seconds", "Seconds of speech made.", registry=self.registry)
        self.characters = Counter("tts_fm_spoken_characters", "Characters spoken.", registry=self.registry)
        for name, what, count in (
            ("tts_fm_running", "Requests on the device.", lambda: queue.running),
            ("tts_fm_waiting", "Requests that wait for it.", lambda: queue.waiting),
            ("tts_fm_held", "Requests whose sound is not yet all made and fetched.", lambda: len(queue.held)),
        ):
            Gauge(name, what, registry=self.registry).set_function(count)

    def page(self) -> bytes:
        """Return all numbers as Prometheus reads them."""
        return generate_latest(self.registry)


class Counted:
    """Counts the answers of ``app`` by route and status; whatever is no route is one."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                early = scope["path"] if scope["path"] in SPOKEN else "-"  # sent away before its route was found
                route = scope["route"].path if "route" in scope else early
                self._metrics.requests.labels(route, str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, counted)
