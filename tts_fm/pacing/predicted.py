"""The backbone's own prediction of each token's frames, stretched to the rate of the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tts_fm import duration
from tts_fm.pacing import DurationRule, Measured, Voice
from tts_fm.types import FILLER

LEADING_SILENCE = 0.05
"""Seconds, at most; what is left of the prompt's last sound comes before it."""


@dataclass(frozen=True)
class Words:
    """The prompt's tokens and how many frames each lasts in an average voice, 0 for what is no sound."""

    tokens: list[str]
    frames: list[float]


class Predicted(DurationRule):
    """For a backbone that is told the frames of each token; the prompt's text is hidden."""

    def words(self, transcript: str) -> Words:
        tokens = self.frontend.tokens(transcript)
        frames = self.backbone.average_frames(self.frontend.ids(tokens))
        return Words(tokens, [f if token.isalpha() else 0.0 for token, f in zip(tokens, frames, strict=True)])

    def measure(
        self, voice: Voice, text: str, tokens: Sequence[str], *, speed: float, n_frames: int | None
    ) -> Measured:
        words: Words = voice.words
        given, rate, ids = len(voice.mel), self.mel.frame_rate, self.frontend.ids(tokens)
        frames = duration.predicted(
            words.frames,
            self.backbone.average_frames(ids),
            prompt_frames=given,
            prompt_speech_frames=voice.prompt.sound_seconds * rate,
            target_frames=n_frames,
            speed=speed,
            floor_frames=duration.to_frames(max(self.options.floor_seconds, 1 / rate), rate),
        )
        target = frames[len(words.tokens) :]
        if n_frames is None:  # the silence that a sentence begins with in a corpus
            target[0] = min(target[0], duration.to_frames(LEADING_SILENCE, rate))
            target = duration.with_pauses(target, tokens, rate, speed)
        return Measured([FILLER, *ids], given + sum(target), [given, *target])
