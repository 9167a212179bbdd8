"""HiFi-GAN (arXiv 2010.05646): transposed convolutions raise a mel to the rate of samples, residual blocks shape them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from tts_fm import plugins
from tts_fm.audio.mel import FLOOR
from tts_fm.nn import int8, precision
from tts_fm.nn.convolution import FrameConv, FrameUpsample
from tts_fm.types import MelSpec
from tts_fm.vocoders import Vocoder

Size = Annotated[int, Field(gt=0, le=16_384)]
Block = tuple[int, tuple[int, ...]]
Precision = Literal["float32", "bfloat16", "int8"]
SLOPE = 0.1
"""Of every leaky ReLU but the last, which has PyTorch's 0.01."""
WINDOW = 2**19
"""How many numbers a stage makes at once in bfloat16 on a CPU, at most: a megabyte, which stays in its cache."""
_KEPT = 0.8  # of what a convolution was given, or made, at the utmost, in int8
_LENGTHS = 8  # of windows: eighths of the longest, so that a short part takes a short time


class HiFiGAN(Vocoder):
    """The generator of jik876/hifi-gan, its weight norm folded: ``n`` frames make exactly ``n * hop_length`` samples.

    Attributes:
        reach: how many frames on either side of its own a sample depends on.
        reaches: the same in what each stage is given, and in what the last convolution is.
        is_in_bytes: whether the residual blocks are held in int8.
    """

    is_in_bytes = False

    class Options(plugins.Options):
        """Sizes, called as in the published ``config.json``; the defaults are V1.

        ``resblock`` "1" has two convolutions for each dilation, of which the second is not dilated; "2" has one.
        ``stage_kernel_sizes``, which is ours, says which of the ``resblock_kernel_sizes`` each stage has, where not all: so
        a generator is lightened that a larger one teaches (:mod:`tts_fm.training.vocoder_student`). With the ``precision``
        bfloat16 all but the last convolution are computed so where a GPU or the CPU can (avx512_bf16): two to
        four times as fast, and some 22 dB from float32, which DNSMOS and DistillMOS do not hear. A CPU does that in windows
        of a mel that lies between silences, see :meth:`HiFiGAN.decode`. With int8 it computes most residual blocks in bytes
        where it can (avx512_vnni), in 0.7 of that time, which those do not hear, once :meth:`HiFiGAN.measure` has heard speech;
        all else, and all elsewhere, is as with bfloat16. Training is as its run says.
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
        stage_kernel_sizes: tuple[tuple[Size, ...], ...] = Field(default=(), max_length=16)
        precision: Precision = "float32"

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
            allowed, of_stages = set(self.resblock_kernel_sizes), self.stage_kernel_sizes
            if of_stages and (
                len(of_stages) != len(rates) or any(not kept or not allowed.issuperset(kept) for kept in of_stages)
            ):
                raise ValueError(
                    f"stage_kernel_sizes are {of_stages}: for each of the {len(rates)} upsample_rates they need some of "
                    f"the resblock_kernel_sizes {self.resblock_kernel_sizes}"
                )
            if self.upsample_initial_channel % 2 ** len(rates):
                raise ValueError(
                    f"upsample_initial_channel is {self.upsample_initial_channel}: it is halved by each of "
                    f"{len(rates)} upsample_rates, so it must be divisible by {2 ** len(rates)}"
                )
            return self

        def blocks(self, stage: int) -> list[Block]:
            """Return the kernel's size and the dilations of each residual block that the stage has."""
            kept = self.stage_kernel_sizes[stage] if self.stage_kernel_sizes else self.resblock_kernel_sizes
            everything = zip(self.resblock_kernel_sizes, self.resblock_dilation_sizes, strict=True)
            return [(kernel, dilations) for kernel, dilations in everything if kernel in kept]

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
        self.conv_in = FrameConv(mel.n_mels, width, 7)
        stages = [
            Stage(width >> i, rate, kernel, options.blocks(i), has_pairs=options.resblock == "1")
            for i, (rate, kernel) in enumerate(zip(options.upsample_rates, options.upsample_kernel_sizes, strict=True))
        ]
        self.stages = nn.ModuleList(stages)
        self.conv_out = FrameConv(width >> len(stages), 1, 7)
        self.reaches = [self.conv_out.reach]
        for stage in reversed(stages):
            self.reaches.insert(0, stage.sees(self.reaches[0]))
        self.reach = self.reaches[0] + self.conv_in.reach
        if options.precision == "int8":
            n = len(self.in_bytes())
            for name in int8.Bounds._fields:
                self.register_buffer(name, torch.zeros(n))

    def sees(self, stages: int) -> int:
        """Return how many frames of the mel on either side the rest sees of what :meth:`begin` made."""
        return math.ceil(self.reaches[stages] / math.prod(self.options.upsample_rates[:stages]))

    def hold_weights(self) -> None:
        device = self.conv_out.weight.device
        if int8.is_fast(device):
            for layer, low, high, _ in self.bounded():
                layer.in_bytes, self.is_in_bytes = int8.ByteConv(layer, low, high), True
        if self._is_halved(device):
            precision.hold(self, torch.bfloat16, but=("conv_out",))

    @torch.no_grad()
    def measure(self, mels: Iterable[Float[Tensor, "n c"]]) -> None:
        """Learn between which bounds to round to int8 from speech; the utmost fifth is cut off, so that steps are finer."""
        below = len(self.stages) - 1
        measured = int8.bounds(self.in_bytes(), lambda: [self.begin(mel[None], below) for mel in mels])
        for name, value in measured._asdict().items():
            self.get_buffer(name).copy_(_KEPT * value)

    def decode(self, mel: Float[Tensor, "b n c"]) -> Float[Tensor, "b s"]:
        """Return the waveform: ``s = n * hop_length``.

        In bfloat16 a CPU prepares each convolution for the length that it is given, which may take longer than to compute it
        once. So there a stage always sees windows of a few lengths; and the mel lies between silences, where else zeros,
        which are loud in a logarithm, lie around what each layer makes.
        """
        return self.decode_part(mel, 0, mel.shape[1])

    def decode_part(self, mel: Float[Tensor, "b n c"], start: int, end: int) -> Float[Tensor, "b s"]:
        """See :class:`Vocoder`; each stage makes only what is seen further up, ``s = (end - start) * hop_length``."""
        if mel.shape[-1] != self.mel.n_mels:
            raise ValueError(f"the vocoder expects {self.mel.n_mels} mel channels, it was given {mel.shape[-1]}")
        if start == end:
            return mel.new_zeros(mel.shape[0], 0)
        is_halved = self._is_halved(mel.device)
        if not (is_halved or self.is_in_bytes):
            return self._decode(mel, start, end, Stage.forward)
        with torch.autocast(mel.device.type, torch.bfloat16, enabled=is_halved):
            if mel.device.type != "cpu":
                return self._decode(mel, start, end, Stage.forward)
            mel = F.pad(mel, (0, 0, self.reach, self.reach), value=math.log(FLOOR))
            return self._decode(mel, start + self.reach, end + self.reach, Stage.in_windows)

    def begin(self, mel: Float[Tensor, "b n c"], stages: int) -> Float[Tensor, "b m d"]:
        """Return what the first ``stages`` make of a mel, ``prod(upsample_rates[:stages])`` frames for each."""
        x = self.conv_in(mel)
        for stage in self.stages[:stages]:
            x = stage(x)
        return x

    def finish(self, x: Float[Tensor, "b m d"], stages: int) -> Float[Tensor, "b s"]:
        """Return the waveform of what :meth:`begin` returned."""
        for stage in self.stages[stages:]:
            x = stage(x)
        return self._to_samples(x)[..., 0]

    def _decode(
        self, mel: Float[Tensor, "b n c"], start: int, end: int, run: Callable[[Stage, Tensor], Tensor]
    ) -> Float[Tensor, "b s"]:
        part = Part(mel, start, end, 0, mel.shape[1]).around(self.reach)
        part = part.become(self.conv_in(part.x))
        for stage, reach in zip(self.stages, self.reaches, strict=False):
            assert isinstance(stage, Stage)
            part = part.around(reach)
            part = part.become(run(stage, part.x), stage.rate)
        part = part.around(self.conv_out.reach)
        return part.become(self._to_samples(part.x)).around(0).x[..., 0]

    def _to_samples(self, x: Float[Tensor, "b s d"]) -> Float[Tensor, "b s 1"]:
        with torch.autocast(x.device.type, enabled=False):
            return self.conv_out(F.leaky_relu(x.to(self.conv_out.weight.dtype))).float().tanh()

    def in_bytes(self) -> list[FrameConv]:
        """Return what int8 computes: all residual blocks but the last stage's, whose steps would be heard as noise."""
        below = (layer for stage in self.stages[:-1] for layer in stage.modules())
        return [layer for layer in below if isinstance(layer, FrameConv)]

    def bounded(self) -> list[tuple[FrameConv, float, float, float]]:
        """Return the same with the bounds of each; nothing in another precision, or before :meth:`measure`."""
        if self.options.precision != "int8":
            return []
        lowest, highest, made = (self.get_buffer(name).tolist() for name in int8.Bounds._fields)
        return list(zip(self.in_bytes(), lowest, highest, made, strict=True)) if all(made) else []

    def _is_halved(self, device: torch.device) -> bool:
        return not self.training and self.options.precision != "float32" and precision.has_fast_bfloat16(device)


