"""The options that several subcommands have: one definition each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    str,
    typer.Option("--model", "-m", help="default, a folder, a checkpoint file, hf://OWNER/REPO, or a published name."),
]
Vocab = Annotated[str | None, typer.Option(help="vocab.txt of a checkpoint file.")]
Architecture = Annotated[str | None, typer.Option(help="Its architecture: F5TTS_v1_Base, ... or a YAML file.")]
Vocoder = Annotated[str | None, typer.Option(help="A vocoder folder, hf://OWNER/REPO or griffin_lim.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Precision = Annotated[str, typer.Option(help="auto, float32, bfloat16 or float16.")]
RefAudio = Annotated[Path | None, typer.Option("--ref-audio", "-r", help="A recording of the voice, 1 to 30 s.")]
RefText = Annotated[str | None, typer.Option("--ref-text", "-s", help="The words in that recording.")]
Leaps = Annotated[
    int | None, typer.Option(help="Leaps, for a model that can; other options of sampling use its flow itself.")
]
