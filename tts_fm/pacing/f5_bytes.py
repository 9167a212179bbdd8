"""F5-TTS's own rule: text and prompt are as long as their bytes, and every frame of the prompt is given."""

from __future__ import annotations

from collections.abc import Sequence

from tts_fm import duration
from tts_fm.audio.prompt import PreparedPrompt
from tts_fm.pacing import DurationRule, Measured, Voice
from tts_fm.text.chunk import f5_chunks


class F5Bytes(DurationRule):
    """What F5-TTS's command does, to the frame."""

    reads_on = True

    def n_given(self, n_samples: int) -> int:
        return n_samples // self.mel.hop_length

    def pieces(self, text: str, prompt: PreparedPrompt, seconds: float) -> list[str]:
        transcript = self.words(prompt.transcript)
        return f5_chunks(text, int(len(transcript.encode()) / prompt.waveform.seconds * seconds))

    def words(self, transcript: str) -> str:
        return duration.f5_transcript(transcript)

    def measure(
        self, voice: Voice, text: str, tokens: Sequence[str], *, speed: float, n_frames: int | None
    ) -> Measured:
        ids, given = self.frontend.encode(voice.words + text), len(voice.mel)
        if n_frames is not None:
            return Measured(ids, given + n_frames)
        return Measured(ids, duration.f5_bytes(given, voice.words, text, speed=speed, n_tokens=len(ids)))
