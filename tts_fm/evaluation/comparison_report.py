"""What a comparison found: the figures of each setting with their intervals, in groups that can be compared."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from tts_fm import atomic
from tts_fm.evaluation import report
from tts_fm.evaluation.naturalness import heading
from tts_fm.evaluation.report import Figure, Judgement, Scores, Show
from tts_fm.evaluation.settings import Setting
from tts_fm.types import DECIBELS

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Spoken:
    """One pair spoken: squared distance from the fine solution (nepers), over how many values, and what it took."""

    id: str
    squares: float
    values: int
    nfe: int
    computing_seconds: float
    processor_seconds: float
    seconds: float
    judgement: Judgement | None

    @property
    def error(self) -> float:
        """The root mean square distance in dB."""
        return DECIBELS * math.sqrt(self.squares / self.values)


@dataclass(frozen=True)
class Figures:
    """What a setting gives: ``error`` in dB (root mean square over generated frames and mel channels), and its cost.

    ``nfe`` are evaluations of the network an utterance, what guidance compares counted as one. ``processor_factor`` is
    the real-time factor by the processor time of all threads, in which other programs do not count. The judged figures
    are None where nothing was judged.
    """

    setting: Setting
    spoken: tuple[Spoken, ...]
    nfe: float
    error: Figure
    word_error_rate: Figure | None
    to_prompt: Figure | None
    right_voice: Figure | None
    real_time_factor: Figure
    processor_factor: Figure
    naturalness: dict[str, Figure] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Return the figures with what they are of, without the single pairs."""
        setting = self.setting
        names = {"name": setting.name, "solver": setting.solver, "grid": setting.grid, "guidance": setting.guidance}
        figures = {field: getattr(self, field) for _, field, _ in COLUMNS}
        values = {field: None if figure is None else asdict(figure) for field, figure in figures.items()}
        values["naturalness"] = {name: asdict(figure) for name, figure in self.naturalness.items()}
        return {**names, "steps": setting.sampling.steps, "nfe": self.nfe, **values}


def figures(setting: Setting, spoken: Sequence[Spoken]) -> Figures:
    """Return the figures of ``setting`` over all that was spoken."""

    def all_of(field: str) -> Float[np.ndarray, " p"]:
        return np.array([getattr(one, field) for one in spoken], dtype=float)

    mean_square = report.bootstrap(all_of("squares"), all_of("values"))
    scores = report.scores([one.judgement for one in spoken])
    return Figures(
        setting=setting,
        spoken=tuple(spoken),
        nfe=float(all_of("nfe").mean()),
        error=Figure(*(DECIBELS * math.sqrt(v) for v in (mean_square.value, mean_square.low, mean_square.high))),
        word_error_rate=scores.word_error_rate,
        to_prompt=scores.to_prompt,
        right_voice=scores.right_voice,
        real_time_factor=report.bootstrap(all_of("computing_seconds"), all_of("seconds")),
        processor_factor=report.bootstrap(all_of("processor_seconds"), all_of("seconds")),
        naturalness=scores.naturalness,
    )


def best(measured: Sequence[Figures]) -> list[Figures]:
    """Return what is worth hearing: the default, every guidance, and of each other group the one of the least error."""
    groups = grouped(measured)
    return [*groups.pop(GUIDANCE, []), *(group[0] for group in groups.values())]


def grouped(measured: Sequence[Figures]) -> dict[str, list[Figures]]:
    """Return what can be compared with each other: guidances; by evaluations, and there the least error first."""
    groups: dict[str, list[Figures]] = defaultdict(list)
    for one in measured:
        nfe = one.setting.nfe
        is_own = one.setting.solver == "default"
        groups[GUIDANCE if is_own else ERROR_CONTROL if nfe is None else f"{nfe} evaluations"].append(one)
    for name, group in groups.items():
        if name != GUIDANCE:
            group.sort(key=lambda one: one.error.value)
    return dict(groups)


def save(folder: Path, facts: dict[str, Any], measured: Sequence[Figures], recordings: Scores) -> dict[str, Any]:
    """Write ``compare.json`` and return what it holds."""
    summary = {**facts, "recordings": asdict(recordings), "settings": [one.row() for one in measured]}
    with atomic.replacing(folder / "compare.json") as beside:
        beside.write_text(json.dumps(summary, ensure_ascii=False) + "\n", encoding="utf-8")
    return summary


def table(measured: Sequence[Figures], facts: dict[str, Any], recordings: Scores) -> Table:
    """Return the figures as a table for people."""
    from rich.table import Table

    made = Table(title=f"{facts['model']}: {len(facts['pairs'])} pairs, 95 % intervals")
    made.add_column("", no_wrap=True)
    if facts.get("judges") is not None:
        made.caption = report.judged_by(facts["judges"])
    shown = columns(measured)
    for title in ("NFE", *(title for title, _, _ in shown)):
        made.add_column(title, justify="right")
    for name, group in grouped(measured).items():
        made.add_section()
        made.add_row(f"[bold]{name}[/bold]")
        for one in group:
            made.add_row(one.setting.name, f"{one.nfe:.0f}", *_shown(one, shown))
    made.add_section()
    made.add_row("[bold]recordings[/bold]", "", *_shown(recordings, shown))
    return made


def columns(measured: Sequence[Figures]) -> list[tuple[str, str, Show]]:
    """Return :data:`COLUMNS` and those of naturalness, of whatever was judged."""
    names = dict.fromkeys(name for one in measured for name in one.naturalness)
    return [*COLUMNS, *((heading(name), name, report.opinion) for name in names)]


def figure(of: Figures | Scores, name: str) -> Figure | None:
    """Return the figure called ``name``; None where it was not measured."""
    return of.naturalness[name] if name in of.naturalness else getattr(of, name, None)


def _shown(of: Figures | Scores, shown: Sequence[tuple[str, str, Show]]) -> list[str]:
    cells = [(figure(of, name), show) for _, name, show in shown]
    return ["" if one is None else show(one) for one, show in cells]


def _two_digits(figure: Figure) -> str:
    return f"{figure.value:.2f} ({figure.low:.2f}-{figure.high:.2f})"


COLUMNS: tuple[tuple[str, str, Show], ...] = (
    ("error, dB", "error", _two_digits),
    ("word error rate", "word_error_rate", report.percent),
    ("cosine to the prompt", "to_prompt", report.cosine),
    ("right voice", "right_voice", report.percent),
    ("real-time factor", "real_time_factor", _two_digits),
    ("CPU time / speech", "processor_factor", _two_digits),
)
"""Heading, field and how it is shown."""
GUIDANCE, ERROR_CONTROL = "guidance", "error control"
