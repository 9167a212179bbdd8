"""``tts-fm optimize-steps``: find the time grid of few steps that comes nearest to a model's own fine solution."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tts_fm.cli.options import Device, Precision, RefText
from tts_fm.cli.terminal import Quiet, Report, Verbose

if TYPE_CHECKING:
    from torch import Tensor

    from tts_fm.audio.prompt import Prompt
    from tts_fm.sampler import SamplingOptions
    from tts_fm.synthesizer import Synthesizer

EXAMPLE = "\b\nExample:\n  tts-fm optimize-steps --model runs/mine/model --nfe 6"

SENTENCES = (
    "The river was high after three days of rain.",
    "She closed the window and went back to her book.",
    "Nobody at the station knew when the next train would come.",
)
FINE = 64
"""The steps of the solution that counts as true."""


def optimize_steps(
    context: typer.Context,
    nfe: Annotated[int, typer.Option(min=2, max=32, help="Evaluations: so many steps of Euler's method.")],
    model: Annotated[str, typer.Option("--model", "-m", help="A model folder, or default.")],
    ref_audio: Annotated[Path | None, typer.Option("--ref-audio", "-r", help="A voice, instead of its own.")] = None,
    ref_text: RefText = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the noise.")] = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find a model's best time grid for few steps, and store it in the model's folder.

    Best is what comes nearest to the model's own solution in 64 steps on three sentences; minutes on a CPU. From then on
    tts-fm synthesize --grid optimal --steps N --model M uses it.
    """
    report: Report = context.obj

    from tts_fm import checkpoint, hub
    from tts_fm.flow import step_search, time_grid
    from tts_fm.synthesizer import Synthesizer

    folder = hub.resolve(model).folder
    if folder is None:
        raise ValueError(f"{model} is a checkpoint, a grid is stored in a model's folder; make one with tts-fm convert")
    synthesizer = Synthesizer.load(str(folder), device=device, precision=precision)
    voice = _voice(synthesizer, ref_audio, ref_text)
    own = synthesizer.config.sampling.model_copy(update={"solver": "euler", "noise": 0.0, "steps": nfe})
    if own.grid == "optimal":
        own = own.model_copy(update={"grid": "uniform"})
    few = own.model_copy(update={"grid": "optimal"})
    true = _mels(synthesizer, voice, own.model_copy(update={"steps": FINE}), seed)

    def error(times: Tensor) -> float:
        synthesizer.grids[nfe] = times.tolist()
        return _distance(_mels(synthesizer, voice, few, seed), true)

    starts = [own.times(), *(time_grid.build(name, nfe) for name in ("uniform", "epss", "cosine", "linear_quadratic"))]
    with report.progress("searching") as on_step:
        grid, least = step_search.search(starts, error, on_step)
    before = error(starts[0])
    checkpoint.save_grid(folder, grid.tolist())
    report.say(f"error against {FINE} steps: {least:.4f}, with the model's own grid of {nfe} steps {before:.4f}")
    typer.echo(" ".join(f"{t:.4f}" for t in grid.tolist()))


def _voice(synthesizer: Synthesizer, ref_audio: Path | None, ref_text: str | None) -> Prompt | None:
    """Return the voice to search with."""
    from tts_fm.audio.prompt import Prompt

    if (ref_audio is None) != (ref_text is None):
        raise ValueError("give --ref-audio and --ref-text together: the recording and its words")
    if ref_audio is None or ref_text is None:
        return synthesizer.default_prompt
    return Prompt.load(ref_audio, ref_text)


def _mels(synthesizer: Synthesizer, voice: Prompt | None, sampling: SamplingOptions, seed: int) -> list[Tensor]:
    return [synthesizer.speak(text, voice, seed=seed, sampling=sampling).mel for text in SENTENCES]


def _distance(mels: list[Tensor], true: list[Tensor]) -> float:
    """Return the root mean square difference of log-mels."""
    import torch

    return (torch.cat(mels) - torch.cat(true)).square().mean().sqrt().item()
