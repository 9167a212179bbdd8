"""A file for each utterance, ``audio/ID.flac`` or another format."""

from __future__ import annotations

from collections.abc import Iterable

from tts_fm import atomic
from tts_fm.audio.io import FORMATS
from tts_fm.batch.stores import Store, Utterance


class Files(Store):
    """Files that say in their tags what they are."""

    suffixes = ("flac", *(name for name in FORMATS if name != "flac"))
    is_archive = False

    def write(self, shard: int, utterances: Iterable[Utterance]) -> None:
        (self.out / "audio").mkdir(parents=True, exist_ok=True)
        for utterance in utterances:
            with atomic.replacing(self.out / self.place(shard, utterance.id)) as beside:
                beside.write_bytes(utterance.audio)

    def place(self, shard: int, id: str) -> str:
        return f"audio/{id}.{self.suffix}"
