"""``tts-fm batch``: say every line of a list, on one machine or on many; running it again says what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tts_fm.cli import output
from tts_fm.cli.options import (
    Architecture,
    Device,
    Leaps,
    Model,
    Precision,
    Vocab,
    Vocoder,
    check_sampling,
    sampling_options,
)
from tts_fm.cli.terminal import MINUTE, Quiet, Report, Verbose, speech_made

if TYPE_CHECKING:
    from tts_fm.batch.job import Check, Job
    from tts_fm.batch.listing import BadLine, Listing
    from tts_fm.batch.run import Batch, Progress, Result

EXAMPLE = "\b\nExample:\n  tts-fm batch lines.jsonl runs/lines --shards webdataset --report"
_SHOWN = 20  # bad lines that are named


def batch(
    context: typer.Context,
    listed: Annotated[
        Path,
        typer.Argument(metavar="LIST", help="JSON lines, a CSV or TSV, ZipVoice's test.tsv or Seed-TTS's meta.lst."),
    ],
    out: Annotated[Path, typer.Argument(help="The folder for the speech; an earlier run in it goes on.")],
    shards: Annotated[
        str | None, typer.Option(metavar="FORM", help="webdataset or shar: archives.  [default: a file for each line]")
    ] = None,
    shard_size: Annotated[int | None, typer.Option(min=1, help="Lines in an archive.  [default: 100]")] = None,
    format: Annotated[str, typer.Option(help="flac, wav, ogg or mp3; archives hold flac.")] = "flac",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes, or Ray's actors.  [default: one for each core, or each GPU]")
    ] = None,
    ray: Annotated[
        str | None, typer.Option(metavar="auto|ADDRESS", help="Say it on this Ray cluster; needs the extra ray.")
    ] = None,
    check: Annotated[
        str | None, typer.Option(metavar="NAME", help="Listen to what was said: aligner or whisper; English.")
    ] = None,
    check_model: Annotated[
        str | None, typer.Option(help="Whisper's model: a folder, or a size.  [default: base]")
    ] = None,
    allow: Annotated[float, typer.Option(min=0, max=1, help="The share of words that --check lets be wrong.")] = 0.1,
    tries: Annotated[int, typer.Option(min=1, max=20, help="How often --check lets a line be said at most.")] = 3,
    report_page: Annotated[
        bool, typer.Option("--report", help="Write OUT/index.html: figures, and some to hear.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed, the same speech.")] = 0,
    leaps: Leaps = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the solver.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Strength of guidance; 0 is none.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set any field of a model's sampling block.")
    ] = None,
    model: Model = "default",
    vocab: Vocab = None,
    architecture: Architecture = None,
    vocoder: Vocoder = None,
    device: Device = "auto",
    precision: Precision = "auto",
    no_normalize: Annotated[
        bool, typer.Option("--no-normalize", help="The texts spell out their numbers already.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON on stdout.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say every line of a list.

    A line has an id and a text, and where it should not be the model's own voice a voice (a kept one, or its file) or
    ref_audio with ref_text; it may have seconds, speed and a seed. Lines that cannot be said are named before anything
    starts. What a line sounds like depends on itself and --seed, not on the others or on how many workers there are.

    OUT gets audio/ or shards/, said.jsonl, failed.jsonl, and manifest.json, which says how it was made. Running it again
    says what is missing, and tries again what failed.
    """
    report: Report = context.obj
    from tts_fm import plugins, resuming
    from tts_fm.batch import batch_page
    from tts_fm.batch.executors import Executor
    from tts_fm.batch.job import Job
    from tts_fm.batch.run import Batch
    from tts_fm.origin import Origin

    job = Job(
        out=out.absolute(),
        origin=Origin(model, vocab, architecture, vocoder, device, precision).anywhere(),
        store="files" if shards is None else shards,
        suffix=format,
        seed=seed,
        sampling=_sampling(sampling_options(leaps, steps=steps, guidance=guidance), settings),
        is_normalized=no_normalize,
        check=_check(check, check_model, allow, tries),
    )
    listing = _read(listed, job, report)
    executor = plugins.build(Executor, "local" if ray is None else "ray", workers, ray)
    with resuming.locked(job.out, "batch"):
        batch = Batch(job, listing.lines, job.identity(job.origin.load()))
        _check_voices(listed, batch, report)
        _check_targets(listed, batch, report_page)
        with report.progress("speaking", MINUTE) as on_step:
            result = batch.run(executor, shard_size, None if on_step is None else lambda one: on_step(*_told(one)))
        page = batch_page.write(result, batch) if report_page else None
    _finish(result, out, page, as_json, report)


