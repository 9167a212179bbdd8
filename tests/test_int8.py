"""Convolutions and products in bytes compute what those of numbers compute, to the step."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from tts_fm import Synthesizer
from tts_fm.loading import pick_dtype
from tts_fm.nn import int8, precision, product
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


def product_on_steps() -> nn.Linear:
    """Return a linear layer whose weights are whole numbers of a step, of which each row has its own."""
    torch.manual_seed(0)
    layer = nn.Linear(48, 40)
    whole = torch.randint(-127, 128, layer.weight.shape)
    whole[:, 0] = 127  # the largest of its row
    layer.weight.data.copy_(whole * torch.linspace(0.001, 0.002, 40)[:, None])
    return layer


@pytest.mark.parametrize("then", ["none", "gelu"])
@pytest.mark.parametrize(("low", "high"), [(-0.5, 2.0), (0.25, 3.0), (-3.0, -0.25)])
@torch.inference_mode()
def test_what_lies_on_the_steps_is_multiplied_exactly(then, low, high):
    layer = product_on_steps()
    step = (max(high, 0.0) - min(low, 0.0)) / 255
    whole = torch.randint(math.ceil(low / step), math.floor(high / step) + 1, (2, 50, 48))
    x = whole.double() * step
    x[0, 0, :2] = torch.tensor([round(low / step), round(high / step)]) * step  # what the steps are told by
    exact = layer.double()(x)
    exact = nn.functional.gelu(exact, approximate="tanh") if then == "gelu" else exact
    made = int8.ByteLinear(layer, torch.float32)(x.float(), then)
    assert made.dtype == torch.float32
    torch.testing.assert_close(made, exact.float(), rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_between_the_steps_a_product_has_their_noise():
    layer, x = product_on_steps(), torch.rand(4000, 48) * 2 - 0.5
    made = int8.ByteLinear(layer, torch.float32)(x)
    noise = (2 / 255) / 12**0.5 * float(layer.weight.square().sum(1).mean().sqrt())
    assert float((made - layer(x)).square().mean().sqrt()) == pytest.approx(noise, rel=0.05)


@torch.inference_mode()
def test_a_product_of_nothing_is_the_bias_and_of_no_numbers_none():
    layer = product_on_steps()
    held = int8.ByteLinear(layer, torch.float32)
    assert torch.equal(held(torch.zeros(3, 48)), layer.bias.expand(3, 40))
    for wrong in (math.nan, math.inf, -math.inf):
        x = torch.zeros(3, 48)
        x[1, 2] = wrong
        assert held(x).isnan().all()


@torch.inference_mode()
def test_gelu_is_taken_along_and_what_is_made_has_the_type_that_was_asked_for():
    layer, x = product_on_steps(), torch.randn(7, 48, dtype=torch.bfloat16)
    held = int8.ByteLinear(layer, torch.bfloat16)
    assert held(x).dtype == torch.bfloat16
    exact = nn.functional.gelu(int8.ByteLinear(layer, torch.float32)(x), approximate="tanh")
    assert torch.equal(product.project_gelu(held, x), exact.bfloat16())
    assert torch.equal(product.project(held, x), held(x))


def test_a_model_in_bytes_says_so_and_stays_near():
    exact, held = (Synthesizer.load("default", device="cpu", precision=name) for name in ("float32", "int8"))
    assert (exact.precision, held.precision) == ("float32", "int8")
    text = "The boats lay there."
    mels = [one.speak(text, seed=3).mel for one in (exact, held)]
    distance = float((mels[0] - mels[1]).square().mean().sqrt())
    apart = float((mels[0] - exact.speak(text, seed=4).mel).square().mean().sqrt())
    assert 0 < distance < 0.05 * apart


def test_bytes_are_refused_where_they_are_not_multiplied(monkeypatch):
    monkeypatch.setattr(int8, "is_fast", lambda device: False)
    with pytest.raises(ValueError, match="only on a CPU with AVX-512 and VNNI"):
        pick_dtype("int8", torch.device("cpu"))


@pytest.mark.parametrize("is_fast", [True, False])
def test_beside_bytes_a_model_computes_in_what_is_fast(is_fast, monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: is_fast)
    assert pick_dtype("int8", torch.device("cpu")) == (torch.bfloat16 if is_fast else torch.float32)
