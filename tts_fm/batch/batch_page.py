"""A batch as a page: how much was said in whose voice, how long and how fast, what failed, and some to listen to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from html import escape
from pathlib import Path
from statistics import fmean, median

from tts_fm import atomic, page
from tts_fm.audio import exhibit
from tts_fm.batch.listing import Line
from tts_fm.batch.run import Batch, Result
from tts_fm.batch.shards import Said
from tts_fm.page import Cell

NAME = "index.html"
_HEARD, _FAILED, _VOICES = 8, 20, 30  # rows
_BARS, _WIDTH, _HEIGHT, _LEFT, _BOTTOM = 24, 420, 130, 8, 22


def write(result: Result, batch: Batch) -> Path:
    """Write ``index.html`` into the folder of ``batch`` and return its path."""
    out, figures = batch.job.out, result.figures()
    rows = [_row(i, why, line, batch, result) for i, (why, line) in enumerate(_chosen(result))]
    parts = [page.section("Speech", _RATE, page.figures(_HEADINGS, _by_voice(result)))]
    if result.said:
        parts.append(page.section("Lengths", "Each bar is a share of the lines.", _lengths(result)))
    if result.failed:
        parts.append(page.section("What could not be said", _WHY, page.figures(["", "why", ""], _failures(result))))
    if rows:
        heard = page.gallery([("speech made", "")], rows)
        parts.append(page.section("Listen", f"{len(rows)} of {page.count(len(result.said), 'line')}.", heard))
    counts = f"{figures['said']:,} of {figures['lines']:,} lines, {60 * figures['hours']:,.1f} min of speech"
    about = f"{counts} by {batch.identity['model']}, seed {batch.job.seed}"
    text = page.document(
        f"{out.name}: batch",
        f"<div><h1>{escape(out.name)}: batch</h1><p>{escape(about)}</p></div>",
        "\n".join(parts),
        page.SECTIONS + _STYLE,
    )
    path = out / NAME
    with atomic.replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return path


def _by_voice(result: Result) -> dict[str, list[list[Cell]]]:
    """Return the figures of each voice, the most used first, and of all."""
    voices: defaultdict[str, list[Said]] = defaultdict(list)
    lost: defaultdict[str, int] = defaultdict(int)
    for line, (_, said) in result.kept():
        voices[line.reference.name].append(said)
    for line, _ in result.lost():
        lost[line.reference.name] += 1
    shown = sorted(voices.keys() | lost.keys(), key=lambda name: (-len(voices[name]), name))
    rows = [_figures(name, voices[name], lost[name]) for name in shown[:_VOICES]]
    whole = _figures("all", [one for _, one in result.said.values()], len(result.failed))
    if len(shown) == 1:
        return {f"voice: {shown[0]}": [whole]}
    return {"all voices": [whole], f"voices, {len(rows)} of {len(shown)}": rows}


def _figures(name: str, said: Sequence[Said], failed: int) -> list[Cell]:
    seconds, again = sum(one.seconds for one in said), sum(one.tries > 1 for one in said)
    computing = sum(one.computing_seconds for one in said)
    counts = [
        Cell(f"{len(said):,}", value=len(said)),
        Cell(f"{failed:,}", value=failed),
        Cell(f"{again:,}", value=again),
    ]
    if not said:
        return [Cell(name), *counts, Cell(""), Cell(""), Cell(""), Cell("")]
    rate = sum(one.characters for one in said) / seconds
    return [
        Cell(name),
        *counts,
        Cell(f"{seconds / 60:.1f} min"),
        Cell(f"{fmean(one.seconds for one in said):.2f} s"),
        Cell(f"{rate:.1f}"),
        Cell(f"{computing / seconds:.3f} s"),
    ]


def _lengths(result: Result) -> str:
    said = [one for _, one in result.said.values()]
    lengths = _bars("seconds of a line", [one.seconds for one in said])
    return f"<div class='bars'>{lengths}{_bars('characters a second', [_pace(one) for one in said])}</div>"


def _pace(said: Said) -> float:
    return said.characters / said.seconds


def _bars(title: str, values: Sequence[float]) -> str:
    """Return how ``values`` are distributed, as a picture."""
    low, high = min(values), max(values)
    width = (high - low) / _BARS if high > low else 1.0
    counts = [0] * _BARS
    for value in values:
        counts[min(_BARS - 1, int((value - low) / width))] += 1
    step, room = (_WIDTH - 2 * _LEFT) / _BARS, _HEIGHT - _BOTTOM - 4
    bars = "".join(
        f'<rect x="{_LEFT + i * step:.1f}" y="{_HEIGHT - _BOTTOM - room * n / max(counts):.1f}" width="{step - 1:.1f}" '
        f'height="{room * n / max(counts):.1f}"><title>{low + i * width:.2f} to {low + (i + 1) * width:.2f}: {n:,}</title></rect>'
        for i, n in enumerate(counts)
    )
    ends = "".join(
        f'<text x="{x}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{value:.1f}</text>'
        for x, anchor, value in ((_LEFT, "start", low), (_WIDTH - _LEFT, "end", low + _BARS * width))
    )
    rule = f'<line x1="{_LEFT}" x2="{_WIDTH - _LEFT}" y1="{_HEIGHT - _BOTTOM}" y2="{_HEIGHT - _BOTTOM}"/>'
    return (
        f"<figure><figcaption>{title}, half of them above <b>{median(values):.2f}</b></figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">{bars}{rule}{ends}</svg></figure>'
    )


def _failures(result: Result) -> dict[str, list[list[Cell]]]:
    """Return the first lines that failed, by the kind of reason."""
    groups: defaultdict[str, list[list[Cell]]] = defaultdict(list)
    for line, failed in result.lost():
        groups[failed.kind].append([Cell(line.id), Cell(failed.reason), Cell(line.text[:60])])
    return {f"{kind}: {page.count(len(rows), 'line')}": rows[:_FAILED] for kind, rows in groups.items()}


def _chosen(result: Result) -> list[tuple[str, Line]]:
    """Return what is most unusual, then lines from all over the list, each with why it is shown."""
    kept = [(line, said) for line, (_, said) in result.kept()]
    if not kept:
        return []
    extremes = [
        ("the fastest", max(kept, key=lambda one: _pace(one[1]))),
        ("the slowest", min(kept, key=lambda one: _pace(one[1]))),
        ("the longest", max(kept, key=lambda one: one[1].seconds)),
        ("the shortest", min(kept, key=lambda one: one[1].seconds)),
    ]
    spread = [("", kept[i * len(kept) // _HEARD]) for i in range(_HEARD)]
    chosen: dict[str, tuple[str, Line]] = {}
    for why, (line, _) in [*extremes, *spread]:
        chosen.setdefault(line.id, (why, line))
    return list(chosen.values())[:_HEARD]


def _row(i: int, why: str, line: Line, batch: Batch, result: Result) -> list[str]:
    shard, said = result.said[line.id]
    shown = exhibit.save(batch.job.out, f"sounds/{i:02d}", batch.store.read(shard, line.id))
    known = [why, f"{_pace(said):.1f} characters a second", f"seed {said.seed}"]
    known += [f"said {said.tries} times"] if said.tries > 1 else []
    known += [] if said.wrong is None else [f"{said.wrong:.0%} wrong words"]
    return [
        f"<span>{escape(line.text)}</span><small>{escape(line.id)} · {escape(line.reference.name)}</small>",
        f"{page.sound(shown.audio, shown.mel, shown.seconds)}<p>{escape(', '.join(filter(None, known)))}</p>",
    ]


_HEADINGS = ["", "lines", "failed", "said again", "speech", "a line", "characters a second", "time for a second"]
_RATE = (
    "Time for a second: how long a worker is at a second of speech, by the clock, with listening and saying it again."
)
_WHY = f"The first {_FAILED} of each kind; failed.jsonl names all of them."
_STYLE = """
.bars { display: flex; flex-wrap: wrap; gap: 16px 40px; }
.bars figure { width: min(420px, 100%); }
svg rect { fill: var(--curve); }
@media (min-width: 900px) { th.text { width: 440px; max-width: 440px; } }
"""
