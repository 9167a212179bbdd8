"""``tts-fm evaluate``: how well a model is understood, and whose voice it has, beside the real recordings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tts_fm.cli import judging
from tts_fm.cli.options import (
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
from tts_fm.cli.terminal import Quiet, Report, Verbose

if TYPE_CHECKING:
    from rich.table import Table

    from tts_fm.evaluation.judges import Choice
    from tts_fm.evaluation.pairs import Pair
    from tts_fm.synthesizer import Synthesizer

EXAMPLE = "\b\nExample:\n  tts-fm evaluate --recogniser whisper --recogniser-model base --out runs/evaluation"


def evaluate(
    context: typer.Context,
    model: Model = "default",
    pairs: Annotated[Path | None, typer.Option(help="JSON lines of pairs.  [default: the bundled ones]")] = None,
    protocol: Annotated[
        tuple[str, Path] | None,
        typer.Option(
            metavar="NAME PATH",
            help="A published list in place of pairs: seed-tts-eval, librispeech-pc or zipvoice, and its folder.",
        ),
    ] = None,
    corpus: Annotated[Path | None, typer.Option(help="A corpus folder, for pairs of its held-out speakers.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Gets report.json, index.html and the speech.")] = Path(
        "runs/evaluation"
    ),
    limit: Annotated[int | None, typer.Option(min=1, help="Speak only so many pairs, or lines.")] = None,
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
    """Judge a model by pairs of recordings, or by a published list.

    The prompt is one recording of a speaker; the text of another one is said in that voice. Reported are the word error
    rate, the cosine of voices (Resemblyzer) and how natural it sounds (scores from 1 to 5, which hear noise and blur better
    than prosody), each beside that of the real recordings and of their copies through the vocoder; the silence before
    speech, the checks, and the real-time factor. What PocketSphinx hears is easier than what Whisper hears, for it knows
    the texts.

    With --protocol a published list is spoken and judged by its own rules, by Whisper large-v3 where no other model is
    named. Every result is kept in OUT/utterances.jsonl at once, and running again goes on from there.
    """
    report: Report = context.obj
    if protocol is not None and (pairs is not None or corpus is not None):
        raise ValueError("give --protocol, --pairs or --corpus, not two of them")
    chosen = [] if protocol is not None else judging.read_pairs(pairs, corpus, seed)
    judges = judging.choose_judges(recogniser, recogniser_model, naturalness)
    changes = [] if settings is None else settings

    def load() -> tuple[Synthesizer, dict[str, Any]]:
        from tts_fm import hub
        from tts_fm.synthesizer import Synthesizer

        loaded = Synthesizer.load(
            model, vocab=vocab, architecture=architecture, vocoder=vocoder, device=device, precision=precision
        )
        loaded = loaded.with_config(judging.changed(loaded.config, changes))
        source = hub.resolve(model, vocab=vocab, architecture=architecture)
        about = {"model": loaded.config.name, "changes": changes, **judging.describe(loaded)}
        return loaded, about | {"weights_mb": round(source.weights_bytes / 1e6, 1)}

    if protocol is not None:
        figures, table = _speak_list(report, *protocol, judges, load, out, seed, limit)
    else:
        spoken = next((str(path) for path in (pairs, corpus) if path is not None), "bundled")
        figures, table = _speak_pairs(report, chosen, spoken, judges, load, out, seed, limit, page_pairs)
    if as_json:
        typer.echo(json.dumps(figures))
    else:
        from rich.console import Console

        console = Console()
        Console(width=max(console.width, 100)).print(table)


Load = Callable[[], "tuple[Synthesizer, dict[str, Any]]"]
"""Returns the model and what is to be said of it, once all else is known to be right."""


def _speak_pairs(
    report: Report,
    pairs: list[Pair],
    spoken: str,
    judges: Choice,
    load: Load,
    out: Path,
    seed: int,
    limit: int | None,
    page_pairs: int,
) -> tuple[dict[str, Any], Table]:
    """Return the figures of ``pairs`` and their table; all of it is written into ``out``."""
    from dataclasses import replace

    from tts_fm.evaluation import evaluation_page
    from tts_fm.evaluation.report import table
    from tts_fm.evaluation.suite import Suite

    judging.make_folder(out)
    suite = Suite(pairs, judges)
    synthesizer, about = load()
    with report.progress("evaluating") as on_pair:
        result = suite.evaluate(synthesizer, seed=seed, limit=limit, out=out, on_pair=on_pair)
    result = replace(result, facts={**result.facts, **about, "pairs": spoken, "seed": seed})
    result.save(out / "report.json")
    page = evaluation_page.write(result, pairs, out, page_pairs)
    report.say(f"the report is {out / 'report.json'}, the page is {page}, the speech is in {out / 'wavs'}")
    return result.summary(), table(result)


def _speak_list(
    report: Report, name: str, path: Path, judges: Choice, load: Load, out: Path, seed: int, limit: int | None
) -> tuple[dict[str, Any], Table]:
    """Return the figures of a published list and their table; all of it is written into ``out``."""
    from tts_fm import atomic, loading
    from tts_fm.evaluation import protocols, published

    rules = protocols.load(name)
    lines = rules.read(path)
    judging.make_folder(out)
    opened = judges.for_a_list().open([line.text for line in lines], rules.normalise)
    synthesizer, about = load()
    identity = {name: about[name] for name in ("model", "changes", "sampling")}
    identity["weights"] = loading.digest(synthesizer.backbone)
    run = published.Run(rules, lines, opened, out, identity, seed)
    with report.progress("evaluating") as on_line:
        spoken = run.speak(synthesizer, limit, on_line)
    figures = {**about, **published.summary(run, spoken)}
    with atomic.replacing(out / "report.json") as beside:
        beside.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    left_out = {**figures["missing"], **figures["failed"]}
    if left_out:
        first, problem = next(iter(left_out.items()))
        report.warn(f"{len(left_out)} of {len(spoken)} lines were not judged; the first, {first}: {problem}")
    report.say(f"the report is {out / 'report.json'}, each line is in {out / published.RESULTS}")
    return figures, published.table(figures, name)
