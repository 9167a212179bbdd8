"""Lists of what is to be said, in the forms that people have them in, and what is wrong with their lines."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError

from tts_fm import strict
from tts_fm.audio import library
from tts_fm.audio.prompt import Prompt
from tts_fm.errors import InputError
from tts_fm.evaluation.protocols import seed_tts_eval
from tts_fm.plugins import Options
from tts_fm.text import clean

_LONGEST_ID = 200  # bytes: of a file's name there may be 255, and a suffix follows
_OTHER_NAMES = {"duration": "seconds", "name": "id"}  # OmniVoice's, ZipVoice's


@dataclass(frozen=True)
class Reference:
    """Whose voice a line has: ``default`` for the model's own, a voice's file, or a recording and the words in it."""

    voice: str = library.BUNDLED
    audio: Path | None = None
    words: str | None = None

    @property
    def name(self) -> str:
        """What to call the speaker."""
        return Path(self.voice).stem if self.audio is None else self.audio.stem

    def prompt(self) -> Prompt | None:
        """Return what a model is given; None for its own voice. Raises InputError where it cannot be read."""
        if self.audio is not None:
            assert self.words is not None
            return Prompt.load(self.audio, self.words)
        return None if self.voice == library.BUNDLED else library.read_voice(Path(self.voice)).prompt


@dataclass(frozen=True)
class Line:
    """What is to be said.

    Attributes:
        id: the name of its file.
        text: as a person writes it.
        reference: whose voice.
        seconds: how long it shall be; None as long as it takes.
        speed: 2 is twice as fast as the voice.
        seed: its own; None for one that is made of its id and the run's seed.
        number: where in the list it is.
    """

    id: str
    text: str
    reference: Reference = Reference()
    seconds: float | None = None
    speed: float = 1.0
    seed: int | None = None
    number: int = 0

    @property
    def digest(self) -> str:
        """What tells it from another line of the same id; it does not depend on where recordings and voices are."""
        identity = [self.text, self.reference.name, self.reference.words, self.seconds, self.speed, self.seed]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class BadLine:
    """A line that cannot be said: its number in the list, and why."""

    number: int
    reason: str


@dataclass(frozen=True)
class Listing:
    """A list as it was read; ``ignored`` are the fields with which nothing is done."""

    lines: tuple[Line, ...]
    bad: tuple[BadLine, ...]
    ignored: tuple[str, ...]


class _Fields(Options):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: Annotated[str, Field(min_length=1)]
    text: str
    voice: str | None = None
    ref_audio: str | None = None
    ref_text: str | None = None
    seconds: Annotated[float, Field(ge=0.1, le=3600)] | None = None
    speed: Annotated[float, Field(ge=0.1, le=10)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = None


Row = Mapping[str, Any] | str
"""The fields of a line, or what is wrong with it."""
Rows = Iterator[tuple[int, Row]]
"""Each line with its number."""


def read(path: Path, why_not: Callable[[str], str | None] = lambda name: None) -> Listing:
    """Return what the list ``path`` says.

    It is JSON lines, a CSV or TSV with a heading, ZipVoice's ``test.tsv`` (no heading, four fields) or Seed-TTS-eval's
    ``meta.lst``; the suffix says which. Recordings are looked for from its folder on.

    Args:
        path: the list.
        why_not: says why an id cannot be kept under its name, where there is a reason.

    Raises:
        ValueError: no list of these forms, or none that can be read.
    """
    forms = {".jsonl": _jsonl, ".json": _jsonl, ".csv": _csv, ".tsv": _tsv, ".lst": _lst}
    if path.suffix.lower() not in forms:
        raise ValueError(f"{path}: suffix {path.suffix!r} is none of {', '.join(forms)}; name the list by its form")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return _listing(forms[path.suffix.lower()](text), path, why_not)


def bad_voices(lines: Iterable[Line]) -> Iterator[BadLine]:
    """Yield the lines whose voice cannot be read; each recording is read once."""
    problems: dict[Reference, str | None] = {}
    for line in lines:
        if line.reference not in problems:
            problems[line.reference] = _problem(line.reference)
        if (reason := problems[line.reference]) is not None:
            yield BadLine(line.number, reason)


def _problem(reference: Reference) -> str | None:
    try:
        reference.prompt()
    except InputError as error:
        return str(error)
    return None


def _listing(rows: Rows, path: Path, why_not: Callable[[str], str | None]) -> Listing:
    lines: list[Line] = []
    bad: list[BadLine] = []
    seen: dict[str, int] = {}
    ignored: dict[str, None] = {}
    for number, row in rows:
        if isinstance(row, str):
            bad.append(BadLine(number, row))
            continue
        ignored |= dict.fromkeys(str(name) for name in row if name not in _Fields.model_fields)
        try:
            line = _line(row, number, path)
            if (reason := why_not(line.id)) is not None:
                raise ValueError(f"the id {line.id!r} {reason}")
            if line.id in seen:
                raise ValueError(f"the id {line.id!r} is that of line {seen[line.id]}, too; each needs its own")
        except ValueError as error:
            bad.append(BadLine(number, str(error)))
            continue
        seen[line.id] = number
        lines.append(line)
    if not lines and not bad:
        raise ValueError(f"{path} is empty; give a list with a line for each utterance")
    return Listing(tuple(lines), tuple(bad), tuple(ignored))


def _line(row: Mapping[str, Any], number: int, path: Path) -> Line:
    """Return the line of these fields. Raises ValueError."""
    known = {name: value for name, value in row.items() if name in _Fields.model_fields and value not in (None, "")}
    try:
        fields = _Fields.model_validate(known)
    except ValidationError as error:
        raise ValueError(strict.explain(error, _Fields, "a line")) from None
    if not Path(fields.id).name == fields.id or not fields.id.isprintable() or fields.id.startswith("."):
        raise ValueError(f"the id {fields.id!r} can be no file's name")
    if len(fields.id.encode()) > _LONGEST_ID:
        raise ValueError(f"the id {fields.id[:20]!r}... has more than {_LONGEST_ID} bytes")
    clean.check(fields.text)
    if fields.voice is not None and fields.ref_audio is not None:
        raise ValueError("it names a voice and a recording; one of them is enough")
    if (fields.ref_audio is None) != (fields.ref_text is None):
        raise ValueError("ref_audio, a recording, and ref_text, the words in it, need each other")
    audio = None if fields.ref_audio is None else (path.parent / fields.ref_audio).absolute()
    reference = Reference(_voice(fields.voice, path), audio, fields.ref_text)
    return Line(fields.id, fields.text, reference, fields.seconds, fields.speed, fields.seed, number)


def _voice(name: str | None, path: Path) -> str:
    """Return the file of a voice that a line names: one beside the list, or one of the library."""
    if name is None or name == library.BUNDLED:
        return library.BUNDLED
    if name.endswith(".flac"):
        return str((path.parent / name).absolute())
    return str(library.VoiceLibrary().existing(name).absolute())


def _named(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``fields`` by our names."""
    return {
        _OTHER_NAMES.get(name, name) if _OTHER_NAMES.get(name) not in fields else name: v for name, v in fields.items()
    }


