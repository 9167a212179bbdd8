"""tts_fm: text to speech by flow matching. Public API: Synthesizer, Prompt, Waveform."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tts_fm.audio.io import Waveform
    from tts_fm.audio.prompt import Prompt
    from tts_fm.synthesizer import Synthesizer

__version__ = "0.2.0"
__all__ = ["Prompt", "Synthesizer", "Waveform", "__version__"]

_HOMES = {"Synthesizer": "tts_fm.synthesizer", "Prompt": "tts_fm.audio.prompt", "Waveform": "tts_fm.audio.io"}


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``tts-fm --help`` does not wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tts_fm' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
