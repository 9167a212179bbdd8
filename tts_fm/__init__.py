"""tts_fm: text to speech by flow matching. What is public is exported here, and imported on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tts_fm.audio.io import Waveform
    from tts_fm.audio.library import KeptVoice, VoiceLibrary
    from tts_fm.audio.prompt import Prompt
    from tts_fm.config import ModelConfig
    from tts_fm.editing import Change, Edit
    from tts_fm.errors import InputError, ModelError
    from tts_fm.plan import Plan
    from tts_fm.sampler import SamplingOptions
    from tts_fm.speech import Speech
    from tts_fm.story import Role, Story, Turn
    from tts_fm.stream import Piece
    from tts_fm.synthesizer import Synthesizer
    from tts_fm.text.lexicon import Lexicon

__version__ = "0.2.0"
__all__ = [
    "Change",
    "Edit",
    "InputError",
    "KeptVoice",
    "Lexicon",
    "ModelConfig",
    "ModelError",
    "Piece",
    "Plan",
    "Prompt",
    "Role",
    "SamplingOptions",
    "Speech",
    "Story",
    "Synthesizer",
    "Turn",
    "VoiceLibrary",
    "Waveform",
    "__version__",
]

_HOMES = {
    "tts_fm.audio.io": ("Waveform",),
    "tts_fm.audio.library": ("KeptVoice", "VoiceLibrary"),
    "tts_fm.audio.prompt": ("Prompt",),
    "tts_fm.config": ("ModelConfig",),
    "tts_fm.editing": ("Change", "Edit"),
    "tts_fm.errors": ("InputError", "ModelError"),
    "tts_fm.plan": ("Plan",),
    "tts_fm.sampler": ("SamplingOptions",),
    "tts_fm.speech": ("Speech",),
    "tts_fm.story": ("Role", "Story", "Turn"),
    "tts_fm.stream": ("Piece",),
    "tts_fm.synthesizer": ("Synthesizer",),
    "tts_fm.text.lexicon": ("Lexicon",),
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``tts-fm --help`` does not wait for torch."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'tts_fm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
