"""``tts-fm score``: how probable a model finds a recording, with its words, with others, and without any."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tts_fm.cli.options import Architecture, Device, Model, Vocab
from tts_fm.cli.terminal import Quiet, Report, Verbose

if TYPE_CHECKING:
    from tts_fm.evaluation.likelihood import Figure, Score

EXAMPLE = '\b\nExample:\n  tts-fm score me.wav --ref-text "The words that I say in this recording."'


def score(
    context: typer.Context,
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="Speech of one person, 1 to 30 s.")],
    ref_text: Annotated[str, typer.Option("--ref-text", "-s", help="The words in it.")],
    text: Annotated[
        list[str] | None, typer.Option("--text", "-t", help="Other words, to compare; may be given again.")
    ] = None,
    model: Model = "default",
    vocab: Vocab = None,
    architecture: Architecture = None,
    noise: Annotated[float, typer.Option(help="Share of noise mixed in first, 0.05 to 1.")] = 0.4,
    steps: Annotated[int, typer.Option(help="Steps of the solver, of two evaluations each.")] = 16,
    probes: Annotated[int, typer.Option(help="Probes of the divergence; four times as many halve the error.")] = 4,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="The same seed, the same number.")] = 0,
    device: Device = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON, for every frame too.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Tell how probable a model finds a recording, in nats per dimension of its mel.

    With its words, without any text, and the difference: what the words tell the model about the sound.
    """
    report: Report = context.obj
    texts = [ref_text, *([] if text is None else text)]

    from tts_fm import config
    from tts_fm.audio import io, prompt
    from tts_fm.evaluation import likelihood
    from tts_fm.synthesizer import Synthesizer
    from tts_fm.text.clean import check

    options = config.parse(likelihood.ScoreOptions, {"noise": noise, "steps": steps, "probes": probes}, "score")
    for words in texts:
        check(words)
    waveform = io.read(recording, min_seconds=prompt.MIN_SECONDS)
    synthesizer = Synthesizer.load(model, vocab=vocab, architecture=architecture, device=device, precision="float32")
    with report.progress("scoring") as on_step:
        result = likelihood.score(synthesizer, waveform, texts, options=options, seed=seed, on_step=on_step)
    if as_json:
        facts = {"recording": str(recording), "model": synthesizer.config.name, "seed": seed, **options.model_dump()}
        typer.echo(json.dumps({**facts, "texts": texts, **asdict(result), "caution": likelihood.CAUTION}))
        return
    for line in _lines(result):
        typer.echo(line)
    report.say(likelihood.CAUTION)


def _lines(result: Score) -> list[str]:
    """Return a line for each figure."""
    others = [f"text {i}" for i in range(1, len(result.with_text))]
    rows = [(f"with {name}", one) for name, one in zip(["its words", *others], result.with_text, strict=True)]
    rows += [("without text", result.without_text)]
    rows += [(f"gain by {name}", one) for name, one in zip(["its words", *others], result.gain, strict=True)]
    return [f"{name:<17} {_shown(one)} nats per dimension" for name, one in rows]


def _shown(figure: Figure) -> str:
    return f"{figure.nats:9.5f} ± {figure.error:.5f}"
