"""The comparison as a page: error against evaluations as curves, what it sounds like, and all figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from tts_fm import atomic, page
from tts_fm.audio import exhibit, io
from tts_fm.evaluation.comparison import SOUNDS, Comparison
from tts_fm.evaluation.comparison_report import Figures, best, columns, figure, grouped
from tts_fm.evaluation.report import Scores, cell
from tts_fm.page import Cell

Axis = Callable[[float], float]
"""From a value to where it is drawn."""

_WIDTH, _HEIGHT = 340, 230  # of a chart
_LEFT, _RIGHT, _TOP, _BOTTOM = 36, 12, 10, 24  # its margins
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
_COLOURS = ("#3f86c9", "#d9822b", "#3f9c5a", "#b8549e", "#8c7a2e", "#7a6ad0", "#c94f4f", "#2fa3a3")


def write(study: Comparison, facts: Mapping[str, Any], figures: Sequence[Figures], recordings: Scores) -> Path:
    """Write ``index.html`` into the folder of ``study`` and return its path."""
    title = f"{facts['model']}: ways to sample"
    counts = f"{page.count(len(study.pairs), 'pair')}, seed {study.seed}, {page.count(facts['threads'], 'thread')}"
    header = f"<div><h1>{escape(title)}</h1><p>{counts}, {escape(facts['device'])}</p></div>"
    charts = _charts(figures)
    parts = [
        page.section("Error against evaluations", _ABOUT_CHARTS, charts) if charts else "",
        page.section("Listen", _ABOUT_SOUNDS, _sounds(study, figures)) if study.shown else "",
        page.section("Figures", _ABOUT_FIGURES, _figures(figures, recordings)),
    ]
    path = study.folder / "index.html"
    with atomic.replacing(path) as beside:
        text = page.document(title, header, "\n".join(parts), page.SECTIONS + _STYLE)
        beside.write_text(text, encoding="utf-8")
    return path


def _figures(figures: Sequence[Figures], recordings: Scores) -> str:
    shown = columns(figures)

    def cells(of: Figures | Scores) -> list[Cell]:
        return [cell(figure(of, name), show) for _, name, show in shown]

    groups = {
        name: [[Cell(one.setting.name), Cell(f"{one.nfe:.0f}", "", one.nfe), *cells(one)] for one in group]
        for name, group in grouped(figures).items()
    }
    if recordings.word_error_rate is not None:
        groups["for comparison"] = [[Cell("the real recordings"), Cell(""), *cells(recordings)]]
    return page.figures(["", "NFE", *(title for title, _, _ in shown)], groups, is_sortable=True)


def _sounds(study: Comparison, figures: Sequence[Figures]) -> str:
    chosen = best(figures)
    headings = [("prompt", ""), ("recording", "")]
    headings += [(one.setting.name, f"{one.nfe:.0f} evaluations, {one.error.value:.2f} dB") for one in chosen]
    rows = []
    for i, pair in enumerate(study.shown):
        row = [f"<span>{escape(pair.target_text)}</span><small>{escape(pair.speaker)}</small>"]
        for role, audio, said in (
            ("prompt", pair.prompt_audio, escape(pair.prompt_text)),
            ("recording", pair.target_audio, "the speaker's own recording"),
        ):
            shown = exhibit.save(study.folder, f"{SOUNDS}/{role}-{i:02d}", io.read(audio))
            row.append(f"{page.sound(shown.audio, shown.mel, shown.seconds)}<p>{said}</p>")
        row += [_spoken(study, one, i) for one in chosen]
        rows.append(row)
    return page.gallery(headings, rows)


def _spoken(study: Comparison, figures: Figures, i: int) -> str:
    spoken = figures.spoken[i]
    shown = study.exhibit(figures.setting, i, spoken.seconds)
    judged = spoken.judgement
    verdict = (
        ""
        if judged is None
        else page.verdict(study.pairs[i].target_text, judged.heard, judged.errors, judged.words, judged.to_prompt)
    )
    return f"{page.sound(shown.audio, shown.mel, shown.seconds)}<small> · {spoken.error:.2f} dB</small>{verdict}"


def _charts(figures: Sequence[Figures]) -> str:
    """Return a chart for each grid, all of one scale, with a line for each solver."""
    by_grid: dict[str, dict[str, list[Figures]]] = {}
    free: dict[str, list[Figures]] = {}
    for one in figures:
        if one.setting.solver != "default":
            lines = free if one.setting.nfe is None else by_grid.setdefault(one.setting.grid, {})
            lines.setdefault(one.setting.solver, []).append(one)
    if not by_grid:
        return ""
    solvers = sorted({name for lines in by_grid.values() for name in lines} | set(free))
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(solvers)}
    drawn = [one for lines in [*by_grid.values(), free] for line in lines.values() for one in line]
    legend = "".join(f'<span><i style="background:{colour}"></i>{name}</span>' for name, colour in colours.items())
    charts = "".join(_chart(grid, {**lines, **free}, colours, drawn) for grid, lines in by_grid.items())
    return f'<p class="legend">{legend}</p><div class="charts">{charts}</div>'


def _chart(
    title: str, lines: Mapping[str, Sequence[Figures]], colours: Mapping[str, str], drawn: Sequence[Figures]
) -> str:
    """Return one chart, both axes logarithmic; they span all that is ``drawn`` in any chart."""
    errors = [value for one in drawn for value in (one.error.low, one.error.high)]
    x, y = _axis([one.nfe for one in drawn], _LEFT, _WIDTH - _RIGHT), _axis(errors, _HEIGHT - _BOTTOM, _TOP)
    evaluations = sorted({one.setting.nfe for one in drawn if one.setting.nfe is not None})
    rules = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        for tick in _TICKS
        if min(errors) <= tick <= max(errors)
    )
    marks = "".join(
        f'<text x="{x(nfe):.1f}" y="{_HEIGHT - 7}" text-anchor="middle">{nfe}</text>' for nfe in evaluations
    )
    curves = "".join(_curve(sorted(line, key=lambda one: one.nfe), colours[name], x, y) for name, line in lines.items())
    return (
        f'<figure><figcaption><b>{escape(title)}</b></figcaption><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="error in dB against evaluations, grid {escape(title)}">{rules}{marks}{curves}</svg></figure>'
    )


def _curve(line: Sequence[Figures], colour: str, x: Axis, y: Axis) -> str:
    points = " ".join(f"{x(one.nfe):.1f},{y(one.error.value):.1f}" for one in line)
    whiskers = "".join(
        f'<line class="whisker" x1="{x(one.nfe):.1f}" x2="{x(one.nfe):.1f}" y1="{y(one.error.low):.1f}" '
        f'y2="{y(one.error.high):.1f}"/>'
        f'<circle cx="{x(one.nfe):.1f}" cy="{y(one.error.value):.1f}" r="3"><title>{escape(one.setting.name)}: '
        f"{one.error.value:.2f} dB</title></circle>"
        for one in line
    )
    return f'<g style="--curve:{colour}"><polyline points="{points}"/>{whiskers}</g>'


def _axis(values: Sequence[float], start: int, end: int) -> Axis:
    """Return where a value lies between ``start`` and ``end``, on a logarithmic scale that holds all ``values``."""
    least = max(min(values), _TICKS[0])
    low, high = math.log(least), math.log(max(max(values), least * 1.01))
    return lambda value: start + (end - start) * (math.log(max(value, least)) - low) / (high - low)


_ABOUT_CHARTS = (
    "Distance from the fine solution of the same noise (64 steps of ab3 on the cosine grid), the root mean square of log-mels "
    "over generated frames, in dB; both axes are logarithmic, and bars are 95 % intervals over pairs. Guidance is the model's "
    "own. A solver with error control has no grid: it is in every chart."
)
_ABOUT_FIGURES = (
    "Means over pairs and 95 % bootstrap intervals. NFE: evaluations of the network an utterance; what guidance compares "
    "counts as one. Error in dB against the fine solution with the same guidance. Right voice: closer to its own prompt "
    "than to another speaker's. A click on a heading sorts."
)
_ABOUT_SOUNDS = (
    "The model's default, every guidance, and for each number of evaluations the setting with the least error."
)
_STYLE = """
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 0 0 8px; font-size: 13.5px; }
.legend i { display: inline-block; width: 14px; height: 3px; margin: 0 6px 3px 0; border-radius: 2px; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); gap: 18px 24px; }
.charts figure { width: 100%; max-width: 440px; }
svg .whisker { stroke: var(--curve); opacity: 0.45; }
"""
