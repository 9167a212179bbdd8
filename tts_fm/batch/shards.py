"""Shards of a list: which lines are said together, what became of them, and which lines are still to be said.

What became of a shard is a small file that appears when all else of it is on the disk. It is all that running again asks.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tts_fm import atomic
from tts_fm.batch.listing import Line

DONE = "done"
"""The folder of what became of the shards."""


@dataclass(frozen=True)
class Shard:
    """Lines that one worker says, one after another."""

    number: int
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Said:
    """A line that is kept.

    Attributes:
        id: its name.
        line: the digest of the line that was said.
        seconds: how long it lasts.
        characters: of the text as it was read.
        seed: with which it was said.
        tries: how often it was said.
        computing_seconds: what all of them took, with listening.
        wrong: the share of words that the listener found wrong; None where nobody listened.
        remarks: what may be wrong with the voice or the speech.
    """

    id: str
    line: str
    seconds: float
    characters: int
    seed: int
    tries: int
    computing_seconds: float
    wrong: float | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed:
    """A line that could not be said, and why; ``kind`` is the reason in a word or two."""

    id: str
    line: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Done:
    """What became of the lines of a shard; ``worker`` is the machine and process that said them."""

    number: int
    worker: str
    said: tuple[Said, ...]
    failed: tuple[Failed, ...]

    def save(self, out: Path) -> None:
        """Write it beside the others in the folder ``out``."""
        path = _path(out, self.number)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as beside:
            beside.write_text(json.dumps(asdict(self), ensure_ascii=False) + "\n", encoding="utf-8")


def find(out: Path, number: int) -> Done | None:
    """Return what became of a shard, None if it is not done."""
    path = _path(out, number)
    return _read(path) if path.is_file() else None


def find_all(out: Path) -> list[Done]:
    """Return what became of all shards that are done."""
    return [_read(path) for path in sorted((out / DONE).glob("*.json"))]


def _path(out: Path, number: int) -> Path:
    return out / DONE / f"{number:06d}.json"


def _read(path: Path) -> Done:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        said = tuple(Said(**one | {"remarks": tuple(one["remarks"])}) for one in value.pop("said"))
        failed = tuple(Failed(**one) for one in value.pop("failed"))
        return Done(**value, said=said, failed=failed)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read ({error}); remove it, and its lines are said again") from None


def missing(lines: Sequence[Line], done: Iterable[Done]) -> list[Line]:
    """Return the lines that are not kept: first those that nobody has tried, then those that failed.

    Raises:
        ValueError: a line was said before as it is not any more.
    """
    said = {one.id: one.line for shard in done for one in shard.said}
    failed = {one.id for shard in done for one in shard.failed}
    if changed := [line for line in lines if said.get(line.id, line.digest) != line.digest]:
        raise ValueError(
            f"lines were said before and have changed since: {len(changed)}, the first {changed[0].id!r} in line "
            f"{changed[0].number}; give changed lines another id, or choose another folder"
        )
    left = [line for line in lines if line.id not in said]
    return [line for line in left if line.id not in failed] + [line for line in left if line.id in failed]


def plan(lines: Sequence[Line], size: int, taken: Iterable[int] = ()) -> list[Shard]:
    """Return ``lines`` in shards of ``size``; their numbers are the lowest that are not ``taken``.

    A run that was stopped is planned as it was before, whichever of its shards were done: full ones come first.
    """
    used = set(taken)
    free = (number for number in itertools.count() if number not in used)
    return [Shard(number, chunk) for number, chunk in zip(free, _chunks(lines, size), strict=False)]


def _chunks(lines: Sequence[Line], size: int) -> Iterator[tuple[Line, ...]]:
    for start in range(0, len(lines), size):
        yield tuple(lines[start : start + size])
