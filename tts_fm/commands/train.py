"""``tts-fm train``: train an acoustic model or a vocoder as a YAML file says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tts_fm.cli.terminal import Quiet, Report, Verbose

if TYPE_CHECKING:
    from tts_fm.training.acoustic import AcousticLearner
    from tts_fm.training.assemble import Assembled
    from tts_fm.training.loop import Loop, Sample

EXAMPLE = (
    "\b\nExamples:\n"
    "  torchrun --nproc_per_node 8 -m tts_fm.commands train configs/f5tts_v1_small_libritts.yaml\n"
    "  tts-fm train configs/aligned_small_libritts.yaml --output runs/small --set training.updates=20000\n"
    "  tts-fm train configs/aligned_small_libritts.yaml --dry-run"
)
_LINE_EVERY = 60.0  # seconds between two lines where nobody watches a bar


def train(
    context: typer.Context,
    config: Annotated[
        Path, typer.Argument(help="The run, as a YAML file; one with a block vocoder of its own trains a vocoder.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The run's folder.  [default: runs/NAME_OF_CONFIG]")
    ] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a field: training.updates=100.")
    ] = None,
    resume: Annotated[
        str, typer.Option(help="auto: go on if there is something; never: start anew; or the path of a checkpoint.")
    ] = "auto",
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Measure a few updates, say what the run will take, and stop.")
    ] = False,
    max_minutes: Annotated[float | None, typer.Option(min=0, help="Stop after so many minutes.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    vocab: Annotated[Path | None, typer.Option(help="vocab.txt, instead of the config's data.vocab.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Train an acoustic model, or a vocoder.

    Checkpoints, metrics.jsonl, samples and the model's folder go into the run's folder. Stopped by --max-minutes, Ctrl-C
    or SIGTERM it saves, and the same command goes on from there.
    """
    report: Report = context.obj
    import math

    from tts_fm import config as configs
    from tts_fm import strict

    changes = [] if changes is None else changes
    folder = Path("runs") / config.stem if output is None else output
    minutes = math.inf if max_minutes is None else max_minutes
    if configs.read_yaml(config, changes).keys() & {"vocoder", "vocos"}:
        return _train_vocoder(report, config, changes, folder, resume, is_dry, minutes, device)

    from tts_fm.training import assemble, loggers
    from tts_fm.training.loop import MODEL, Loop
    from tts_fm.training.team import Team

    run = configs.read_run(config, changes)
    loggers.check(run.training.loggers)
    team = Team(device, run.training.precision)
    report.is_quiet = report.is_quiet or not team.is_main
    assembled = assemble.acoustic(run, team, folder, vocab)
    learner = assembled.learner
    for remark in assembled.remarks:
        report.warn(remark)
    if is_dry:
        _print_forecast(learner)
        return 0
    loop = Loop(learner, run.training, folder, sample=_sampler(assembled, folder, report))
    with _begun(loop, resume, strict.dump(run), report):
        report.say(
            f"{len(learner.corpus.recordings)} utterances ({learner.corpus.seconds / 3600:.1f} h) to learn from, "
            f"{len(learner.validation)} held out; the run is in {folder}"
        )
        return _drive(loop, minutes, report, folder / MODEL)


def _sampler(assembled: Assembled, folder: Path, report: Report) -> Sample | None:
    """Return what speaks samples, where the run wants any."""
    if not assembled.learner.config.training.sample_every:
        return None
    from tts_fm.cli.samples import Samples

    return Samples(assembled, folder, report)


@contextmanager
def _begun(loop: Loop, resume: str, config: str, report: Report) -> Iterator[None]:
    """Go on, or start, as ``--resume`` says, keep the configuration in the run's folder, and the folder for this run alone."""
    from tts_fm import atomic, resuming

    if resume not in ("auto", "never") and not Path(resume).is_file():
        raise ValueError(
            f"there is no checkpoint {resume}; give --resume auto, never, or a file of a run's checkpoints"
        )
    folder, team = loop.folder, loop.team
    if resume == "never" and team.is_main and folder.exists():
        _set_aside(folder, report)
    with resuming.locked(folder, "train") if team.is_main else nullcontext():
        team.wait()
        if resume != "never" and loop.resume(None if resume == "auto" else Path(resume)):
            report.say(f"going on from update {loop.update}")
        if team.is_main:
            with atomic.replacing(folder / "config.yaml") as beside:
                beside.write_text(config, encoding="utf-8")
        yield


