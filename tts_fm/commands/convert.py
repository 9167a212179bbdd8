"""``tts-fm convert``: turn what others have trained into a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tts_fm.commands.terminal import Report, Verbose, show_help

_EXAMPLE = "\b\nExample:\n  tts-fm convert f5 model_1250000.safetensors my-model --vocab vocab.txt --architecture F5TTS_v1_Base"

app = typer.Typer(
    help="Turn others' checkpoints into a model folder.",
    epilog=_EXAMPLE,
    callback=show_help,
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.command(epilog=_EXAMPLE)
def f5(
    context: typer.Context,
    checkpoint: Annotated[
        str, typer.Argument(help="A .safetensors or .pt file of F5-TTS or E2-TTS, or a published name.")
    ],
    out_folder: Annotated[Path, typer.Argument(help="Where the model folder goes; it must be new or empty.")],
    vocab: Annotated[str | None, typer.Option(help="Its vocab.txt, if not beside it.")] = None,
    architecture: Annotated[str | None, typer.Option(help="F5TTS_v1_Base, E2TTS_Base, ... or a YAML file.")] = None,
    dtype: Annotated[str, typer.Option(help="How weights are stored: float32, float16 or bfloat16.")] = "float32",
    verbose: Verbose = False,
) -> None:
    """Convert a checkpoint of F5-TTS or E2-TTS.

    Its averaged (EMA) weights, vocabulary and configuration become a model folder."""
    stored_as = ("float32", "float16", "bfloat16")
    if dtype not in stored_as:
        raise ValueError(f"--dtype is {dtype!r}; choose one of {', '.join(stored_as)}")
    if out_folder.exists() and (not out_folder.is_dir() or any(out_folder.iterdir())):
        raise ValueError(f"{out_folder} exists already; name a new folder")
    import torch

    from tts_fm import checkpoint as checkpoints
    from tts_fm import hub, loading

    source = hub.resolve(checkpoint, vocab=vocab, architecture=architecture)
    if source.checkpoint is None:
        raise ValueError(f"{checkpoint} is a model folder already; give it to tts-fm synthesize --model")
    config, backbone, _ = loading.load_model(source, torch.device("cpu"))
    card = f"# {config.name}\n\nConverted from `{source.checkpoint.name}`. License: {config.license or 'see its origin'}.\n"
    checkpoints.save_model(
        out_folder, config, backbone.state_dict(), dtype=getattr(torch, dtype), vocab=source.vocab, card=card
    )
    report: Report = context.obj
    report.say(
        f'{out_folder}: speak with it by: tts-fm synthesize --model {out_folder} --text "..." --ref-audio voice.wav'
    )
