"""``tts-fm train-vocoder``: train a small Vocos as a YAML file says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tts_fm.commands.terminal import Verbose

EXAMPLE = "\b\nExample:\n  tts-fm train-vocoder configs/vocos_small.yaml --output runs/vocoder --export my-vocoder"


def train_vocoder(
    config: Annotated[Path, typer.Argument(help="The run: mel, vocos, discriminators, data, loss, training.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The run's folder, instead of CONFIG's out.")
    ] = None,
    max_minutes: Annotated[float | None, typer.Option(min=0, help="Stop after so many minutes.")] = None,
    export: Annotated[Path | None, typer.Option(help="Then write the vocoder's folder here.")] = None,
    verbose: Verbose = False,
) -> None:
    """Train a small Vocos.

    An earlier run in its folder goes on."""
    from tts_fm.training import vocoder

    run = vocoder.read(config)
    if output is not None:
        run = run.model_copy(update={"out": str(output)})
    if max_minutes is not None:
        run = run.model_copy(update={"training": run.training.model_copy(update={"max_minutes": max_minutes})})
    vocoder.train(run)
    if export is not None:
        vocoder.export(run, export)
