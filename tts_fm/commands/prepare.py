"""``tts-fm prepare``: make of a corpus what training reads, and say what was left out and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tts_fm.cli.terminal import Quiet, Report, Verbose

if TYPE_CHECKING:
    from rich.console import RenderableType

    from tts_fm.data.prepare import Summary

EXAMPLE = "\b\nExample:\n  tts-fm prepare libritts LibriTTS runs/libritts --subset train-clean-100 --subset dev-clean"


def prepare(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="libritts, librittsr, ljspeech, csv or lhotse.")],
    corpus: Annotated[Path, typer.Argument(help="The corpus: a folder; for csv and lhotse also a file.")],
    out: Annotated[Path, typer.Argument(help="The folder for the manifest; an earlier run in it goes on.")],
    subset: Annotated[
        list[str] | None, typer.Option(help="Only this part, such as train-clean-100; repeat it.")
    ] = None,
    heldout: Annotated[
        float | None,
        typer.Option(min=0, help="Speakers to hold out, or below 1 a share of utterances.  [default: 2 %]"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed, other speakers are held out.")] = 0,
    min_seconds: Annotated[float, typer.Option(min=0, help="Leave out shorter recordings.")] = 0.4,
    max_seconds: Annotated[float, typer.Option(min=0, help="Leave out longer ones.")] = 30.0,
    align: Annotated[
        bool, typer.Option("--align", help="Find the frames of each English phoneme: aligned_dit needs them.")
    ] = False,
    shar: Annotated[bool, typer.Option("--shar", help="Write Lhotse's Shar archives too.")] = False,
    vocab: Annotated[Path | None, typer.Option(help="A vocab.txt to extend; its lines keep their places.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.  [default: as many as help]")] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="auto|ADDRESS", help="Read and align on this Ray cluster; needs the extra ray."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Prepare a corpus for training.

    OUT gets manifest.jsonl, vocab.txt, cuts.jsonl.gz for Lhotse, durations.png, summary.json and left_out.jsonl, which
    names every recording that was left out and says why. The recordings stay where they are. Running it again reads
    only what is new or has changed.
    """
    report: Report = context.obj
    from dataclasses import asdict

    from tts_fm import plugins
    from tts_fm.data.corpora import CorpusReader
    from tts_fm.data.prepare import LEFT_OUT, MANIFEST, Wishes
    from tts_fm.data.prepare import prepare as prepare_corpus

    if min_seconds >= max_seconds:
        raise ValueError(f"--min-seconds is {min_seconds:g} and --max-seconds {max_seconds:g}; the first must be less")
    reader = plugins.build(CorpusReader, kind, corpus, () if subset is None else subset, out / "audio")
    wishes = Wishes(min_seconds, max_seconds, heldout, seed, align, shar, vocab, workers, ray)
    with report.progress("aligning" if align else "reading") as on_step:
        summary = prepare_corpus(reader, out, wishes, on_step)
    if as_json:
        typer.echo(json.dumps(asdict(summary)))
    else:
        from rich.console import Console

        Console().print(_table(summary))
    if summary.left_out:
        report.say(f"what was left out is named in {out / LEFT_OUT}")
    report.say(f"{summary.read} recordings were read; train with the manifest {out / MANIFEST}")


def _table(summary: Summary) -> RenderableType:
    """Return the summary as a table, with the reasons for what was left out below."""
    from rich.console import Group
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for name in ("hours", "speakers", "utterances", "characters", "median seconds"):
        table.add_column(name, justify="right")
    for split, part in summary.parts.items():
        figures = (part.speakers, part.utterances, part.characters)
        table.add_row(split, f"{part.hours:.2f}", *(f"{n:,}" for n in figures), f"{part.median_seconds:.2f}")
    reasons = ", ".join(f"{count:,} {kind}" for kind, count in summary.left_out.items())
    return Group(table, f"left out: {reasons or 'nothing'}", f"vocabulary: {summary.vocabulary} characters")
