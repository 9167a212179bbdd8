"""The configuration of a run, read strictly from one YAML file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from tts_fm import plugins
from tts_fm.backbones import Backbone
from tts_fm.duration import DurationOptions
from tts_fm.flow.couplings import Coupling
from tts_fm.flow.objective import MAX_MODE_SCALE, TimeLaw
from tts_fm.flow.paths import Path as ProbabilityPath
from tts_fm.frontends import Frontend
from tts_fm.infill import InfillOptions
from tts_fm.plugins import Options, Plugin
from tts_fm.sampler import SamplingOptions
from tts_fm.types import MelSpec
from tts_fm.vocoders import Vocoder

AnyOptions = TypeVar("AnyOptions", bound=Options)
_LONG = 16  # a list of more entries is not shown whole


class Choice(Options):
    """A plug-in by name, with its own options: ``{name: dit, dim: 1024, ...}`` in YAML."""

    name: str
    options: Options

    def build(self, interface: type[Plugin], *args: Any, **kwargs: Any) -> Any:
        """Return an instance of the chosen implementation."""
        return plugins.build(interface, self.name, self.options, *args, **kwargs)


def _choice(interface: type[Plugin]) -> Any:
    def parse(value: Any) -> Any:
        if isinstance(value, Choice):
            return value
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict) or "name" not in value:
            raise ValueError(f"needs a 'name', one of {', '.join(plugins.names(interface))}")
        options = {k: v for k, v in value.items() if k != "name"}
        implementation = plugins.load(interface, value["name"])
        try:
            return Choice(name=value["name"], options=implementation.Options(**options))
        except ValidationError as error:
            raise ValueError(explain(error, implementation.Options, value["name"])) from None

    return Annotated[Choice, BeforeValidator(parse)]


class MelScale(Options):
    """The flow works on ``(mel - mean) / std``; F5-TTS and E2-TTS use the mel as it is."""

    mean: float = 0.0
    std: float = Field(default=1.0, gt=0)


class FlowOptions(Options):
    """The probability path, and in training: which noise goes with which speech, and the law of ``t``."""

    path: _choice(ProbabilityPath) = Field(default="cond_ot", validate_default=True)  # type: ignore[valid-type]
    coupling: _choice(Coupling) = Field(default="independent", validate_default=True)  # type: ignore[valid-type]
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

    max_prompt_seconds: float = Field(default=12.0, gt=0)
    max_total_seconds: float = Field(default=22.0, gt=0)


class ModelConfig(Options):
    """Everything that inference needs; saved as ``config.yaml`` in a model folder."""

    name: str
    license: str = ""
    language: str = "en"
    mel: MelSpec = MelSpec()
    mel_scale: MelScale = MelScale()
    frontend: _choice(Frontend)  # type: ignore[valid-type]
    backbone: _choice(Backbone)  # type: ignore[valid-type]
    flow: FlowOptions = FlowOptions()
    duration: DurationOptions = DurationOptions()
    sampling: SamplingOptions = SamplingOptions()
    limits: LimitOptions = LimitOptions()
    match_prompt: float = Field(
        default=0.0, ge=0, le=1, description="how far the long-term spectrum is moved to the prompt's"
    )
    vocoder: _choice(Vocoder) = Field(default="vocos", validate_default=True)  # type: ignore[valid-type]
    vocoder_source: str = ""


class DataOptions(Options):
    """The corpus: manifests (JSON lines) relative to the working folder, and the size of a batch in frames.

    Without ``validation_manifests`` the utterances whose ``split`` is ``heldout`` are held out. ``cache`` keeps mels in
    ``memory`` (in the process, so with ``workers: 0``), on ``disk`` (in the run's folder), or computes them each time
    (``none``).
    """

    manifests: tuple[str, ...]
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
    infill: InfillOptions = InfillOptions()
    optimizer: OptimizerOptions = OptimizerOptions()
    training: TrainingOptions


def read_model(path: Path) -> ModelConfig:
    """Return the model configuration in ``path``: a ``config.yaml`` or the ``model`` block of a run's file.

    Raises:
        ValueError: the file is missing, is no YAML, or has a wrong or unknown field.
    """
    value = _read_yaml(path)
    return parse(ModelConfig, value.get("model", value), path)


def read_run(path: Path, changes: Sequence[str] = ()) -> RunConfig:
    """Return the training run described by ``path``; ``changes`` are ``training.updates=100`` and the like.

    Raises ValueError as :func:`read_model` does.
    """
    return parse(RunConfig, read_yaml(path, changes), path)


def read_yaml(path: Path, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the mapping of blocks in ``path``, with ``changes`` of the form ``block.field=value`` made in it."""
    return change(_read_yaml(path), changes, "training.updates=100")


def change(value: dict[str, Any], changes: Sequence[str], example: str) -> dict[str, Any]:
    """Make ``changes`` of the form ``block.field=value``, such as ``example``, in ``value`` and return it."""
    for one in changes:
        name, is_given, text = one.partition("=")
        *blocks, field = name.strip().split(".")
        if not is_given or not all((*blocks, field)):
            raise ValueError(f"--set {one!r} is no change; write it as {example}")
        inner = value
        for block in blocks:
            if not isinstance(inner.get(block), dict):  # a plug-in without options may be its name alone
                inner[block] = {"name": inner[block]} if isinstance(inner.get(block), str) else {}
            inner = inner[block]
        try:
            inner[field] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ValueError(f"--set {one!r}: {text!r} is no YAML value; quote it") from None
    return value


def parse(kind: type[AnyOptions], value: Any, source: Path | str, name: str = "the file") -> AnyOptions:
    """Return ``value`` as a ``kind``; an error names ``source``, the field, the value got and what is allowed.

    ``name`` as in :func:`explain`.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise ValueError(f"{source}: {explain(error, kind, name)}") from None


def dump(config: Options) -> str:
    """Return ``config`` as YAML, complete, in the order in which the fields are defined."""
    return yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True)


def explain(error: ValidationError, kind: type[Options], name: str = "the file") -> str:
    """Return the first problem of ``error`` as one line: the field, the value got, what is allowed.

    ``name`` is what an unknown field at the top is said to be missing from.
    """
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        owner, allowed = _fields_at(kind, first["loc"][:-1], name)
        near = difflib.get_close_matches(str(first["loc"][-1]), allowed, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(allowed)}"
        return f"{owner} has no field {first['loc'][-1]!r}; {hint}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] in ("missing", "value_error"):
        return f"{where}: {message}" if where else message
    return f"{where} is {first['input']!r}: {message}"


def _fields_at(kind: type[Options], location: tuple[int | str, ...], owner: str) -> tuple[str, list[str]]:
    """Return the name and the fields of the block at ``location`` inside ``kind``, which is called ``owner``."""
    for part in location:
        inner = kind.model_fields.get(str(part))
        if inner is None or not isinstance(inner.annotation, type):
            break
        kind, owner = inner.annotation, str(part)
    names = getattr(kind, "model_fields", None) or getattr(kind, "__dataclass_fields__", {})
    return owner, list(names)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} can not be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} must hold a mapping of blocks such as 'backbone:', it holds {type(value).__name__}")
    return value


def plain(value: Any) -> Any:
    """Return ``value`` as YAML's own types; a :class:`Choice` becomes one flat mapping."""
    if isinstance(value, Choice):
        return {"name": value.name, **plain(value.options)}
    if isinstance(value, MelSpec):
        return asdict(value)
    if isinstance(value, Options):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    return list(value) if isinstance(value, tuple) else value


def differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Return in what two plain values differ, a line each, such as ``model.backbone.dim was 320 and is 256``.

    A key that only ``new`` has is no difference: an older version did not know it.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [
            line
            for key, value in old.items()
            for line in differences(value, new.get(key), f"{name}.{key}" if name else str(key))
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) > _LONG:  # a vocabulary: where it changes is enough
        changed = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        a, b = (values[changed] if changed < len(values) else None for values in (old, new))
        return [] if old == new else differences(a, b, f"{name}, line {changed + 1},")
    return [] if old == new else [f"{name} was {_shown(old)} and is {_shown(new)}"]


def _shown(value: Any) -> str:
    return "not there" if value is None else repr(value)
