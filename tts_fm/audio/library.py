"""The voices that a person keeps: one FLAC each, with its words, a note of consent and a hash in its comment.

Any player plays such a file, and it can be copied to another machine and added to the library there.
"""

from __future__ import annotations

import hashlib
import io as streams
import json
import os
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import platformdirs

from tts_fm import atomic
from tts_fm.audio import io, prompt
from tts_fm.audio.prompt import Prompt
from tts_fm.errors import ArgumentError, InputError

BUNDLED = "default"
"""The name of the model's own voice, which no other voice may have."""

_NAME = re.compile(r"(?!.*\.flac$)[a-z0-9][a-z0-9._-]{0,63}")  # anna.flac is the file of anna
_MAX_RATE = 48_000  # Hz: nobody's voice is higher
_MAX_BYTES = 10_000_000
_MOST_LOADED = 32  # recordings that stay in memory
_MAX_NOTE, _MAX_TRANSCRIPT = 1_000, 5_000  # characters


class _Stamp(NamedTuple):
    """By what a file is known to be the same."""

    changed: int
    size: int
    number: int


@dataclass(frozen=True, eq=False)
class KeptVoice:
    """A voice of the library.

    Attributes:
        name: what it is called.
        prompt: the recording, trimmed to the speech, and its words.
        consent: who allowed its use, and how.
        added: when that was written down, in UTC, such as ``2026-01-31T12:00:00+00:00``.
        sha256: of the samples and all that is said about them but the name.
    """

    name: str
    prompt: Prompt
    consent: str
    added: str
    sha256: str

    @property
    def seconds(self) -> float:
        """How long the recording lasts."""
        return self.prompt.waveform.seconds


