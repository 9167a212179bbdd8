"""What the evaluation found: each pair's result, and the figures with their intervals."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from tts_fm import atomic
from tts_fm.evaluation.naturalness import heading
from tts_fm.page import Cell

if TYPE_CHECKING:
    from rich.table import Table

ROUNDS = 2000
"""Bootstrap samples."""


@dataclass(frozen=True)
class Judgement:
    """What one sound scores: the words heard, the cosine of its voice to two prompts, and how natural it sounds.

    ``to_stranger`` is None where there is no second speaker; ``naturalness`` has the scores of whoever judged it.
    """

    heard: str
    errors: int
    words: int
    to_prompt: float
    to_stranger: float | None
    seconds: float
    leading_silence: float = 0.0
    naturalness: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """One pair: the speech made, the real recording, and that recording through the vocoder (None: it has none)."""

    id: str
    kind: str
    speaker: str
    stranger: str | None
    text: str
    output: Judgement
    recording: Judgement
    copied: Judgement | None
    computing_seconds: float
    is_silent: bool
    is_clipped: bool
    is_implausibly_long_or_short: bool

    def judgement(self, source: str) -> Judgement | None:
        """Return the one of ``output``, ``recording`` and ``copied``."""
        return getattr(self, source)


SOURCES = {"output": "speech made", "recording": "recordings", "copied": "vocoder copies"}
"""What is judged, and its heading."""


@dataclass(frozen=True)
class Figure:
    """A mean over pairs and its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


Show = Callable[[Figure], str]
"""How a figure is told to people."""


@dataclass(frozen=True)
class Silence:
    """Seconds before the first speech: the median over pairs, and the most."""

    median: float
    most: float


