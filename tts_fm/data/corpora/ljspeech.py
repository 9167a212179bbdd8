"""LJ Speech (Ito and Johnson 2017), and what is laid out like it: metadata.csv of ``id|text|normalised`` beside wavs/."""

from __future__ import annotations

from collections.abc import Iterator

from tts_fm.data.corpora import CorpusReader, Entry
from tts_fm.errors import ArgumentError
from tts_fm.types import Fault


class LJSpeech(CorpusReader):
    """One speaker; the text is the normalised one."""

    def read(self) -> Iterator[Entry | Fault]:
        table = self.corpus / "metadata.csv"
        if self.subsets:
            asked = self.subsets[0]
            raise ArgumentError(f"LJ Speech has no subsets, but {asked!r} was asked for; leave it away", "subset")
        if not table.is_file():
            raise ValueError(f"{self.corpus} has no metadata.csv; give the folder that holds it and wavs/")
        for number, line in enumerate(table.read_text(encoding="utf-8-sig", errors="replace").split("\n"), 1):
            if not line.strip():
                continue
            id, *texts = (field.strip() for field in line.split("|"))
            if not id or not texts:
                yield Fault(id, str(table), f"no text: line {number} is not id|text|normalised")
                continue
            spoken = [text for text in texts[:2] if text]
            text = spoken[-1] if spoken else ""
            audio = self.corpus / "wavs" / f"{id}.wav"
            yield Entry(id, audio, text, "LJ", gender="female", language="English", notes={"orig_text": texts[0]})
