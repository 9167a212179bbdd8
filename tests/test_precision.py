"""Weights held in a lower precision: what is held, what is not, and that nothing but the casts is saved."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tts_fm import infill, plugins
from tts_fm.backbones import Backbone
from tts_fm.loading import pick_dtype
from tts_fm.nn import attention, precision, product
from tts_fm.nn.norm import RMSNorm
from tts_fm.types import DECIBELS, FILLER, Condition

SMALL = {
    "aligned_dit": {"dim": 16, "heads": 2, "depth": 1, "patch": 2, "text_dim": 8, "refine_layers": 1, "prompt_dim": 8},
    "dit": {"dim": 32, "heads": 2, "depth": 2, "text_dim": 16, "conv_layers": 1},
    "mmdit": {"dim": 32, "heads": 2, "depth": 2},
    "unet_t": {"dim": 32, "heads": 2, "depth": 2},
}


def build(name: str) -> Backbone:
    torch.manual_seed(0)
    kind = plugins.load(Backbone, name)
    backbone = kind(kind.Options(**SMALL[name]), n_mels=8, vocab_size=5).eval()
    for parameter in backbone.parameters():
        nn.init.normal_(parameter, std=0.2)
    return backbone


@pytest.mark.parametrize("name", plugins.names(Backbone))
def test_held_weights_are_as_near_to_float32_as_autocast(name: str) -> None:
    backbone = build(name)
    frames = [10, 7, 8, 6] if backbone.needs_token_frames else None
    one = infill.continue_prompt(torch.randn(10, 8), [FILLER, 1, 2, 3] if frames else [0, 1, 2, 3], 31, frames)
    condition, x_t, t = Condition.stack([one, one.empty()]), torch.randn(2, 31, 8), torch.tensor(0.3)
    with torch.inference_mode():
        exact = backbone.velocity(x_t, t, backbone.prepare(condition))
        with torch.autocast("cpu", torch.bfloat16):
            cast = backbone.velocity(x_t, t, backbone.prepare(condition))
            precision.hold(backbone, torch.bfloat16, backbone.float32_parts)
            held = backbone.velocity(x_t, t, backbone.prepare(condition))
    distances = [float((velocity - exact).square().mean().sqrt()) for velocity in (cast, held)]
    assert distances[1] <= 1.1 * distances[0]
    assert distances[0] > 0
    matrices = [module.weight for module in backbone.modules() if isinstance(module, (nn.Linear, nn.Conv1d))]
    assert sum(weight.dtype == torch.bfloat16 for weight in matrices) > len(matrices) / 2


@pytest.mark.parametrize("then", [product.project, product.project_gelu])
def test_a_product_in_one_pass_is_nearer_than_one_in_several(then: Callable[[nn.Linear, Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(64, 96), torch.randn(5, 7, 64)
    with torch.inference_mode():
        exact = then(layer.to(torch.bfloat16).float(), x.bfloat16().float())
        layer.to(torch.bfloat16)
        of_one = (then(layer, x.bfloat16()) - exact).square().mean()
        y = layer(x.bfloat16())
        of_several = ((F.gelu(y, approximate="tanh") if then is product.project_gelu else y) - exact).square().mean()
    assert 0 < of_one <= 1.05 * of_several


def test_a_product_in_float32_is_that_of_the_layer() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(64, 96), torch.randn(2, 7, 64)
    with torch.inference_mode():
        assert (product.project(layer, x) - layer(x)).abs().max() <= 1e-5
        assert (product.project_gelu(layer, x) - F.gelu(layer(x), approximate="tanh")).abs().max() <= 1e-5
        with torch.autocast("cpu", torch.bfloat16):  # what training holds in float32 is still cast
            assert product.project(layer, x).dtype == torch.bfloat16


@pytest.mark.parametrize("scores", [2**21, 100, 7])
def test_attention_in_products_is_attention_however_it_is_cut(scores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    monkeypatch.setattr(attention, "_SCORES", scores)
    q, k, v = torch.randn(2, 3, 13, 8), torch.randn(2, 3, 17, 8), torch.randn(2, 3, 17, 8)
    attended = attention._attend_in_products(q, k, v)
    assert (attended - F.scaled_dot_product_attention(q, k, v)).abs().max() <= 1e-5


def test_a_norm_by_one_reading_is_the_norm() -> None:
    norm, x = RMSNorm(48, eps=1e-20), torch.randn(3, 5, 48)
    x[0, 0] = 0
    nn.init.normal_(norm.weight)
    with torch.no_grad():
        y = norm(x)
    assert (y - norm(x)).abs().max() <= 1e-5
    assert not y[0, 0].any()


def test_a_layer_with_adapters_beside_it_is_asked_itself() -> None:
    class Doubled(nn.Linear):
        def forward(self, input: Tensor) -> Tensor:
            return 2 * super().forward(input)

    layer, x = Doubled(8, 8).to(torch.bfloat16), torch.randn(3, 8, dtype=torch.bfloat16)
    with torch.inference_mode():
        assert torch.equal(product.project(layer, x), layer(x))


def test_durations_are_asked_in_float32() -> None:
    backbone, ids = build("aligned_dit"), torch.tensor([1, 2, 3])
    with torch.inference_mode():
        before = backbone.predict_token_frames(ids)
        precision.hold(backbone, torch.bfloat16, backbone.float32_parts)
        assert torch.equal(backbone.predict_token_frames(ids), before)


@pytest.mark.parametrize("is_fast", [True, False])
def test_auto_takes_what_the_processor_multiplies_fastest(is_fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: is_fast)
    assert pick_dtype("auto", torch.device("cpu")) == (torch.bfloat16 if is_fast else torch.float32)
    assert pick_dtype("float32", torch.device("cpu")) == torch.float32


@pytest.mark.slow
def test_the_bundled_voice_stays_near_float32() -> None:
    from tts_fm import Synthesizer

    text = "The boats lay there, and it was cold."
    exact, held = (
        Synthesizer.load("default", device="cpu", precision=name).speak(text, seed=3).mel
        for name in ("float32", "bfloat16")
    )
    assert exact.shape == held.shape
    distance = DECIBELS * float((exact - held).square().mean().sqrt())
    print(f"bfloat16 is {distance:.2f} dB from float32")
    assert distance < 0.5
