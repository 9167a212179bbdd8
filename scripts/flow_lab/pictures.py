"""The lab's pictures, without a background, so that they are read on white and on black."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from scripts.flow_lab.data import DATA, Data
from scripts.flow_lab.measure import Figures, Judge, waypoints
from scripts.flow_lab.train import METHODS, Net, build
from tts_fm.flow import sde, time_grid
from tts_fm.flow.couplings import Coupling
from tts_fm.types import VelocityField

COLOURS = {"likelihood": "#d0564a", "cond_ot": "#4a86c8", "vp": "#d9882f", "minibatch_ot": "#46a36b"}
EXTENT = 3.2  # the pictures show [-EXTENT, EXTENT] ** 2

_SOLVER_COLOURS = ("#4a86c8", "#d9882f", "#46a36b", "#b05a9b", "#d0564a", "#8580d0", "#a08a45", "#3fa3b0")
_INK = "#858c96"  # read on both
_GLOW = LinearSegmentedColormap.from_list(
    "glow", [(0.35, 0.48, 0.85, 0.0), (0.35, 0.48, 0.85, 0.85), (0.72, 0.38, 0.75, 1.0)]
)
_TIMES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
_FIELD_TIMES = (0.1, 0.5, 0.9)
_BINS = 64

Nets = Mapping[str, Net]


def draw_data(folder: Path, name: str, judge: Judge, nets: Nets, points: int) -> None:
    """Draw everything about one data set; ``points`` make a density."""
    x_0 = torch.randn(points, 1, 2, generator=torch.Generator().manual_seed(3))
    grid = time_grid.build("uniform", 20)
    ways = {key: waypoints(net, x_0, grid) for key, net in nets.items()}  # k b 1 2
    _save(_densities(ways, DATA[name], points), folder / f"density-{name}.webp")
    _save(_fields(nets, ways), folder / f"field-{name}.webp")
    _save(_ways(nets, DATA[name]), folder / f"ways-{name}.webp")
    _save(_diffusion(nets["vp"], judge), folder / f"diffusion-{name}.webp")


def draw_progress(path: Path, figures: Mapping[str, Mapping[str, Figures]], judges: Mapping[str, Judge]) -> None:
    """Draw the quality of samples against seconds of training: a panel for each data set."""
    picture, panels = _panels(1, len(figures), width=3.6, height=2.9)
    for axes, (name, of_methods) in zip(panels[0], figures.items(), strict=True):
        for key, of in of_methods.items():
            seconds, energy = [p.seconds for p in of.progress], [p.energy for p in of.progress]
            axes.plot(
                seconds, energy, color=COLOURS[key], marker="o", markersize=3, linewidth=1.6, label=METHODS[key].title
            )
        _floor(axes, judges[name])
        _logarithmic(axes, DATA[name].title, "seconds of training")
    panels[0][0].set_ylabel("energy distance", color=_INK, fontsize=9)
    _legend(picture, panels[0][0])
    _save(picture, path)


def draw_solvers(path: Path, figures: Mapping[str, Figures], judge: Judge) -> None:
    """Draw the quality of samples against evaluations of the field: a panel for each method, a line for each solver."""
    picture, panels = _panels(1, len(figures), width=2.7, height=2.7, shares_y=True)
    for axes, (key, of) in zip(panels[0], figures.items(), strict=True):
        for i, (solver, works) in enumerate(of.solvers.items()):
            colour = _SOLVER_COLOURS[i % len(_SOLVER_COLOURS)]
            evaluations, energy = [w.evaluations for w in works], [w.energy for w in works]
            axes.plot(evaluations, energy, color=colour, marker="o", markersize=3, linewidth=1.4, label=solver)
        _floor(axes, judge)
        _logarithmic(axes, METHODS[key].title, "evaluations of the field", base=2)
    panels[0][0].set_ylabel("energy distance", color=_INK, fontsize=9)
    _legend(picture, panels[0][0])
    _save(picture, path)


def _densities(ways: Mapping[str, Tensor], data: Data, points: int) -> Figure:
    """A row for each method, a column for each time, and the data in the last column."""
    picture, panels = _panels(len(ways), len(_TIMES) + 1, width=1.35, height=1.35)
    x_1 = data.draw(points, torch.Generator().manual_seed(4))
    for row, (key, way) in zip(panels, ways.items(), strict=True):
        for axes, t in zip(row, _TIMES, strict=False):
            _density(axes, way[round(t * (len(way) - 1))])
        _density(row[-1], x_1)
        row[0].set_ylabel(METHODS[key].title, color=COLOURS[key], fontsize=8, fontweight="bold")
    for axes, title in zip(panels[0], [*(f"t = {t:g}" for t in _TIMES), "the data"], strict=True):
        axes.set_title(title, color=_INK, fontsize=9)
    return picture


def _fields(nets: Nets, ways: Mapping[str, Tensor]) -> Figure:
    """A row for each time, a column for each method: arrows on the density of that time."""
    picture, panels = _panels(len(_FIELD_TIMES), len(nets), width=2.2, height=2.2)
    line = torch.linspace(-0.93, 0.93, 14) * EXTENT
    places = torch.cartesian_prod(line, line)[:, None]
    for row, t in zip(panels, _FIELD_TIMES, strict=True):
        for axes, (key, net) in zip(row, nets.items(), strict=True):
            _density(axes, ways[key][round(t * (len(ways[key]) - 1))], alpha=0.55)
            v = net(places, torch.tensor(t)).squeeze(1)
            length = v.norm(dim=-1, keepdim=True)
            v = v / torch.maximum(length, length.quantile(0.9))  # far away from noise and data a field may be anything
            x = places.squeeze(1)
            axes.quiver(*x.T.numpy(), *v.T.numpy(), color=COLOURS[key], scale=16, width=0.006, pivot="middle")
        row[0].set_ylabel(f"t = {t:g}", color=_INK, fontsize=10)
    _name_columns(panels[0], nets)
    return picture


def _ways(nets: Nets, data: Data, pairs: int = 48) -> Figure:
    """Above the ways that training is shown, one for each pair of noise and data; below the ways of the learned flow."""
    picture, panels = _panels(2, len(nets), width=2.2, height=2.2)
    generator, grid = torch.Generator().manual_seed(5), time_grid.build("uniform", 40)
    x_1, x_0 = data.draw(pairs, generator), torch.randn(pairs, 1, 2, generator=generator)
    everywhere = torch.ones(pairs, 1, dtype=torch.bool)
    for above, below, (key, net) in zip(*panels, nets.items(), strict=True):
        path = METHODS[key].build_path()
        if path is None:
            style = {"ha": "center", "va": "center", "color": _INK, "fontsize": 9, "transform": above.transAxes}
            _plane(above)
            above.text(0.5, 0.5, "no way is shown:\nonly where it ends\nis judged", **style)
        else:
            paired = build(Coupling, METHODS[key].coupling).pair(x_0, x_1, everywhere)
            _lines(above, torch.stack([path.sample(paired, x_1, t).x_t for t in grid]), COLOURS[key])
        _lines(below, waypoints(net, x_0, grid), COLOURS[key])
    panels[0][0].set_ylabel("shown in training", color=_INK, fontsize=10)
    panels[1][0].set_ylabel("learned", color=_INK, fontsize=10)
    _name_columns(panels[0], nets)
    return picture


def _diffusion(net: Net, judge: Judge, ways: int = 12) -> Figure:
    """The VP network as a flow and as a diffusion: some ways of each, and where both end."""
    picture, panels = _panels(1, 4, width=2.2, height=2.2)
    x_0, grid = judge.x_0, time_grid.build("uniform", 200)
    as_flow = waypoints(net, x_0, grid[::5])
    as_diffusion = _noisy_waypoints(net, x_0, grid)
    _lines(panels[0][0], as_flow[:, :ways], COLOURS["vp"])
    _density(panels[0][1], as_flow[-1])
    _lines(panels[0][2], as_diffusion[:, :ways], COLOURS["vp"])
    _density(panels[0][3], as_diffusion[-1])
    for axes, title in zip(panels[0], ("as a flow", "where it ends", "as a diffusion", "where it ends"), strict=True):
        axes.set_title(title, color=_INK, fontsize=10)
    return picture


def _noisy_waypoints(field: VelocityField, x_0: Tensor, grid: Tensor, strength: float = 1.0) -> Tensor:
    """Return ``x_t`` at every time of ``grid`` on the ways of the diffusion."""
    path, generator = METHODS["vp"].build_path(), torch.Generator().manual_seed(6)
    assert path is not None
    ways = [x_0]
    for start in range(len(grid) - 1):
        step = grid[start : start + 2]
        ways.append(
            sde.euler_maruyama(
                field, path, ways[-1], step, strength, lambda: torch.randn(x_0.shape, generator=generator)
            )
        )
    return torch.stack(ways)


def _panels(rows: int, columns: int, width: float, height: float, shares_y: bool = False) -> tuple[Figure, np.ndarray]:
    picture = Figure(figsize=(width * columns, height * rows), dpi=110, layout="constrained")
    panels = picture.subplots(rows, columns, squeeze=False, sharey=shares_y)
    for axes in panels.flat:
        axes.patch.set_alpha(0)
        axes.tick_params(colors=_INK, labelsize=8, which="both")
        for spine in axes.spines.values():
            spine.set_color(_INK)
            spine.set_alpha(0.4)
    return picture, panels


def _plane(axes: Any) -> None:
    axes.set(xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), xticks=[], yticks=[], aspect="equal")


def _density(axes: Any, x: Tensor, alpha: float = 1.0) -> None:
    """Draw points as a density, smoothed a little; its upper tenth is one colour."""
    _plane(axes)
    limits = [[-EXTENT, EXTENT], [-EXTENT, EXTENT]]
    counts, *_ = np.histogram2d(*x.squeeze(1).T.numpy(), bins=_BINS, range=limits)
    smooth = gaussian_filter(counts, 0.9).T
    top = max(np.quantile(smooth[smooth > 0.05 * smooth.max()], 0.9), 1e-9) if smooth.any() else 1.0
    extent = (-EXTENT, EXTENT, -EXTENT, EXTENT)
    axes.imshow(
        smooth, origin="lower", extent=extent, cmap=_GLOW, vmin=0, vmax=top, alpha=alpha, interpolation="bilinear"
    )


def _lines(axes: Any, ways: Tensor, colour: str) -> None:
    """Draw ways ``(k b 1 2)`` from a small ring to a dot."""
    _plane(axes)
    x = ways.squeeze(2).numpy()  # k b 2
    axes.plot(x[..., 0], x[..., 1], color=colour, linewidth=0.8, alpha=0.65)
    axes.plot(x[0, :, 0], x[0, :, 1], "o", color=_INK, markersize=2.5, markerfacecolor="none", markeredgewidth=0.6)
    axes.plot(x[-1, :, 0], x[-1, :, 1], "o", color=colour, markersize=3)


def _floor(axes: Any, judge: Judge) -> None:
    """Draw where new points of the data would be."""
    style = {"color": _INK, "linewidth": 1.2, "linestyle": (0, (4, 3))}
    axes.axhline(judge.floor, label="new points of the data", **style)


def _logarithmic(axes: Any, title: str, of: str, base: int = 10) -> None:
    axes.set_xscale("log", base=base)
    axes.set_yscale("log")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.xaxis.set_major_locator(LogLocator(base, subs=(1,) if base == 2 else (1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(color=_INK, alpha=0.2, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title(title, color=_INK, fontsize=10)
    axes.set_xlabel(of, color=_INK, fontsize=9)


def _name_columns(row: Sequence[Any], nets: Nets) -> None:
    for axes, key in zip(row, nets, strict=True):
        axes.set_title(METHODS[key].title, color=COLOURS[key], fontsize=10, fontweight="bold")


def _legend(picture: Figure, axes: Any) -> None:
    handles, labels = axes.get_legend_handles_labels()
    picture.legend(
        handles, labels, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8.5, labelcolor=_INK
    )


def _save(picture: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = BytesIO()
    picture.savefig(drawn, format="png", transparent=True)
    Image.open(drawn).save(path, quality=88)
