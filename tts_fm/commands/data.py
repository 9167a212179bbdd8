"""``tts-fm data``: look after the recordings that a manifest names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tts_fm.cli.terminal import Quiet, Report, Verbose, show_help

if TYPE_CHECKING:
    from tts_fm.data.utterances import Utterance
    from tts_fm.types import Fault

app = typer.Typer(
    help="Look after the recordings that a manifest names.",
    epilog="\b\nExample:\n  tts-fm data check runs/libritts/manifest.jsonl",
    callback=show_help,
    invoke_without_command=True,
    rich_markup_mode=None,
)


@app.command(epilog="\b\nExample:\n  tts-fm data check runs/libritts/manifest.jsonl")
def check(
    context: typer.Context,
    manifest: Annotated[Path, typer.Argument(help="The manifest.jsonl of a prepared corpus.")],
    workers: Annotated[int | None, typer.Option(min=1, help="Processes.  [default: as many as help]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print each finding as a line of JSON.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Read every recording once and list what is wrong.

    Found are broken, silent and clipped recordings, ones of another length than the manifest says, and ones whose text
    cannot belong to their length. The exit code is 1 if anything was found.
    """
    report: Report = context.obj
    from tts_fm.data.check import kind_of
    from tts_fm.data.utterances import read_manifest
    from tts_fm.data.workers import spread
    from tts_fm.types import Fault

    utterances = read_manifest(manifest)
    faults: list[Fault] = []
    with report.progress("checking") as on_step:
        reasons = spread(_fault, utterances, workers)
        for done, (utterance, reason) in enumerate(zip(utterances, reasons, strict=True), 1):
            if reason is not None:
                faults.append(Fault(utterance.id, str(utterance.audio), reason))
            if on_step is not None:
                on_step(done, len(utterances))
    if as_json:
        for fault in faults:
            typer.echo(json.dumps({**vars(fault), "kind": kind_of(fault.reason)}, ensure_ascii=False))
    elif faults:
        _print(faults)
    report.say(f"{len(utterances) - len(faults):,} of {len(utterances):,} recordings are fine")
    return 1 if faults else 0


def _fault(utterance: Utterance) -> str | None:
    """What a worker process does."""
    from tts_fm.data.check import read_fault

    return read_fault(utterance.audio, utterance.text, utterance.seconds)


def _print(faults: list[Fault]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "what is wrong", box=None, pad_edge=False, header_style="bold")
    for fault in faults:
        table.add_row(fault.id, fault.reason)
    Console().print(table)
