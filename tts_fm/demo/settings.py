"""The settings of the flow that a visitor may turn, as controls and as options."""

from __future__ import annotations

from typing import Any, get_args

import gradio as gr

from tts_fm import plugins
from tts_fm.demo.studio import QUIET
from tts_fm.flow.solvers import Solver
from tts_fm.flow.time_grid import GridName
from tts_fm.sampler import SamplingOptions
from tts_fm.synthesizer import Synthesizer

LEAPS = "leaps"
"""What stands among the solvers for a model that can leap."""
MAX_STEPS = 64
MAX_SEED = 2**32 - 1
_INFOS = {
    "solver": "How the flow is integrated; Euler asks the network once a step. Leaps need few, and have guidance in them.",
    "grid": "Where on the way from noise to speech the steps lie.",
    "steps": "More are slower and finer.",
    "guidance": "How strictly it keeps to text and voice; 0 is none, and twice as fast.",
    "sway": "Below 0, more of the steps lie near the noise.",
}


class FlowControls:
    """Solver, grid, steps, guidance and sway, at the model's own settings; ``inputs`` are what :func:`sampling` takes.

    Args:
        name: what the ids of the elements begin with.
        synthesizer: the model.
        steps: another number of steps than the model's own.
        has_infos: whether each is explained.
    """

    def __init__(
        self, name: str, synthesizer: Synthesizer, steps: int | None = None, *, has_infos: bool = True
    ) -> None:
        own, leaps = synthesizer.config.sampling, synthesizer.config.default_leaps
        solvers = [*([LEAPS] if leaps else []), *plugins.names(Solver)]
        grids = [grid for grid in get_args(GridName) if grid != "optimal" or synthesizer.grids]

        def described(field: str) -> dict[str, Any]:
            return {"info": _INFOS[field] if has_infos else None, "elem_id": f"{name}-{field}", "min_width": 140}

        with gr.Row():
            is_leaping = bool(leaps) and steps is None
            solver = gr.Dropdown(
                solvers, value=LEAPS if is_leaping else own.solver, label="Solver", **described("solver")
            )
            grid = gr.Dropdown(grids, value=own.grid, label="Time grid", visible=not is_leaping, **described("grid"))
        first = steps if steps is not None else leaps if is_leaping else own.steps
        slider = gr.Slider(1, MAX_STEPS, value=first, step=1, label="Steps", **described("steps"))
        with gr.Row(visible=not is_leaping) as how:
            guidance = gr.Slider(0, 10, value=own.guidance, step=0.1, label="Guidance", **described("guidance"))
            sway = gr.Slider(-1, 1, value=own.sway, step=0.1, label="Sway", **described("sway"))
        self.inputs = [solver, grid, slider, guidance, sway]
        if leaps:
            solver.change(
                lambda name: (
                    gr.update(visible=name != LEAPS),
                    leaps if name == LEAPS else own.steps,
                    gr.update(visible=name != LEAPS),
                ),
                solver,
                [grid, slider, how],
                **QUIET,
            )


class SeedControls:
    """The seed, and whether it stays."""

    def __init__(self, name: str) -> None:
        self.seed = gr.Number(
            value=0,
            precision=0,
            minimum=0,
            maximum=MAX_SEED,
            label="Seed",
            info="The same seed and settings give the same speech.",
            elem_id=f"{name}-seed",
        )
        self.is_locked = gr.Checkbox(
            value=False, label="Keep this seed", info="Otherwise each try has a new one.", elem_id=f"{name}-seed-lock"
        )
        self.inputs = [self.seed, self.is_locked]


def sampling(
    synthesizer: Synthesizer, solver: str, grid: str, steps: int, guidance: float, sway: float, modes: str = ""
) -> SamplingOptions:
    """Return the model's own options with what the visitor set. Raises ValueError where that is not possible."""
    if steps > MAX_STEPS:
        raise ValueError(f"{steps:g} steps are too many for this page; take at most {MAX_STEPS}")
    if solver == LEAPS:
        if modes.strip():
            raise ValueError(
                "leaps have their guidance in them; leave the guidance modes empty, or take another solver"
            )
        return synthesizer.config.sampling_as({"leap": True, "steps": int(steps)})
    given = {"solver": solver, "grid": grid, "steps": int(steps), "guidance": guidance, "sway": sway}
    given |= {"guidance_modes": modes} if modes.strip() else {}
    return synthesizer.config.sampling_as(given)
