"""Models made of models: deeper ones that compute the same, and ones that take over what others learned."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from test_backbones import build, utterance
from test_campplus import filled

from scripts import add_training, grow
from tts_fm import checkpoint, config, tensors
from tts_fm.backbones.aligned_dit import AlignedDiT
from tts_fm.nn.campplus import SpeakerEncoder


@pytest.mark.parametrize("sizes", [{"depth": 5}, {"refine_layers": 4}, {"depth": 3, "refine_layers": 3}])
def test_a_grown_network_computes_what_it_did_and_can_learn_otherwise(sizes):
    small = build("aligned_dit", depth=2, refine_layers=2)
    assert isinstance(small, AlignedDiT)
    large = grow.grown(small, small.options.model_copy(update=sizes))
    condition, t = utterance(60, 12, 20, seed=3), torch.tensor(0.4)
    x = torch.randn(1, 60, 20, generator=torch.Generator().manual_seed(2))
    velocity = large.velocity(x, t, large.prepare(condition))
    assert torch.equal(velocity, small.velocity(x, t, small.prepare(condition)))
    assert len(large.blocks) == sizes.get("depth", 2) and len(large.refine.blocks) == sizes.get("refine_layers", 2)
    velocity.square().sum().backward()
    gradients = [block.ff[2].weight.grad for block in (*large.blocks, *large.refine.blocks)]
    assert all(gradient is not None and float(gradient.abs().max()) > 0 for gradient in gradients)


@torch.no_grad()
def test_a_network_that_hears_voices_computes_what_it_did_until_it_learns_to_follow_them():
    small = build("aligned_dit")
    assert isinstance(small, AlignedDiT)
    encoder = filled(SpeakerEncoder(20, 1.2))
    assert isinstance(encoder, SpeakerEncoder)
    told = grow.grown(small, small.options, encoder)
    assert told.options.speaker_rate == 1.2 and told.speaker is not None
    condition, t = utterance(160, 12, 100, seed=3), torch.tensor(0.4)
    x = torch.randn(1, 160, 20, generator=torch.Generator().manual_seed(2))
    assert torch.equal(told.velocity(x, t, told.prepare(condition)), small.velocity(x, t, small.prepare(condition)))
    told.speaker.out.weight.normal_(std=0.1)
    heard = told.speaker.hear(condition.prompt_mel, condition.is_prompt)
    torch.testing.assert_close(heard[0], 192**0.5 * encoder(condition.prompt_mel[:, condition.is_prompt[0]])[0])
    assert not torch.equal(told.velocity(x, t, told.prepare(condition)), small.velocity(x, t, small.prepare(condition)))


def test_a_network_does_not_shrink():
    small = build("aligned_dit", depth=2)
    assert isinstance(small, AlignedDiT)
    with pytest.raises(ValueError, match="2 blocks cannot become 1"):
        grow.grown(small, small.options.model_copy(update={"depth": 1}))


def test_what_was_learned_since_is_added(tmp_path, monkeypatch):
    model = config.read_model(Path("configs/bundled_rest.yaml"))
    values = {"to": 1.0, "learned": 5.0, "since": 3.0}
    for name, value in values.items():
        weights = {"a.weight": torch.full((2, 3), value), "a.count": torch.tensor(2**40 + int(value))}
        checkpoint.save_model(tmp_path / name, model, weights)
    arguments = [word for name in values for word in (f"--{name}", str(tmp_path / name))]
    monkeypatch.setattr(sys, "argv", ["add_training", *arguments, "--share", "0.25", "--out", str(tmp_path / "sum")])
    add_training.main()
    made = tensors.read_tensors(tmp_path / "sum" / checkpoint.WEIGHTS)
    assert torch.equal(made["a.weight"], torch.full((2, 3), 1.5)) and int(made["a.count"]) == 2**40 + 1
