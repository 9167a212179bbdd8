"""Learning rate, weight decay and averaged weights."""

import pytest
import torch
from torch import nn

from tts_fm.config import OptimizerOptions, TrainingOptions
from tts_fm.training.optimizer import Average, adamw, learning_rate

OPTIONS = OptimizerOptions(lr=0.003, warmup_updates=2)


def test_the_learning_rate_rises_and_falls():
    linear = [learning_rate(i, OPTIONS, 12) for i in (0, 1, 2, 7, 12)]
    assert linear == pytest.approx([0.0015, 0.003, 0.003, 0.0015, 0.0])
    cosine = OPTIONS.model_copy(update={"decay": "cosine", "final_lr_ratio": 0.1})
    assert learning_rate(12, cosine, 12) == pytest.approx(0.0003)
    assert learning_rate(7, cosine, 12) == pytest.approx(0.5 * (0.003 + 0.0003))


def test_only_matrices_decay_and_frozen_parameters_are_left_out():
    net = nn.Sequential(nn.Linear(3, 3), nn.Embedding(4, 3), nn.Linear(3, 3))
    net[2].weight.requires_grad_(False)
    decayed, undecayed = adamw(net, OPTIONS, frozenset({"1.weight"})).param_groups
    assert [id(p) for p in decayed["params"]] == [id(net[0].weight)] and decayed["weight_decay"] == 0.01
    assert {id(p) for p in undecayed["params"]} == {id(net[0].bias), id(net[1].weight), id(net[2].bias)}
    assert undecayed["weight_decay"] == 0


def average(**options) -> tuple[nn.Linear, Average]:
    net = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(net.weight)
    made = Average(net, TrainingOptions(updates=10, **options))
    nn.init.ones_(net.weight)
    return net, made


def test_the_average_keeps_what_ema_pytorch_keeps():
    """Step 0 copies; after step u the old average weighs min(beta, 1 - (1 + u) ** (-2/3))."""
    net, made = average(ema_decay=0.5)
    made.follow(0)
    assert made.weights["weight"].item() == 1
    nn.init.zeros_(net.weight)
    made.follow(1)
    first = 1 - 2 ** (-2 / 3)
    assert made.weights["weight"].item() == pytest.approx(first)
    made.follow(7)  # 1 - 8 ** (-2/3) = 0.75 is above the most, 0.5
    assert made.weights["weight"].item() == pytest.approx(0.5 * first)


def test_the_average_begins_after_and_moves_every_few_updates():
    net, made = average(ema_after=100, ema_every=10)
    made.follow(5)
    assert made.weights["weight"].item() == 0
    made.follow(100)
    assert made.weights["weight"].item() == 1
    nn.init.zeros_(net.weight)
    made.follow(110)
    assert made.weights["weight"].item() == pytest.approx(1 - 11 ** (-2 / 3))


def test_the_average_is_lent_and_given_back():
    net, made = average()
    with made.in_place():
        assert net.weight.item() == 0
    assert net.weight.item() == 1 and isinstance(net.weight, nn.Parameter)
    with pytest.raises(KeyError), made.in_place():
        raise KeyError
    assert torch.equal(net.weight.detach(), torch.ones(1, 1))
