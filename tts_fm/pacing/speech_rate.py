"""The rate of the speech in the prompt, in letters: silence is not counted, pauses stand at the text's own commas."""

from __future__ import annotations

from collections.abc import Sequence

from tts_fm import duration
from tts_fm.pacing import DurationRule, Measured, Voice


class SpeechRate(DurationRule):
    """As long as the speaker of the prompt would take; the text of both goes through the frontend together."""

    def words(self, transcript: str) -> str:
        return duration.f5_transcript(transcript)

    def measure(
        self, voice: Voice, text: str, tokens: Sequence[str], *, speed: float, n_frames: int | None
    ) -> Measured:
        if n_frames is None:
            seconds = duration.speech_rate(
                voice.words,
                voice.prompt.speech_seconds,
                text,
                speed=speed,
                floor_seconds=self.options.floor_seconds,
            )
            n_frames = duration.to_frames(seconds, self.mel.frame_rate)
        return Measured(self.frontend.encode(voice.words + text), len(voice.mel) + n_frames)
