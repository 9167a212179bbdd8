"""The lab's figures as tables: in a terminal and on the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from scripts.flow_lab.data import DATA
from scripts.flow_lab.measure import Figures, Judge, Work
from scripts.flow_lab.train import METHODS

BUDGET = 8  # evaluations, at which solvers are compared


@dataclass(frozen=True)
class Table:
    """Rows of text under heads; the first column names the row."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def as_text(self) -> str:
        """Return the table in columns."""
        lines = [self.heads, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.heads))]
        return "\n".join(
            "  ".join(f"{cell:{'<' if i == 0 else '>'}{widths[i]}}" for i, cell in enumerate(line)) for line in lines
        )

    def as_html(self) -> str:
        """Return the table as HTML."""
        heads = "".join(f"<th>{escape(head)}</th>" for head in self.heads)
        rows = "".join(
            f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>\n'
            for name, *cells in self.rows
        )
        return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>\n{rows}</tbody></table></div>'


def overview(figures: Mapping[str, Mapping[str, Figures]], judges: Mapping[str, Judge]) -> Table:
    """Return what was reached on each data set by each method, and by the data themselves."""
    heads = ("", "updates", "s to floor", "energy distance", "sliced Wasserstein", "bend", "nats missing")
    rows = []
    for name, of_methods in figures.items():
        judge, title = judges[name], DATA[name].title
        for key, of in of_methods.items():
            seconds = "not reached" if of.seconds_to_floor is None else f"{of.seconds_to_floor:.1f}"
            rows.append(
                (
                    f"{title}, {METHODS[key].title}",
                    f"{of.progress[-1].updates:,}",
                    seconds,
                    f"{of.energy:.4f}",
                    f"{of.sliced:.3f}",
                    f"{of.bend:.3f}",
                    f"{of.nats_missing:.3f} ± {of.nats_error:.3f}",
                )
            )
        floors = (f"{judge.floor:.4f}", f"{judge.sliced_floor:.3f}", "", f"log p = {judge.log_density:.3f}")
        rows.append((f"{title}, new points of the data", "", "", *floors))
    return Table(heads, rows)


def solvers(of_methods: Mapping[str, Figures]) -> Table:
    """Return every solver's energy distance at ``BUDGET`` evaluations, or at the number in brackets."""
    names = next(iter(of_methods.values())).solvers
    rows = [(name, *(_cell(of.solvers[name]) for of in of_methods.values())) for name in names]
    return Table(("", *(METHODS[key].title for key in of_methods)), rows)


def _cell(works: Sequence[Work]) -> str:
    nearest = min(works, key=lambda work: abs(math.log(work.evaluations / BUDGET)))
    cost = "" if nearest.evaluations == BUDGET else f" ({nearest.evaluations})"
    return f"{nearest.energy:.4f}{cost}"
