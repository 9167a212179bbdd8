"""Ways to sample a flow: every solver on every grid for each number of evaluations, and every guidance."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from tts_fm import config, plugins
from tts_fm.flow import time_grid
from tts_fm.flow.guidance import Guidance
from tts_fm.flow.solvers import Solver
from tts_fm.sampler import SamplingOptions

GRIDS = ("uniform", "cosine", "epss.sway=-1", "uniform.shift=0.5", "linear_quadratic", "optimal")
"""F5-TTS sways EPSS's grid by -1, ZipVoice shifts by 0.5; cosine is the uniform grid swayed by -1."""
NFE = (2, 4, 6, 8, 16, 32)
TOLERANCES = (0.3, 0.03, 0.003)
FINE = {"solver": "ab3", "grid": "cosine", "steps": 64, "shift": 1.0, "sway": 0.0, "noise": 0.0}
"""The solution that counts as true."""
_SPELLED = {"split": "split.speaker=2"}  # with equal strengths it would be cfg

Grids = Mapping[int, Sequence[float]]
"""A model's own grids by their number of steps."""


@dataclass(frozen=True)
class Setting:
    """One way to sample; ``nfe`` was asked for, None where the model's default or an error control decides.

    ``solver``, ``grid`` and ``guidance`` are as a person names them; "default" is the model's own. Leaps are measured by
    the ``flow`` that they were taught.
    """

    solver: str
    grid: str
    guidance: str
    nfe: int | None
    sampling: SamplingOptions
    own_grids: Grids
    flow: SamplingOptions | None = None

    @property
    def name(self) -> str:
        """Its name, unlike any other's."""
        if (self.solver, self.grid) == ("default", "default"):
            return "default" if self.guidance == "default" else f"guidance {self.guidance}"
        return f"{self.solver} {self.grid}" if self.nfe is None else f"{self.solver} {self.grid} {self.nfe}"

    @cached_property
    def key(self) -> str:
        """What the speech depends on: two settings with one key sound the same."""
        options = self.sampling
        grid = _times(options, self.own_grids)
        is_free = plugins.build(Solver, options.solver).times(grid) is None
        return json.dumps(
            {
                "solver": options.solver,
                "times": options.tolerance if is_free else [round(t, 6) for t in grid.tolist()],
                "noise": options.noise,
                **({"leap": True} if options.leap else {}),
                "guidance": _guidance_key(options),
            }
        )

    @property
    def reference(self) -> Setting:
        """The fine solution with the same guidance: what it comes near to with more evaluations."""
        fine = _changed(self.sampling if self.flow is None else self.flow, FINE)
        return Setting(str(FINE["solver"]), "reference", self.guidance, None, fine, self.own_grids)


@dataclass(frozen=True)
class Choices:
    """What is to be compared; see :func:`grid` and :func:`guidance` for how grids and guidances are written."""

    solvers: Sequence[str]
    grids: Sequence[str]
    nfe: Sequence[int]
    tolerances: Sequence[float]
    guidances: Sequence[str]

    @classmethod
    def all(cls) -> Choices:
        """Return every solver, grid and guidance that there is."""
        modes = [_SPELLED.get(name, name) for name in plugins.names(Guidance)]
        return cls(plugins.names(Solver), GRIDS, NFE, TOLERANCES, ["none", "cfg@0.5", "cfg@2", *modes])


def settings(
    own: SamplingOptions, own_grids: Grids, choices: Choices, has_weak: bool, leaps: int = 0
) -> tuple[list[Setting], list[str]]:
    """Return the settings, few evaluations first, and a sentence for what there cannot be.

    Args:
        own: the model's default; guidances are compared with its solver, grid and steps.
        own_grids: the model's own grids.
        choices: what is to be compared.
        has_weak: whether there is a weaker model, for the guidance ``auto``.
        leaps: how many the model speaks in by itself; 0 where it cannot leap.

    Raises:
        ValueError: no such solver, grid or guidance.
    """
    left_out: list[str] = []
    if "optimal" in choices.grids and not own_grids:
        left_out.append("the optimal grid: the model has none; find it with tts-fm optimize-steps")
        choices = replace(choices, grids=[name for name in choices.grids if name != "optimal"])
    made = [Setting("default", "default", "default", None, own, own_grids)]
    if leaps:
        made.append(Setting("leaps", "default", "default", leaps, own.leaping(leaps), own_grids, own))
    for spec in choices.guidances:
        options = guidance(spec, own)
        if "auto" in options.guidance_modes and not has_weak:
            left_out.append(f"guidance {spec}: there is no weaker model; name one with --guidance-model")
        else:
            made.append(Setting("default", "default", spec, None, options, own_grids))
    solved = [one for name in choices.solvers for one in _of_solver(name, own, own_grids, choices, left_out)]
    return made + sorted(solved, key=lambda setting: 0 if setting.nfe is None else setting.nfe), left_out


