"""``tts-fm edit``: change words of a recording; the rest of it stays as it is, bit for bit."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tts_fm.cli.options import (
    Architecture,
    AsJson,
    Device,
    Leaps,
    Model,
    Precision,
    Vocab,
    Vocoder,
    check_sampling,
    sampling_options,
)
from tts_fm.cli.output import Force, check_not_read
from tts_fm.cli.terminal import Quiet, Report, Verbose

if TYPE_CHECKING:
    from tts_fm.editing import Change, Edit

EXAMPLE = '\b\nExample:\n  tts-fm edit me.wav --text "We meet at seven." --new-text "We meet at half past eight." -o changed.wav'


def edit(
    context: typer.Context,
    recording: Annotated[Path, typer.Argument(metavar="RECORDING", help="Speech of one person, in English.")],
    text: Annotated[str, typer.Option("--text", "-t", help="The words in it.")],
    new_text: Annotated[str, typer.Option("--new-text", "-n", help="The words that shall be in it.")],
    output: Annotated[
        str, typer.Option("--output", "-o", help="wav, flac, ogg or mp3 by suffix; - is stdout.")
    ] = "edited.wav",
    model: Model = "default",
    vocab: Vocab = None,
    architecture: Architecture = None,
    vocoder: Vocoder = None,
    leaps: Leaps = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the solver.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Strength of guidance; 0 is none.")] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**32 - 1, help="The same seed, the same sound.  [default: random]")
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    force: Force = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Change words of a recording.

    Words in which the two texts differ are generated anew in the same voice, or cut out. Every sample outside of them
    stays as it is, at 16 or 24 bit or as float; several channels become one.
    """
    report: Report = context.obj
    if output == "-" and as_json:
        raise ValueError("--json and --output - both write to stdout; give --output a file")

    from tts_fm.audio import io, prompt
    from tts_fm.speech import provenance
    from tts_fm.synthesizer import Synthesizer

    given = sampling_options(leaps, steps=steps, guidance=guidance)
    check_sampling(given)
    if output != "-":
        io.check_target(output)
        check_not_read(output, [recording], force)
    waveform = io.read(recording, min_seconds=prompt.MIN_SECONDS)
    synthesizer = Synthesizer.load(
        model, vocab=vocab, architecture=architecture, vocoder=vocoder, device=device, precision=precision
    )
    sampling = synthesizer.config.sampling_as(given)
    if seed is None:
        seed = secrets.randbelow(2**31)
        report.say(f"seed {seed}")
    with report.progress("editing") as on_step:
        made = synthesizer.edit(waveform, text, new_text, seed=seed, sampling=sampling, on_step=on_step)
    changes = [_record(change) for change in made.changes]
    facts = provenance(synthesizer.config.name, seed, sampling, new_text, edited=changes)
    io.write(made.waveform, output, metadata=facts, subtype=io.subtype_of(recording))
    _tell(made, "stdout" if output == "-" else output, report)
    if as_json:
        record = {name: value for name, value in facts.items() if name not in ("software", "edited")}
        record |= {"output": output, "seconds": round(made.waveform.seconds, 3)}
        record |= {"sample_rate": made.waveform.sample_rate, "changes": facts["edited"]}
        record |= {"doubtful": [[word.word.text, round(word.start, 3), round(word.end, 3)] for word in made.doubtful]}
        typer.echo(json.dumps(record))


def _record(change: Change) -> dict[str, object]:
    """Return ``change`` as JSON's own types, in milliseconds."""
    spans = {"old_span": change.old_span, "new_span": change.new_span}
    return {
        "old": change.old,
        "new": change.new,
        **{name: [round(time, 3) for time in span] for name, span in spans.items()},
    }


def _tell(made: Edit, where: str, report: Report) -> None:
    """Say what was changed, and what may be wrong."""
    rows = [
        (
            f"{change.old_span.start:.2f}-{change.old_span.end:.2f} s",
            change.old,
            change.new,
            f"{change.new_span.seconds:.2f} s",
        )
        for change in made.changes
    ]
    rows = [("where", "old", "new", "new length"), *rows] if rows else []
    widths = [max(len(row[i]) for row in rows) for i in range(4)] if rows else []
    for row in rows:
        report.say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if not rows:
        report.say("the texts say the same; the recording stays as it is")
    if made.doubtful:
        shown = ", ".join(f"{word.word.text!r} at {word.start:.1f} s" for word in made.doubtful[:8])
        more = f" and {len(made.doubtful) - 8} more" if len(made.doubtful) > 8 else ""
        report.warn(f"the recording may not say {shown}{more}; check --text, and listen to the changes near to it")
    report.say(f"{where}: {made.waveform.seconds:.2f} s, made in {made.seconds:.2f} s")
