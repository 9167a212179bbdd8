"""A table of one's own recordings: ``audio|text`` on each line, or columns with names."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterator
from pathlib import Path

from tts_fm.audio.containers import SOUNDS
from tts_fm.data.corpora import CorpusReader, Entry, split_of
from tts_fm.types import Fault

_NAMES = {
    "audio": ("audio", "file", "wav", "path", "audio_file", "audio_path", "file_name", "filename", "wav_path"),
    "text": ("text", "transcript", "sentence", "transcription"),
    "speaker": ("speaker", "speaker_id", "speaker_name", "client_id", "spk"),
    "id": ("id",),
    "split": ("split", "subset"),
}
_MOST_IN_A_NAME = 1.5  # words, and a mark at the end, in the mean of many; a text of fewer could be a name, too
_LOOKED_AT = 200  # lines of a table without names


class Table(CorpusReader):
    """Separated by ``|``, tabs, commas or semicolons; audio paths are relative to the table.

    Columns: audio (or file, wav), text (or transcript), and where there are any speaker, id and split. Subsets are the
    values of ``split``. Without a line of names there are two or three columns, which are known by what is in them: names
    of sound files, texts of several words, and speakers, as in ``audio|text|speaker`` or Piper's ``audio|speaker|text``.
    """

    def read(self) -> Iterator[Entry | Fault]:
        table = self.corpus / "metadata.csv" if self.corpus.is_dir() else self.corpus
        columns, rows = _rows(table)
        parts: set[str] = set()
        for number, row in rows:
            if len(row) < 2 or len(row) > len(columns):
                yield Fault("", str(table), f"no text: line {number} has {len(row)} of {len(columns)} columns")
                continue
            fields = dict(zip(columns, (field.strip() for field in row), strict=False))
            part = fields.get("split", "")
            parts.add(part)
            if self.subsets and part not in self.subsets:
                continue
            audio = fields.get("audio", "")
            id = fields.get("id") or _id_of(audio)
            yield Entry(id, table.parent / audio, fields.get("text", ""), fields.get("speaker", ""), split_of(part))
        if missing := [subset for subset in self.subsets if subset not in parts]:
            known = ", ".join(sorted(parts - {""})) or "none"
            raise ValueError(f"{table} has no split {missing[0]!r}; choose from: {known}")


def _rows(table: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names of the columns, and the numbered lines with their fields."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ValueError(f"{table} cannot be read: {reason}; give a table of audio|text") from None
    first = next((line for line in text.split("\n") if line.strip()), "")
    mark = next((mark for mark in "|\t,;" if mark in first), ",")
    quoting = csv.QUOTE_MINIMAL if mark in ",;" else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, quoting=quoting)
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{table}, line {reader.line_num} is no line of a table: {error}") from None
    columns = _columns(first.rstrip("\r").split(mark))
    if columns is not None:
        return columns, rows[1:]
    if mark in ",;":
        raise ValueError(f"{table}, line 1 names no columns audio and text; add such a line, or write audio|text")
    return _guessed(table, rows), rows


def _guessed(table: Path, rows: list[tuple[int, list[str]]]) -> list[str]:
    """Return the columns of a table without names, by what is in them. Raises ValueError where that does not tell."""
    fields = [[field.strip() for field in row] for _, row in rows[:_LOOKED_AT]]
    width = max(map(len, fields), default=2)
    whole = [row for row in fields if len(row) == width]
    sounds = [sum(Path(row[i]).suffix.lower() in SOUNDS for row in whole) for i in range(width)]
    audio = max(range(width), key=lambda i: sounds[i])
    others = [i for i in range(width) if i != audio]
    words = {
        i: statistics.mean(len(row[i].split()) + row[i].endswith((".", "!", "?")) for row in whole) for i in others
    }
    text = max(others, key=lambda i: words[i], default=audio)
    is_clear = width in (2, 3) and all(words[i] <= _MOST_IN_A_NAME < words[text] for i in others if i != text)
    if not is_clear:
        raise ValueError(
            f"{table} names no columns, and what is in its {width} does not tell them apart; write a first line such as "
            f"audio|speaker|text (known are {', '.join(_NAMES)}; another column may have any name)"
        )
    return ["audio" if i == audio else "text" if i == text else "speaker" for i in range(width)]


def _columns(names: list[str]) -> list[str] | None:
    """Return the columns as this file calls them; None where the line names no audio and text."""
    plain = [name.strip().strip('"').lower() for name in names]
    columns: list[str] = []
    for name in plain:  # of two names for one thing the first counts
        key = next((key for key, known in _NAMES.items() if name in known), name)
        columns.append(name if key in columns else key)
    return columns if {"audio", "text"} <= set(columns) else None


def _id_of(audio: str) -> str:
    """Return a name for a recording that has none: its path without the suffix."""
    return "-".join(part for part in Path(audio).with_suffix("").parts if part not in ("/", ".", "..")) if audio else ""
