"""What is known of each recording, written down at once, so that running again reads only what is new or has changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from tts_fm.alignment import forced
from tts_fm.alignment.phones import UnknownPhone
from tts_fm.audio import io
from tts_fm.data import check
from tts_fm.data.corpora import Entry
from tts_fm.data.workers import spread
from tts_fm.errors import InputError
from tts_fm.frontends.phonemes import Phonemes

OnStep = Callable[[int, int], None] | None
"""Told of (things done, things in all)."""


@dataclass(frozen=True)
class Facts:
    """What reading a recording gave: its length, or why it cannot be read, and where asked for its alignment.

    ``doubt`` is why a recording that can be read is no good.

    ``audio``, ``size``, ``changed`` (nanoseconds) and ``text`` are what that holds for.
    """

    id: str
    audio: str
    size: int
    changed: int
    text: str
    seconds: float = 0.0
    fault: str = ""
    doubt: str = ""
    token_frames: list[int] | None = None
    alignment_fault: str = ""

    def holds_for(self, other: Facts) -> bool:
        """Whether the recording and its text are still the same."""
        return (self.audio, self.size, self.changed, self.text) == (other.audio, other.size, other.changed, other.text)

    @property
    def has_alignment(self) -> bool:
        """Whether an alignment was made, or tried in vain."""
        return bool(self.fault or self.token_frames is not None or self.alignment_fault)


class Ledger:
    """A file of JSON lines to which every result is added as soon as it is there; the last one of a recording counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.facts: dict[str, Facts] = {}
        for line in _whole_lines(path):
            facts = Facts(**line)
            self.facts[facts.id] = facts

    def complete(
        self,
        entries: Sequence[Entry],
        is_aligned: bool,
        workers: int | None,
        on_step: OnStep = None,
        address: str | None = None,
    ) -> int:
        """Read what is not known yet; return how many recordings that were. ``workers`` and ``address`` as in :func:`spread`."""
        asked = [_unread(entry) for entry in entries]
        todo = [facts for facts in asked if not self._knows(facts, is_aligned)]
        done = len(asked) - len(todo)
        with self._path.open("a", encoding="utf-8") as file:
            if todo and file.tell():
                file.write("\n")  # a run that was killed may have left half a line
            for facts in spread(partial(examine, is_aligned=is_aligned), todo, workers, address):
                file.write(json.dumps(asdict(facts), ensure_ascii=False) + "\n")
                file.flush()
                self.facts[facts.id] = facts
                done += 1
                if on_step is not None:
                    on_step(done, len(asked))
        return len(todo)

    def _knows(self, facts: Facts, is_aligned: bool) -> bool:
        known = self.facts.get(facts.id)
        return known is not None and known.holds_for(facts) and (known.has_alignment or not is_aligned)


def examine(facts: Facts, is_aligned: bool) -> Facts:
    """Read one recording whole, and align it with its text where asked for."""
    try:
        waveform = io.read(facts.audio)
    except InputError as error:
        return replace(facts, fault=check.unreadable(error, Path(facts.audio)))
    doubt = check.fault(waveform, facts.text, waveform.seconds)
    facts = replace(facts, seconds=round(waveform.seconds, 9), doubt="" if doubt is None else doubt)
    if not is_aligned:
        return facts
    try:
        return replace(facts, token_frames=forced.durations(waveform, _phonemes().tokens(facts.text)))
    except (forced.Implausible, UnknownPhone) as error:
        return replace(facts, alignment_fault=f"not aligned: {error}")


def _unread(entry: Entry) -> Facts:
    status = entry.audio.stat()
    return Facts(entry.id, str(entry.audio), status.st_size, status.st_mtime_ns, entry.text)


@cache
def _phonemes() -> Phonemes:
    return Phonemes(Phonemes.Options())


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
            try:
                yield json.loads(line)
            except ValueError:  # empty, or half a line
                continue
