"""CAM++, a published encoder of speakers: what tells the network whether its speech has the voice that was asked for."""

from __future__ import annotations

import math
from collections import OrderedDict
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tts_fm.audio.mel import between, filter_edges
from tts_fm.errors import ModelError
from tts_fm.torch_files import load_state
from tts_fm.types import MelSpec

N_BANDS = 80
FRAMES_PER_SECOND = 100
LOWEST_HZ = 20.0
HIGHEST_HZ = 8000.0
GROWTH = 32
SEGMENT = 100  # frames of 20 ms that share one context
BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers, dilation


class SpeakerEncoder(nn.Module):
    """The voice of a mel as a vector of length 1, by CAM++ (Wang et al., arXiv 2303.00332).

    The published network hears Kaldi's filterbank energies of 16 kHz, 100 frames a second, less their mean over time. They
    are read off the log-mel at the centres of Kaldi's bands; what this leaves out is constant in time, and so in the mean.

    Args:
        mel: what the mels are; they must reach to 8 kHz.

    Raises:
        ValueError: the mel ends below 8 kHz.
    """

    bands: Float[Tensor, "80 c"]

    def __init__(self, mel: MelSpec) -> None:
        super().__init__()
        if mel.highest_hz < HIGHEST_HZ:
            raise ValueError(
                f"an encoder of speakers hears up to {HIGHEST_HZ:g} Hz, this mel ends at {mel.highest_hz:g} Hz"
            )
        self.rate = FRAMES_PER_SECOND * mel.hop_length / mel.sample_rate
        self.register_buffer("bands", _kaldi_bands(mel), persistent=False)
        self.network = CAMPPlus()

    def forward(self, mel: Float[Tensor, "b n c"]) -> Float[Tensor, "b e"]:
        """Return the voice of each log-mel, which must last half a second or more."""
        energies = 2 * F.linear(mel, self.bands).mT  # (b 80 n)
        energies = F.interpolate(energies, size=round(self.rate * mel.shape[1]), mode="linear")
        return F.normalize(self.network(energies - energies.mean(dim=-1, keepdim=True)), dim=-1)

    @classmethod
    def load(cls, path: Path, mel: MelSpec) -> SpeakerEncoder:
        """Read the weights of the 3D-Speaker project (``campplus_cn_en_common.pt``), frozen.

        Raises:
            ModelError: the file is not there, or holds another network.
        """
        encoder, state = cls(mel), load_state(path, is_old_format_read=True)
        try:
            encoder.network.load_state_dict(state)
        except RuntimeError:
            raise ModelError(f"{path} does not hold CAM++ with {CAMPPlus.DIM} numbers a voice") from None
        return encoder.eval().requires_grad_(False)


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


def _kaldi_bands(mel: MelSpec) -> Float[Tensor, "80 c"]:
    """Return weights that read a log-mel, between its channels, at the centres of Kaldi's bands."""
    edges = torch.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), N_BANDS + 2, dtype=torch.float64)
    wanted = 700 * ((edges[1:-1] / 1127).exp() - 1)
    above, share = between(filter_edges(mel)[1:-1], wanted)
    channels, share = torch.eye(mel.n_mels, dtype=torch.float64), share[:, None]
    return ((1 - share) * channels[above - 1] + share * channels[above]).float()


def _mel(hertz: float) -> float:
    return 1127 * math.log1p(hertz / 700)