def _set_aside(folder: Path, report: Report) -> None:
    """Give the folder of an earlier run, at which nobody is at work, another name."""
    from tts_fm import resuming

    aside = next(p for i in range(1, 10_000) if not (p := folder.with_name(f"{folder.name}.old-{i}")).exists())
    with resuming.locked(folder, "train"):
        folder.rename(aside)
    report.say(f"the earlier run is now in {aside}")


def _drive(loop: Loop, max_minutes: float, report: Report, model: Path) -> int:
    """Train, show how it goes, and return the exit code."""
    with _watching(report, loop.options.updates) as loop.watch:
        signal = loop.run(max_minutes)
    skipped = f", {loop.skipped} skipped" if loop.skipped else ""
    report.say(f"{loop.update} of {loop.options.updates} updates{skipped}; the model is in {model}")
    return 128 + signal if signal else 0


@contextmanager
def _watching(report: Report, updates: int) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
    """Yield what shows each update: as a bar on a terminal, as a line a minute elsewhere."""
    last = time.monotonic()
    with report.progress("training") as bar:

        def show(update: int, values: Mapping[str, float]) -> None:
            nonlocal last
            loss = values.get("flow_loss", values.get("mel", float("nan")))
            text = f"loss {loss:.3f}, {values['frames_per_second']:,.0f} frames/s"
            if bar is not None:
                bar(update, updates, text)
            elif time.monotonic() - last >= _LINE_EVERY:
                last = time.monotonic()
                report.say(f"update {update:,} of {updates:,}: {text}, {_clock(values['seconds_left'])} left")

        yield show


def _print_forecast(learner: AcousticLearner) -> None:
    from tts_fm.training.forecast import forecast

    expected = forecast(learner)
    if not learner.team.is_main:
        return
    rows = {
        "speech": f"{expected.hours:.2f} h, {expected.utterances:,} utterances",
        "parameters": f"{expected.parameters:,}, of which {expected.trained_parameters:,} are trained",
        "frames an update": f"{expected.frames_per_update:,.0f}, {expected.filled:.1%} of each batch real frames",
        "updates an epoch": f"{expected.updates_per_epoch:,.1f}",
        "the run": f"{learner.config.training.updates:,} updates, {expected.epochs:,.1f} epochs",
        "memory": f"{expected.state_gigabytes:.2f} GB of state; this process had at most {expected.peak_gigabytes:.2f} GB",
        "speed": f"{expected.frames_per_second:,.0f} frames/s on {learner.team.world} x {learner.team.device.type}",
        "time": f"{_clock(expected.seconds)} (hours:minutes), without validation and samples",
    }
    for name, value in rows.items():
        typer.echo(f"{name:18}{value}")


def _train_vocoder(
    report: Report,
    config: Path,
    changes: list[str],
    folder: Path,
    resume: str,
    is_dry: bool,
    max_minutes: float,
    device: str,
) -> int:
    from tts_fm import strict
    from tts_fm.training import loggers, vocoder, vocoder_run
    from tts_fm.training.loop import MODEL, Loop
    from tts_fm.training.team import Team

    if is_dry:
        raise ValueError("--dry-run is for acoustic models; give a vocoder's run --max-minutes 1 to see how fast it is")
    run = vocoder_run.read(config, changes)
    loggers.check(run.training.loggers)
    team = Team(device, run.training.precision)
    learner = vocoder.learner(run, team, say=report.say)
    loop = Loop(learner, run.training, folder)
    with _begun(loop, resume, strict.dump(run), report):
        return _drive(loop, max_minutes, report, folder / MODEL)


def _clock(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60}:{minutes % 60:02d}"
