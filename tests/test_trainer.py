"""The trainer: exact resume, averaged weights, a loss that falls, steps that are skipped."""

import json
import math
import os
import signal

import pytest
import torch
from test_data import corpus, write_corpus

from tts_fm.backbones import Backbone
from tts_fm.config import RunConfig, parse
from tts_fm.training.trainer import Trainer, learning_rate

RUN = {
    "model": {
        "name": "tiny",
        "mel_scale": {"mean": -2.0, "std": 2.0},
        "frontend": "utf8",
        "backbone": {
            "name": "aligned_dit",
            "dim": 32,
            "depth": 1,
            "heads": 2,
            "text_dim": 16,
            "prompt_dim": 16,
            "refine_dim": 16,
        },
    },
    "data": {"manifests": ["-"], "frames_per_batch": 200},
    "infill": {"hide_prompt_text": 0.5, "continuation": 0.5},
    "optimizer": {"lr": 0.003, "warmup_updates": 2},
    "training": {"updates": 8, "log_every": 1, "save_every": 100, "validate_every": 4, "ema_decay": 0.9},
}


@pytest.fixture
def make(tmp_path):
    utterances = corpus(write_corpus(tmp_path, [0.6, 0.7, 0.8, 0.9, 1.0]))

    def trainer(folder: str, **training) -> Trainer:
        run = parse(RunConfig, RUN | {"training": RUN["training"] | training}, "test")
        torch.manual_seed(0)
        backbone = run.model.backbone.build(Backbone, 100, 256)
        return Trainer(run, backbone, utterances, utterances, tmp_path / folder)

    return trainer


def test_stopping_and_going_on_is_bitwise_the_same_as_not_stopping(make):
    whole = make("whole")
    whole.train()
    first = make("parts")
    steps = iter(range(100))
    step = first._step

    def three(batch):
        if next(steps) == 2:
            first._stop_signal = signal.SIGTERM
        return step(batch)

    first._step = three
    assert first.train() == signal.SIGTERM and first.update == 3
    second = make("parts")
    assert second.train() == 0 and second.update == 8
    for name, value in whole.backbone.state_dict().items():
        assert torch.equal(value, second.backbone.state_dict()[name]), name
        assert torch.equal(whole.ema[name], second.ema[name]), name


def test_it_learns_and_leaves_a_model_and_metrics(make, tmp_path):
    trainer = make("run", updates=60)
    before = trainer.validation_loss()
    assert before == trainer.validation_loss()  # the same noise, times and spans each time
    trainer.train()
    assert trainer.validation_loss() < 0.7 * before
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert sum("flow_loss" in row for row in rows) == 60 and sum("validation_loss" in row for row in rows) == 15
    from tts_fm import checkpoint

    _, backbone = checkpoint.load_model(tmp_path / "run" / "model")
    for name, value in backbone.state_dict().items():
        assert torch.equal(value, trainer.ema[name]), name


def test_a_gradient_that_is_no_number_changes_nothing(make):
    trainer = make("nan")
    weights = {name: value.clone() for name, value in trainer.backbone.state_dict().items()}
    loss = trainer.loss
    trainer.loss = lambda batch, rng: tuple(math.nan * value for value in loss(batch, rng))
    trainer._step(trainer.corpus.batch([0]))
    assert all(torch.equal(value, weights[name]) for name, value in trainer.backbone.state_dict().items())
    assert "skipped" in (trainer.folder / "metrics.jsonl").read_text()


def test_sigterm_saves_and_is_reported(make):
    trainer = make("signal", updates=1000)
    step = trainer._step

    def interrupted(batch):
        os.kill(os.getpid(), signal.SIGTERM)
        return step(batch)

    trainer._step = interrupted
    assert trainer.train() == signal.SIGTERM
    assert trainer.update == 1 and (trainer.folder / "state.pt").exists()


def test_the_learning_rate_rises_and_falls():
    options = parse(RunConfig, RUN, "test").optimizer
    linear = [learning_rate(i, options, 12) for i in (0, 1, 2, 7, 12)]
    assert linear == pytest.approx([0.0015, 0.003, 0.003, 0.0015, 0.0])
    cosine = options.model_copy(update={"decay": "cosine", "final_lr_ratio": 0.1})
    assert learning_rate(12, cosine, 12) == pytest.approx(0.0003)
    assert learning_rate(7, cosine, 12) == pytest.approx(0.5 * (0.003 + 0.0003))
