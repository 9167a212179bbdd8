"""WebDataset: ``shards/NUMBER.tar`` with ``ID.flac`` and ``ID.json`` for each utterance."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

from tts_fm import atomic
from tts_fm.batch.stores import Store, Utterance


class WebDataset(Store):
    """Archives that ``webdataset.WebDataset`` reads."""

    def why_not(self, id: str) -> str | None:
        return "has a dot, where WebDataset ends a name; take another character" if "." in id else None

    def write(self, shard: int, utterances: Iterable[Utterance]) -> None:
        path = self.out / self.place(shard, "")
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as beside, tarfile.open(beside, "w") as tar:
            for utterance in utterances:
                _add(tar, f"{utterance.id}.{self.suffix}", utterance.audio)
                _add(tar, f"{utterance.id}.json", utterance.json())

    def place(self, shard: int, id: str) -> str:
        return f"shards/{shard:06d}.tar"


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file of nobody and of no time, so that the same utterances are the same bytes."""
    about = tarfile.TarInfo(name)
    about.size = len(data)
    tar.addfile(about, io.BytesIO(data))
