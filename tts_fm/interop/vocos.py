"""Vocos in the layout of the `vocos` package (charactr/vocos-mel-24khz), read and written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from tts_fm import atomic, config, strict, tensors, torch_files
from tts_fm.errors import ModelError
from tts_fm.nn import sizes
from tts_fm.plugins import Options
from tts_fm.types import FftSize, HopLength, MelCount, MelSpec, SampleRate
from tts_fm.vocoders.vocos import Vocos


class FeatureArguments(Options):
    """The mel that the weights were trained on."""

    sample_rate: SampleRate = 24_000
    n_fft: FftSize = 1024
    hop_length: HopLength = 256
    n_mels: MelCount = 100
    padding: Literal["center"] = "center"


class BackboneArguments(Options):
    """The ConvNeXt."""

    input_channels: int
    dim: int
    intermediate_dim: int
    num_layers: int
    layer_scale_init_value: float | None = None
    adanorm_num_embeddings: None = None


class HeadArguments(Options):
    """The inverse STFT."""

    dim: int
    n_fft: int
    hop_length: int
    padding: Literal["center", "same"] = "same"


class Features(Options):
    """A class path is compared with the only one known here; nothing is ever imported by it."""

    class_path: Literal["vocos.feature_extractors.MelSpectrogramFeatures"]
    init_args: FeatureArguments = FeatureArguments()


class Backbone(Options):
    """See :class:`Features`."""

    class_path: Literal["vocos.models.VocosBackbone"]
    init_args: BackboneArguments


class Head(Options):
    """See :class:`Features`."""

    class_path: Literal["vocos.heads.ISTFTHead"]
    init_args: HeadArguments


class PublishedConfig(Options):
    """All that a published ``config.yaml`` may say."""

    feature_extractor: Features
    backbone: Backbone
    head: Head


@dataclass(frozen=True)
class PublishedVocos:
    """What a published folder holds, in our terms."""

    options: Vocos.Options
    mel: MelSpec
    weights: dict[str, Tensor]


def load(folder: Path, mel: MelSpec | None = None) -> Vocos:
    """Return the vocoder in ``folder``, ready to decode.

    Raises:
        ModelError: a file is missing or broken, or says something unknown.
        ValueError: the vocoder was made for another mel than ``mel``.
    """
    published = read(folder)
    if mel is not None and published.mel != mel:
        raise ValueError(
            f"the vocoder in {folder} was made for {published.mel}, it was given {mel}; choose another one"
        )
    with sizes.only():
        vocoder = Vocos(published.options, published.mel)
    tensors.fill(vocoder, published.weights, folder)
    return vocoder.eval().requires_grad_(False)


def save(folder: Path, vocoder: Vocos, dtype: torch.dtype = torch.float16) -> None:
    """Write ``config.yaml`` and ``model.safetensors`` into ``folder``, weights stored as ``dtype``."""
    options, mel = vocoder.options, vocoder.mel
    sizes = {"dim": options.dim, "n_fft": mel.n_fft, "hop_length": mel.hop_length, "padding": options.padding}
    written = PublishedConfig(
        feature_extractor=Features(
            class_path="vocos.feature_extractors.MelSpectrogramFeatures",
            init_args=FeatureArguments(
                sample_rate=mel.sample_rate, n_fft=mel.n_fft, hop_length=mel.hop_length, n_mels=mel.n_mels
            ),
        ),
        backbone=Backbone(
            class_path="vocos.models.VocosBackbone",
            init_args=BackboneArguments(
                input_channels=mel.n_mels,
                dim=options.dim,
                intermediate_dim=options.intermediate_dim,
                num_layers=options.layers,
            ),
        ),
        head=Head(class_path="vocos.heads.ISTFTHead", init_args=HeadArguments(**sizes)),
    )
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(folder / "config.yaml") as beside:
        beside.write_text(strict.dump(written), encoding="utf-8")
    weights = {_replaced(name, THEIRS): value for name, value in vocoder.state_dict().items()}
    tensors.write_tensors(folder / "model.safetensors", weights, dtype=dtype)


def read(folder: Path) -> PublishedVocos:
    """Return options, mel and weights (with our names) of the vocoder in ``folder``. Raises ModelError."""
    options, mel = read_config(folder / "config.yaml")
    weights = {
        _replaced(name, OURS): value for name, value in _read_weights(folder).items() if not name.startswith(COMPUTED)
    }
    return PublishedVocos(options, mel, weights)


def read_config(path: Path) -> tuple[Vocos.Options, MelSpec]:
    """Return the options and the mel in a published ``config.yaml``. Raises ModelError."""
    try:
        published = config.parse(PublishedConfig, strict.read_yaml(path), path)
    except ValueError as error:
        raise ModelError(f"no Vocos configuration: {' '.join(str(error).split())}") from None
    features, backbone, head = (
        getattr(published, part).init_args for part in ("feature_extractor", "backbone", "head")
    )
    shared = {
        "n_mels and input_channels": (features.n_mels, backbone.input_channels),
        "n_fft": (features.n_fft, head.n_fft),
        "hop_length": (features.hop_length, head.hop_length),
        "dim": (backbone.dim, head.dim),
    }
    for name, (a, b) in shared.items():
        if a != b:
            raise ModelError(f"{path}: {name} must agree between its blocks, they are {a} and {b}")
    try:
        options = Vocos.Options(
            dim=backbone.dim,
            intermediate_dim=backbone.intermediate_dim,
            layers=backbone.num_layers,
            padding=head.padding,
        )
    except ValueError:
        raise ModelError(
            f"{path}: dim, intermediate_dim and num_layers must be positive, and none of them huge"
        ) from None
    if features.hop_length > features.n_fft:
        raise ModelError(f"{path}: hop_length {features.hop_length} is more than n_fft, {features.n_fft}")
    mel = MelSpec(features.sample_rate, features.n_fft, features.hop_length, features.n_fft, features.n_mels, "vocos")
    return options, mel


OURS = (
    (r"backbone\.embed\.", "embed."),
    (r"backbone\.norm\.", "norm_in."),
    (r"backbone\.convnext\.(\d+)\.dwconv\.", r"blocks.\1.depthwise."),
    (r"backbone\.convnext\.(\d+)\.norm\.", r"blocks.\1.norm."),
    (r"backbone\.convnext\.(\d+)\.pwconv1\.", r"blocks.\1.expand."),
    (r"backbone\.convnext\.(\d+)\.pwconv2\.", r"blocks.\1.contract."),
    (r"backbone\.convnext\.(\d+)\.gamma$", r"blocks.\1.scale"),
    (r"backbone\.final_layer_norm\.", "norm_out."),
    (r"head\.out\.", "to_spectrum."),
)
"""Patterns of published names, and our names."""

THEIRS = (
    (r"embed\.", "backbone.embed."),
    (r"norm_in\.", "backbone.norm."),
    (r"blocks\.(\d+)\.depthwise\.", r"backbone.convnext.\1.dwconv."),
    (r"blocks\.(\d+)\.norm\.", r"backbone.convnext.\1.norm."),
    (r"blocks\.(\d+)\.expand\.", r"backbone.convnext.\1.pwconv1."),
    (r"blocks\.(\d+)\.contract\.", r"backbone.convnext.\1.pwconv2."),
    (r"blocks\.(\d+)\.scale$", r"backbone.convnext.\1.gamma"),
    (r"norm_out\.", "backbone.final_layer_norm."),
    (r"to_spectrum\.", "head.out."),
)
"""The same the other way round."""

COMPUTED = ("feature_extractor.", "head.istft.window")
"""What a published file holds although it follows from the configuration."""


def _replaced(name: str, patterns: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in patterns:
        changed, count = re.subn(f"^{pattern}", replacement, name)
        if count:
            return changed
    raise ModelError(f"no Vocos weights: {name!r} is unknown; expected backbone.* and head.*")


def _read_weights(folder: Path) -> dict[str, Tensor]:
    """Return the state dict in ``folder``; a pickle may hold tensors and nothing else."""
    safe, pickled = folder / "model.safetensors", folder / "pytorch_model.bin"
    if safe.exists():
        return tensors.read_tensors(safe)
    if not pickled.exists():
        raise ModelError(f"{folder} has neither model.safetensors nor pytorch_model.bin; download one of them")
    weights = torch_files.load_state(pickled)
    if not all(isinstance(value, Tensor) for value in weights.values()):
        raise ModelError(f"{pickled} must hold a mapping of names to tensors; download it again")
    return weights
