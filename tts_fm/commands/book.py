"""``tts-fm book``: say a book in EPUB or Markdown, a file for each chapter and one of all; running it again goes on."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tts_fm.cli import careful, cast
from tts_fm.cli import output as outputs
from tts_fm.cli.options import (
    Architecture,
    AsJson,
    CheckModel,
    Device,
    Leaps,
    LexiconFile,
    Model,
    Precision,
    RefAudio,
    RefText,
    Speed,
    Takes,
    Tries,
    Verify,
    Vocab,
    Vocoder,
    check_sampling,
    sampling_options,
)
from tts_fm.cli.terminal import MINUTE, Quiet, Report, Verbose, speech_made

if TYPE_CHECKING:
    from tts_fm.books import Book
    from tts_fm.books.narrate import Narrator, Progress, SaidChapter
    from tts_fm.story import SpokenTurn

EXAMPLE = "\b\nExample:\n  tts-fm book novel.epub --voice anna --output novel.m4b"


def book(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An .epub without protection, or Markdown (.md).")],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            help="A folder; or its name with .m4b, .mp3 or .opus, which is written beside it.  [default: FILE's name]",
        ),
    ] = None,
    footnotes: Annotated[
        str, typer.Option(help="skip leaves notes out, say reads them behind their paragraph.")
    ] = "skip",
    format: Annotated[str, typer.Option(help="Of the chapters' own files: flac, wav, ogg or mp3.")] = "flac",
    voice: Annotated[
        list[str] | None, typer.Option(metavar="NAME|FILE", help="A kept voice, see tts-fm voices.")
    ] = None,
    ref_audio: RefAudio = None,
    ref_text: RefText = None,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The same seed, the same speech.")] = 0,
    speed: Speed = 1.0,
    leaps: Leaps = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the solver.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Strength of guidance; 0 is none.")] = None,
    takes: Takes = 1,
    verify: Verify = False,
    tries: Tries = None,
    check_model: CheckModel = None,
    model: Model = "default",
    vocab: Vocab = None,
    architecture: Architecture = None,
    vocoder: Vocoder = None,
    device: Device = "auto",
    precision: Precision = "auto",
    no_normalize: Annotated[
        bool, typer.Option("--no-normalize", help="The book spells out its numbers already.")
    ] = False,
    lexicon: LexiconFile = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the chapters and their lengths; say nothing.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say a book, chapter by chapter.

    The folder gets a file for each chapter, book.json, which says how they were made and when each is heard, and a cue
    sheet; with the extra av the whole as one file with chapters, too. What is there already is not said again.
    """
    report: Report = context.obj
    from tts_fm import books, resuming
    from tts_fm.audio import chaptered, encoding
    from tts_fm.text.lexicon import Lexicon
    from tts_fm.turns import MAIN

    if footnotes not in ("skip", "say"):
        raise ValueError(f"--footnotes is {footnotes!r}; choose skip or say")
    if format not in encoding.FORMATS:
        raise ValueError(f"--format is {format!r}; choose one of {', '.join(encoding.FORMATS)}")
    given = sampling_options(leaps, steps=steps, guidance=guidance)
    check_sampling(given)
    care = careful.Care(takes, verify, tries, check_model)
    care.check()
    folder, whole = _places(file, output)
    if whole is not None and output is not None:
        chaptered.check_target(whole)
    own = books.load(file, footnotes)
    for remark in own.remarks:
        report.warn(remark)
    if dry_run:
        _show(own, as_json)
        return
    voices = [] if voice is None else voice
    outputs.check_not_read(folder if whole is None else whole, cast.files(context, voices, [file, ref_audio, lexicon]))
    role = cast.roles(context, [MAIN], voices, ref_audio, ref_text)[MAIN]
    words = None if lexicon is None else Lexicon.load(lexicon)
    report.say(f"{own.title}: {len(own.chapters)} chapters, {own.n_characters:,} characters")

    from tts_fm.books import cue
    from tts_fm.books.narrate import Narrator
    from tts_fm.synthesizer import Synthesizer

    synthesizer = Synthesizer.load(
        model, vocab=vocab, architecture=architecture, vocoder=vocoder, device=device, precision=precision
    )
    _check_language(own, synthesizer.config.language, report)
    sampling = synthesizer.config.sampling_as(given)
    speaker = care.speaker(synthesizer)
    narrator = Narrator(synthesizer, role, seed, speed, sampling, no_normalize, words, format, speaker, care.facts)
    with resuming.locked(folder, "book"), report.progress("speaking", MINUTE) as on_step:
        on_progress = None if on_step is None else lambda one: on_step(*_told(one))
        said = narrator.narrate(own, folder, on_progress, partial(_tell, narrator, speaker, report))
    for remark in narrator.remarks:
        report.warn(remark)
    if whole is not None:
        chapters = [chaptered.Chapter(one.title, one.file) for one in said]
        chaptered.write(whole, chapters, _tags(own, synthesizer.config.name))
    else:
        report.say("one file of all chapters is written by PyAV; pip install 'tts-fm[av]' and run it again")
    sheet = folder / f"{folder.name}.cue" if whole is None else whole.with_suffix(".cue")
    sheet.write_text(cue.sheet(own.title, own.author, said, whole), encoding="utf-8")
    _finish(own, said, folder, whole, as_json, report, speaker.record(narrator.spoken))


