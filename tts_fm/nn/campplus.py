"""CAM++, a published encoder of speakers: whose voice a mel has, as a vector."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

N_BANDS = 80
GROWTH = 32
SEGMENT = 100  # frames of 20 ms that share one context
BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers, dilation


class SpeakerEncoder(nn.Module):
    """The voice of a mel as a vector of length 1, by CAM++ (Wang et al., arXiv 2303.00332).

    The published network hears Kaldi's filterbank energies of 16 kHz, 100 frames a second, less their mean over time.
    ``bands`` reads their logarithms off a mel; what is constant in time is in the mean, and so left out.

    Args:
        n_mels: mel channels, ``c``.
        rate: how many of Kaldi's frames one of the mel is.
    """

    def __init__(self, n_mels: int, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.bands = nn.Linear(n_mels, N_BANDS, bias=False)
        self.network = CAMPPlus()

    def forward(self, mel: Float[Tensor, "b n c"]) -> Float[Tensor, "b e"]:
        """Return the voice of each mel, which must last half a second or more."""
        energies = F.interpolate(self.bands(mel).mT, size=round(self.rate * mel.shape[1]), mode="linear")  # (b 80 n)
        return F.normalize(self.network(energies - energies.mean(dim=-1, keepdim=True)), dim=-1)


class CAMPPlus(nn.Module):
    """From filterbank energies to a voice; its parts have the published names.

    A convolutional front end, then densely connected time-delay layers, each of which is gated by what surrounds it.
    """

    DIM = 192

    def __init__(self) -> None:
        super().__init__()
        self.head = FrontEnd()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        width = 128
        layers["tdnn"] = nn.Sequential(
            OrderedDict(linear=nn.Conv1d(320, width, 5, 2, 2, bias=False), nonlinear=_normed(width))
        )
        for k, (depth, dilation) in enumerate(BLOCKS, start=1):
            layers[f"block{k}"] = DenseBlock(width, depth, dilation)
            width += depth * GROWTH
            layers[f"transit{k}"] = nn.Sequential(
                OrderedDict(nonlinear=_normed(width), linear=nn.Conv1d(width, width // 2, 1, bias=False))
            )
            width //= 2
        layers["out_nonlinear"] = _normed(width)
        layers["stats"] = MeanAndDeviation()
        layers["dense"] = nn.Sequential(
            OrderedDict(
                linear=nn.Conv1d(2 * width, self.DIM, 1, bias=False),
                nonlinear=nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(self.DIM, affine=False))),
            )
        )
        self.xvector = nn.Sequential(layers)

    def forward(self, energies: Float[Tensor, "b 80 m"]) -> Float[Tensor, "b e"]:
        """Return one vector for each row of energies."""
        return self.xvector(self.head(energies))[..., 0]


class FrontEnd(nn.Module):
    """Energies as an image whose height is folded eight times: 32 channels of 10 rows."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)
        self.layer1 = nn.Sequential(Residual(2), Residual(1))
        self.layer2 = nn.Sequential(Residual(2), Residual(1))
        self.conv2, self.bn2 = nn.Conv2d(32, 32, 3, (2, 1), 1, bias=False), nn.BatchNorm2d(32)

    def forward(self, energies: Float[Tensor, "b 80 m"]) -> Float[Tensor, "b 320 m"]:
        """Return the channels of all rows, one below the other."""
        x = self.bn1(self.conv1(energies[:, None])).relu()
        x = self.layer2(self.layer1(x))
        return self.bn2(self.conv2(x)).relu().flatten(1, 2)


class Residual(nn.Module):
    """Two convolutions and a way past them; the height is divided by ``stride``."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(32, 32, 3, (stride, 1), 1, bias=False), nn.BatchNorm2d(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32)
        self.shortcut = nn.Sequential()
        if stride > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(32, 32, 1, (stride, 1), bias=False), nn.BatchNorm2d(32))

    def forward(self, x: Float[Tensor, "b 32 h m"]) -> Float[Tensor, "b 32 k m"]:
        """Return the sum of both ways."""
        return (self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())) + self.shortcut(x)).relu()


class DenseBlock(nn.ModuleDict):
    """Layers that each see the results of all before them."""

    def __init__(self, width: int, depth: int, dilation: int) -> None:
        super().__init__({f"tdnnd{i + 1}": DenseLayer(width + i * GROWTH, dilation) for i in range(depth)})

    def forward(self, x: Float[Tensor, "b d m"]) -> Float[Tensor, "b e m"]:
        """Return ``x`` and what each layer adds."""
        for layer in self.values():
            x = torch.cat([x, layer(x)], dim=1)
        return x


class DenseLayer(nn.Module):
    """A bottleneck of 128 channels, then :class:`ContextGate`."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1, self.linear1 = _normed(width), nn.Conv1d(width, 4 * GROWTH, 1, bias=False)
        self.nonlinear2, self.cam_layer = _normed(4 * GROWTH), ContextGate(dilation)

    def forward(self, x: Float[Tensor, "b d m"]) -> Float[Tensor, "b e m"]:
        """Return the 32 channels that the layer adds."""
        return self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(x))))


class ContextGate(nn.Module):
    """A convolution, gated by the mean of the whole and of the two seconds around (context-aware masking)."""

    def __init__(self, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(4 * GROWTH, GROWTH, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1, self.linear2 = nn.Conv1d(4 * GROWTH, 2 * GROWTH, 1), nn.Conv1d(2 * GROWTH, GROWTH, 1)

    def forward(self, x: Float[Tensor, "b d m"]) -> Float[Tensor, "b e m"]:
        """Return the gated channels."""
        means = F.avg_pool1d(x, SEGMENT, SEGMENT, ceil_mode=True)
        around = means.repeat_interleave(SEGMENT, dim=-1)[..., : x.shape[-1]] + x.mean(dim=-1, keepdim=True)
        return self.linear_local(x) * self.linear2(self.linear1(around).relu()).sigmoid()


class MeanAndDeviation(nn.Module):
    """Mean and standard deviation over time, one below the other."""

    def forward(self, x: Float[Tensor, "b d m"]) -> Float[Tensor, "b e 1"]:
        """Return both of each channel."""
        return torch.cat([x.mean(dim=-1), x.std(dim=-1)], dim=-1)[..., None]


def _normed(width: int) -> nn.Sequential:
    return nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(width), relu=nn.ReLU()))
