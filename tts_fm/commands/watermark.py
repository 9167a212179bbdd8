"""``tts-fm watermark``: whether recordings carry the mark of ``tts-fm synthesize --watermark``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tts_fm.cli.terminal import Verbose

EXAMPLE = "\b\nExample:\n  tts-fm watermark speech.wav"


def watermark(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Recordings, of any make.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON, a line for each file.")] = False,
    verbose: Verbose = False,
) -> None:
    """Tell whether recordings carry the watermark of Perth, and how surely, from 0 to 1.

    A mark says that a machine spoke. No mark says nothing: it may never have been there, or be lost.
    """
    from tts_fm.audio import io, watermark

    watermark.check_available()
    for file in files:
        surety = watermark.detect(io.read(file))
        is_marked = surety >= watermark.THRESHOLD
        if as_json:
            typer.echo(json.dumps({"file": str(file), "is_marked": is_marked, "surety": round(surety, 4)}))
        else:
            typer.echo(f"{'marked' if is_marked else 'no mark':<7}  {surety:.2f}  {file}")
