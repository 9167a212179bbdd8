"""Convolutions in bytes, for a CPU that multiplies them: twice as fast as bfloat16, and sums of whole numbers are exact.

What is convolved is rounded to 256 steps between two bounds, known beforehand; weights are whole numbers with a scale for
each channel that is made. oneDNN computes it, as PyTorch's own quantized models do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from tts_fm import tensors

STEPS = 255
_FOLDED_FROM = 64  # channels: with fewer, too little is computed at once to pay for it


def is_fast(device: torch.device) -> bool:
    """Whether bytes are multiplied faster than anything else there."""
    return device.type == "cpu" and torch.cpu._is_avx512_supported() and torch.cpu._is_vnni_supported()


class Bounds(NamedTuple):
    """The least and the most that each layer is given, 0 among them, and the most that it makes, either way."""

    lowest: Float[Tensor, " k"]
    highest: Float[Tensor, " k"]
    made: Float[Tensor, " k"]


@torch.no_grad()
def bounds(layers: Sequence[nn.Module], run: Callable[[], object]) -> Bounds:
    """Return what goes into and comes out of the ``layers`` while ``run`` runs."""
    measured = Bounds(*torch.zeros(3, len(layers)))

    def ear(i: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def listen(_: nn.Module, given: tuple[Tensor, ...], made: Tensor) -> None:
            measured.lowest[i] = min(measured.lowest[i], given[0].min())
            measured.highest[i] = max(measured.highest[i], given[0].max())
            measured.made[i] = max(measured.made[i], made.abs().max())

        return listen

    hooks = [layer.register_forward_hook(ear(i)) for i, layer in enumerate(layers)]
    try:
        run()
    finally:
        for hook in hooks:
            hook.remove()
    return measured


class ByteConv:
    """A convolution along frames whose weights are packed; what it makes is float32. No module: it has nothing to learn.

    A dilated one is computed without dilation, on an image whose lines are ``dilation`` frames: the same numbers from the
    same memory, and up to 1.7 times as fast.

    Args:
        layer: whose weights are taken, with an odd kernel and no groups.
        low: the least that it will be given, at most 0; what is less counts as that.
        high: the most.
    """

    def __init__(self, layer: nn.Conv1d, low: float, high: float) -> None:
        (kernel,), (self.dilation,), weight = layer.kernel_size, layer.dilation, layer.weight.detach().float()
        self.step = max(high - low, 1e-6) / STEPS
        self.zero = round(-low / self.step)
        whole, steps = tensors.to_int8(weight)
        self.steps = steps.flatten().clamp(min=tensors.LEAST_SCALE)
        self.zeros = torch.zeros(len(weight), dtype=torch.int64)  # weights are rounded around 0
        self.bias = torch.zeros(len(weight)) if layer.bias is None else layer.bias.detach().float()
        self.is_folded = self.dilation > 1 and layer.in_channels >= _FOLDED_FROM
        if self.is_folded:
            whole, padding, dilation = whole[:, :, :, None], [kernel // 2, 0], [1, 1]
        else:
            whole, padding, dilation = whole[:, :, None], [0, self.dilation * (kernel // 2)], [1, self.dilation]
        self.shape = ([1, 1], padding, dilation, 1)
        self.packed = torch.ops.onednn.qconv_prepack(whole, self.steps, self.step, self.zero, *self.shape, None)

    def __call__(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n e"]:
        """Return the convolved frames."""
        b, n, d = x.shape
        x = self._rounded(x)
        if self.is_folded:
            x = F.pad(x, (0, 0, 0, -n % self.dilation), value=self.zero).view(b, -1, self.dilation, d)
        else:
            x = x[:, None]
        made = torch.ops.onednn.qconv2d_pointwise(
            x.permute(0, 3, 1, 2),
            self.step,
            self.zero,
            self.packed,
            self.steps,
            self.zeros,
            self.bias,
            *self.shape,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        return made.permute(0, 2, 3, 1).reshape(b, -1, made.shape[1])[:, :n]

    def _rounded(self, x: Float[Tensor, "b n d"]) -> UInt8[Tensor, "b n d"]:
        """Return the steps from ``low``; what PyTorch made is looked at as bytes, which ``int_repr`` would copy slowly."""
        made = torch.quantize_per_tensor(x.float().contiguous(), self.step, self.zero, torch.quint8)
        return torch.empty(0, dtype=torch.uint8).set_(made.untyped_storage(), 0, made.shape, made.stride())
