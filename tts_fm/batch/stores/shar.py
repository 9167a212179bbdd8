"""Lhotse Shar: ``shards/cuts.NUMBER.jsonl.gz`` and ``shards/recording.NUMBER.tar``, for ``CutSet.from_shar``."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable

from tts_fm import atomic
from tts_fm.batch.stores import Store, Utterance
from tts_fm.data import cuts


class Shar(Store):
    """Archives that Lhotse streams from, as ``tts-fm prepare --shar`` writes them too."""

    def check_available(self) -> None:
        cuts.require_lhotse()

    def write(self, shard: int, utterances: Iterable[Utterance]) -> None:
        from lhotse import MonoCut, Recording, SupervisionSegment
        from lhotse.shar.utils import to_shar_placeholder
        from lhotse.shar.writers.tar import TarWriter

        path = self.out / self.place(shard, "")
        path.parent.mkdir(parents=True, exist_ok=True)
        listed = []
        with atomic.replacing(path) as beside, TarWriter(str(beside), shard_size=None) as tar:
            for one in utterances:
                whole = Recording.from_bytes(one.audio, recording_id=one.id)
                recording = to_shar_placeholder(whole)
                tar.write(f"{one.id}.{self.suffix}", io.BytesIO(one.audio))
                tar.write(f"{one.id}.json", io.BytesIO(json.dumps(recording.to_dict()).encode()), count=False)
                said = SupervisionSegment(
                    one.id, one.id, 0.0, recording.duration, text=one.text, speaker=one.speaker, custom=one.facts
                )
                listed.append(MonoCut(one.id, 0.0, recording.duration, 0, [said], recording=recording))
        cuts.write(listed, path.with_name(f"cuts.{shard:06d}.jsonl.gz"))

    def place(self, shard: int, id: str) -> str:
        return f"shards/recording.{shard:06d}.tar"