@dataclass(frozen=True)
class Scores:
    """One source's figures; None where nothing was measured.

    ``right_voice`` is the share that is closer to its own prompt than to another speaker's.
    """

    word_error_rate: Figure | None
    to_prompt: Figure | None
    to_stranger: Figure | None
    right_voice: Figure | None
    leading_silence: Silence | None = None
    naturalness: dict[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class KindReport:
    """The figures of one kind of speakers. ``real_time_factor``: computing time over speech, start not counted."""

    pairs: int
    speakers: int
    output: Scores
    recording: Scores
    copied: Scores
    silent: int
    clipped: int
    implausible_length: int
    real_time_factor: float


@dataclass(frozen=True)
class Report:
    """The figures by kind, every result, and ``facts`` on what was evaluated, how and on what machine."""

    kinds: dict[str, KindReport]
    results: list[Result]
    facts: dict[str, Any] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Return the facts and figures, without the single results."""
        return {**self.facts, "kinds": {kind: asdict(figures) for kind, figures in self.kinds.items()}}

    def save(self, path: Path) -> None:
        """Write all as JSON."""
        value = {**self.summary(), "results": [asdict(result) for result in self.results]}
        with atomic.replacing(path) as beside:
            beside.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def make(results: Sequence[Result], facts: dict[str, Any] | None = None) -> Report:
    """Return the figures of ``results``, the kinds in the order in which they come."""
    kinds = list(dict.fromkeys(result.kind for result in results))
    figures = {kind: _figures([result for result in results if result.kind == kind]) for kind in kinds}
    return Report(figures, list(results), {} if facts is None else facts)


def bootstrap(
    parts: Float[np.ndarray, " p"], wholes: Float[np.ndarray, " p"] | None = None, seed: int = 0, level: float = 0.95
) -> Figure:
    """Return ``sum(parts) / sum(wholes)`` and its percentile interval over resampled pairs; wholes of None are ones."""
    wholes = np.ones_like(parts, dtype=float) if wholes is None else wholes
    chosen = np.random.default_rng(seed).integers(len(parts), size=(ROUNDS, len(parts)))
    ratios = parts[chosen].sum(axis=1) / wholes[chosen].sum(axis=1)
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return Figure(float(parts.sum() / wholes.sum()), float(low), float(high))


def _figures(results: Sequence[Result]) -> KindReport:
    spoken = sum(result.output.seconds for result in results)
    return KindReport(
        pairs=len(results),
        speakers=len({result.speaker for result in results}),
        **{source: scores([result.judgement(source) for result in results]) for source in SOURCES},
        silent=sum(result.is_silent for result in results),
        clipped=sum(result.is_clipped for result in results),
        implausible_length=sum(result.is_implausibly_long_or_short for result in results),
        real_time_factor=sum(result.computing_seconds for result in results) / max(spoken, 1e-9),
    )


def scores(judgements: Sequence[Judgement | None]) -> Scores:
    """Return the figures of one source; a judgement of None does not count."""
    judged = [j for j in judgements if j is not None]
    if not judged:
        return Scores(None, None, None, None)
    compared = [(j.to_prompt, j.to_stranger) for j in judged if j.to_stranger is not None]
    own, other = np.array(compared, dtype=float).reshape(-1, 2).T
    wrong, words = np.array([(j.errors, j.words) for j in judged], dtype=float).T
    return Scores(
        word_error_rate=bootstrap(wrong, words),
        to_prompt=bootstrap(np.array([j.to_prompt for j in judged])),
        to_stranger=bootstrap(other) if compared else None,
        right_voice=bootstrap((own > other).astype(float)) if compared else None,
        leading_silence=silence([j.leading_silence for j in judged]),
        naturalness=opinions([j.naturalness for j in judged]),
    )


def silence(seconds: Sequence[float]) -> Silence:
    """Return what is shown of the silences before speech."""
    return Silence(float(np.median(seconds)), float(max(seconds)))


def opinions(ratings: Sequence[Mapping[str, float]]) -> dict[str, Figure]:
    """Return the mean of each score of naturalness; a sound that was judged by others does not count."""
    names = dict.fromkeys(name for one in ratings for name in one)
    return {name: bootstrap(np.array([one[name] for one in ratings if name in one])) for name in names}


def rows(scores: Sequence[Scores]) -> list[tuple[str, list[Figure | None], Show]]:
    """Return a table's rows: the measure's heading, its figure of each of ``scores``, and how that is shown."""
    shown = [(title, [getattr(one, name) for one in scores], show) for title, name, show in ROWS]
    names = dict.fromkeys(name for one in scores for name in one.naturalness)
    return shown + [(heading(name), [one.naturalness.get(name) for one in scores], opinion) for name in names]


def table(report: Report) -> Table:
    """Return the figures as a table for people."""
    from rich.table import Table

    facts = report.facts
    made = Table(title=f"{facts.get('model', 'evaluation')}: means over pairs, 95 % intervals")
    if "weights_mb" in facts:
        made.caption = f"{facts['parameters'] / 1e6:.1f} M parameters, {facts['weights_mb']:.1f} MB of weights"
    if "judges" in facts:
        lines = [str(made.caption)] if made.caption else []
        made.caption = "\n".join([*lines, judged_by(facts["judges"])])
    made.add_column("")
    for title in SOURCES.values():
        made.add_column(title, justify="right")
    for kind, figures in report.kinds.items():
        made.add_section()
        made.add_row(f"[bold]{kind} speakers[/bold]", f"{figures.pairs} pairs", f"{figures.speakers} speakers", "")
        for name, values, show in rows([getattr(figures, source) for source in SOURCES]):
            made.add_row(name, *("" if figure is None else show(figure) for figure in values))
        silences = [getattr(figures, source).leading_silence for source in SOURCES]
        made.add_row(SILENCE, *("" if one is None else pause(one) for one in silences))
        checks = (figures.silent, figures.clipped, figures.implausible_length)
        made.add_row("silent / clipped / wrong length", " / ".join(map(str, checks)))
        made.add_row("real-time factor", f"{figures.real_time_factor:.3f}")
    return made


def judged_by(judges: Mapping[str, Any]) -> str:
    """Return in one line who judged; see :meth:`Judges.about`."""
    sound = ", ".join(judges["naturalness"])
    parts = {"words": judges["recogniser"], "voices": judges["voices"], "sound": sound}
    return "; ".join(f"{what}: {who}" for what, who in parts.items() if who)


def cell(figure: Figure | None, show: Show) -> Cell:
    """Return a figure for a page, its interval in small print."""
    if figure is None:
        return Cell("")
    text, _, interval = show(figure).partition(" (")
    return Cell(text, interval.rstrip(")"), figure.value)


def percent(figure: Figure) -> str:
    """Return a share for people."""
    return f"{100 * figure.value:.1f} % ({100 * figure.low:.0f}-{100 * figure.high:.0f})"


def cosine(figure: Figure) -> str:
    """Return a cosine for people."""
    return f"{figure.value:.3f} ({figure.low:.2f}-{figure.high:.2f})"


def opinion(figure: Figure) -> str:
    """Return a score of naturalness for people."""
    return f"{figure.value:.2f} ({figure.low:.2f}-{figure.high:.2f})"


def pause(silence: Silence) -> str:
    """Return the silence before speech for people."""
    return f"{silence.median:.2f} s (most {silence.most:.2f})"


SILENCE = "silence before speech"
ROWS: tuple[tuple[str, str, Show], ...] = (
    ("word error rate", "word_error_rate", percent),
    ("cosine to the prompt", "to_prompt", cosine),
    ("cosine to another speaker's prompt", "to_stranger", cosine),
    ("right voice", "right_voice", percent),
)
