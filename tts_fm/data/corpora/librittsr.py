"""LibriTTS-R (Koizumi et al. 2023): the recordings of LibriTTS with the room and the noise taken out."""

from __future__ import annotations

from collections.abc import Iterator

from tts_fm.data import chapters
from tts_fm.data.corpora import CorpusReader, Entry
from tts_fm.types import Fault


class LibriTTSR(CorpusReader):
    """Subsets are the same folders as in LibriTTS."""

    def read(self) -> Iterator[Entry | Fault]:
        return chapters.read(self.corpus, "LibriTTS_R", self.subsets)
