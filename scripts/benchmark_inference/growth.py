"""How cost grows: time and memory over the seconds of one piece and over the pieces of a text, as a table and a picture."""

from __future__ import annotations

import json
import math
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.benchmark_inference import beside
from scripts.benchmark_inference.beside import Worker
from scripts.benchmark_inference.costs import Cost

SECONDS = (5, 10, 20, 40)
PIECES = (1, 4, 16)

_INK = "#858c96"  # read on white and on black
_COLOURS = ("#d9882f", "#4a86c8", "#46a36b")
_THIN = {"linewidth": 0.8, "linestyle": (0, (4, 3))}
_BUNDLED, _OURS = ([sys.executable, "-m", f"scripts.benchmark_inference.{name}"] for name in ("bundled", "ours"))


@dataclass(frozen=True)
class Point:
    """What speech of so many seconds takes, again and again; ``is_beyond`` what the model's limits allow in one piece."""

    seconds: float
    costs: tuple[Cost, ...]
    pieces: int = 1
    is_beyond: bool = False

    @property
    def processor(self) -> float:
        """The median of the processor's seconds."""
        return statistics.median(cost.processor for cost in self.costs)

    @property
    def range(self) -> tuple[float, float]:
        """The least and the most of them."""
        seconds = [cost.processor for cost in self.costs]
        return min(seconds), max(seconds)

    @property
    def memory(self) -> float:
        """The most memory in MB that its process has held."""
        return max(cost.memory for cost in self.costs)


@dataclass(frozen=True)
class Curve:
    """How the cost of one thing grows."""

    title: str
    points: tuple[Point, ...]


def checked(path: Path) -> Path:
    """Return where a picture shall be. Raises ValueError where it cannot be."""
    if path.suffix.lower() != ".png" or not path.parent.is_dir() or path.is_dir():
        raise ValueError(f"{path} cannot be written; name a .png in a folder that is there")
    return path


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Return the ``p`` of the ``costs`` nearest to ``c * size ** p``, by least squares of their logarithms."""
    return statistics.linear_regression([math.log(size) for size in sizes], [math.log(cost) for cost in costs]).slope


def measure(architecture: str, blocks: int | None, repeats: int, threads: int) -> list[Curve]:
    """Measure the bundled voice in one piece and in several, and a guided step of a published shape with random weights."""
    with tempfile.TemporaryDirectory() as name:
        asked = [{"seconds": seconds} for seconds in SECONDS], [{"pieces": pieces} for pieces in PIECES]
        one, several = (_bundled(Path(name), rows, repeats) for rows in asked)
        curves = [
            Curve("the bundled voice, one piece", _in_turn(one, repeats, threads)),
            Curve("the bundled voice, a text in pieces", _in_turn(several, repeats, threads)),
        ]
    with _published(architecture, blocks, repeats) as workers:
        title = architecture if blocks is None else f"{architecture}, {blocks} of its blocks"
        points = _in_turn(workers, repeats, threads)
    step = tuple(Point(seconds, point.costs) for seconds, point in zip(SECONDS, points, strict=True))
    return [*curves, Curve(f"{title}: a guided step", step)]


def table(curves: Sequence[Curve]) -> str:
    """Return the table in Markdown; how time and memory grow is from the row above."""
    lines = [
        "| | seconds of speech | pieces | processor time | for each second | grows as | most memory | grows as |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for curve in curves:
        for i, point in enumerate(curve.points):
            low, high = point.range
            pair = curve.points[i - 1 : i + 1]  # none for the first
            grows = [_power(pair, [getattr(one, name) for one in pair]) for name in ("processor", "memory")]
            columns = (
                curve.title if i == 0 else "",
                f"{point.seconds:.3g}" + (" (beyond its limits)" if point.is_beyond else ""),
                f"{point.pieces}",
                f"{point.processor:.2f} s ({low:.2f}–{high:.2f})",
                f"{point.processor / point.seconds:.2f} s",
                grows[0],
                f"{point.memory:.0f} MB",
                grows[1],
            )
            lines.append(f"| {' | '.join(columns)} |")
    return "\n".join(lines)


def draw(curves: Sequence[Curve], path: Path) -> None:
    """Draw time and memory over the seconds of speech, both logarithmic, as PNG; thin lines are proportional growth."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=(9.6, 4.4), dpi=110, layout="constrained")
    panels = picture.subplots(1, 2)
    for axes, title in zip(panels, ("Processor time, s", "Most memory of the process, MB"), strict=True):
        _logarithmic(axes, title)
    for curve, colour in zip(curves, _COLOURS, strict=True):
        for axes, name in zip(panels, ("processor", "memory"), strict=True):
            _draw_curve(axes, curve, [getattr(point, name) for point in curve.points], colour)
        _tell_of_time(panels[0], curve, colour)
    for axes in panels:
        _frame(axes)
    panels[0].plot([], [], color=_INK, **_THIN, label="proportional to the seconds")
    style = {"color": _INK, "markersize": 5, "markerfacecolor": "none"}
    panels[0].plot([], [], "o", **style, label="more than the model's own limits allow in one piece")
    handles, labels = panels[0].get_legend_handles_labels()
    below = {"loc": "outside lower center", "ncols": 2, "frameon": False, "fontsize": 9, "labelcolor": _INK}
    picture.legend(handles, labels, **below)
    picture.savefig(path, format="png", transparent=True)


