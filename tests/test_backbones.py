"""Every backbone: an utterance does not feel its batch, preparation changes nothing, and threads do not meet."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tts_fm import infill, plugins
from tts_fm.backbones import Backbone
from tts_fm.types import Condition

N_MELS, VOCAB = 20, 40
LENGTHS, TOKENS, PROMPTS = (200, 23, 90), (50, 3, 31), (80, 5, 0)
SIZES = {"dim": 64, "depth": 2, "heads": 2, "head_dim": 16, "ff_mult": 2, "text_dim": 32, "conv_layers": 2}
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"text_mask_padding": False},
    {"average_upsampling": True},
    {"conv_layers": 0, "long_skip": True},
    {"rope_heads": 1, "qk_norm": True},
    {"skip": "add"},
    {"depth": 1},
    {"refine_layers": 2, "patch": 3},
    {"speaker_rate": 1.2},
)


def build(name: str, **overrides: Any) -> Backbone:
    kind = plugins.load(Backbone, name)
    options = {key: value for key, value in {**SIZES, **overrides}.items() if key in kind.Options.model_fields}
    torch.manual_seed(0)
    backbone = kind(kind.Options(**options), N_MELS, VOCAB)
    with torch.no_grad():
        for parameter in backbone.parameters():  # layers that begin as zero would hide mistakes
            parameter.add_(0.05 * torch.randn_like(parameter))
        for module in backbone.modules():  # a row that training keeps at zero
            if isinstance(module, torch.nn.Embedding) and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0
    return backbone.eval()


def cases() -> list[tuple[str, dict[str, Any]]]:
    return [
        (name, variant)
        for name in plugins.names(Backbone)
        for variant in VARIANTS
        if set(variant) <= set(plugins.load(Backbone, name).Options.model_fields)
        and (name, variant) != ("unet_t", {"depth": 1})
    ]


def utterance(frames: int, tokens: int, prompt: int, seed: int) -> Condition:
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, VOCAB, (tokens,), generator=generator).tolist()
    cuts = (torch.randperm(frames - 1, generator=generator)[: tokens - 1] + 1).sort().values.tolist()
    lasts = [end - start for start, end in zip([0, *cuts], [*cuts, frames], strict=True)]
    return infill.continue_prompt(torch.randn(prompt, N_MELS, generator=generator), ids, frames, lasts)


def conditions() -> list[Condition]:
    return [utterance(*sizes, seed=i) for i, sizes in enumerate(zip(LENGTHS, TOKENS, PROMPTS, strict=True))]


def noises() -> list[Tensor]:
    return [torch.randn(1, n, N_MELS, generator=torch.Generator().manual_seed(n)) for n in LENGTHS]


def stacked(xs: list[Tensor], padding: float = 0.0) -> Tensor:
    n = max(x.shape[1] for x in xs)
    return torch.cat([torch.nn.functional.pad(x, (0, 0, 0, n - x.shape[1]), value=padding) for x in xs])


@pytest.mark.parametrize(("name", "variant"), cases())
@torch.inference_mode()
def test_an_utterance_is_the_same_alone_and_in_any_batch(name: str, variant: dict[str, Any]) -> None:
    backbone, t = build(name, **variant), torch.tensor(0.3)
    for flags in ((True, True), (False, False), (False, True), (True, False)):
        told = [
            replace(c, has_text=torch.tensor([flags[0]]), has_prompt=torch.tensor([flags[1]])) for c in conditions()
        ]
        alone = [backbone.velocity(x, t, backbone.prepare(c)) for x, c in zip(noises(), told, strict=True)]
        batch = infill.collate(told)
        together = backbone.velocity(stacked(noises(), padding=3.0), t, backbone.prepare(batch))
        for i, (velocity, n) in enumerate(zip(alone, LENGTHS, strict=True)):
            assert (together[i, :n] - velocity[0]).abs().max() <= 1e-5 * velocity.abs().max().clamp(min=1)
            assert (together[i, n:] == 0).all()


@pytest.mark.parametrize("name", plugins.names(Backbone))
@torch.inference_mode()
def test_what_is_dropped_has_no_effect(name: str) -> None:
    backbone, t, x = build(name), torch.tensor(0.6), noises()[0]
    one, other = utterance(200, 50, 60, seed=1), utterance(200, 50, 60, seed=2)
    other = replace(other, token_frames=one.token_frames)

    def velocity(condition: Condition) -> Tensor:
        return backbone(x, t, condition)

    assert torch.equal(velocity(one.empty()), velocity(other.empty()))
    assert not torch.allclose(velocity(one), velocity(replace(one, token_ids=other.token_ids)))
    assert not torch.allclose(velocity(one), velocity(replace(one, prompt_mel=other.prompt_mel)))
    assert not torch.allclose(velocity(one), velocity(one.empty()))


@pytest.mark.parametrize("name", plugins.names(Backbone))
@torch.inference_mode()
def test_a_table_of_times_changes_nothing(name: str) -> None:
    backbone, condition, x = build(name), infill.collate(conditions()), stacked(noises())
    times = torch.tensor([0.0, 0.25, 0.7])
    prepared, bare = backbone.prepare(condition, times), backbone.prepare(condition)
    for t in (*times, torch.tensor(0.5)):
        expected = backbone.velocity(x, t, bare)
        assert torch.allclose(backbone.velocity(x, t, prepared), expected, atol=1e-5)
        assert torch.allclose(backbone.velocity(x, t.expand(len(x)), prepared), expected, atol=1e-5)
        assert torch.allclose(backbone(x, t, condition), expected, atol=1e-5)


@pytest.mark.parametrize("name", plugins.names(Backbone))
def test_two_threads_may_share_a_backbone(name: str) -> None:
    backbone, times = build(name), torch.linspace(0, 1, 5)

    def evaluate(i: int) -> Tensor:
        with torch.inference_mode():
            condition, x = conditions()[i], noises()[i]
            prepared = backbone.prepare(condition, times)
            for t in times[:-1]:
                x = x + 0.25 * backbone.velocity(x, t, prepared)
            return x

    one_by_one = [evaluate(i) for i in range(3)]
    with ThreadPoolExecutor(3) as pool:
        at_once = list(pool.map(evaluate, [0, 1, 2] * 2))
    for i, x in enumerate(at_once):
        assert torch.equal(x, one_by_one[i % 3])


@pytest.mark.parametrize("name", plugins.names(Backbone))
def test_gradients_are_finite_in_a_padded_batch(name: str) -> None:
    backbone = build(name).train()
    condition = infill.collate(conditions())
    condition = replace(
        condition, has_text=torch.tensor([True, False, True]), has_prompt=torch.tensor([True, True, False])
    )
    backbone(stacked(noises()), torch.tensor([0.1, 0.5, 0.9]), condition).square().mean().backward()
    gradients = {key: p.grad for key, p in backbone.named_parameters() if p.grad is not None}
    assert gradients and all(g.isfinite().all() for g in gradients.values())


@pytest.mark.parametrize("name", plugins.names(Backbone))
@torch.inference_mode()
def test_lower_precision_is_close(name: str) -> None:
    backbone, condition, x = build(name), infill.collate(conditions()), stacked(noises())
    t = torch.tensor(0.4)
    expected = backbone(x, t, condition)
    with torch.autocast("cpu", torch.bfloat16):
        low = backbone.velocity(x, t, backbone.prepare(condition, t[None])).float()
    assert (low - expected).square().mean() <= 0.03**2 * expected.square().mean()


@pytest.mark.parametrize("name", plugins.names(Backbone))
def test_a_new_backbone_can_be_built_without_memory(name: str) -> None:
    kind = plugins.load(Backbone, name)
    with torch.device("meta"):
        backbone = kind(kind.Options(), N_MELS, VOCAB)
    real = build(name)
    fresh = build(name)
    fresh.load_state_dict(real.state_dict())
    assert all(p.is_meta for p in backbone.parameters())
    assert not [key for key, _ in real.named_buffers()], "a buffer would be lost on the meta device"


def test_average_upsampling_gives_the_frames_left_over_to_the_last_tokens() -> None:
    from tts_fm.nn.embeddings import upsample

    text = torch.arange(11.0)[None, :, None]
    is_text, is_valid = torch.arange(11)[None] < 4, torch.arange(11)[None] < 10
    spread = upsample(text, is_text, is_valid)[0, :, 0]
    assert spread.tolist() == [0, 0, 1, 1, 2, 2, 2, 3, 3, 3, 0]


@pytest.mark.parametrize(("name", "variant"), cases())
def test_what_training_reaches_for_is_declared(name: str, variant: dict[str, Any]) -> None:
    backbone = build(name, **variant)
    assert backbone.token_table.num_embeddings == VOCAB + 1
    assert backbone.token_table in set(backbone.modules())
    assert len(backbone.blocks) == {**SIZES, **variant}["depth"]
    inside = {layer for layer in backbone.blocks.modules() if isinstance(layer, torch.nn.Linear)}
    adaptable = backbone.adaptable_layers()
    assert len(adaptable) >= 4 * len(backbone.blocks) - 1 and set(adaptable) <= inside
