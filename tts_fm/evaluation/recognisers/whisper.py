"""Whisper by faster-whisper, which may hear any word; on the processor, in int8."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import torch

from tts_fm import hub_files, whisper_files
from tts_fm.audio.io import Waveform
from tts_fm.errors import ModelError
from tts_fm.evaluation.recognisers import Recogniser

RATE = 16_000
"""What it was trained on, in hertz."""
MODEL, BEAM = "base", 5
"""The size that is used where none is named, and how many hypotheses are followed.

On the 40 bundled recordings of real speakers base hears 25 of 514 words wrong with 5 hypotheses and 26 with one; that takes
0.85 and 0.79 s of one core each.
"""


class Whisper(Recogniser):
    """OpenAI's Whisper in the form of CTranslate2.

    English, without timestamps, at temperature 0 and without going back to others, so that it hears the same every time.
    ``model`` is a folder, ``hf://OWNER/REPO[@REVISION]`` or a size such as ``base`` or ``large-v3``.
    """

    is_open = True

    def __init__(self, texts: Sequence[str], model: str | None = None) -> None:
        if find_spec("faster_whisper") is None:
            raise ValueError("the recogniser whisper is not installed; run: pip install 'tts-fm[asr]'")
        from faster_whisper import WhisperModel  # pyright: ignore[reportMissingImports] (an extra)

        named = MODEL if model is None else model
        folder = whisper_files.folder(named)
        try:
            self._model = WhisperModel(
                str(folder), device="cpu", compute_type="int8", cpu_threads=torch.get_num_threads()
            )
        except (OSError, ValueError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise ModelError(f"the Whisper model {named} cannot be read ({reason}); fetch it again") from None
        self.about = (
            f"whisper {_exactly(named, folder)} (faster-whisper {version('faster-whisper')}, int8, beam {BEAM})"
        )

    @classmethod
    def is_ready(cls) -> bool:
        return find_spec("faster_whisper") is not None and whisper_files.is_cached(MODEL)

    def transcribe(self, waveform: Waveform) -> str:
        samples = waveform.resampled(RATE).samples.detach().float().cpu()
        if not samples.any():  # in silence it would imagine words
            return ""
        segments, _ = self._model.transcribe(
            samples.numpy(),
            language="en",
            beam_size=BEAM,
            temperature=0.0,
            without_timestamps=True,
            condition_on_previous_text=False,
        )
        return " ".join("".join(segment.text for segment in segments).split())


def _exactly(named: str, folder: Path) -> str:
    """Return a model's name, and the commit it comes from; of a folder on this machine what its weights are."""
    revision = hub_files.commit(folder)
    if revision is not None:
        return f"{named} at {revision[:12]}"
    with (folder / "model.bin").open("rb") as weights:
        return f"{folder.resolve().name}, sha256 {hashlib.file_digest(weights, 'sha256').hexdigest()[:12]}"
