"""The prepared corpus for Lhotse: its cuts, and Shar archives of them."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tts_fm import atomic
from tts_fm.data.corpora import Entry

SHARD_SIZE = 1000
"""Cuts in one Shar archive."""


def require_lhotse() -> None:
    """Raise ValueError where Lhotse is not installed."""
    try:
        import lhotse  # noqa: F401
    except ImportError:
        raise ValueError("preparing a corpus needs Lhotse; pip install 'tts-fm[train]'") from None


def of(entries: Iterable[Entry]) -> Iterator[Any]:
    """Yield a Lhotse cut for each entry."""
    from lhotse import MonoCut, Recording, SupervisionSegment

    for entry in entries:
        recording = Recording.from_file(entry.audio, recording_id=entry.id)
        supervision = SupervisionSegment(
            id=entry.id,
            recording_id=entry.id,
            start=0.0,
            duration=recording.duration,
            channel=0,
            text=entry.text,
            language=entry.language,
            speaker=entry.speaker,
            gender=entry.gender,
            custom=dict(entry.notes),
        )
        yield MonoCut(entry.id, 0.0, recording.duration, 0, [supervision], recording=recording)


def write(cuts: Iterable[Any], path: Path) -> None:
    """Write cuts as JSON lines; ``path`` ends in ``.jsonl.gz``. Equal cuts give equal bytes."""
    with (
        atomic.replacing(path) as beside,
        beside.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as file,
    ):
        for cut in cuts:
            file.write((json.dumps(cut.to_dict(), ensure_ascii=False) + "\n").encode("utf-8"))


def write_shar(cuts: Path, folder: Path) -> None:
    """Write the cuts in the file ``cuts`` with their audio as Shar archives of FLAC; an older ``folder`` is replaced."""
    from lhotse import CutSet

    beside = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    CutSet.from_jsonl_lazy(cuts).to_shar(beside, fields={"recording": "flac"}, shard_size=SHARD_SIZE)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