def instead_of(context: typer.Context) -> None:
    """Say the book that another command was given as its text, with those of its options that mean something here.

    Raises:
        ValueError: one that does not.
    """
    given = {
        parameter.name: parameter
        for parameter in context.command.params
        if parameter.name is not None
        if getattr(context.get_parameter_source(parameter.name), "name", None) == "COMMANDLINE"
    }
    known = inspect.signature(book).parameters
    values = {name: context.params[name] for name in given if name in context.params}
    file = values.pop("text_file")
    if vain := [given[name].opts[0] for name in values if name not in known]:
        raise ValueError(f"{', '.join(vain)} cannot be given for a book, {file}; see tts-fm book --help")
    book(context, Path(file), **values)


def _places(file: Path, output: str | None) -> tuple[Path, Path | None]:
    """Return the folder of the chapters, and the file of the whole book; None where nobody can write one."""
    from tts_fm.audio import chaptered, encoding

    if output == "-":
        raise ValueError("a book is written as files; name a folder for them with --output")
    path = Path(file.stem if output is None else output)
    if path.suffix.lower() in (*chaptered.SUFFIXES, *(f".{name}" for name in encoding.FORMATS)):
        return path.with_suffix(""), path
    return path, path / f"{path.name}.m4b" if chaptered.is_available() else None


def _show(own: Book, as_json: bool) -> None:
    """Print the chapters, as lines for people or as one record of JSON."""
    if as_json:
        chapters = [{"title": one.title, "characters": one.n_characters} for one in own.chapters]
        record = {"title": own.title, "author": own.author, "language": own.language, "chapters": chapters}
        typer.echo(json.dumps(record))
        return
    typer.echo(f"{own.title}{f', by {own.author}' if own.author else ''}: {own.n_characters:,} characters")
    for number, one in enumerate(own.chapters, 1):
        typer.echo(f"{number:4d}  {one.n_characters:9,}  {one.title}")


def _check_language(own: Book, language: str, report: Report) -> None:
    said = own.language.lower().partition("-")[0]
    if said and said != language.lower().partition("-")[0]:
        report.warn(f"the book says that its language is {own.language!r}, the model speaks {language!r}")


def _tell(
    narrator: Narrator, speaker: careful.Careful, report: Report, title: str, turns: Sequence[SpokenTurn]
) -> None:
    """Say what was done to the turns of the chapter that was said last, where that is told."""
    if turns and speaker.care:
        report.say(f"{title}:")
        speaker.tell(turns, report, len(narrator.spoken) - len(turns))


def _told(progress: Progress) -> tuple[int, int, str]:
    """Return the progress as the terminal shows it."""
    made = speech_made(progress.seconds, progress.rate)
    return progress.done, progress.total, f"{progress.chapter}: {made}"


def _tags(own: Book, model: str) -> dict[str, str]:
    """Return what the file of the whole says of itself, that a machine made it first of all."""
    facts = {"software": "tts-fm", "is_generated": "True", "model": model}
    tags = {"title": own.title, "album": own.title, "artist": own.author, "genre": "Audiobook"}
    return {name: value for name, value in tags.items() if value} | {"comment": json.dumps(facts)}


def _finish(
    own: Book,
    said: list[SaidChapter],
    folder: Path,
    whole: Path | None,
    as_json: bool,
    report: Report,
    care: dict[str, Any],
) -> None:
    seconds, new = said[-1].start + said[-1].seconds, sum(one.is_new for one in said)
    report.say(
        f"{folder if whole is None else whole}: {seconds / 60:.1f} min, {len(said)} chapters, {new} of them said now"
    )
    if not as_json:
        return
    chapters: list[dict[str, Any]] = [
        {"title": one.title, "file": str(one.file), "start": round(one.start, 3), "seconds": round(one.seconds, 3)}
        for one in said
    ]
    record = {"title": own.title, "output": str(folder if whole is None else whole), "seconds": round(seconds, 3)}
    typer.echo(json.dumps({**record, "new": new, "chapters": chapters, **care}))