def _sampling(given: dict[str, Any], settings: list[str] | None) -> dict[str, Any]:
    """Return what is changed in the model's way to sample, and find mistakes in it before a model is loaded."""
    from tts_fm import strict

    changed = strict.change(given, [] if settings is None else settings, "follow_prompt=true")
    check_sampling(changed)
    return changed


def _check(name: str | None, model: str | None, allowed: float, tries: int) -> Check | None:
    """Return who listens, and find mistakes in it."""
    from tts_fm import origin
    from tts_fm.batch import listener
    from tts_fm.batch.job import Check

    if name is None:
        if model is not None:
            raise ValueError("--check-model is that of a listener; name one with --check whisper")
        return None
    listener.build(name, model)
    return Check(name, None if model is None else origin.whole(model), allowed, tries)


def _read(path: Path, job: Job, report: Report) -> Listing:
    """Return the list, of which every line can be said as far as it tells itself."""
    from tts_fm import plugins
    from tts_fm.batch import listing
    from tts_fm.batch.stores import Store

    store = plugins.build(Store, job.store, job.out, job.suffix)
    store.check_available()
    listed = listing.read(path, store.why_not)
    if listed.ignored:
        report.warn(f"{path}: nothing is done with {', '.join(listed.ignored)}")
    _refuse(path, listed.bad, report)
    return listed


def _check_voices(path: Path, batch: Batch, report: Report) -> None:
    """Read every voice of what is to be said."""
    from tts_fm.batch import listing

    _refuse(path, tuple(listing.bad_voices(batch.missing)), report)


def _check_targets(path: Path, batch: Batch, has_page: bool) -> None:
    """Find speech and notes that would be written over the list or a recording that its lines name."""
    from tts_fm.batch import batch_page
    from tts_fm.batch.run import FAILED, MANIFEST, SAID

    sources = {path, *(line.reference.audio for line in batch.missing)}
    notes = [SAID, FAILED, MANIFEST, *([batch_page.NAME] if has_page else [])]
    sound = () if batch.store.is_archive else (batch.store.place(0, line.id) for line in batch.missing)
    for name in (*notes, *sound):
        output.check_not_read(batch.job.out / name, sources, instead="take another folder")


def _refuse(path: Path, bad: tuple[BadLine, ...], report: Report) -> None:
    """Name the lines that cannot be said, and end there if there are any."""
    from tts_fm.errors import InputError
    from tts_fm.page import count

    if not bad:
        return
    first, *others = [f"line {one.number}: {one.reason}" for one in bad]
    for one in others[: _SHOWN - 1]:
        report.say(f"{path}, {one}")
    raise InputError(f"{path}: {count(len(bad), 'line')} cannot be said, and nothing was started; {first}")


def _told(progress: Progress) -> tuple[int, int, str]:
    """Return the progress as the terminal shows it."""
    failed = f", {progress.failed:,} failed" if progress.failed else ""
    made = speech_made(progress.seconds, progress.rate)
    return progress.done, progress.total, f"speaking: {made}{failed}"


def _finish(result: Result, out: Path, page: Path | None, as_json: bool, report: Report) -> None:
    from tts_fm.batch.run import FAILED, SAID
    from tts_fm.errors import InputError
    from tts_fm.page import count

    figures = result.figures()
    if as_json:
        typer.echo(json.dumps(figures))
    kept = f"{figures['said']:,} of {figures['lines']:,} lines are said, {60 * figures['hours']:,.1f} min of speech"
    report.say(f"{kept}; {figures['new']:,} of them in this run, in {figures['elapsed_seconds'] / 60:,.1f} min")
    report.say(f"each is named in {out / SAID}" + ("" if page is None else f", the page is {page}"))
    if remarked := [(line.id, said.remarks[0]) for line, (_, said) in result.kept() if said.remarks]:
        first, remark = remarked[0]
        report.warn(
            f"there are remarks on {count(len(remarked), 'line')}, see {out / SAID}; the first, {first}: {remark}"
        )
    if result.failed:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in figures["failed"].items())
        report.warn(f"{count(len(result.failed), 'line')} could not be said ({kinds}); {out / FAILED} says why")
        if not result.said:
            raise InputError(f"none of the {figures['lines']:,} lines could be said; see {out / FAILED}")
