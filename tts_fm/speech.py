"""What was said, and how: speech that a model made, and the facts that are written into every file of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jaxtyping import Float
from torch import Tensor

from tts_fm import timing
from tts_fm.audio.io import Waveform
from tts_fm.sampler import SamplingOptions
from tts_fm.timing import Passage, SpokenWord


@dataclass(frozen=True, eq=False)
class Speech:
    """Speech that a model made.

    Attributes:
        waveform: the sound.
        mel: the generated log-mel, without the prompt.
        text: the text as it was read, normalised.
        passages: the pieces it was spoken in, and when each is heard.
        unknown: tokens of the text that the model does not know.
        seconds: computing time.
        remarks: what may be wrong with the reference or the speech, a line each.
    """

    waveform: Waveform
    mel: Float[Tensor, "n c"]
    text: str
    passages: tuple[Passage, ...]
    unknown: tuple[str, ...]
    seconds: float
    remarks: tuple[str, ...] = ()

    @property
    def real_time_factor(self) -> float:
        """Computing time over the length of the speech."""
        return self.seconds / self.waveform.seconds

    @property
    def chunks(self) -> tuple[str, ...]:
        """The texts of the passages."""
        return tuple(passage.text for passage in self.passages)

    @cached_property
    def words(self) -> tuple[SpokenWord, ...]:
        """Each word as it was written, and when it is heard.

        A model that is told the frames of each token knows; of another one's speech an aligner has to find the words.

        Raises:
            InputError: the aligner does not find them, in a language that is not English, perhaps.
            ValueError: the aligner (extra ``edit``) is not installed.
        """
        return timing.words(self.passages, self.waveform)


def provenance(model: str, seed: int, sampling: SamplingOptions, text: str, **more: Any) -> dict[str, Any]:
    """Return what the metadata of generated speech says: that a machine made it, and all that is needed to repeat it.

    ``more`` are further facts, such as ``watermark``. See :func:`tts_fm.audio.io.write`, which takes them.
    """
    return {
        "software": "tts-fm",
        "is_generated": True,
        "model": model,
        "seed": seed,
        **sampling.model_dump(),
        "text": text,
        **more,
    }
