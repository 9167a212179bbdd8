"""HiFi-GAN (arXiv 2010.05646): transposed convolutions raise a mel to the rate of samples, residual blocks shape them."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from tts_fm import plugins
from tts_fm.nn import precision
from tts_fm.types import MelSpec
from tts_fm.vocoders import Vocoder

Size = Annotated[int, Field(gt=0, le=16_384)]
SLOPE = 0.1
"""Of every leaky ReLU but the last, which has PyTorch's 0.01."""


class HiFiGAN(Vocoder):
    """The generator of jik876/hifi-gan, its weight norm folded: ``n`` frames make exactly ``n * hop_length`` samples."""

    class Options(plugins.Options):
        """Sizes, called as in the published ``config.json``; the defaults are V1.

        ``resblock`` "1" has two convolutions for each dilation, of which the second is not dilated; "2" has one. With the
        ``precision`` bfloat16 all but the last convolution are computed so where a GPU or the CPU can (avx512_bf16): twice
        as fast, and some 22 dB from float32, which DNSMOS and DistillMOS do not hear. Training is as its run says.
        """

        upsample_rates: tuple[Size, ...] = Field(default=(8, 8, 2, 2), min_length=1, max_length=16)
        upsample_kernel_sizes: tuple[Size, ...] = (16, 16, 4, 4)
        upsample_initial_channel: Size = 512
        resblock: Literal["1", "2"] = "1"
        resblock_kernel_sizes: tuple[Size, ...] = Field(default=(3, 7, 11), min_length=1, max_length=16)
        resblock_dilation_sizes: tuple[Annotated[tuple[Size, ...], Field(max_length=16)], ...] = (
            (1, 3, 5),
            (1, 3, 5),
            (1, 3, 5),
        )
        precision: Literal["float32", "bfloat16"] = "float32"

        @model_validator(mode="after")
        def _check(self) -> HiFiGAN.Options:
            rates, kernels = self.upsample_rates, self.upsample_kernel_sizes
            if len(kernels) != len(rates) or any(k < u or (k - u) % 2 for k, u in zip(kernels, rates, strict=False)):
                raise ValueError(
                    f"upsample_kernel_sizes are {kernels}: each of the upsample_rates {rates} needs one, larger by an "
                    "even number"
                )
            if (
                len(self.resblock_dilation_sizes) != len(self.resblock_kernel_sizes)
                or () in self.resblock_dilation_sizes
            ):
                raise ValueError("resblock_dilation_sizes needs a list of dilations for each of resblock_kernel_sizes")
            if any(kernel % 2 == 0 for kernel in self.resblock_kernel_sizes):
                raise ValueError(f"resblock_kernel_sizes are {self.resblock_kernel_sizes}: they must be odd")
            if self.upsample_initial_channel % 2 ** len(rates):
                raise ValueError(
                    f"upsample_initial_channel is {self.upsample_initial_channel}: it is halved by each of "
                    f"{len(rates)} upsample_rates, so it must be divisible by {2 ** len(rates)}"
                )
            return self

    options: Options

    def __init__(self, options: Options, mel: MelSpec) -> None:
        super().__init__(options, mel)
        hop = math.prod(options.upsample_rates)
        if mel.is_centred or mel.hop_length != hop:
            raise ValueError(
                f"the vocoder hifigan was made for mels of flavour hifigan or bigvgan and hop_length {hop} (the product "
                f"of its upsample_rates), it was given {mel}; choose another vocoder"
            )
        width = options.upsample_initial_channel
        self.conv_in = nn.Conv1d(mel.n_mels, width, kernel_size=7, padding=3)
        self.stages = nn.ModuleList(
            Stage(width >> i, rate, kernel, options)
            for i, (rate, kernel) in enumerate(zip(options.upsample_rates, options.upsample_kernel_sizes, strict=True))
        )
        self.conv_out = nn.Conv1d(width >> len(self.stages), 1, kernel_size=7, padding=3)

    def decode(self, mel: Float[Tensor, "b n c"]) -> Float[Tensor, "b s"]:
        """Return the waveform: ``s = n * hop_length``."""
        if mel.shape[-1] != self.mel.n_mels:
            raise ValueError(f"the vocoder expects {self.mel.n_mels} mel channels, it was given {mel.shape[-1]}")
        if mel.shape[1] == 0:
            return mel.new_zeros(mel.shape[0], 0)
        with self._computing(mel.device):
            x = self.conv_in(mel.mT)  # (b d n)
            for stage in self.stages:
                x = stage(x)
        return self.conv_out(leaky_relu(x.to(self.conv_out.weight.dtype))).float().tanh()[:, 0]

    def _computing(self, device: torch.device) -> AbstractContextManager:
        if self.training or self.options.precision == "float32" or not precision.has_fast_bfloat16(device):
            return nullcontext()
        return torch.autocast(device.type, torch.bfloat16)


class Stage(nn.Module):
    """Raises the rate, halves the width, and takes the mean of residual blocks that see more and less around."""

    def __init__(self, width: int, rate: int, kernel: int, options: HiFiGAN.Options) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose1d(width, width // 2, kernel, stride=rate, padding=(kernel - rate) // 2)
        self.blocks = nn.ModuleList(
            ResidualBlock(width // 2, size, dilations, has_pairs=options.resblock == "1")
            for size, dilations in zip(options.resblock_kernel_sizes, options.resblock_dilation_sizes, strict=True)
        )

    def forward(self, x: Float[Tensor, "b d n"]) -> Float[Tensor, "b e m"]:
        """Return ``rate`` times as many frames of half the width."""
        x = self.upsample(leaky_relu(x, SLOPE))
        total = self.blocks[0](x)
        for block in self.blocks[1:]:
            total += block(x)
        return total.div_(len(self.blocks))


class ResidualBlock(nn.Module):
    """``x + conv(leaky(x))`` for one dilation after the other; ``has_pairs``: a second, undilated convolution follows each.

    What a convolution has just made is written over where it can be: at the rate of samples, memory costs as much as arithmetic.
    """

    def __init__(self, width: int, kernel: int, dilations: tuple[int, ...], has_pairs: bool) -> None:
        super().__init__()
        self.dilated = nn.ModuleList(_same(width, kernel, dilation) for dilation in dilations)
        self.plain = nn.ModuleList(_same(width, kernel, 1) for _ in dilations if has_pairs)

    def forward(self, x: Float[Tensor, "b d n"]) -> Float[Tensor, "b d n"]:
        """Return the block's output."""
        for i, dilated in enumerate(self.dilated):
            y = dilated(leaky_relu(x, SLOPE))
            if len(self.plain):
                y = self.plain[i](leaky_relu(y, SLOPE, inplace=True))
            x = y.add_(x)
        return x


def _same(width: int, kernel: int, dilation: int) -> nn.Conv1d:
    """A convolution that keeps the length."""
    return nn.Conv1d(width, width, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2)
