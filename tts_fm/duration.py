"""How many frames a text needs in a given voice."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tts_fm.plugins import Options

DurationRule = Literal["speech_rate", "f5_bytes", "predicted"]


class DurationOptions(Options):
    """Which rule sets the length of the speech.

    ``speech_rate``: phoneme-like units of the text at the rate of the speech in the prompt, silence not counted.
    ``f5_bytes``: F5-TTS's ratio of UTF-8 bytes, exactly. ``predicted``: the backbone's own token durations, scaled to
    the prompt's rate. ``floor_seconds`` is the least that any text gets.
    """

    rule: DurationRule = "speech_rate"
    floor_seconds: float = Field(0.5, ge=0)
