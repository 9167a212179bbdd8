"""What ``tts-fm synthesize --dry-run`` prints: what will be read and why, in which pieces, and how long it will take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from tts_fm.cli.terminal import Report

if TYPE_CHECKING:
    from tts_fm.plan import Plan


def show(plans: Sequence[tuple[str, Plan]], remarks: Sequence[str], as_json: bool, report: Report) -> None:
    """Print each plan and who speaks so, as lines for people or as one record of JSON; ``remarks`` are on what is left out."""
    for remark in remarks:
        report.warn(remark)
    if as_json:
        each = [{"voice": voice, **plan.facts()} for voice, plan in plans]
        seconds = round(sum(plan.seconds for _, plan in plans), 3)
        typer.echo(json.dumps({"seconds": seconds, "turns": each, "remarks": list(remarks)}))
        return
    for voice, plan in plans:
        for line in _lines(voice if len(plans) > 1 else None, plan):
            typer.echo(line)


def _lines(voice: str | None, plan: Plan) -> list[str]:
    from tts_fm.text.lexicon import shown

    lines = [] if voice is None else [f"[{voice}]"]
    lines += [shown(paragraph) for paragraph in plan.reading.paragraphs]
    if plan.reading.changes:
        lines.append("changes:")
        lines += [
            f"  {change.source.strip()!r} is read {shown(change.spoken).strip()!r} ({change.rule})"
            for change in plan.reading.changes
        ]
    if plan.unknown:
        lines.append(f"not known to the model: {', '.join(map(repr, plan.unknown))}")
    lines.append(f"pieces, {plan.seconds:.2f} s in all:")
    lines += [f"  {piece.seconds:.2f} s  {shown(piece.text)}" for piece in plan.pieces]
    return lines
