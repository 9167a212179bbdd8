"""HiFi-GAN generators of jik876/hifi-gan (`g_*`, `generator_*.pth.tar`) with their `config.json`, weight norm folded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import ConfigDict
from torch import Tensor

from tts_fm import small_file, strict, tensors, torch_files
from tts_fm.errors import ModelError
from tts_fm.nn import sizes
from tts_fm.plugins import Options
from tts_fm.types import FftSize, HopLength, MelCount, MelSpec, SampleRate
from tts_fm.vocoders.hifigan import HiFiGAN, Precision

CONFIG = "config.json"
_MAX_CONFIG = 200_000  # bytes


class PublishedConfig(Options):
    """What of a published ``config.json`` says what the generator is; the rest is about its training."""

    model_config = ConfigDict(extra="ignore")

    resblock: Literal["1", "2"] = "1"
    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    upsample_initial_channel: int
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilation_sizes: tuple[tuple[int, ...], ...]
    num_mels: MelCount
    n_fft: FftSize
    hop_size: HopLength
    win_size: FftSize
    sampling_rate: SampleRate
    fmin: float = 0
    fmax: float | None = None


def load(path: Path, config: Path | None = None, precision: Precision = "float32") -> HiFiGAN:
    """Return the generator in the checkpoint at ``path``, ready to decode; its config is beside it unless given.

    In int8 it has yet to :meth:`~HiFiGAN.measure`.

    Raises:
        ModelError: a file is missing or broken, holds something else, or the two do not belong together.
    """
    config = path.parent / CONFIG if config is None else config
    options, mel = read_config(config)
    try:
        with sizes.only():  # no memory is taken until the file is seen to have these weights
            vocoder = HiFiGAN(options.model_copy(update={"precision": precision}), mel)
    except ValueError as error:
        raise ModelError(f"{config}: {error}") from None
    unmeasured = {name: torch.zeros(buffer.shape) for name, buffer in vocoder.named_buffers()}
    tensors.fill(vocoder, unmeasured | read_weights(path, options), path)
    return vocoder.eval().requires_grad_(False)


def read_config(path: Path) -> tuple[HiFiGAN.Options, MelSpec]:
    """Return the options and the mel in a published ``config.json``. Raises ModelError."""
    try:
        value = json.loads(small_file.read_text(path, _MAX_CONFIG))
        published = strict.parse(PublishedConfig, value, path)
        sizes = {name: getattr(published, name) for name in HiFiGAN.Options.model_fields if hasattr(published, name)}
        options = strict.parse(HiFiGAN.Options, sizes, path)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"no HiFi-GAN configuration: {' '.join(str(error).split())}") from None
    return options, _mel(published, path)


def _mel(published: PublishedConfig, path: Path) -> MelSpec:
    rate, top = published.sampling_rate, published.fmax
    for flavour in ("hifigan", "bigvgan"):
        mel = MelSpec(rate, published.n_fft, published.hop_size, published.win_size, published.num_mels, flavour)
        if published.fmin == 0 and mel.highest_hz == (rate / 2 if top is None else top):
            return mel
    raise ModelError(
        f"{path}: fmin and fmax are {published.fmin} and {top}; the mels known here are 0 to 8000 Hz or all"
    )


def read_weights(path: Path, options: HiFiGAN.Options) -> dict[str, Tensor]:
    """Return the generator's weights with our names, folded. No code in the file is run. Raises ModelError."""
    state: Any = torch_files.load_state(path, is_old_format_read=True)
    state = state.get("generator", state)
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ModelError(
            f"{path} holds no HiFi-GAN generator; expected one mapping of names to tensors, or 'generator'"
        )
    tensors.check_stored(state, path)
    state = {str(name).removeprefix("module."): value for name, value in state.items()}
    return {_ours(name, options, path): value for name, value in folded(state, path).items()}


WEIGHT_NORMS = {
    ".weight_g": ".weight_v",
    ".parametrizations.weight.original0": ".parametrizations.weight.original1",
}
"""How PyTorch's two kinds of weight norm call ``g`` and ``v``."""


def folded(state: Mapping[str, Tensor], source: Path) -> dict[str, Tensor]:
    """Return ``state`` with each pair of ``g`` and ``v`` as the weight ``g * v / |v|``, by PyTorch's own kernel."""
    plain = dict(state)
    for g, v in WEIGHT_NORMS.items():
        for layer in [name.removesuffix(g) for name in state if name.endswith(g)]:
            gain, direction = plain.pop(layer + g), plain.pop(layer + v, None)
            if direction is None or gain.shape != (len(direction), 1, 1) or direction.dim() != 3:
                raise ModelError(f"{source}: the weight norm of {layer!r} is not whole; copy the checkpoint again")
            plain[f"{layer}.weight"] = torch._weight_norm(direction.float(), gain.float(), 0)
    return plain


def _ours(name: str, options: HiFiGAN.Options, source: Path) -> str:
    """Return what we call the weight that they call ``name``."""
    n_blocks = len(options.resblock_kernel_sizes)
    for pattern, replacement in (
        (r"conv_pre\.(\w+)", r"conv_in.{0}"),
        (r"conv_post\.(\w+)", r"conv_out.{0}"),
        (r"ups\.(\d+)\.(\w+)", r"stages.{0}.upsample.{1}"),
    ):
        if match := re.fullmatch(pattern, name):
            return replacement.format(*match.groups())
    match = re.fullmatch(r"resblocks\.(\d+)\.convs([12]?)\.(\d+)\.(\w+)", name)
    if match is None:
        raise ModelError(
            f"{source} holds no HiFi-GAN generator: {name!r} is unknown; expected conv_pre, ups, resblocks"
        )
    stage, block = divmod(int(match[1]), n_blocks)
    return f"stages.{stage}.blocks.{block}.{'plain' if match[2] == '2' else 'dilated'}.{match[3]}.{match[4]}"