@dataclass(frozen=True)
class Part:
    """Frames on their way through the layers: of ``n`` those from ``start`` to ``end`` are wanted, ``x`` begins at ``first``."""

    x: Float[Tensor, "b m d"]
    start: int
    end: int
    first: int
    n: int

    def around(self, reach: int) -> Part:
        """Return it without what is further than ``reach`` from what is wanted."""
        first = max(self.start - reach, 0)
        x = self.x[:, first - self.first : min(self.end + reach, self.n) - self.first]
        return Part(x, self.start, self.end, first, self.n)

    def become(self, x: Float[Tensor, "b m d"], rate: int = 1) -> Part:
        """Return the same part of what a layer made of it, ``rate`` frames for each."""
        return Part(x, self.start * rate, self.end * rate, self.first * rate, self.n * rate)


class Stage(nn.Module):
    """Raises the rate, halves the width, and takes the mean of residual blocks that see more and less around."""

    def __init__(self, width: int, rate: int, kernel: int, blocks: Iterable[Block], *, has_pairs: bool) -> None:
        super().__init__()
        self.rate, self.width = rate, width // 2
        self.upsample = FrameUpsample(width, width // 2, kernel, rate)
        residual = [ResidualBlock(width // 2, size, dilations, has_pairs=has_pairs) for size, dilations in blocks]
        self.blocks = nn.ModuleList(residual)
        around = max(block.reach for block in residual)
        self.reach = math.ceil((around + (kernel + rate) // 2 - 1) / rate)

    def sees(self, above: int) -> int:
        """Return how far on either side, in frames that it is given, what is seen ``above`` frames far of its result sees."""
        return self.reach + math.ceil(above / self.rate)

    def forward(self, x: Float[Tensor, "b *n d"]) -> Float[Tensor, "b *m e"]:
        """Return ``rate`` times as many frames of half the width; an export keeps its own axes."""
        x = self.upsample(F.leaky_relu(x, SLOPE))
        total = self.blocks[0](x)
        for block in self.blocks[1:]:
            total += block(x)
        return total.div_(len(self.blocks))

    def in_windows(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b m e"]:
        """As :meth:`forward` in windows of a few lengths; zeros where that would see beyond the ends."""
        n, unit = x.shape[1], max(WINDOW // (self.width * self.rate * _LENGTHS), 3 * self.reach)
        made = [x.new_zeros(len(x), self.reach * self.rate, self.width)]
        for start in range(self.reach, n - self.reach, _LENGTHS * unit - 2 * self.reach):
            window = x[:, start - self.reach : start - self.reach + _LENGTHS * unit]
            inner = window.shape[1] - 2 * self.reach
            raised = self(F.pad(window, (0, 0, 0, -window.shape[1] % unit)))
            made.append(raised[:, self.reach * self.rate : (self.reach + inner) * self.rate])
        return torch.cat([*made, made[0]], dim=1)


class ResidualBlock(nn.Module):
    """``x + conv(leaky(x))`` for one dilation after the other; ``has_pairs``: a second, undilated convolution follows each.

    What a convolution has just made is written over where it can be: at the rate of samples, memory costs as much as arithmetic.
    """

    def __init__(self, width: int, kernel: int, dilations: tuple[int, ...], has_pairs: bool) -> None:
        super().__init__()
        dilated = [FrameConv(width, width, kernel, dilation=dilation) for dilation in dilations]
        plain = [FrameConv(width, width, kernel) for _ in dilations if has_pairs]
        self.dilated, self.plain = nn.ModuleList(dilated), nn.ModuleList(plain)
        self.reach = sum(convolution.reach for convolution in (*dilated, *plain))

    def forward(self, x: Float[Tensor, "b *n d"]) -> Float[Tensor, "b *n d"]:
        """Return the block's output."""
        for i, dilated in enumerate(self.dilated):
            y = dilated(F.leaky_relu(x, SLOPE))
            if len(self.plain):
                y = self.plain[i](F.leaky_relu(y, SLOPE, inplace=True))
            x = y.add_(x)
        return x
