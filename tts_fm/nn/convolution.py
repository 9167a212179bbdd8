"""Convolutions along frames that lie in memory as rows: images one line high, channels last, as processors like them best.

With the channels last oneDNN finds the matrix instructions of a CPU (AMX, AVX-512), which ``nn.Conv1d`` does not reach:
a 128-channel convolution of 11 frames takes an eighth of the time in bfloat16 and two thirds of it in float32.
"""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class FrameConv(nn.Conv1d):
    """A convolution that keeps the number of frames; weights are laid out as those of ``nn.Conv1d``."""

    def __init__(self, in_dim: int, out_dim: int, kernel: int, *, dilation: int = 1, groups: int = 1) -> None:
        super().__init__(in_dim, out_dim, kernel, padding=dilation * (kernel // 2), dilation=dilation, groups=groups)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n e"]:
        """Return the convolved frames."""
        dilation = self.dilation[0]
        padding = dilation * (self.kernel_size[0] // 2)
        kernel = self.weight[:, :, None]
        return _rows(F.conv2d(_line(x), kernel, self.bias, 1, (0, padding), (1, dilation), self.groups))


class FrameUpsample(nn.ConvTranspose1d):
    """``rate`` frames for each, by a transposed convolution; weights are laid out as those of ``nn.ConvTranspose1d``."""

    def __init__(self, in_dim: int, out_dim: int, kernel: int, rate: int) -> None:
        super().__init__(in_dim, out_dim, kernel, stride=rate, padding=(kernel - rate) // 2)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b m e"]:
        """Return the frames of the higher rate."""
        rate, kernel = self.stride[0], self.weight[:, :, None]
        padding = (self.kernel_size[0] - rate) // 2
        return _rows(F.conv_transpose2d(_line(x), kernel, self.bias, (1, rate), (0, padding)))


def _line(x: Float[Tensor, "b n d"]) -> Float[Tensor, "b d 1 n"]:
    return x.mT[:, :, None]


def _rows(line: Float[Tensor, "b d 1 n"]) -> Float[Tensor, "b n d"]:
    return line[:, :, 0].mT