def grid(spec: str, own: SamplingOptions) -> SamplingOptions:
    """Return ``own`` with the grid ``NAME``, ``NAME.sway=S`` or ``NAME.shift=S``."""
    name, has_option, setting = spec.partition(".")
    option, is_set, value = setting.partition("=")
    if has_option and (option not in ("sway", "shift") or not is_set):
        raise ValueError(f"{spec!r} is no grid; write NAME, NAME.sway=S or NAME.shift=S, such as uniform.shift=0.5")
    return _changed(own, {"grid": name, "sway": 0.0, "shift": 1.0} | ({option: value} if has_option else {}))


def guidance(spec: str, own: SamplingOptions) -> SamplingOptions:
    """Return ``own`` with the guidance ``none``, or modes joined by +, and ``@STRENGTH`` where it is not the model's."""
    if spec == "none":
        return _changed(own, {"guidance": 0.0, "guidance_modes": {}})
    modes, has_strength, strength = spec.partition("@")
    return _changed(own, {"guidance_modes": modes.replace("+", ",")} | ({"guidance": strength} if has_strength else {}))


def _of_solver(
    name: str, own: SamplingOptions, own_grids: Grids, choices: Choices, left_out: list[str]
) -> Iterator[Setting]:
    """Yield the settings of one solver; what it cannot do is added to ``left_out``."""
    solver = plugins.build(Solver, name)
    plain = {"solver": name, "noise": 0.0}
    if solver.times(time_grid.uniform(1)) is None:
        for tolerance in choices.tolerances:
            options = _changed(grid("uniform", own), plain | {"tolerance": tolerance})
            yield Setting(name, f"tolerance {tolerance:g}", "default", None, options, own_grids)
        return
    steps = {nfe: _steps(solver, nfe) for nfe in choices.nfe}
    if odd := [str(nfe) for nfe, count in steps.items() if count is None]:
        left_out.append(f"{name} at {', '.join(odd)} evaluations: it has no number of steps that takes so many")
    for spec in choices.grids:
        missing = []
        for nfe, count in steps.items():
            if count is None:
                continue
            if spec == "optimal" and count not in own_grids:
                missing.append(str(count))
                continue
            options = _changed(grid(spec, own), plain | {"steps": count})
            yield Setting(name, spec, "default", nfe, options, own_grids)
        if missing:
            left_out.append(
                f"{name} on the optimal grid of {', '.join(missing)} steps: the model has none; see tts-fm optimize-steps"
            )


def _steps(solver: Solver, nfe: int) -> int | None:
    """Return how many steps take ``nfe`` evaluations."""
    for steps in range(1, nfe + 1):
        times = solver.times(time_grid.uniform(steps))
        if times is not None and len(times) == nfe:
            return steps
    return None


def _times(options: SamplingOptions, own_grids: Grids) -> Any:
    return time_grid.stored(own_grids, options.steps) if options.grid == "optimal" else options.times()


def _guidance_key(options: SamplingOptions) -> list[Any]:
    modes = options.guidance_modes if options.guidance_modes else {"cfg": {}}
    return [
        options.guidance,
        dict(sorted(modes.items())),
        options.follow_prompt,
        *(["lean"] if options.lean_guidance else []),
    ]


def _changed(options: SamplingOptions, changes: Mapping[str, Any]) -> SamplingOptions:
    return config.parse(SamplingOptions, {**options.model_dump(), **changes}, "sampling")
