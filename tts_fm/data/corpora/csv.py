"""A table of one's own recordings: ``audio|text`` on each line, or columns with names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from tts_fm.data.corpora import CorpusReader, Entry, split_of
from tts_fm.types import Fault

_NAMES = {
    "audio": ("audio", "file", "wav", "path", "audio_file", "audio_path"),
    "text": ("text", "transcript", "sentence"),
    "speaker": ("speaker", "speaker_id"),
    "id": ("id",),
    "split": ("split", "subset"),
}
_BARE = ("audio", "text", "speaker")  # the columns of a table without names


class Table(CorpusReader):
    """Separated by ``|``, tabs or commas; audio paths are relative to the table.

    Columns: audio (or file, wav), text (or transcript), and where there are any speaker, id and split. Subsets are the
    values of ``split``. Without a line of names the columns are ``audio|text`` or ``audio|text|speaker``.
    """

    def read(self) -> Iterator[Entry | Fault]:
        table = self.corpus / "metadata.csv" if self.corpus.is_dir() else self.corpus
        columns, rows = _rows(table)
        found: set[str] = set()
        for number, row in rows:
            if len(row) < 2 or len(row) > len(columns):
                yield Fault("", str(table), f"no text: line {number} has {len(row)} of {len(columns)} columns")
                continue
            fields = dict(zip(columns, (field.strip() for field in row), strict=False))
            part = fields.get("split", "")
            found.add(part)
            if self.subsets and part not in self.subsets:
                continue
            audio = fields.get("audio", "")
            id = fields.get("id") or _id_of(audio)
            yield Entry(id, table.parent / audio, fields.get("text", ""), fields.get("speaker", ""), split_of(part))
        if missing := [subset for subset in self.subsets if subset not in found]:
            known = ", ".join(sorted(found - {""})) or "none"
            raise ValueError(f"{table} has no split {missing[0]!r}; choose from: {known}")


def _rows(table: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names of the columns, and the numbered lines with their fields."""
    try:
        text = table.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ValueError(f"{table} can not be read: {reason}; give a table of audio|text") from None
    first = text.partition("\n")[0]
    mark = next((mark for mark in "|\t" if mark in first), ",")
    quoting = csv.QUOTE_MINIMAL if mark == "," else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, quoting=quoting)
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{table}, line {reader.line_num} is no line of a table: {error}") from None
    columns = _columns(first.rstrip("\r").split(mark))
    if columns is not None:
        return columns, rows[1:]
    if mark == ",":
        raise ValueError(f"{table}, line 1 names no columns audio and text; add such a line, or write audio|text")
    return list(_BARE), rows


def _columns(names: list[str]) -> list[str] | None:
    """Return the columns as this file calls them; None where the line names no audio and text."""
    plain = [name.strip().strip('"').lower() for name in names]
    columns = [next((key for key, known in _NAMES.items() if name in known), name) for name in plain]
    return columns if {"audio", "text"} <= set(columns) else None


def _id_of(audio: str) -> str:
    """Return a name for a recording that has none: its path without the suffix."""
    return "-".join(part for part in Path(audio).with_suffix("").parts if part not in ("/", ".", "..")) if audio else ""
