"""A picture of how long the utterances of a corpus are."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from tts_fm import atomic

_COLOURS = {"train": "#3b6ea5", "heldout": "#e3a24b"}
_INK = "#333333"
_WIDTHS, _MOST_BINS = (0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0), 60


def draw(seconds: Mapping[str, Sequence[float]], path: Path, title: str) -> None:
    """Draw the lengths of the utterances of each split, on top of each other, as PNG."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    everything = [length for lengths in seconds.values() for length in lengths]
    edges, median = _edges(max(everything)), statistics.median(everything)
    figure = Figure(figsize=(8, 4.2), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    axes.hist(
        list(seconds.values()),
        bins=edges,
        stacked=True,
        color=[_COLOURS[split] for split in seconds],
        label=[f"{split}: {_time(lengths)}, {len(lengths):,} utterances" for split, lengths in seconds.items()],
        edgecolor="white",
        linewidth=0.4,
    )
    axes.axvline(median, color=_INK, linewidth=1, linestyle="dashed", label=f"median: {median:.1f} s")
    axes.set_title(f"{title}: {_time(everything)}, {len(everything):,} utterances", loc="left", color=_INK)
    axes.set_xlabel("seconds", color=_INK)
    axes.set_ylabel("utterances", color=_INK)
    axes.set_xlim(0, edges[-1])
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=_INK)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, labelcolor=_INK)
    with atomic.replacing(path) as beside:
        figure.savefig(beside, format="png")


def _edges(longest: float) -> list[float]:
    """Return the borders of the bars: round numbers, at most 60 bars unless an utterance lasts minutes."""
    width = next((width for width in _WIDTHS if longest / width <= _MOST_BINS), _WIDTHS[-1])
    return [width * i for i in range(int(longest / width) + 2)]


def _time(lengths: Sequence[float]) -> str:
    """Return how long all of ``lengths`` are together."""
    hours = sum(lengths) / 3600
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"
