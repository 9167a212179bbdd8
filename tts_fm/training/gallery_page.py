"""The gallery as one page of HTML that needs nothing but the sounds and pictures beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from tts_fm import page

Row = Mapping[str, Any]

_WIDTH, _HEIGHT = 340, 120  # of a curve
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 12, 22  # its margins


def render(name: str, prompts: Sequence[Row], reports: Sequence[Row]) -> str:
    """Return the page of the run called ``name``: a row for each of ``prompts``, a column for each of ``reports``."""
    rows = "\n".join(_row(prompt, reports) for prompt in prompts)
    heads = "".join(_head(report) for report in reports)
    counts = f"{page.count(len(prompts), 'text')}, {page.count(len(reports), 'checkpoint')}"
    return page.document(
        f"{name}: samples",
        f"<div><h1>{escape(name)}</h1><p>{counts}</p></div>\n{_curves(reports)}",
        f'<table>\n<thead><tr><th class="text">text</th><th>prompt</th><th>recording</th>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table>",
    )


def _head(report: Row) -> str:
    scored = "".join(f", {_called(name)} {report[name]:.2f}" for name in _scores(report))
    return (
        f"<th>update {report['update']:,}<small>{report['wer']:.1%} word errors, "
        f"voice {report['similarity']:.2f}{scored}</small></th>"
    )


def _scores(report: Row) -> list[str]:
    """Return the names of the scores of naturalness, as far as somebody gave them."""
    return list(dict.fromkeys(name for sample in report["samples"] for name in sample.get("naturalness", {})))


def _called(score: str) -> str:
    return score.replace("_", " ")


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
    return page.sound(*(row[f"{role}{field}"] for field in ("audio", "mel", "seconds")))


def _verdict(sample: Row, text: str) -> str:
    scored = ", ".join(f"{_called(name)} {score:.1f}" for name, score in sample.get("naturalness", {}).items())
    return page.verdict(text, sample["heard"], sample["errors"], sample["words"], sample["similarity"], scored)


def _curves(reports: Sequence[Row]) -> str:
    """Return how the figures went, from the first checkpoint to the last."""
    if not reports:
        return "<p>Nothing was spoken yet.</p>"
    figures = [("word error rate", "wer", "{:.0%}"), ("likeness of the voice", "similarity", "{:.2f}")]
    figures += [(_called(name), name, "{:.2f}") for name in dict.fromkeys(n for one in reports for n in _scores(one))]
    return "".join(
        _curve(title, [(report["update"], report[key]) for report in reversed(reports) if key in report], form)
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
