"""Convolutions in bytes compute what convolutions compute, to the step."""

from __future__ import annotations

import pytest
import torch

from tts_fm.nn import int8
from tts_fm.nn.convolution import FrameConv

pytestmark = pytest.mark.skipif(not int8.is_fast(torch.device("cpu")), reason="this CPU multiplies no bytes")


def on_steps(seed: int, low: float, high: float, *shape: int) -> torch.Tensor:
    """Return numbers that lie on the 256 steps from ``low`` to ``high``."""
    step = (high - low) / 255
    drawn = torch.randint(256, shape, generator=torch.Generator().manual_seed(seed))
    return (drawn - round(-low / step)) * step


def layer_on_steps(channels: int, kernel: int, dilation: int) -> FrameConv:
    """Return a convolution whose weights are whole numbers of a step, of which each row has its own."""
    torch.manual_seed(0)
    layer = FrameConv(channels, channels, kernel, dilation=dilation)
    whole = torch.randint(-127, 128, layer.weight.shape)
    whole[:, 0, 0] = 127  # the largest of its row
    layer.weight.data.copy_(whole * torch.linspace(0.001, 0.002, channels)[:, None, None])
    return layer


@pytest.mark.parametrize("channels", [16, 64])
@pytest.mark.parametrize(("kernel", "dilation"), [(3, 1), (7, 3), (11, 5)])
@pytest.mark.parametrize("n", [1, 50, 61])
@torch.inference_mode()
def test_what_lies_on_the_steps_is_convolved_exactly(channels, kernel, dilation, n):
    layer, x = layer_on_steps(channels, kernel, dilation), on_steps(1, -0.5, 2.0, 2, n, channels)
    made = int8.ByteConv(layer, -0.5, 2.0)(x)
    assert made.shape == (2, n, channels) and made.dtype == torch.float32
    torch.testing.assert_close(made, layer.double()(x.double()).float(), rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_what_lies_between_the_steps_has_their_noise_and_what_lies_beyond_is_cut():
    layer, x = layer_on_steps(64, 7, 3), torch.rand(1, 4000, 64) * 2 - 0.5
    made = int8.ByteConv(layer, -0.5, 1.5)(x)
    noise = (2 / 255) / 12**0.5 * float(layer.weight.square().sum((1, 2)).mean().sqrt())
    assert float((made - layer(x)).square().mean().sqrt()) == pytest.approx(noise, rel=0.02)
    narrow = int8.ByteConv(layer, -0.1, 0.4)
    assert torch.equal(narrow(x), narrow(x.clamp(-0.1, 0.4)))


@torch.inference_mode()
def test_bounds_are_what_each_layer_is_given():
    layers = [torch.nn.Identity(), torch.nn.Identity()]
    given = [torch.tensor([1.0, -2.0]), torch.tensor([3.0, 0.5])]
    measured = int8.bounds(layers, lambda: [(layers[0](x), layers[1](10 * x)) for x in given])
    assert measured.lowest.tolist() == [-2.0, -20.0] and measured.highest.tolist() == [3.0, 30.0]
    assert measured.made.tolist() == [3.0, 30.0]
    assert not layers[0]._forward_hooks
