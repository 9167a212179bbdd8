"""Guidance split in two: one strength for the text, one for the speaker."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tts_fm import plugins
from tts_fm.flow.guidance import Guidance, Term


class Split(Guidance):
    """``v_all + text (v_text - v_nothing) + speaker (v_all - v_text)``; equal strengths are ``cfg``.

    The way from nothing to all leads through the text alone, or through the prompt alone: ``text (v_all - v_prompt) +
    speaker (v_prompt - v_nothing)``. A model must have been trained without the part that is left out; F5-TTS has never
    heard a prompt without its text.
    """

    class Options(plugins.Options):
        """Strengths; None is that of the guidance as a whole."""

        text: float | None = Field(default=None, ge=0, le=20)
        speaker: float | None = Field(default=None, ge=0, le=20)
        through: Literal["text", "prompt"] = "text"

    options: Options
    compares = True

    def terms(self) -> tuple[Term, ...]:
        text = self.strength if self.options.text is None else self.options.text
        speaker = self.strength if self.options.speaker is None else self.options.speaker
        if text == speaker:
            return (Term(text, "all", "nothing"),)
        first, last = (text, speaker) if self.options.through == "text" else (speaker, text)
        return (Term(first, self.options.through, "nothing"), Term(last, "all", self.options.through))
