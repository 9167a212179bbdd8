"""The curves of a run, or of several to be compared, as one picture."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tts_fm import atomic

FILE = "metrics.jsonl"


@dataclass(frozen=True)
class Panel:
    """One diagram: a figure of the updates, one of what is held out or spoken, or both."""

    title: str
    trained: str = ""
    held_out: str = ""
    axis: Literal["auto", "from 0", "percent"] = "auto"
    is_smoothed: bool = True


PANELS = (
    Panel("Loss of the flow", "flow_loss", "validation_loss"),
    Panel("Log-mel distance", "mel", "heldout_mel"),
    Panel("Spectral distance", "stft", "heldout_stft"),
    Panel("Loss of the durations", "duration_loss", "validation_duration_loss"),
    Panel("Adversarial loss", "adversarial"),
    Panel("Feature matching", "feature_matching"),
    Panel("Loss of the judges", "judges"),
    Panel("Word error rate of the samples", held_out="wer", axis="percent"),
    Panel("Likeness of the samples' voice", held_out="similarity"),
    Panel("DNSMOS of the samples, overall", held_out="dnsmos_overall"),
    Panel("DistillMOS of the samples", held_out="distillmos"),
    Panel("Learning rate", "lr", axis="from 0", is_smoothed=False),
    Panel("Gradient norm", "grad_norm"),
    Panel("Frames per second", "frames_per_second", axis="from 0"),
)

_COLOURS = ("#3b6ea5", "#d9822b", "#4f9d69", "#a4508b", "#c1483d", "#6f6ab0", "#8a7340", "#3f9aa6")
_HELD_OUT = "#d9822b"
_INK, _FAINT, _RULE = "#333333", "#777777", "#e4e4e4"
_COLUMNS = 3
_LEAST = 24  # points of a curve that is smoothed
_DECADES = 0.9  # of a curve, from which on its axis is logarithmic


@dataclass(frozen=True, eq=False)
class Series:
    """A figure by update; only where it is a number."""

    updates: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.updates)

    def smoothed(self) -> Series:
        """The same curve without its noise: means of neighbours, of fewer ones at the beginning, where curves are steep."""
        n = len(self)
        if n < _LEAST:
            return self
        places = np.arange(n)
        reach = np.minimum(places // 6, max(1, n // 40))
        start, end = places - reach, np.minimum(places + reach + 1, n)
        values = self.values
        for _ in range(3):  # a mean of means of means has no corners
            sums = np.concatenate([[0.0], np.cumsum(values)])
            values = (sums[end] - sums[start]) / (end - start)
        return Series(self.updates, values)


@dataclass(frozen=True)
class Curves:
    """What a run has recorded, by name."""

    name: str
    series: Mapping[str, Series]


def read(run: Path) -> Curves:
    """Return the curves of a run's folder, or of its file of metrics.

    Raises:
        ValueError: there is no such file, or it holds something else.
    """
    path = run / FILE if run.is_dir() else run
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); give the folder of a training run") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text; give the folder of a training run") from None
    values: dict[str, dict[int, float]] = {}
    for number, line in enumerate(lines, start=1):
        is_cut = number == len(lines)  # nothing ends it: it is being written, or was not written to its end
        for name, (update, value) in _record(line, f"{path}, line {number}", is_cut).items():
            values.setdefault(name, {})[update] = value
    known = [name for panel in PANELS for name in (panel.trained, panel.held_out) if name]
    series = {name: _series(values[name]) for name in known if name in values}
    if not series:
        raise ValueError(f"{path} holds nothing to draw; its lines should have flow_loss, mel, lr or the like")
    return Curves(run.resolve().name.removesuffix(f".{FILE}"), series)


def draw(runs: Sequence[Curves], path: Path) -> None:
    """Draw each panel of which one of ``runs`` knows something, as PNG.

    Raises:
        ValueError: the path cannot be written, or matplotlib is not installed.
    """
    if path.suffix.lower() != ".png" or not path.parent.is_dir() or path.is_dir():
        raise ValueError(f"{path} cannot be written; name a .png in a folder that is there")
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise ValueError(
            "curves are drawn by matplotlib, which is not installed; pip install 'tts-fm[train]'"
        ) from None

    panels = [panel for panel in PANELS if any(_pair(run, panel) for run in runs)]
    first = 1 + -len(panels) % _COLUMNS  # the first panel fills up the rows
    n_rows = (len(panels) - 1 + first) // _COLUMNS
    figure = Figure(figsize=(13, 0.7 + 3.1 * n_rows), dpi=110, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.12, h_pad=0.1)  # type: ignore[union-attr]
    grid = figure.add_gridspec(n_rows, _COLUMNS)
    last = max(int(series.updates[-1]) for run in runs for series in run.series.values())
    for i, panel in enumerate(panels):
        place = i + first - 1
        cell = grid[0, :first] if i == 0 else grid[place // _COLUMNS, place % _COLUMNS]
        axes = figure.add_subplot(cell)
        for run, colour in zip(runs, _colours(len(runs)), strict=True):
            _draw_curve(axes, run, panel, colour, is_alone=len(runs) == 1)
        _finish(axes, panel, last)
    _title(figure, runs, last)
    try:
        with atomic.replacing(path) as beside:
            figure.savefig(beside, format="png")
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror}") from None


def _record(line: str, where: str, is_cut: bool) -> dict[str, tuple[int, float]]:
    """Return the numbers of a line with the update they are of; nothing where there are none."""
    try:
        row: Any = json.loads(line) if line.strip() else {"update": 0}
        update = int(row["update"] if "update" in row else row["step"])  # as vocoders' logs once called it
    except (ValueError, KeyError, TypeError):
        if is_cut:
            return {}
        raise ValueError(f"{where} is no record of a training; give a run's folder, or its {FILE}") from None
    return {
        name: (update, float(value))
        for name, value in row.items()
        if isinstance(value, (int, float)) and math.isfinite(value)
    }


def _series(values: Mapping[int, float]) -> Series:
    updates = np.array(sorted(values))
    return Series(updates, np.array([values[update] for update in sorted(values)]))


def _pair(run: Curves, panel: Panel) -> dict[str, Series]:
    """Return what ``run`` knows for ``panel``: the series ``trained`` and ``held_out``."""
    named = {"trained": panel.trained, "held_out": panel.held_out}
    return {role: run.series[name] for role, name in named.items() if name in run.series}


def _colours(n: int) -> list[str]:
    return [_COLOURS[i % len(_COLOURS)] for i in range(n)]


def _draw_curve(axes: Any, run: Curves, panel: Panel, colour: str, is_alone: bool) -> None:
    """Draw a run into a panel: its updates light, their course in full, what is held out with dots."""
    pair = _pair(run, panel)
    scale = 100 if panel.axis == "percent" else 1
    if trained := pair.get("trained"):
        course = trained.smoothed() if panel.is_smoothed else trained
        if course is not trained:
            axes.plot(trained.updates, trained.values, color=colour, linewidth=0.8, alpha=0.28)
        label = f"in training: {course.values[-1]:.3g}" if is_alone and "held_out" in pair else None
        dot = "o" if len(course) == 1 else None
        axes.plot(course.updates, course.values, color=colour, linewidth=1.7, marker=dot, label=label)
    if held_out := pair.get("held_out"):
        style = {"color": _HELD_OUT if is_alone and trained else colour, "markeredgecolor": "white"}
        label = f"held out: {held_out.values[-1]:.3g}" if is_alone and trained else None
        axes.plot(
            held_out.updates,
            scale * held_out.values,
            marker="o",
            markersize=4.5,
            markeredgewidth=0.7,
            linewidth=1.3,
            linestyle="solid" if is_alone else "dashed",
            label=label,
            **style,
        )


def _finish(axes: Any, panel: Panel, last: int) -> None:
    """Give a panel its title, its axes and, where two kinds of curves are in it, its legend."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.set_title(f"{panel.title}, %" if panel.axis == "percent" else panel.title, loc="left", fontsize=11, color=_INK)
    values = np.concatenate([line.get_ydata() for line in axes.get_lines()])
    low, high = float(values.min()), float(values.max())
    decades = math.log10(high / low) if low > 0 else 0.0
    if panel.axis != "auto":
        axes.set_ylim(bottom=0)
    elif decades > _DECADES:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1,)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(_number))
    axes.xaxis.set_major_formatter(FuncFormatter(_number))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set_xlim(0, max(1, last) * 1.02)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(_FAINT)
    axes.tick_params(colors=_FAINT, labelsize=9, length=0, which="both")
    axes.grid(axis="y", color=_RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=9, labelcolor=_INK, loc="upper right")


def _title(figure: Any, runs: Sequence[Curves], last: int) -> None:
    """Say what is shown: the name of a run, or the colours of several."""
    if len(runs) == 1:
        figure.suptitle(f"{runs[0].name}, {last:,} updates", x=0.01, ha="left", fontsize=14, color=_INK)
        return
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=colour, linewidth=3, label=run.name)
        for run, colour in zip(runs, _colours(len(runs)), strict=True)
    ]
    style = {"color": _FAINT, "marker": "o", "markersize": 4.5, "linestyle": "dashed", "linewidth": 1.3}
    handles.append(Line2D([], [], label="held out", **style))
    figure.legend(
        handles=handles,
        loc="outside upper left",
        ncols=min(len(handles), 5),
        frameon=False,
        fontsize=11,
        labelcolor=_INK,
    )


def _number(value: float, _: int | None = None) -> str:
    """Return a number as short as it is said: 1.5M, 20k, 1,600, 0.02, 3e-05."""
    if value >= 1e6:
        return f"{value / 1e6:g}M"
    if value >= 1e4:
        return f"{value / 1e3:g}k"
    return f"{value:,.0f}" if value >= 1e3 else f"{value:g}"
