"""The evaluation as a page: the figures, and some pairs to listen to beside their recordings."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from tts_fm import atomic, page
from tts_fm.audio import exhibit, io
from tts_fm.evaluation import naturalness
from tts_fm.evaluation.pairs import Pair
from tts_fm.evaluation.report import (
    SILENCE,
    SOURCES,
    Judgement,
    KindReport,
    Report,
    Result,
    cell,
    judged_by,
    pause,
    rows,
)
from tts_fm.page import Cell

SOUNDS = "sounds"


def write(report: Report, pairs: Sequence[Pair], folder: Path, shown: int) -> Path:
    """Write ``index.html`` with the first ``shown`` results of ``report`` into ``folder`` and return its path.

    The speech is taken from where :meth:`Suite.evaluate` has put it, ``folder/wavs``.
    """
    title = str(report.facts.get("model", "evaluation"))
    count = page.count(len(report.results), "pair")
    by_id = {pair.id: pair for pair in pairs}
    shown_rows = [_row(result, by_id[result.id], folder, i) for i, result in enumerate(report.results[:shown])]
    headings = [("prompt", "whose voice it should be"), ("speech made", ""), ("recording", "the speaker's own")]
    headings.append(("vocoder copy", "the recording's mel, made sound"))
    parts = [page.section("Figures", _about(report), _figures(report))]
    if shown_rows:
        parts.append(page.section("Listen", f"{len(shown_rows)} of {count}.", page.gallery(headings, shown_rows)))
    text = page.document(
        f"{title}: evaluation",
        f"<div><h1>{escape(title)}: evaluation</h1><p>{escape(_described(report, count))}</p></div>",
        "\n".join(parts),
        page.SECTIONS,
    )
    path = folder / "index.html"
    with atomic.replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")
    return path


def _described(report: Report, count: str) -> str:
    """Return on what and how it was measured, as far as that is known."""
    facts = report.facts
    known = [f"{name} {facts[name]}" for name in ("seed", "threads", "device") if name in facts]
    sampling = facts.get("sampling", {})
    if sampling.get("leap"):
        known.append(f"{sampling['steps']} leaps")
    else:
        known += [f"{name} {sampling[name]}" for name in ("solver", "steps", "guidance") if name in sampling]
    if "weights_mb" in facts:
        known.append(f"{facts['weights_mb']} MB of weights")
    return ", ".join([count, *known])


def _figures(report: Report) -> str:
    groups = {
        f"{kind}: {page.count(figures.pairs, 'pair')}, {page.count(figures.speakers, 'speaker')}": _kind(figures)
        for kind, figures in report.kinds.items()
    }
    return page.figures(["", *SOURCES.values()], groups)


def _kind(figures: KindReport) -> list[list[Cell]]:
    scores = [getattr(figures, source) for source in SOURCES]
    cells = [[Cell(name), *(cell(figure, show) for figure in measured)] for name, measured, show in rows(scores)]
    silences = [one.leading_silence for one in scores]
    cells.append([Cell(SILENCE), *(Cell("" if one is None else pause(one)) for one in silences)])
    checks = (figures.silent, figures.clipped, figures.implausible_length)
    cells.append([Cell("silent / clipped / wrong length"), Cell(" / ".join(map(str, checks))), Cell(""), Cell("")])
    cells.append([Cell("real-time factor"), Cell(f"{figures.real_time_factor:.3f}"), Cell(""), Cell("")])
    return cells


def _row(result: Result, pair: Pair, folder: Path, i: int) -> list[str]:
    def sound(role: str, audio: Path, below: str) -> str:
        shown = exhibit.save(folder, f"{SOUNDS}/{i:02d}-{role}", io.read(audio))
        return f"{page.sound(shown.audio, shown.mel, shown.seconds)}{below}"

    def verdict(judged: Judgement) -> str:
        scored = naturalness.shown(judged.naturalness)
        return page.verdict(result.text, judged.heard, judged.errors, judged.words, judged.to_prompt, scored)

    wavs = folder / "wavs"
    row = [
        f"<span>{escape(result.text)}</span><small>{escape(result.speaker)}</small>",
        sound("prompt", pair.prompt_audio, f"<p>{escape(pair.prompt_text)}</p>"),
        sound("output", wavs / f"{result.id}.wav", verdict(result.output)),
        sound("recording", pair.target_audio, verdict(result.recording)),
    ]
    copied = result.copied
    return [*row, "" if copied is None else sound("copy", wavs / f"{result.id}.copy.wav", verdict(copied))]


def _about(report: Report) -> str:
    who = f" Judged by: {judged_by(report.facts['judges'])}." if "judges" in report.facts else ""
    return f"Means over pairs and 95 % bootstrap intervals.{who} {_ABOUT}"


_ABOUT = (
    "Right voice: closer to its own prompt than to another speaker's. DNSMOS and DistillMOS, from 1 to 5, hear noise and "
    "blur better than they hear prosody."
)
