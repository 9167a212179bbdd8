"""``tts-fm compare``: what solver, grid, number of evaluations and guidance do to a model's speech, and what they cost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from tts_fm.cli import judging
from tts_fm.cli.options import Device, Model, Naturalness, Precision, Recogniser, RecogniserModel
from tts_fm.cli.terminal import Quiet, Report, Verbose

if TYPE_CHECKING:
    from tts_fm.evaluation.settings import Choices

Judge = Literal["all", "best", "none"]
EXAMPLE = "\b\nExample:\n  tts-fm compare --solver euler,ab2 --grid cosine --nfe 4,8,16 --limit 8 --out runs/compare"


def compare(
    context: typer.Context,
    model: Model = "default",
    pairs: Annotated[Path | None, typer.Option(help="JSON lines of pairs.  [default: the bundled ones]")] = None,
    corpus: Annotated[Path | None, typer.Option(help="A corpus folder, for pairs of its held-out speakers.")] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Gets compare.json, index.html and what was measured.")
    ] = Path("runs/compare"),
    limit: Annotated[int | None, typer.Option(min=1, help="Speak only so many pairs.")] = None,
    solver: Annotated[str | None, typer.Option(help="Solvers, with commas; all if not given, none if ''.")] = None,
    grid: Annotated[
        str | None, typer.Option(help="Grids, with commas: NAME, NAME.sway=S or NAME.shift=S; all if not given.")
    ] = None,
    nfe: Annotated[str | None, typer.Option(help="Evaluations, with commas.  [default: 2,4,6,8,16,32]")] = None,
    tolerance: Annotated[str | None, typer.Option(help="Of dopri5, with commas.  [default: 0.3,0.03,0.003]")] = None,
    guidance_mode: Annotated[
        str | None,
        typer.Option(help="Guidances, with commas: none, MODE[.OPTION=VALUE][+MODE...][@STRENGTH]; all if not given."),
    ] = None,
    guidance_model: Annotated[str | None, typer.Option(help="A weaker model, for the guidance auto.")] = None,
    judge: Annotated[
        str, typer.Option(help="What is judged: all; best (of each number of evaluations); none.")
    ] = "all",
    recogniser: Recogniser = None,
    recogniser_model: RecogniserModel = None,
    naturalness: Naturalness = None,
    page_pairs: Annotated[int, typer.Option(min=0, max=99, help="How many pairs can be heard on the page.")] = 3,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the noise.")] = 0,
    device: Device = "auto",
    precision: Precision = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON on stdout.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compare ways to sample: solvers, grids, numbers of network evaluations (NFE) and guidances.

    The error of each is its distance from a fine solution of the same noise and guidance (64 steps of ab3 on the cosine
    grid), the root mean square of log-mels in dB; the rest is judged as by tts-fm evaluate. Guidances are compared with the
    model's own solver, grid and steps. Where a mode depends on the steps (cfg_zero, apg), so does its error. What was
    measured is kept, and running again with more choices only adds them.
    """
    report: Report = context.obj
    if judge not in get_args(Judge):
        raise ValueError(f"--judge is {judge!r}; choose one of {', '.join(get_args(Judge))}")
    chosen = judging.read_pairs(pairs, corpus, seed)
    judges = judging.choose_judges(recogniser, recogniser_model, naturalness)
    judging.make_folder(out)

    from tts_fm.evaluation import comparison_page, comparison_report
    from tts_fm.evaluation.comparison import Comparison
    from tts_fm.evaluation.pairs import thin_out
    from tts_fm.evaluation.settings import settings
    from tts_fm.evaluation.suite import Suite
    from tts_fm.synthesizer import Synthesizer

    choices = _choices(solver, grid, nfe, tolerance, guidance_mode)
    synthesizer = Synthesizer.load(model, device=device, precision=precision, weak_model=guidance_model)
    own = synthesizer.config.sampling
    leaps = synthesizer.config.default_leaps
    measured, left_out = settings(own, synthesizer.grids, choices, guidance_model is not None, leaps)
    for line in left_out:
        report.say(f"left out: {line}")
    suite = None if judge == "none" else Suite(chosen, judges)
    study = Comparison(synthesizer, thin_out(chosen, limit), out, seed=seed, page_pairs=page_pairs, suite=suite)
    with report.progress("comparing") as on_setting:
        measured_figures = study.measure(measured, judge == "all", on_setting)
        if judge == "best":
            judged = [one.setting for one in comparison_report.best(measured_figures)]
            study.measure(judged, True, on_setting)
            measured_figures = study.measure(measured, False)
    facts = {**study.about, **judging.describe(synthesizer), "sampling": own.model_dump(), "left_out": left_out}
    recordings = study.recordings()
    summary = comparison_report.save(out, facts, measured_figures, recordings)
    page = comparison_page.write(study, facts, measured_figures, recordings)
    if as_json:
        typer.echo(json.dumps(summary))
    else:
        from rich.console import Console

        console = Console()
        width = 132 + 19 * len(recordings.naturalness)
        Console(width=max(console.width, width)).print(comparison_report.table(measured_figures, facts, recordings))
    report.say(f"the figures are in {out / 'compare.json'}, the page is {page}")


def _choices(
    solver: str | None, grid: str | None, nfe: str | None, tolerance: str | None, guidance: str | None
) -> Choices:
    """Return what the options name, all where they name nothing."""
    from tts_fm.evaluation.settings import Choices

    every = Choices.all()
    return Choices(
        solvers=every.solvers if solver is None else _listed(solver),
        grids=every.grids if grid is None else _listed(grid),
        nfe=every.nfe if nfe is None else _numbers("nfe", nfe, int),
        tolerances=every.tolerances if tolerance is None else _numbers("tolerance", tolerance, float),
        guidances=every.guidances if guidance is None else _listed(guidance),
    )


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _numbers(option: str, text: str, kind: type[int] | type[float]) -> list[Any]:
    try:
        numbers = [kind(item) for item in _listed(text)]
    except ValueError:
        numbers = []
    if not numbers or not all(0 < number <= 1000 for number in numbers):
        what = "whole numbers" if kind is int else "numbers"
        raise ValueError(f"--{option} is {text!r}; give {what} above 0 and up to 1000 with commas between them")
    return numbers
