"""The options and the TOML files of F5-TTS's command, in our words."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tts_fm.errors import InputError

_OURS = {
    "gen-text": "text",
    "gen-file": "text-file",
    "nfe-step": "steps",
    "cfg-strength": "guidance",
    "sway-sampling-coef": "sway",
    "vocab-file": "vocab",
    "model-cfg": "architecture",
}
_FILES = ("ref_audio", "text_file", "vocab", "ckpt_file")
_FILES_OR_NAMES = ("model", "architecture", "vocoder", "guidance_model", "voice")


def our_name(option: str) -> str:
    """Return our name of an option; F5-TTS's names, with their underscores, mean the same."""
    name = option.replace("_", "-")
    return _OURS.get(name, name)


@dataclass(frozen=True)
class StoryVoice:
    """A voice of a story: a recording and its words (None: to be written down), or a kept voice."""

    ref_audio: Path | None = None
    ref_text: str | None = None
    voice: str | None = None
    speed: float | None = None


@dataclass(frozen=True)
class StoryFile:
    """What a TOML file says.

    Attributes:
        options: value by our name of the option, with underscores; a relative path starts from the file's folder.
        voices: the voices by their tags; the one that the file describes above its tables is ``main``.
        unknown: the keys that mean nothing here, sorted.
    """

    options: dict[str, Any]
    voices: dict[str, StoryVoice]
    unknown: tuple[str, ...]


def read(path: Path, known: Collection[str]) -> StoryFile:
    """Return what the TOML file ``path`` says about the ``known`` options, in F5-TTS's spelling or in ours.

    An empty string says nothing. A text in a file goes before a text in the TOML, as F5-TTS has it.

    Raises:
        InputError: the file is missing, no TOML, or has a value of a wrong kind.
    """
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"the story {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no TOML: {error}") from None
    tables = value.pop("voices", {})
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise InputError(f"{path}: voices are tables such as [voices.town], with ref_audio and ref_text")
    said = _said(path, value)
    described = {tag: _said(path, table) for tag, table in tables.items()}
    if main := {name: said.pop(name) for name in ("ref_audio", "ref_text", "voice") if name in said}:
        described["main"] = main
    unknown = set(said) - set(known)
    options = {name: one for name, one in said.items() if name in known}
    if "text_file" in options:
        options.pop("text", None)
    for tag, inner in described.items():
        unknown |= {f"voices.{tag}.{name}" for name in set(inner) - set(StoryVoice.__annotations__)}
    voices = {tag: _voice(path, tag, inner) for tag, inner in described.items()}
    return StoryFile(options, voices, tuple(sorted(unknown)))


def _said(path: Path, table: dict[str, Any]) -> dict[str, Any]:
    """Return what is not empty in ``table``, under our names, with paths that can be opened from anywhere."""
    said: dict[str, Any] = {}
    for key, value in table.items():
        if not isinstance(value, (str, int, float, bool, list)):
            raise InputError(f"{path}: {key} is {value!r}; it must be a text, a number or true or false")
        if value != "":
            name = our_name(key).replace("-", "_")
            said[name] = _opened_from_here(path.parent, name, value) if isinstance(value, str) else value
    return said


def _opened_from_here(folder: Path, name: str, value: str) -> str:
    """Return ``value`` with ``folder`` before it where it is the path of a file there."""
    beside = folder / value
    if name in _FILES:  # F5-TTS's own files hold paths from where it is started
        return value if Path(value).exists() and not beside.exists() else str(beside)
    return str(beside) if name in _FILES_OR_NAMES and beside.exists() else value


def _voice(path: Path, tag: str, said: dict[str, Any]) -> StoryVoice:
    speed, audio = said.get("speed"), said.get("ref_audio")
    if speed is not None and not (type(speed) in (int, float) and 0.1 <= speed <= 10):
        raise InputError(f"{path}: voices.{tag}.speed is {speed!r}; it must be from 0.1 to 10")
    texts = [said.get(name) for name in ("ref_audio", "ref_text", "voice")]
    if not all(text is None or isinstance(text, str) for text in texts):
        raise InputError(f"{path}: ref_audio, ref_text and voice of voices.{tag} must be texts")
    if (audio is None) == (said.get("voice") is None):
        raise InputError(f"{path}: voices.{tag} needs ref_audio, with ref_text, or voice, the name of a kept voice")
    return StoryVoice(
        ref_audio=None if audio is None else Path(audio),
        ref_text=said.get("ref_text"),
        voice=said.get("voice"),
        speed=None if speed is None else float(speed),
    )
