"""``tts-fm evaluate``: how well a model is understood, and whose voice it has, beside the real recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tts_fm.commands.options import (
    Architecture,
    Device,
    Model,
    Naturalness,
    Precision,
    Recogniser,
    RecogniserModel,
    Vocab,
    Vocoder,
)
from tts_fm.commands.terminal import Quiet, Report, Verbose

if TYPE_CHECKING:
    from tts_fm.config import ModelConfig
    from tts_fm.evaluation.judges import Choice
    from tts_fm.evaluation.pairs import Pair
    from tts_fm.synthesizer import Synthesizer

_SPOKEN = ("sampling", "leaps", "match_prompt", "duration", "limits")
EXAMPLE = "\b\nExample:\n  tts-fm evaluate --recogniser whisper --recogniser-model base --out runs/evaluation"


def evaluate(
    context: typer.Context,
    model: Model = "default",
    pairs: Annotated[Path | None, typer.Option(help="JSON lines of pairs.  [default: the bundled ones]")] = None,
    corpus: Annotated[Path | None, typer.Option(help="A corpus folder, for pairs of its held-out speakers.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Gets report.json, index.html and the speech.")] = Path(
        "runs/evaluation"
    ),
    limit: Annotated[int | None, typer.Option(min=1, help="Speak only so many pairs.")] = None,
    page_pairs: Annotated[int, typer.Option(min=0, help="How many pairs can be heard on the page.")] = 12,
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="The same seed, the same speech.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Change the model's configuration, such as sampling.steps=32."
        ),
    ] = None,
    recogniser: Recogniser = None,
    recogniser_model: RecogniserModel = None,
    naturalness: Naturalness = None,
    vocab: Vocab = None,
    architecture: Architecture = None,
    vocoder: Vocoder = None,
    device: Device = "auto",
    precision: Precision = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON on stdout.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Judge a model by pairs of recordings.

    The prompt is one recording of a speaker; the text of another one is said in that voice. Reported are the word error
    rate, the cosine of voices (Resemblyzer) and how natural it sounds (scores from 1 to 5, which hear noise and blur better
    than prosody), each beside that of the real recordings and of their copies through the vocoder; the silence before
    speech, the checks, and the real-time factor. What PocketSphinx hears is easier than what Whisper hears, for it knows
    the texts.
    """
    report: Report = context.obj
    chosen = read_pairs(pairs, corpus, seed)
    judges = choose_judges(recogniser, recogniser_model, naturalness)
    make_folder(out)

    from dataclasses import replace

    from tts_fm import hub
    from tts_fm.evaluation import evaluation_page
    from tts_fm.evaluation.report import table
    from tts_fm.evaluation.suite import Suite
    from tts_fm.synthesizer import Synthesizer

    suite = Suite(chosen, judges)
    synthesizer = Synthesizer.load(
        model, vocab=vocab, architecture=architecture, vocoder=vocoder, device=device, precision=precision
    )
    changes = [] if settings is None else settings
    synthesizer.config = _changed(synthesizer.config, changes)
    with report.progress("evaluating") as on_pair:
        found = suite.evaluate(synthesizer, seed=seed, limit=limit, out=out, on_pair=on_pair)
    spoken = next((str(path) for path in (pairs, corpus) if path is not None), "bundled")
    facts = found.facts | {"model": synthesizer.config.name, "changes": changes, "pairs": spoken, "seed": seed}
    source = hub.resolve(model, vocab=vocab, architecture=architecture)
    facts |= {**describe(synthesizer), "weights_mb": round(source.weights_bytes / 1e6, 1)}
    found = replace(found, facts=facts)
    found.save(out / "report.json")
    page = evaluation_page.write(found, chosen, out, page_pairs)
    if as_json:
        typer.echo(json.dumps(found.summary()))
    else:
        from rich.console import Console

        console = Console()
        Console(width=max(console.width, 100)).print(table(found))
    report.say(f"the report is {out / 'report.json'}, the page is {page}, the speech is in {out / 'wavs'}")


def _changed(config: ModelConfig, changes: list[str]) -> ModelConfig:
    """Return ``config`` with ``changes`` of how the model speaks; its network is built already."""
    from tts_fm import strict

    if wrong := [change for change in changes if change.split(".")[0].split("=")[0] not in _SPOKEN]:
        raise ValueError(f"--set {wrong[0]!r} changes nothing that can be evaluated; choose among {', '.join(_SPOKEN)}")
    value = strict.change(strict.plain(config), changes, "sampling.steps=32")
    return strict.parse(type(config), value, "--set", "the configuration")


def make_folder(out: Path) -> None:
    """Make the folder that ``--out`` names."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{out} can not be made: {error.strerror}; choose another folder with --out") from None


def read_pairs(pairs: Path | None, corpus: Path | None, seed: int) -> list[Pair]:
    """Return the pairs that the options name, the bundled ones where they name none."""
    from tts_fm.evaluation import pairs as sets

    if pairs is not None and corpus is not None:
        raise ValueError("give --pairs or --corpus, not both")
    if corpus is not None:
        return sets.from_corpus(corpus, seed=seed)
    return sets.read(sets.BUNDLED if pairs is None else pairs)


def choose_judges(
    recogniser: str | None = None, recogniser_model: str | None = None, naturalness: list[str] | None = None
) -> Choice:
    """Return who judges, by the options that name them."""
    from tts_fm.evaluation.judges import Choice

    choice = Choice(recogniser, recogniser_model, naturalness)
    choice.check()
    return choice


def describe(synthesizer: Synthesizer) -> dict[str, Any]:
    """Return how and on what machine the speech was made."""
    import platform

    import torch

    return {
        "sampling": synthesizer.config.default_sampling.model_dump(),
        "parameters": sum(parameter.numel() for parameter in synthesizer.backbone.parameters()),
        "device": str(synthesizer.device),
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "torch": torch.__version__,
    }
