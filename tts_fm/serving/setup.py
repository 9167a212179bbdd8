"""What a server is told, in plain values that travel to other machines, and the application that is built from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starlette.types import ASGIApp

from tts_fm.audio.library import VoiceLibrary
from tts_fm.origin import Origin
from tts_fm.serving import app
from tts_fm.serving.audit import Audit
from tts_fm.serving.guard import Rules
from tts_fm.serving.metrics import Metrics
from tts_fm.serving.queue import Queue
from tts_fm.serving.service import Service
from tts_fm.serving.voices import Consents, Voices
from tts_fm.synthesizer import Synthesizer


@dataclass(frozen=True)
class Setup:
    """How a server is set up.

    Attributes:
        origin: where the model comes from.
        rules: what is asked of a request.
        at_once: how many generations run at the same time.
        waiting: how many requests may wait.
        aliases: other names of kept voices.
        voices: the folder of kept voices.
        audit: as :class:`Audit` takes it.
        can_change_voices: whether clients may make voices and delete them.
    """

    origin: Origin
    rules: Rules = field(default_factory=Rules)
    at_once: int = 1
    waiting: int = 16
    aliases: Mapping[str, str] = field(default_factory=dict)
    voices: Path | None = None
    audit: str | None = "-"
    can_change_voices: bool = True

    def service(self, synthesizer: Synthesizer) -> Service:
        """Return all that a server of ``synthesizer`` has, with a queue of its own."""
        library, queue = VoiceLibrary(self.voices), Queue(self.at_once, self.waiting)
        return Service(
            synthesizer,
            queue,
            Voices(library, synthesizer.default_prompt is not None, self.aliases),
            Consents(library),
            Metrics(queue),
            Audit(self.audit),
            can_change_voices=self.can_change_voices,
        )

    def build(self, service: Service) -> ASGIApp:
        """Return the application that answers for ``service``."""
        return app.build(service, self.rules)
