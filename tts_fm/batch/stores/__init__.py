"""Where what was said is kept: the interface; each other file here is one form.

A form is written whole or not at all, and the same utterances are the same bytes.
"""

from __future__ import annotations

import io as streams
import itertools
import json
import tarfile
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.plugins import Plugin


@dataclass(frozen=True)
class Utterance:
    """A line that was said.

    Attributes:
        id: its name.
        text: what it says.
        speaker: whose voice it has.
        audio: a whole file.
        seconds: how long it lasts.
        facts: how it was made, as its file says too.
    """

    id: str
    text: str
    speaker: str
    audio: bytes
    seconds: float
    facts: dict[str, Any]

    def json(self) -> bytes:
        """Return what lies beside the sound in an archive."""
        return json.dumps({"id": self.id, "seconds": self.seconds, **self.facts}, ensure_ascii=False).encode()


class Store(Plugin, ABC):
    """Keeps utterances in the folder ``out``, the sound as ``suffix`` says; a shard of them is written by one process."""

    suffixes: ClassVar[tuple[str, ...]] = ("flac",)
    """The formats that it takes, the usual one first."""
    is_archive: ClassVar[bool] = True
    """Whether the utterances of a shard lie in one file."""

    def __init__(self, out: Path, suffix: str) -> None:
        if suffix not in self.suffixes:
            raise ValueError(f"here sound is kept as {', '.join(self.suffixes)}, not as {suffix!r}; leave out --format")
        self.out, self.suffix = out, suffix

    def check_available(self) -> None:
        """Raise ValueError where a package is missing."""

    def why_not(self, id: str) -> str | None:
        """Return why nothing can be kept under this id; None where it can."""
        return None

    def keep(self, shard: int, utterances: Iterable[Utterance]) -> None:
        """Keep ``utterances`` as the shard of this number; where there are none there is no file."""
        rest = iter(utterances)
        if (first := next(rest, None)) is not None:
            self.write(shard, itertools.chain([first], rest))

    @abstractmethod
    def write(self, shard: int, utterances: Iterable[Utterance]) -> None:
        """Do it, whole or not at all; there is one of them at least."""

    @abstractmethod
    def place(self, shard: int, id: str) -> str:
        """Return the file that holds an utterance, from ``out`` on."""

    def read(self, shard: int, id: str) -> Waveform:
        """Return the sound of an utterance that is kept."""
        path = self.out / self.place(shard, id)
        if not self.is_archive:
            return io.read(path)
        with tarfile.open(path) as tar:
            member = tar.extractfile(f"{id}.{self.suffix}")
            assert member is not None
            return io.read(streams.BytesIO(member.read()))
