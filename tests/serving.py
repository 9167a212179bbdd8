"""A server of the tiny model on loopback, in a thread of the tests."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from tts_fm.audio.library import VoiceLibrary
from tts_fm.synthesizer import Synthesizer

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")

from tts_fm.serving import app, running
from tts_fm.serving.audit import Audit
from tts_fm.serving.guard import Rules
from tts_fm.serving.metrics import Metrics
from tts_fm.serving.queue import Queue
from tts_fm.serving.service import Service
from tts_fm.serving.voices import Consents, Voices

LONG = "Here is a sentence that says nothing new, and here it goes on. " * 40
RATE = 24_000


@dataclass(frozen=True)
class Served:
    """A server that runs."""

    url: str
    service: Service
    audit: Path

    def client(self, **options: Any) -> httpx.Client:
        """Return a client; ``key`` is the key that it has."""
        key = options.pop("key", None)
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return httpx.Client(base_url=self.url, timeout=60, headers=headers | options.pop("headers", {}), **options)

    def lines(self) -> list[dict[str, Any]]:
        """Return the audit's lines."""
        return [json.loads(line) for line in self.audit.read_text().splitlines()]

    def wait_until_idle(self, seconds: float = 10.0) -> float:
        """Return how long it took until nothing ran or waited."""
        began = time.monotonic()
        while self.service.queue.busy:
            assert time.monotonic() - began < seconds, "something still runs"
            time.sleep(0.01)
        return time.monotonic() - began


@contextmanager
def serving(model: Path, folder: Path, *, rules: Rules | None = None, **options: Any) -> Iterator[Served]:
    """Yield a server of ``model`` that keeps what it keeps in ``folder``; ``options`` are those of its queue."""
    synthesizer = Synthesizer.load(str(model), device="cpu")
    library, queue = VoiceLibrary(folder / "voices"), Queue(**options)
    audit = folder / "audit.jsonl"
    has_own = synthesizer.default_prompt is not None
    service = Service(
        synthesizer, queue, Voices(library, has_own), Consents(library), Metrics(queue), Audit(str(audit))
    )
    listener = running.listen("127.0.0.1", 0)
    server = running.server(app.build(service, Rules() if rules is None else rules), queue.stop)
    thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", service, audit)
    finally:
        server.should_exit = True
        thread.join(20)
    assert not thread.is_alive()


def decoded(data: bytes, format: str) -> np.ndarray:
    """Return the samples of a file, by another reader than what wrote it where there is one."""
    if format == "pcm":
        return np.frombuffer(data, "<i2") / 32_768
    if format == "aac":
        av = pytest.importorskip("av")
        return np.concatenate([frame.to_ndarray()[0] for frame in av.open(io.BytesIO(data)).decode(audio=0)])
    samples, rate = soundfile.read(io.BytesIO(data))
    assert rate == RATE
    return samples
