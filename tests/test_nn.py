"""Layers that backbones share: each shortcut gives what the long way gives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tts_fm import infill, plugins
from tts_fm.backbones import Backbone
from tts_fm.nn.attention import rotary_table, rotate
from tts_fm.nn.embeddings import FrameConv, TextEmbedding
from tts_fm.types import FILLER


def test_a_rotation_by_complex_numbers_is_the_one_that_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    x, rotary = torch.randn(2, 3, 17, 8), rotary_table(17, 8, torch.device("cpu"))
    by_complex_numbers = rotate(x, rotary)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert (rotate(x, rotary) - by_complex_numbers).abs().max() <= 1e-6
    assert (by_complex_numbers[:, :, 1:] - x[:, :, 1:]).abs().max() > 0.1


def test_one_filler_stands_for_all_that_are_out_of_the_texts_reach() -> None:
    torch.manual_seed(0)
    embedding = TextEmbedding(vocab_size=9, dim=8, conv_layers=3)
    for parameter in embedding.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    token_ids = torch.tensor([[1, 2, 3, 4, 5, 6, 7], [3, 1, FILLER, 2, FILLER, FILLER, FILLER]])
    is_valid = torch.arange(40)[None] < torch.tensor([[40], [9]])
    has_text = torch.tensor([True, True])
    results = []
    for ids in (token_ids, F.pad(token_ids, (0, 33), value=FILLER)):  # with fillers to the end, none is left out
        embedding.zero_grad()
        text = embedding(ids, is_valid, has_text)
        (text.sin() * torch.linspace(-1, 1, text.numel()).view_as(text)).sum().backward()
        results.append([text, *(p.grad for p in embedding.parameters())])
    for short, whole in zip(*results, strict=True):
        assert (short - whole).abs().max() <= 1e-5 * whole.abs().max()
    assert (results[0][0][1, 4:] == 0).all()


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_frames_are_convolved_as_by_the_one_dimensional_convolution(groups: int) -> None:
    conv, x = FrameConv(8, 8, 5, groups=groups), torch.randn(2, 11, 8)
    expected = F.conv1d(x.mT, conv.weight, conv.bias, padding=2, groups=groups).mT
    assert (conv(x) - expected).abs().max() <= 1e-6
    assert (conv.along(x.mT[:, :, None])[:, :, 0].mT - expected).abs().max() <= 1e-6


@pytest.mark.parametrize("name", ["dit", "unet_t", "mmdit"])
@torch.inference_mode()
def test_weights_in_half_precision_stay_in_it(name: str) -> None:
    kind = plugins.load(Backbone, name)
    options = {"dim": 32, "depth": 2, "heads": 2, "head_dim": 16, "text_dim": 16, "conv_layers": 1}
    torch.manual_seed(0)
    backbone = kind(
        kind.Options(**{key: value for key, value in options.items() if key in kind.Options.model_fields}), 20, 9
    )
    for parameter in backbone.parameters():
        parameter.add_(0.05 * torch.randn_like(parameter))
    condition, x_t = infill.continue_prompt(torch.randn(5, 20), [1, 2, 3], 40), torch.randn(1, 40, 20)
    expected = backbone.eval()(x_t, torch.tensor(0.3), condition)
    condition = infill.continue_prompt(condition.prompt_mel[0, :5].bfloat16(), [1, 2, 3], 40)
    velocity = backbone.bfloat16()(x_t.bfloat16(), torch.tensor(0.3), condition)
    assert velocity.dtype == torch.bfloat16
    assert (velocity - expected).square().mean() <= 0.05**2 * expected.square().mean()
