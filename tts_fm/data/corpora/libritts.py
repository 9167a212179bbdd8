"""LibriTTS (Zen et al. 2019): read English of many speakers, cut at sentences, with normalised texts."""

from __future__ import annotations

from collections.abc import Iterator

from tts_fm.data import chapters
from tts_fm.data.corpora import CorpusReader, Entry
from tts_fm.types import Fault


class LibriTTS(CorpusReader):
    """Subsets are the folders train-clean-100, train-clean-360, train-other-500, dev-clean, ..."""

    def read(self) -> Iterator[Entry | Fault]:
        return chapters.read(self.corpus, "LibriTTS", self.subsets)
