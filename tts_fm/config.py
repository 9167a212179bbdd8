"""The configuration of a run and of a model: every field, its range and its one default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from tts_fm.audio.mel import MelScale
from tts_fm.augment import AugmentOptions
from tts_fm.backbones import Backbone
from tts_fm.flow.couplings import Coupling
from tts_fm.flow.objective import MAX_MODE_SCALE, TimeLaw
from tts_fm.flow.paths import Path as ProbabilityPath
from tts_fm.frontends import Frontend
from tts_fm.infill import InfillOptions
from tts_fm.pacing import DurationOptions
from tts_fm.plugins import Options
from tts_fm.sampler import SamplingOptions
from tts_fm.strict import choice, parse, read_yaml
from tts_fm.types import MelSpec
from tts_fm.vocoders import Vocoder


class FlowOptions(Options):
    """The probability path, and in training: which noise goes with which speech, and the law of ``t``."""

    path: choice(ProbabilityPath) = Field(default="cond_ot", validate_default=True)  # type: ignore[valid-type]
    coupling: choice(Coupling) = Field(default="independent", validate_default=True)  # type: ignore[valid-type]
    time_law: TimeLaw = "uniform"
    time_mean: float = 0.0
    time_scale: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _check(self) -> FlowOptions:
        if self.time_law == "mode" and self.time_scale > MAX_MODE_SCALE:
            raise ValueError(f"time_scale is {self.time_scale:g}; time_law 'mode' takes at most {MAX_MODE_SCALE:.4f}")
        return self


class LimitOptions(Options):
    """What the model can hold: seconds of prompt, and of prompt and speech together."""

    max_prompt_seconds: float = Field(default=12.0, gt=0, le=120)
    max_total_seconds: float = Field(default=22.0, gt=0, le=700)


class ModelConfig(Options):
    """Everything that inference needs; saved as ``config.yaml`` in a model folder."""

    name: str = Field(max_length=200)
    license: str = Field(default="", max_length=200)
    language: str = Field(default="en", max_length=50)
    mel: MelSpec = MelSpec()
    mel_scale: MelScale = MelScale()
    frontend: choice(Frontend)  # type: ignore[valid-type]
    backbone: choice(Backbone)  # type: ignore[valid-type]
    flow: FlowOptions = FlowOptions()
    duration: DurationOptions = DurationOptions()
    sampling: SamplingOptions = SamplingOptions()
    default_leaps: int = Field(
        default=0, ge=0, le=1000, description="leaps to speak in where nothing else is asked for; 0: as sampling says"
    )
    limits: LimitOptions = LimitOptions()
    match_prompt: float = Field(
        default=0.0, ge=0, le=1, description="how far the long-term spectrum is moved to the prompt's"
    )
    settle_from: float = Field(
        default=1.0, gt=0, le=1, description="time on the path where that is done; the rest is walked from there"
    )
    vocoder: choice(Vocoder) = Field(default="vocos", validate_default=True)  # type: ignore[valid-type]
    vocoder_source: str = Field(default="", max_length=300, pattern=r"^[^\x00-\x1f]*$")

    @model_validator(mode="before")
    @classmethod
    def _as_in_0_1(cls, value: Any) -> Any:
        """Read ``leaps``, as 0.1 called ``default_leaps``."""
        if isinstance(value, dict) and "leaps" in value and "default_leaps" not in value:
            return {"default_leaps" if name == "leaps" else name: field for name, field in value.items()}
        return value

    @model_validator(mode="after")
    def _check(self) -> ModelConfig:
        if self.default_leaps and not self.can_leap:
            raise ValueError(
                f"default_leaps is {self.default_leaps}: the backbone {self.backbone.name} was not taught to leap; take 0"
            )
        return self

    @property
    def can_leap(self) -> bool:
        """Whether the backbone knows the length of a step."""
        return getattr(self.backbone.options, "leaps", False)

    @property
    def default_sampling(self) -> SamplingOptions:
        """How the model speaks where nothing else is asked for."""
        return self.sampling if self.default_leaps == 0 else self.sampling.leaping(self.default_leaps)

    def sampling_as(self, asked: Mapping[str, Any]) -> SamplingOptions:
        """Return the default where nothing is ``asked``, else ``sampling`` with what is: the flow itself, unless by ``leap``.

        Raises ValueError for an unknown option, or a value out of range.
        """
        if not asked:
            return self.default_sampling
        base = self.sampling.leaping(max(self.default_leaps, 1)) if asked.get("leap") else self.sampling
        return parse(SamplingOptions, {**base.model_dump(), **asked}, "sampling")


class DataOptions(Options):
    """The corpus: manifests (JSON lines) relative to the working folder, and the size of a batch in frames.

    ``shares`` gives each manifest its share of the time in an epoch, where it is not to be that of its length. Within each,
    ``balance`` evens voices out: with 1 all are heard for the same time, with 0 for as long as their recordings last. With
    ``prompted`` so much of what is heard of an utterance has another one of the same voice as its prompt, as in zero-shot
    synthesis (needs token durations); ``prompts`` of them take turns.
    Without ``validation_manifests`` the utterances whose ``split`` is ``heldout`` are held out. ``cache`` keeps mels in
    ``memory`` (in the process, so with ``workers: 0``), on ``disk`` (in the run's folder), or computes them each time
    (``none``).
    """

    manifests: tuple[str, ...]
    shares: tuple[Annotated[float, Field(gt=0)], ...] = ()
    balance: float = Field(default=0.0, ge=0, le=1)
    prompted: float = Field(default=0.0, ge=0, le=1)
    prompts: int = Field(default=1, gt=0, le=100)
    validation_manifests: tuple[str, ...] = ()
    vocab: str = Field(default="", description="vocab.txt, for a frontend that has one")
    min_seconds: float = Field(default=0.4, ge=0)
    max_seconds: float = Field(default=30.0, gt=0)
    frames_per_batch: int = Field(gt=0)
    max_utterances: int = Field(default=64, gt=0)
    workers: int = Field(default=0, ge=0)
    cache: Literal["memory", "disk", "none"] = "memory"
    max_broken: float = Field(default=0.1, ge=0, le=1, description="stop where a larger share of the corpus is broken")

    @model_validator(mode="after")
    def _check(self) -> DataOptions:
        if self.workers and self.cache == "memory":
            raise ValueError("cache 'memory' is of one process; with workers take cache 'disk' or 'none'")
        if self.shares and len(self.shares) != len(self.manifests):
            raise ValueError(f"{len(self.shares)} shares for {len(self.manifests)} manifests; give one for each")
        return self


class OptimizerOptions(Options):
    """AdamW with a linear warm-up, then linear or cosine decay to ``final_lr_ratio``."""

    lr: float = Field(default=7.5e-5, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = Field(default=0.01, ge=0)
    warmup_updates: int = Field(default=20_000, ge=0)
    decay: Literal["linear", "cosine"] = "linear"
    final_lr_ratio: float = Field(default=0.0, ge=0, le=1)
    max_grad_norm: float = Field(default=1.0, gt=0)


class LoraOptions(Options):
    """Low-rank adapters (arXiv 2106.09685) beside the linear layers of attention and feed-forward in every block."""

    rank: int = Field(default=16, ge=1)
    alpha: float = Field(default=32.0, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)


class FinetuneOptions(Options):
    """Where training starts, if not from nothing.

    ``model``, ``vocab`` and ``architecture`` are those of ``tts-fm synthesize``. The vocabulary of the run may have more
    tokens at its end; ``keep_old_tokens`` then holds the rows of the old ones. ``freeze`` holds the parameters whose
    names match one of these patterns (``*`` matches anything).
    """

    model: str
    vocab: str = ""
    architecture: str = ""
    keep_old_tokens: bool = True
    freeze: tuple[str, ...] = ()
    lora: LoraOptions | None = None


class DistillOptions(Options):
    """The model also learns to leap: to do one step of a coarse grid as ``teacher`` does several, guidance included.

    ``teacher`` is named as ``--model`` of ``tts-fm synthesize``; it walks as its own sampling says, changed by
    ``sampling``, with ``fine`` steps from 0 to 1. The grids are those of ``model.sampling`` with ``steps`` steps, one of
    them drawn each time. A ``share`` of the batches teaches leaps, the others the flow itself.
    """

    teacher: str
    steps: tuple[Annotated[int, Field(ge=1)], ...] = (4, 8)
    fine: int = Field(default=16, ge=1)
    share: float = Field(default=0.7, gt=0, le=1)
    sampling: dict[str, Any] = Field(default_factory=dict)


class SpeakerOptions(Options):
    """Speech is to have the voice of the recording, as CAM++ hears it: 1 less their cosine counts by ``weight``.

    ``encoder`` is the file of its weights. Windows of ``frames`` frames are compared.
    """

    encoder: str
    weight: float = Field(default=1.0, gt=0)
    frames: int = Field(default=256, ge=64)


class AdversaryOptions(Options):
    """Speech that the model makes in ``leaps`` leaps is judged by networks that learn to tell it from recordings.

    A ``share`` of the batches is judged, and the last ``through`` leaps learn from it. Each judge sees windows of so many
    frames through layers of these widths, and learns from ``lessons`` draws of windows; what it holds against the speech
    counts by ``weight``, and ``feature_matching`` times that the distance in its hidden layers. With ``speaker`` an
    encoder of speakers hears the same speech. In a share ``settled`` of these batches the speech is moved to its prompt
    and settled as the model says (``match_prompt``, ``settle_from``), and what settles it learns.
    """

    leaps: int = Field(default=3, ge=1)
    through: int = Field(default=1, ge=1)
    share: float = Field(default=0.5, gt=0, le=1)
    settled: float = Field(default=0.0, ge=0, le=1)
    weight: float = Field(default=0.1, gt=0)
    feature_matching: float = Field(default=2.0, ge=0)
    windows: tuple[Annotated[int, Field(ge=8)], ...] = Field(default=(32, 64, 128), min_length=1)
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(32, 64, 96, 96), min_length=1)
    lessons: int = Field(default=1, ge=1)
    lr: float = Field(default=5e-4, gt=0)
    speaker: SpeakerOptions | None = None


class LoopOptions(Options):
    """Length and book-keeping, of an acoustic model's training and of a vocoder's.

    0 for ``sample_every`` speaks no samples.
    """

    updates: int = Field(gt=0)
    seed: int = 0
    max_skipped: int = Field(default=20, ge=1, description="stop after so many steps in a row that are no numbers")
    log_every: int = Field(default=10, ge=1)
    save_every: int = Field(default=1000, ge=1)
    keep: int = Field(default=2, ge=1, description="how many checkpoints stay")
    validate_every: int = Field(default=1000, ge=1)
    sample_every: int = Field(default=0, ge=0)
    sample_pairs: int = Field(default=8, ge=1)
    loggers: tuple[str, ...] = ("tensorboard",)


class TrainingOptions(LoopOptions):
    """How an acoustic model learns.

    An update learns from ``accumulation`` batches on each process. ``ema_decay`` is the most that the averaged weights
    keep of themselves, every ``ema_every`` updates from ``ema_after`` on.
    """

    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    parallel: Literal["ddp", "fsdp2"] = "ddp"
    accumulation: int = Field(default=1, ge=1)
    activation_checkpointing: bool = False
    compile: bool = False
    ema_decay: float = Field(default=0.9999, ge=0, lt=1)
    ema_every: int = Field(default=1, ge=1)
    ema_after: int = Field(default=0, ge=0)
    duration_loss_weight: float = Field(default=0.1, ge=0)

    @model_validator(mode="after")
    def _check(self) -> TrainingOptions:
        if self.precision == "float16" and self.parallel == "fsdp2":
            raise ValueError("precision 'float16' needs a loss scale that fsdp2 does not have here; take 'bfloat16'")
        return self


class RunConfig(Options):
    """A whole training run: the model, and how it learns."""

    model: ModelConfig
    data: DataOptions
    finetune: FinetuneOptions | None = None
    distill: DistillOptions | None = None
    adversary: AdversaryOptions | None = None
    augment: AugmentOptions = AugmentOptions()
    infill: InfillOptions = InfillOptions()
    optimizer: OptimizerOptions = OptimizerOptions()
    training: TrainingOptions


def read_model(path: Path) -> ModelConfig:
    """Return the model configuration in ``path``: a ``config.yaml`` or the ``model`` block of a run's file.

    Raises:
        ValueError: the file is missing, is no YAML, or has a wrong or unknown field.
    """
    value = read_yaml(path)
    return parse(ModelConfig, value.get("model", value), path)


def read_run(path: Path, changes: Sequence[str] = ()) -> RunConfig:
    """Return the training run described by ``path``; ``changes`` are ``training.updates=100`` and the like.

    Raises ValueError as :func:`read_model` does.
    """
    return parse(RunConfig, read_yaml(path, changes), path)