class VoiceLibrary:
    """A folder of voices, ``NAME.flac`` each: ``$TTS_FM_VOICES``, or what the system keeps a program's data in."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = _home() if folder is None else folder
        self._loaded: dict[str, tuple[_Stamp, Prompt]] = {}

    def names(self) -> list[str]:
        """Return what voices there are, sorted; the model's own is not among them."""
        stems = {path.stem for path in self.folder.glob("*.flac")} - {BUNDLED}
        return sorted(stem for stem in stems if _NAME.fullmatch(stem))

    def path(self, name: str) -> Path:
        """Return the file of the voice ``name``, which need not be there.

        Raises:
            ValueError: this cannot be a voice's name.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is no name for a voice; take up to 64 of a-z, 0-9, '.', '_' and '-', the first a letter or digit"
            )
        if name == BUNDLED:
            raise ValueError(f"{BUNDLED!r} is the voice that comes with the model; choose another name")
        path = self.folder / f"{name}.flac"
        if path.resolve().parent != self.folder.resolve():
            raise ValueError(f"{path} is a link that leads out of {self.folder}; remove it")
        return path

    def load(self, name: str) -> KeptVoice:
        """Return the voice called ``name``.

        Raises:
            ValueError: there is none.
            InputError: its file is damaged or was changed.
        """
        return read_voice(self.existing(name))

    def recording(self, name: str) -> Prompt:
        """Return the prompt of the voice called ``name``, the same one until its file changes: what was heard in it is known.

        Raises as :meth:`load`.
        """
        file = self.existing(name).stat()
        stamp = _Stamp(file.st_mtime_ns, file.st_size, file.st_ino)
        known = self._loaded.pop(name, None)
        prompt = known[1] if known is not None and known[0] == stamp else self.load(name).prompt
        while len(self._loaded) >= _MOST_LOADED:
            self._loaded.pop(next(iter(self._loaded)), None)
        self._loaded[name] = stamp, prompt
        return prompt

    def add(self, name: str, recording: Prompt, consent: str, *, is_forced: bool = False) -> KeptVoice:
        """Keep ``recording`` under ``name``, trimmed to the speech in it; ``consent`` says who allowed that and how.

        Raises:
            ValueError: no good name, no note of consent, or (unless ``is_forced``) a voice of that name is there.
            InputError: a recording that cannot be used as a prompt.
        """
        path = self._free(name, is_forced)
        if not 0 < len(note := _one_line(consent)) <= _MAX_NOTE:
            raise ValueError(f"a note of consent is needed, of 1 to {_MAX_NOTE} characters: who allowed it, and how")
        rate = min(recording.waveform.sample_rate, _MAX_RATE)
        trimmed = prompt.prepare(recording, rate, prompt.MAX_SECONDS)
        waveform = io.Waveform(trimmed.waveform.samples * trimmed.output_gain, rate)
        heard = io.read(streams.BytesIO(io.encode(waveform, "flac")), min_seconds=prompt.MIN_SECONDS)  # in 16 bits
        kept = Prompt(heard, _one_line(trimmed.transcript))
        if not 0 < len(kept.transcript) <= _MAX_TRANSCRIPT:
            raise InputError(f"the transcript has {len(kept.transcript):,} characters; give the words of the recording")
        added = datetime.now(UTC).isoformat(timespec="seconds")
        voice = KeptVoice(name, kept, note, added, _digest(kept, note, added))
        facts = {
            "software": "tts-fm",
            "name": name,
            "transcript": kept.transcript,
            "consent": note,
            "added": added,
            "sha256": voice.sha256,
        }
        self._write(path, io.encode(waveform, "flac", facts))
        return voice

    def add_file(self, file: Path, name: str | None = None, *, is_forced: bool = False) -> KeptVoice:
        """Take over a voice's file from elsewhere, as it is; under its own name if ``name`` is None.

        Raises as :meth:`add` and :func:`read_voice`.
        """
        voice, data = _read(file)
        chosen = voice.name if name is None else name
        self._write(self._free(chosen, is_forced), data)
        return self.load(chosen)

    def remove(self, name: str) -> None:
        """Delete the voice called ``name``, and its lexicon. Raises ValueError where there is none."""
        file = self.existing(name)
        file.unlink()
        lexicon_of(file).unlink(missing_ok=True)

    def existing(self, name: str) -> Path:
        """Return the file of the voice ``name``. Raises ValueError where there is none."""
        path = self.path(name)
        if not path.is_file():
            raise ValueError(
                f"there is no voice {name!r} in {self.folder}; there are {', '.join([BUNDLED, *self.names()])}; "
                f"add it first"
            )
        return path

    def _free(self, name: str, is_forced: bool) -> Path:
        path = self.path(name)
        if path.exists() and not is_forced:
            raise ArgumentError(f"there is a voice {name!r} already; take another name, or replace it", "force")
        return path

    def _write(self, path: Path, data: bytes) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic.replacing(path) as beside:
                beside.write_bytes(data)
        except OSError as error:
            raise ValueError(f"{path} cannot be written: {error.strerror}; set TTS_FM_VOICES to a folder") from None


def lexicon_of(file: Path) -> Path:
    """Return where the lexicon of the voice in ``file`` is, if it has one."""
    return file.with_suffix(".lexicon.tsv")


def read_voice(file: Path) -> KeptVoice:
    """Return the voice in ``file``, called as the file is where that is a name, else as the voice was called first.

    Raises:
        InputError: no voice's file, or a changed one.
    """
    return _read(file)[0]


def _read(file: Path) -> tuple[KeptVoice, bytes]:
    """Return the voice and the bytes that it was read from."""
    try:
        with file.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"the voice file {file} cannot be read: {error.strerror}") from None
    if len(data) > _MAX_BYTES:
        raise InputError(f"{file} has more than {_MAX_BYTES // 1_000_000} MB; no voice's file is so large")
    waveform = io.read(streams.BytesIO(data), max_seconds=prompt.MAX_SECONDS)
    facts = io.read_metadata(streams.BytesIO(data))
    name, transcript, consent, added, sha256 = (
        str(facts.get(key, "")) for key in ("name", "transcript", "consent", "added", "sha256")
    )
    if not sha256 or not consent or not transcript:
        raise InputError(
            f"{file} is a recording, no voice's file; give it with its words, or add it to the library with them",
            "ref_audio",
            "ref_text",
        )
    recording = Prompt(waveform, transcript)
    is_clean = all(_one_line(text) == text for text in (name, transcript, consent, added))
    if not is_clean or sha256 != _digest(recording, consent, added):
        raise InputError(f"{file} was changed since the voice was added (its SHA-256 differs); copy it again")
    chosen = file.stem if _NAME.fullmatch(file.stem) else name
    return KeptVoice(chosen, recording, consent, added, sha256), data


def _digest(recording: Prompt, consent: str, added: str) -> str:
    """Return the SHA-256 of the 16-bit samples and of what is said about them."""
    pcm = (recording.waveform.samples * 32_768).round().numpy().astype("<i2")
    facts = json.dumps([recording.waveform.sample_rate, recording.transcript, consent, added])
    return hashlib.sha256(pcm.tobytes() + facts.encode()).hexdigest()


def _one_line(text: str) -> str:
    """Return ``text`` without control characters and half characters, in one line."""
    line = " ".join(text.split())
    return "".join(character for character in line if unicodedata.category(character) not in ("Cc", "Cs"))


def _home() -> Path:
    given = os.environ.get("TTS_FM_VOICES")
    return platformdirs.user_data_path("tts-fm", appauthor=False) / "voices" if not given else Path(given).expanduser()
