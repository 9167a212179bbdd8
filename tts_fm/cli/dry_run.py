"""What ``tts-fm synthesize --dry-run`` prints: what will be read and why, in which pieces, and how long it will take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from tts_fm.plan import Plan
    from tts_fm.story import Turn


def show(turns: Sequence[Turn], plans: Sequence[Plan], as_json: bool) -> None:
    """Print the plan of each turn, as lines for people or as one record of JSON."""
    if as_json:
        each = [{"voice": turn.voice, **plan.facts()} for turn, plan in zip(turns, plans, strict=True)]
        typer.echo(json.dumps({"seconds": round(sum(plan.seconds for plan in plans), 3), "turns": each}))
        return
    for turn, plan in zip(turns, plans, strict=True):
        for line in _lines(turn.voice if len(turns) > 1 else None, plan):
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
