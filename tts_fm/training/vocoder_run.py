"""A run that trains a vocoder, as a YAML file describes it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from tts_fm import config
from tts_fm.config import LoopOptions
from tts_fm.plugins import Options
from tts_fm.strict import choice
from tts_fm.training.discriminators import DiscriminatorOptions
from tts_fm.training.recordings import RecordingOptions
from tts_fm.training.team import Precision
from tts_fm.types import MelSpec
from tts_fm.vocoders import Vocoder


class LossOptions(Options):
    """Weights of the generator's losses; ``wave`` is of the waveforms' distance, for one that a teacher teaches."""

    mel: float = Field(default=45.0, ge=0)
    stft: float = Field(default=1.0, ge=0)
    wave: float = Field(default=0.0, ge=0)
    adversarial: float = Field(default=1.0, ge=0)
    feature_matching: float = Field(default=1.0, ge=0)
    stft_sizes: tuple[int, ...] = (512, 1024, 2048)


class VocoderTrainingOptions(LoopOptions):
    """Rates and sizes. The learning rates fall along a cosine to ``final_lr_ratio`` at ``updates``."""

    warm_updates: int = Field(default=0, ge=0, description="updates before the discriminators join")
    discriminator_every: int = Field(default=1, ge=1)
    batch_size: int = Field(default=16, gt=0)
    judged_batch_size: int = Field(default=16, gt=0, description="crops per update once the discriminators have joined")
    lr: float = Field(default=5e-4, gt=0)
    discriminator_lr: float = Field(default=5e-4, gt=0)
    betas: tuple[float, float] = (0.8, 0.9)
    lr_warmup: int = Field(default=100, ge=0)
    final_lr_ratio: float = Field(default=0.01, ge=0, le=1)
    max_grad_norm: float = Field(default=50.0, gt=0)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    precision: Precision = "float32"


class TeacherOptions(Options):
    """A HiFi-GAN whose sound a lighter one learns, see :mod:`tts_fm.training.vocoder_student`."""

    vocoder: str = Field(description="a vocoder folder, or hf://OWNER/REPO")
    kept: int = Field(default=1, ge=0, description="first stages that are the teacher's own and do not learn")
    lessons: int = Field(default=512, gt=0, description="pieces that are learned from at one time")
    fresh: int = Field(default=1, ge=0, description="how many of them each update replaces")
    blurred: float = Field(default=0.5, ge=0, le=1, description="share of pieces whose mel is smoothed, more or less")


class VocoderRun(Options):
    """A whole run, as one YAML file holds it.

    ``start`` is a vocoder folder, or ``hf://OWNER/REPO``, whose weights are the beginning; ``mel`` and ``vocoder`` are as there.
    With a ``teacher`` its sound is learned, not that of the recordings, of which it is given the mels.
    """

    name: str
    license: str = ""
    mel: MelSpec = MelSpec()
    vocoder: choice(Vocoder) = Field(default="vocos", validate_default=True)  # type: ignore[valid-type]
    start: str = ""
    teacher: TeacherOptions | None = None
    discriminators: DiscriminatorOptions = DiscriminatorOptions()
    data: RecordingOptions
    loss: LossOptions = LossOptions()
    training: VocoderTrainingOptions


def read(path: Path, changes: list[str] | None = None) -> VocoderRun:
    """Return the run that ``path`` describes. Raises ValueError as :func:`tts_fm.config.read_run` does."""
    return config.parse(VocoderRun, config.read_yaml(path, [] if changes is None else changes), path)
