"""Clean speech that a machine has read already, from tables of file, voice and text: aligned and put on a quiet floor."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scripts.corpus import sound
from scripts.corpus.parts import Outcome, Utterance, frames, keep, tokens
from tts_fm.alignment.forced import RATE, locate
from tts_fm.alignment.phones import SAMPLE_RATE, words

HELD_OUT = set(
    "kk1024 kk1028 kk1039 kk1048 kk1054 kk1055 kk1062 kk1073 kk1084 kk1110 kk2018 kk2020 kk2027 kk2034 kk2038".split()
)
_FLOOR_DB = (70, 80)


def jobs(tables: list[Path], out: Path) -> dict[str, tuple]:
    """One job per line of the tables, which may be growing; files are beside their table."""
    found = {}
    for table in tables:
        for line in table.read_text(encoding="utf-8").splitlines(keepends=True):
            file, voice, text, *_ = [*line.split("\t"), "", ""]
            if line.endswith("\n") and file != "file":
                found[file] = (table.parent / file, voice, text.strip(), out)
    return found


def record(key: str, path: Path, voice: str, text: str, out: Path) -> Outcome:
    """One utterance of such a table."""
    outcome = Outcome(key)
    try:
        audio, rate = sound.read(path)
        audio = sound.resample(audio, rate, SAMPLE_RATE)
        split = "heldout" if voice in HELD_OUT else "train"
        outcome.utterances.append(aligned(audio, text, f"clean-{path.stem}", voice, split, out))
    except ValueError as error:
        outcome.dropped[str(error)] += 1
    return outcome


def aligned(audio: np.ndarray, text: str, id: str, voice: str, split: str, out: Path) -> Utterance:
    """What Kokoro made of ``text``, at 24 kHz, with its phones found.

    Raises:
        ValueError: it cannot be aligned, or does not fit the corpus.
    """
    spans = locate(sound.resample(audio, SAMPLE_RATE, RATE), words(tokens(text))).spans
    cut, spans = sound.trim(*sound.padded(audio, spans), (0.0, len(audio) / SAMPLE_RATE + 1))
    cut = sound.on_floor(cut, id, _FLOOR_DB)
    return keep(out, cut, frames(text, spans, cut), id=id, text=text, speaker=voice, source="kokoro", split=split)
