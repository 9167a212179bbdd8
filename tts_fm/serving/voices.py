"""Which voice a name means, and the voices and consents that clients leave here."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io as streams
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tts_fm import atomic
from tts_fm.audio import io, prompt
from tts_fm.audio.io import Waveform
from tts_fm.audio.library import BUNDLED, VoiceLibrary
from tts_fm.audio.prompt import Prompt
from tts_fm.errors import InputError
from tts_fm.serving import wire
from tts_fm.serving.errors import ApiError

OPENAI_NAMES = (
    *("alloy", "ash", "ballad", "cedar", "coral", "echo", "fable"),
    *("marin", "nova", "onyx", "sage", "shimmer", "verse"),
)
"""Clients know these names, and some refuse all others; each is another voice here."""

_MOST_KEPT = 1_000  # voices, and consents: clients must not fill the disk
_CONSENT_ID = re.compile(r"cons_[0-9a-f]{24}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")
_MAX_NAME = 200  # characters


@dataclass(frozen=True)
class ChosenVoice:
    """A voice to speak in: what it is called here, and how to get its recording (None: the model's own)."""

    name: str
    load: Callable[[], Prompt | None]


class Voices:
    """The voices of a server.

    Args:
        library: where they are kept.
        has_own: whether the model has a voice of its own, called ``default``.
        aliases: other names of kept voices; OpenAI's names are the default voice where nothing is said about them.
    """

    def __init__(self, library: VoiceLibrary, has_own: bool, aliases: Mapping[str, str] | None = None) -> None:
        self.library, self.has_own = library, has_own
        self._aliases = {} if aliases is None else dict(aliases)
        for alias, name in self._aliases.items():
            if name not in self._real():
                raise ValueError(f"--voice-alias {alias}={name}: there is no voice {name!r}; see tts-fm voices list")

    def names(self) -> list[str]:
        """Return every name that can be asked for."""
        real = self._real()
        openai = OPENAI_NAMES if self.has_own else ()
        return list(dict.fromkeys([*real, *self._aliases, *openai]))

    def choose(self, name: str) -> ChosenVoice:
        """Return the voice called ``name``. Raises ApiError 404 with all names where there is none."""
        real = self._real()
        meant = name if name in real else self._aliases.get(name, BUNDLED if name in OPENAI_NAMES else name)
        if meant not in real:
            message = f"there is no voice {name[:80]!r}; choose one of {', '.join(self.names())}"
            raise ApiError(404, message, param="voice", code="voice_not_found")
        if meant == BUNDLED:
            return ChosenVoice(BUNDLED, lambda: None)
        return ChosenVoice(meant, lambda: self.library.recording(meant))

    def add(self, name: str, recording: bytes, words: str | None, consent: str) -> wire.Voice:
        """Keep a voice, with its consent. Raises ValueError and InputError as :meth:`VoiceLibrary.add`."""
        slug = re.sub(r"\s+", "-", name.strip().lower())
        if slug in (*OPENAI_NAMES, *self._aliases):
            raise ApiError(400, f"{slug!r} is a name that clients use already; take another one", param="name")
        self.library.path(slug)  # a mistake in the name is found first
        if slug not in self.library.names() and len(self.library.names()) >= _MOST_KEPT:
            raise ApiError(400, f"{_MOST_KEPT:,} voices are kept, the most there may be; delete one", code="full")
        heard = sound(recording)
        kept = self.library.add(slug, Prompt(heard, spoken(heard, words)), consent)
        return wire.Voice(id=slug, created_at=_timestamp(kept.added), name=name.strip())

    def remove(self, name: str) -> None:
        """Delete a kept voice. Raises ApiError 404."""
        if name not in self.library.names():
            raise ApiError(404, f"no voice {name[:80]!r} is kept here that could be deleted", code="voice_not_found")
        self.library.remove(name)

    def _real(self) -> list[str]:
        return [*([BUNDLED] if self.has_own else []), *self.library.names()]


class Consents:
    """Recorded consents, one FLAC each beside the voices, with who and when in its comment."""

    def __init__(self, library: VoiceLibrary) -> None:
        self._folder = library.folder / "consents"

    def add(self, name: str, language: str, recording: bytes, key: str) -> wire.Consent:
        """Keep a consent. Raises ApiError and InputError for what cannot be one."""
        shown = " ".join(name.split())
        if not 0 < len(shown) <= _MAX_NAME or not shown.isprintable():
            raise ApiError(400, f"name is the speaker's, of 1 to {_MAX_NAME} characters", param="name")
        if not _LANGUAGE.fullmatch(language):
            raise ApiError(400, "language is a tag such as en or de-AT", param="language")
        if len(self.all()) >= _MOST_KEPT:
            raise ApiError(400, f"{_MOST_KEPT:,} consents are kept, the most there may be; delete one", code="full")
        heard = sound(recording)
        added = datetime.now(UTC).isoformat(timespec="seconds")
        facts = {"name": shown, "language": language, "added": added, "key": key}
        self._folder.mkdir(parents=True, exist_ok=True)
        identity = f"cons_{secrets.token_hex(12)}"
        with atomic.replacing(self._folder / f"{identity}.flac") as beside:
            beside.write_bytes(io.encode(heard, "flac", facts))
        return self.get(identity)

    def all(self) -> list[wire.Consent]:
        """Return all consents, the oldest first."""
        consents = [
            self.get(path.stem) for path in self._folder.glob("cons_*.flac") if _CONSENT_ID.fullmatch(path.stem)
        ]
        return sorted(consents, key=lambda consent: (consent.created_at, consent.id))

    def get(self, identity: str) -> wire.Consent:
        """Return a consent. Raises ApiError 404."""
        facts = io.read_metadata(self._path(identity))
        added = _timestamp(facts.get("added", ""))
        return wire.Consent(
            id=identity, created_at=added, language=facts.get("language", ""), name=facts.get("name", "")
        )

    def note(self, identity: str) -> str:
        """Return what a voice's note of consent says of it, the hash of its file included."""
        consent, path = self.get(identity), self._path(identity)
        when = datetime.fromtimestamp(consent.created_at, UTC).date().isoformat()
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return f"{consent.name} ({consent.language}), recorded consent {identity} of {when}, SHA-256 {digest}"

    def remove(self, identity: str) -> None:
        """Delete a consent. Raises ApiError 404."""
        self._path(identity).unlink()

    def _path(self, identity: str) -> Path:
        path = self._folder / f"{identity}.flac"
        if not _CONSENT_ID.fullmatch(identity) or not path.is_file():
            message = f"there is no consent {identity[:80]!r}; make one first: POST /v1/audio/voice_consents"
            raise ApiError(404, message, param="consent", code="consent_not_found")
        return path


def sound(data: bytes) -> Waveform:
    """Return the recording in ``data``. Raises InputError where it is too large, too long, or none."""
    if len(data) > wire.MAX_BYTES:
        raise ApiError(413, f"a recording has at most {wire.MAX_BYTES // 1_000_000} MB; give a shorter one")
    return io.read(streams.BytesIO(data), min_seconds=prompt.MIN_SECONDS, max_seconds=prompt.MAX_SECONDS)


def spoken(heard: Waveform, words: str | None) -> str:
    """Return ``words``, else what the extra ``asr`` hears. Raises InputError where neither is there."""
    if words is not None and words.strip():
        return words
    from tts_fm import transcribe

    if not transcribe.is_available():
        raise InputError("ref_text is needed: the words in the recording, exactly as they are said")
    return transcribe.transcribe(heard)


def from_base64(text: str) -> bytes:
    """Return the bytes of a recording that was sent in base64, with or without ``data:...;base64,`` before it."""
    encoded = re.sub(r"^data:[^,]{0,100};base64,", "", text)
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        message = "ref_audio is a recording in base64; addresses and paths are not fetched"
        raise ApiError(400, message, param="ref_audio", code="invalid_base64") from None


def _timestamp(added: str) -> int:
    try:
        return int(datetime.fromisoformat(added).timestamp())
    except ValueError:
        return 0
