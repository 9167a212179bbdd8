"""``tts-fm plot``: the curves of a run as a picture, or of several in one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tts_fm.cli.terminal import Quiet, Report, Verbose

EXAMPLE = "\b\nExamples:\n  tts-fm plot runs/small\n  tts-fm plot runs/small runs/large --output comparison.png"


def plot(
    context: typer.Context,
    runs: Annotated[list[Path], typer.Argument(metavar="RUN ...", help="Folders of runs, or their metrics.jsonl.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PNG", help="[default: RUN/curves.png, or comparison.png here for several]"
        ),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Draw loss, learning rate, speed and what else a run has recorded in its metrics.jsonl, against its updates."""
    report: Report = context.obj
    from dataclasses import replace

    from tts_fm.training import plot as plots

    curves = [plots.read(run) for run in runs]
    if len({one.name for one in curves}) < len(curves):
        curves = [replace(one, name=str(run)) for one, run in zip(curves, runs, strict=True)]
    path = _beside(runs) if output is None else output
    plots.draw(curves, path)
    report.say(f"the curves are in {path}")


def _beside(runs: list[Path]) -> Path:
    """Return where a picture goes that was given no name."""
    if len(runs) > 1:
        return Path("comparison.png")
    return runs[0] / "curves.png" if runs[0].is_dir() else runs[0].with_suffix(".png")