def _power(pair: Sequence[Point], costs: Sequence[float]) -> str:
    if not pair:
        return ""
    power = round(exponent([point.seconds for point in pair], costs), 2)
    return f"seconds^{power + 0.0:.2f}"  # never -0.00


def _bundled(folder: Path, rows: Sequence[dict[str, int]], repeats: int) -> list[Worker]:
    workers = []
    for asked in rows:
        place = folder / "-".join(f"{name}{value}" for name, value in asked.items())
        place.mkdir()
        _ask(place, asked, repeats)
        workers.append(Worker("tts-fm", "auto", _BUNDLED, place))
    return workers


@contextmanager
def _published(architecture: str, blocks: int | None, repeats: int) -> Iterator[list[Worker]]:
    """Yield who takes the steps: the same weights for all, each asked for another length after 5 s of prompt."""
    with beside.asked(architecture, repeats + 1, blocks) as written:
        asked = json.loads((written / "asked.json").read_text(encoding="utf-8"))
        workers = []
        for seconds in SECONDS:
            folder = written / f"seconds{seconds}"
            folder.mkdir()
            for file in [file for file in written.iterdir() if file.is_file() and file.name != "asked.json"]:
                (folder / file.name).symlink_to(file)
            _ask(folder, asked | {"frames": round((1 + seconds / 5) * beside.PROMPT_FRAMES)}, repeats)
            workers.append(Worker("tts-fm", "auto", _OURS, folder))
        yield workers


def _ask(folder: Path, asked: dict[str, Any], repeats: int) -> None:
    (folder / "asked.json").write_text(json.dumps(asked | {"steps": repeats + 1}), encoding="utf-8")


def _in_turn(workers: Sequence[Worker], repeats: int, threads: int) -> tuple[Point, ...]:
    """Let all be there at a time and take turns; the first of each is not counted, its kernels are chosen then."""
    for worker in workers:
        worker.begin(threads)
    for _ in range(repeats + 1):
        for worker in workers:
            worker.step()
    for worker in workers:
        worker.process.communicate("go\n")
    return tuple(_point(worker) for worker in workers)


def _point(worker: Worker) -> Point:
    said = worker.said
    seconds, room = said.get("seconds", 0.0), said.get("room", math.inf)
    return Point(seconds, tuple(worker.steps[1:]), said.get("pieces", 1), seconds > room)


def _logarithmic(axes: Any, title: str) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.patch.set_alpha(0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.set_minor_formatter(NullFormatter())
    axes.tick_params(colors=_INK, labelsize=9, which="both", length=0)
    axes.grid(color=_INK, alpha=0.2, linewidth=0.6)
    axes.spines[:].set_visible(False)
    axes.set_title(title, color=_INK, fontsize=11, loc="left")
    axes.set_xlabel("seconds of speech", color=_INK, fontsize=9)


def _draw_curve(axes: Any, curve: Curve, costs: Sequence[float], colour: str) -> None:
    """Draw ``costs`` over seconds, and where twice the speech would cost twice as much."""
    seconds = [point.seconds for point in curve.points]
    axes.plot(seconds, costs, color=colour, linewidth=1.7, label=curve.title)
    axes.plot([seconds[0], seconds[-1]], [costs[0], costs[0] * seconds[-1] / seconds[0]], color=colour, **_THIN)
    for point, cost in zip(curve.points, costs, strict=True):
        inside = "none" if point.is_beyond else colour
        axes.plot(point.seconds, cost, "o", color=colour, markersize=5, markerfacecolor=inside)


def _tell_of_time(axes: Any, curve: Curve, colour: str) -> None:
    """Draw the range of each point's time, and say in how many pieces it was."""
    style = {"color": colour, "fontsize": 9, "ha": "right", "va": "bottom", "textcoords": "offset points"}
    for point in curve.points:
        axes.vlines(point.seconds, *point.range, color=colour, linewidth=4, alpha=0.4)
        if point.pieces > 1:
            axes.annotate(f"{point.pieces} pieces", (point.seconds, point.processor), (-4, 4), **style)


def _frame(axes: Any) -> None:
    """Show what is measured with room around it; lines of proportional growth may leave."""
    points = [line for line in axes.get_lines() if line.get_marker() == "o"]
    for which, margins in (("x", (1.2, 1.2)), ("y", (1.6, 1.6))):
        values = [getattr(line, f"get_{which}data")()[0] for line in points]
        getattr(axes, f"set_{which}lim")(min(values) / margins[0], max(values) * margins[1])
