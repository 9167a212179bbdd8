"""``tts-fm train``: train an acoustic model as a YAML file says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tts_fm.commands.terminal import Report, Verbose

if TYPE_CHECKING:
    from tts_fm.config import RunConfig
    from tts_fm.data.dataset import Utterance

EXAMPLE = "\b\nExample:\n  tts-fm train configs/bundled.yaml --output runs/bundled --max-minutes 60"


def train(
    context: typer.Context,
    config: Annotated[Path, typer.Argument(help="The run: model, data, infill, optimizer, training.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The run's folder; an earlier run in it goes on.")],
    max_minutes: Annotated[float | None, typer.Option(min=0, help="Stop after so many minutes.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    vocab: Annotated[Path | None, typer.Option(help="vocab.txt, for a frontend that has one.")] = None,
    verbose: Verbose = False,
) -> int:
    """Train an acoustic model.

    State, metrics.jsonl and the model's folder go into the run's folder. Stopped by --max-minutes, Ctrl-C or SIGTERM
    it saves, and the same command goes on from there.
    """
    report: Report = context.obj
    import math

    import torch

    from tts_fm import config as configs
    from tts_fm.backbones import Backbone
    from tts_fm.data.dataset import Corpus
    from tts_fm.frontends import Frontend
    from tts_fm.loading import pick_device
    from tts_fm.training.trainer import Trainer

    run = configs.read_run(config)
    frontend = run.model.frontend.build(Frontend, vocab=vocab)
    to_learn, held_out = _utterances(run)
    corpus, validation = (Corpus(part, run.model, run.data, frontend) for part in (to_learn, held_out))
    for name, part in (("train", corpus), ("heldout", validation)):
        if not len(part):
            raise ValueError(f"{config}: no utterance of the split {name!r} is within the limits; check data.manifests")
    torch.manual_seed(run.training.seed)
    backbone = run.model.backbone.build(Backbone, run.model.mel.n_mels, frontend.vocab_size)
    report.say(f"{len(corpus)} utterances to learn from, {len(validation)} held out; the run is in {output}")
    trainer = Trainer(run, backbone, corpus, validation, output, str(pick_device(device)), vocab)
    signal = trainer.train(math.inf if max_minutes is None else max_minutes)
    report.say(f"{trainer.update} of {run.training.updates} updates; the model is in {output / 'model'}")
    return 128 + signal if signal else 0


def _utterances(run: RunConfig) -> tuple[list[Utterance], list[Utterance]]:
    """Return what to learn from, and what is held out: its own manifests, or the split ``heldout`` of all."""
    from tts_fm.data.dataset import read_manifest

    paths = [Path(name) for name in run.data.manifests]
    to_learn = [utterance for path in paths for utterance in read_manifest(path, "train")]
    if run.data.validation_manifests:
        return to_learn, [
            utterance for name in run.data.validation_manifests for utterance in read_manifest(Path(name))
        ]
    return to_learn, [utterance for path in paths for utterance in read_manifest(path, "heldout")]
