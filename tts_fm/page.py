"""Pages of HTML that need nothing but the files beside them: their look, players with mels, and what was heard."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

_POOR = 0.25  # word error rate


def document(title: str, header: str, main: str, style: str = "", script: str = "") -> str:
    """Return a whole page; ``style`` and ``script`` are added to what all pages have."""
    return _DOCUMENT.format(
        title=escape(title), header=header, main=main, style=_STYLE + style, script=_SCRIPT + script
    )


def count(n: int, what: str) -> str:
    """Return ``1 pair``, ``2 pairs``."""
    return f"{n} {what}{'' if n == 1 else 's'}"


class Cell(NamedTuple):
    """What a cell of a table shows, below it in small print, and by what it is sorted (None: it comes last)."""

    text: str
    small: str = ""
    value: float | None = None


def section(heading: str, note: str, body: str) -> str:
    """Return a part of a page with :data:`SECTIONS`; what is too wide in it can be scrolled."""
    return f'<section>\n<h2>{escape(heading)}</h2>\n<p class="note">{escape(note)}</p>\n{body}\n</section>'


def figures(headings: Sequence[str], groups: Mapping[str, Sequence[Sequence[Cell]]], is_sortable: bool = False) -> str:
    """Return a table of figures in groups; if ``is_sortable``, a click on a heading sorts each group."""
    kind = "figures sortable" if is_sortable else "figures"
    heads = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    bodies = "\n".join(
        f'<tbody>\n<tr class="group"><th colspan="{len(headings)}"><span>{escape(name)}</span></th></tr>\n'
        + "\n".join(f"<tr>{_cells(row)}</tr>" for row in rows)
        + "\n</tbody>"
        for name, rows in groups.items()
    )
    return f'<div class="scroll"><table class="{kind}">\n<thead><tr>{heads}</tr></thead>\n{bodies}\n</table></div>'


def gallery(headings: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of sounds under headings, each with small print; the first cell of a row is what was said."""
    heads = "".join(f"<th>{escape(text)}<small>{escape(small)}</small></th>" for text, small in headings)
    lines = "\n".join(
        f'<tr><th class="text" scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="scroll"><table>\n<thead><tr><th class="text">text</th>{heads}</tr></thead>\n'
        f"<tbody>\n{lines}\n</tbody>\n</table></div>"
    )


def sound(audio: str, mel: str, seconds: float) -> str:
    """Return a mel above a player; the paths are relative to the page."""
    return (
        f'<img src="{escape(mel)}" alt="" loading="lazy"><audio controls preload="none" src="{escape(audio)}"></audio>'
        f"<small>{seconds:.1f} s</small>"
    )


def verdict(text: str, heard: str, errors: int, words: int, similarity: float, scored: str = "") -> str:
    """Return how well ``text`` was understood, and what was heard with the words marked that the text has not.

    ``scored`` says what else was found.
    """
    grade = "good" if errors == 0 else "fair" if errors <= _POOR * max(1, words) else "poor"
    return (
        f'<small> · <b class="{grade}">{errors} of {words} wrong</b>'
        f" · voice {similarity:.2f}{f' · {escape(scored)}' if scored else ''}</small><p>{_marked(heard, text)}</p>"
    )


def _cells(row: Sequence[Cell]) -> str:
    first, *rest = row
    cells = "".join(
        f'<td data-value="{"" if cell.value is None else f"{cell.value:.6g}"}">{escape(cell.text)}'
        f"<small>{escape(cell.small)}</small></td>"
        for cell in rest
    )
    return f'<th scope="row">{escape(first.text)}<small>{escape(first.small)}</small></th>{cells}'


def _marked(heard: str, text: str) -> str:
    if not heard.strip():
        return "<i>nothing was heard</i>"
    words = heard.split()
    said, got = [[re.sub(r"[^\w']", "", word).lower() for word in part] for part in (text.split(), words)]
    shown = []
    for kind, _, _, start, end in difflib.SequenceMatcher(None, said, got, autojunk=False).get_opcodes():
        piece = escape(" ".join(words[start:end]))
        if piece:
            shown.append(piece if kind == "equal" else f"<mark>{piece}</mark>")
    return " ".join(shown)


_DOCUMENT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
{header}
</header>
<main>
{main}
</main>
<script>{script}</script>
</body>
</html>
"""

_SCRIPT = """
document.addEventListener("play", event => {
  for (const other of document.querySelectorAll("audio")) if (other !== event.target) other.pause();
}, true);
for (const table of document.querySelectorAll("table.sortable")) {
  table.tHead.addEventListener("click", event => {
    const column = event.target.closest("th").cellIndex;
    const value = row => parseFloat(row.cells[column].dataset.value || "Infinity");
    const isUp = table.dataset.sorted !== String(column);
    table.dataset.sorted = isUp ? column : "";
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter(row => row.className !== "group");
      rows.sort((a, b) => column === 0 ? a.textContent.localeCompare(b.textContent) : value(a) - value(b) || 0);
      body.append(...(isUp ? rows : rows.reverse()));
    }
  });
}
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
a { color: var(--curve); }
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

SECTIONS = """
body { height: auto; }
main { flex: none; overflow: visible; padding: 0 20px 40px; }
section { margin-top: 28px; }
h2 { margin: 0; font-size: 17px; }
.note { margin: 2px 0 10px; max-width: 78ch; color: var(--faint); font-size: 13.5px; }
.scroll { width: fit-content; max-width: 100%; overflow-x: auto; border: 1px solid var(--rule); border-radius: 8px; }
.scroll tr:last-child > * { border-bottom: 0; }
.scroll tbody:not(:last-child) tr:last-child > * { border-bottom: 1px solid var(--rule); }
.figures th, .figures td { min-width: 0; max-width: none; padding: 6px 14px; text-align: right; white-space: nowrap; }
.figures td { font-variant-numeric: tabular-nums; }
.figures td small { display: block; }
.figures thead th { color: var(--faint); font-size: 13px; font-weight: 500; }
.sortable thead th { cursor: pointer; }
.figures th:first-child { position: sticky; left: 0; text-align: left; background: var(--paper); }
.figures .group th { padding-top: 14px; color: var(--faint); font-size: 13px; }
.figures .group span { position: sticky; left: 14px; }
@media (max-width: 640px) {
  main { padding: 0 12px 32px; }
  .figures th, .figures td { padding: 5px 9px; }
  .figures tr:not(.group) > th:first-child { min-width: 112px; max-width: 112px; white-space: normal; overflow-wrap: normal; }
}
"""
"""The style of a page of sections, one below the other."""
