"""The gallery as one page of HTML that needs nothing but the sounds and pictures beside it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Row = Mapping[str, Any]

_WIDTH, _HEIGHT = 340, 120  # of a curve
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 12, 22  # its margins
_POOR = 0.25  # word error rate


def render(name: str, prompts: Sequence[Row], reports: Sequence[Row]) -> str:
    """Return the page of the run called ``name``: a row for each of ``prompts``, a column for each of ``reports``."""
    rows = "\n".join(_row(prompt, reports) for prompt in prompts)
    heads = "".join(_head(report) for report in reports)
    return _PAGE.format(
        name=escape(name),
        style=_STYLE,
        script=_SCRIPT,
        counts=f"{_count(len(prompts), 'text')}, {_count(len(reports), 'checkpoint')}",
        curves=_curves(reports),
        heads=heads,
        rows=rows,
    )


def _head(report: Row) -> str:
    return (
        f"<th>update {report['update']:,}<small>{report['wer']:.1%} word errors, "
        f"voice {report['similarity']:.2f}</small></th>"
    )


def _row(prompt: Row, reports: Sequence[Row]) -> str:
    cells = [
        f'<th class="text" scope="row"><span>{escape(prompt["text"])}</span>'
        f"<small>{escape(prompt['speaker'])}</small></th>",
        f"<td>{_sound(prompt, 'prompt_')}<p>{escape(prompt['prompt_text'])}</p></td>",
        f"<td>{_sound(prompt, 'target_')}<p>the speaker's own recording</p></td>",
    ]
    for report in reports:
        sample = next((sample for sample in report["samples"] if sample["id"] == prompt["id"]), None)
        cells.append("<td></td>" if sample is None else f"<td>{_sound(sample)}{_verdict(sample, prompt['text'])}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def _sound(row: Row, role: str = "") -> str:
    audio, mel = escape(row[f"{role}audio"]), escape(row[f"{role}mel"])
    return (
        f'<img src="{mel}" alt="" loading="lazy"><audio controls preload="none" src="{audio}"></audio>'
        f"<small>{row[f'{role}seconds']:.1f} s</small>"
    )


def _verdict(sample: Row, text: str) -> str:
    """Return how well a sample was understood, and what was heard with the words marked that the text has not."""
    rate = sample["errors"] / max(1, sample["words"])
    grade = "good" if sample["errors"] == 0 else "fair" if rate <= _POOR else "poor"
    return (
        f'<small> · <b class="{grade}">{sample["errors"]} of {sample["words"]} wrong</b>'
        f" · voice {sample['similarity']:.2f}</small><p>{_heard(sample['heard'], text)}</p>"
    )


def _heard(heard: str, text: str) -> str:
    if not heard.strip():
        return "<i>nothing was heard</i>"
    words = heard.split()
    told, got = [[re.sub(r"[^\w']", "", word).lower() for word in part] for part in (text.split(), words)]
    shown = []
    for kind, _, _, start, end in difflib.SequenceMatcher(None, told, got, autojunk=False).get_opcodes():
        piece = escape(" ".join(words[start:end]))
        if piece:
            shown.append(piece if kind == "equal" else f"<mark>{piece}</mark>")
    return " ".join(shown)


def _curves(reports: Sequence[Row]) -> str:
    """Return how the figures went, from the first checkpoint to the last."""
    if not reports:
        return "<p>Nothing was spoken yet.</p>"
    figures = (("word error rate", "wer", "{:.0%}"), ("likeness of the voice", "similarity", "{:.2f}"))
    return "".join(
        _curve(title, [(report["update"], report[key]) for report in reversed(reports)], form)
        for title, key, form in figures
    )


def _curve(title: str, points: Sequence[tuple[int, float]], form: str) -> str:
    first, last = points[0][0], points[-1][0]
    low, high = min(0.0, *(value for _, value in points)), max(value for _, value in points)
    span, top = max(1, last - first), high if high > low else low + 1

    def x(update: int) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * ((update - first) / span if last > first else 0.5)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (value - low) / (top - low)

    line = " ".join(f"{x(update):.1f},{y(value):.1f}" for update, value in points)
    dots = "".join(
        f'<circle cx="{x(update):.1f}" cy="{y(value):.1f}" r="3">'
        f"<title>update {update:,}: {form.format(value)}</title></circle>"
        for update, value in points
    )
    rules = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{form.format(value)}</text>'
        for value in (low, top)
    )
    ends = f'<text x="{x(first):.1f}" y="{_HEIGHT - 5}" text-anchor="middle">{first:,}</text>'
    if last > first:
        ends += f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 5}" text-anchor="end">{last:,}</text>'
    return (
        f"<figure><figcaption>{title} <b>{form.format(points[-1][1])}</b></figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title} against updates">'
        f'{rules}<polyline points="{line}"/>{dots}{ends}</svg></figure>'
    )


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}: samples</title>
<style>{style}</style>
</head>
<body>
<header>
<div><h1>{name}</h1><p>{counts}</p></div>
{curves}
</header>
<main>
<table>
<thead><tr><th class="text">text</th><th>prompt</th><th>recording</th>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</main>
<script>{script}</script>
</body>
</html>
"""

