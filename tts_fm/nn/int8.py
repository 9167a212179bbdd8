"""Convolutions and products in bytes, for a CPU that multiplies them: twice as fast as bfloat16, whole sums are exact.

What goes in is rounded to 256 steps between two bounds, those of a convolution known beforehand, those of a product its
own; weights are whole numbers with a scale for each channel that is made. oneDNN computes it, as PyTorch's own quantized
models do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Int8, UInt8
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


def whole_weights(
    layer: nn.Linear | nn.Conv1d,
) -> tuple[Int8[Tensor, "e ..."], Float[Tensor, " e"], Int[Tensor, " e"], Float[Tensor, " e"]]:
    """Return the weights of a layer as whole numbers, the step of each of its rows, where their zeros are, and its bias."""
    whole, steps = tensors.to_int8(layer.weight.detach().float())
    zeros = torch.zeros(len(whole), dtype=torch.int64)  # weights are rounded around 0
    bias = torch.zeros(len(whole)) if layer.bias is None else layer.bias.detach().float()
    return whole, steps.flatten(), zeros, bias


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
        (kernel,), (self.dilation,) = layer.kernel_size, layer.dilation
        self.step = max(high - low, 1e-6) / STEPS
        self.zero = round(-low / self.step)
        whole, self.steps, self.zeros, self.bias = whole_weights(layer)
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
        x = rounded(x.float().contiguous(), self.step, self.zero)
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


class ByteLinear(nn.Module):
    """A linear layer that only computes: W8A8, what goes in between its own least and most at every call (dynamic).

    Args:
        layer: whose weights are taken.
        made: the type of what is made, float32 or bfloat16.
    """

    steps: Float[Tensor, " e"]
    bias: Float[Tensor, " e"]

    def __init__(self, layer: nn.Linear, made: torch.dtype) -> None:
        super().__init__()
        self.in_features, self.out_features, self.made = layer.in_features, layer.out_features, made
        whole, steps, self.zeros, bias = whole_weights(layer)
        self.register_buffer("steps", steps)
        self.register_buffer("bias", bias)
        self.packed = torch.ops.onednn.qlinear_prepack(whole, None)

    def forward(self, x: Float[Tensor, "*b d"], then: str = "none") -> Float[Tensor, "*b e"]:
        """Return the layer's output; with ``then`` "gelu", its GELU in the tanh form, taken before it is rounded."""
        x = x.float().contiguous()
        low, high = (float(bound) for bound in torch.aminmax(x))
        step = max(max(high, 0.0) - min(low, 0.0), 1e-12) / STEPS
        if not math.isfinite(step + low + high):
            return x.new_full((*x.shape[:-1], self.out_features), math.nan, dtype=self.made)
        zero = round(-min(low, 0.0) / step)
        made = torch.ops.onednn.qlinear_pointwise(
            rounded(x.reshape(-1, self.in_features), step, zero),
            step,
            zero,
            self.packed,
            self.steps,
            self.zeros,
            self.bias,
            1.0,
            0,
            self.made,
            then,
            [],
            "tanh",
        )
        return made.reshape(*x.shape[:-1], self.out_features)


def hold(module: nn.Module, layers: Collection[nn.Linear], made: torch.dtype) -> None:
    """Put a :class:`ByteLinear` in the place of each of the ``layers`` of ``module``."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear) and child in layers:
            setattr(module, name, ByteLinear(child, made))
        else:
            hold(child, layers, made)


def is_held(module: nn.Module) -> bool:
    """Whether any of its layers is a :class:`ByteLinear`."""
    return any(isinstance(layer, ByteLinear) for layer in module.modules())


def rounded(x: Float[Tensor, "*b d"], step: float, zero: int) -> UInt8[Tensor, "*b d"]:
    """Return how many steps above ``-zero`` of them each number is; looked at as bytes, ``int_repr`` would copy slowly."""
    made = torch.quantize_per_tensor(x, step, zero, torch.quint8)
    return torch.empty(0, dtype=torch.uint8).set_(made.untyped_storage(), 0, made.shape, made.stride())