def _jsonl(text: str) -> Rows:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield number, f"it is no JSON ({getattr(error, 'msg', 'too deep')})"
            continue
        yield number, _named(value) if isinstance(value, dict) else 'it is no object of JSON: {"id": ..., "text": ...}'


def _csv(text: str, separator: str = ",") -> Rows:
    quoting = csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL  # between tabs a quote is a quote
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, quoting=quoting)
    heading: list[str] | None = None
    try:
        for row in reader:
            if not any(field.strip() for field in row):
                continue
            if heading is None:
                heading = [name.strip() for name in row]
                if not {"id", "text"} <= set(_named(dict.fromkeys(heading))):
                    raise ValueError(f"the heading {separator.join(heading)[:80]!r} has no id or no text; give both")
            elif len(row) != len(heading):
                yield reader.line_num, f"it has {len(row)} fields, the heading has {len(heading)}"
            else:
                yield reader.line_num, _named(dict(zip(heading, map(str.strip, row), strict=True)))
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} is no CSV: {error}") from None


def _tsv(text: str) -> Rows:
    first = next((line for line in text.split("\n") if line.strip()), "")
    if {"id", "text"} <= set(_named(dict.fromkeys(first.strip("\r").split("\t")))):
        yield from _csv(text, "\t")
        return
    for number, fields in _split(text, "\t"):
        if len(fields) == 4:
            name, said, audio, words = fields
            yield number, {"id": name, "text": words, "ref_audio": audio, "ref_text": said}
        else:
            yield (
                number,
                f"it has {len(fields)} fields; give a heading with id and text, or name, words, recording, text",
            )


def _lst(text: str) -> Rows:
    for number, fields in _split(text, "|"):
        if not 2 <= len(fields) <= 5:
            yield number, f"it has {len(fields)} fields with | between them, not 2 to 5"
            continue
        line = seed_tts_eval.line(fields, Path())
        audio = None if line.prompt_audio is None else str(line.prompt_audio)
        yield number, {"id": line.id, "text": line.text, "ref_audio": audio, "ref_text": line.prompt_text}


def _split(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, [field.strip() for field in line.split(separator)]