_SCRIPT = """
document.addEventListener("play", event => {
  for (const other of document.querySelectorAll("audio")) if (other !== event.target) other.pause();
}, true);
"""

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --card: #ffffff; --ink: #22252b; --faint: #6b7280; --rule: #e4e2dd;
  --curve: #3b6ea5; --good: #2e7d4f; --fair: #a2690a; --poor: #b3382c; --mark: #fde3c8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181d; --card: #1d2027; --ink: #e6e7ea; --faint: #98a0ad; --rule: #30343d;
    --curve: #7fb0e6; --good: #71c793; --fair: #e0b060; --poor: #f08a7e; --mark: #5a3a1c;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; height: 100vh; display: flex; flex-direction: column;
  background: var(--paper); color: var(--ink); font: 15px/1.45 system-ui, sans-serif;
}
header { display: flex; flex-wrap: wrap; gap: 8px 40px; align-items: flex-end; padding: 16px 20px; }
header > div { margin-right: auto; align-self: flex-start; }
h1 { margin: 0; font-size: 22px; overflow-wrap: anywhere; }
header p { margin: 2px 0 0; color: var(--faint); }
figure { margin: 0; width: min(340px, 100%); }
figcaption { color: var(--faint); font-size: 13px; }
figcaption b { color: var(--ink); }
svg { display: block; width: 100%; }
svg line { stroke: var(--rule); }
svg text { fill: var(--faint); font-size: 11px; }
svg polyline { fill: none; stroke: var(--curve); stroke-width: 2; stroke-linejoin: round; }
svg circle { fill: var(--curve); stroke: var(--paper); stroke-width: 1.5; }
main { flex: 1; min-height: 420px; overflow: auto; border-top: 1px solid var(--rule); }
table { border-collapse: separate; border-spacing: 0; }
th, td { padding: 12px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule); background: var(--card); }
td { min-width: 264px; max-width: 264px; }
thead th { position: sticky; top: 0; z-index: 1; background: var(--paper); white-space: nowrap; }
th.text {
  position: sticky; left: 0; min-width: 240px; max-width: 240px;
  border-right: 1px solid var(--rule); background: var(--paper);
}
thead th.text { z-index: 2; }
tbody th { font-weight: 500; overflow-wrap: anywhere; }
small { color: var(--faint); font-size: 12.5px; font-weight: 400; }
th small { display: block; }
td p { margin: 4px 0 0; font-size: 14px; color: var(--faint); overflow-wrap: anywhere; }
td small b { font-weight: 600; }
img { display: block; width: 240px; height: 88px; border-radius: 6px; background: #080820; }
audio { display: block; width: 240px; height: 36px; margin: 6px 0 2px; }
.good { color: var(--good); } .fair { color: var(--fair); } .poor { color: var(--poor); }
mark { background: var(--mark); color: var(--ink); border-radius: 3px; padding: 0 2px; }
@media (max-width: 640px) {
  body { height: auto; }
  header { padding: 12px; }
  main { flex: none; overflow: auto hidden; }
  th, td { padding: 8px; }
  td { min-width: 236px; max-width: 236px; }
  img, audio { width: 220px; }
  th.text { min-width: 124px; max-width: 124px; font-size: 13.5px; }
}
"""
