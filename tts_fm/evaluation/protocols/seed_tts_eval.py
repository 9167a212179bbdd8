"""Seed-TTS-eval (Anastassiou et al. 2024), the English list: the mean of the utterances, the straight apostrophe kept."""

from __future__ import annotations

import re
import string
from pathlib import Path

from tts_fm.evaluation.protocols import HANZI_PUNCTUATION, Line, Protocol, checked, find, rows, tsv, without

_MARKS = (HANZI_PUNCTUATION + string.punctuation).replace("'", "")
_HANZI = re.compile(r"[\u3400-\u9fff]")


class SeedTTSEval(Protocol):
    """``meta.lst``: ``id|prompt's text|prompt's sound|text[|recording]``; ZipVoice's ``test.tsv`` of it is read, too.

    Lines of two fields (``id|text``) or three (``id|text|prompt's sound``) are counted, and cannot be spoken.
    """

    about = "BytedanceSpeech/seed-tts-eval at 752f429 (run_wer.py)"
    recogniser = "openai/whisper-large-v3 (transformers, greedy)"
    average = "mean of utterances"

    def read(self, path: Path) -> list[Line]:
        file = find(path, ["meta.lst", "en/meta.lst", "test.tsv", "en/test.tsv"])
        if file.suffix == ".tsv":
            lines = tsv(file)
        else:
            lines = checked([line(fields, file.parent) for fields in rows(file, "|", [2, 3, 4, 5])], file)
        if any(_HANZI.search(line.text) for line in lines):
            raise ValueError(f"{file} is Chinese, which its rules let paraformer-zh hear; give an English list")
        return lines

    def normalise(self, text: str) -> str:
        return without(text, _MARKS).lower()


def line(fields: list[str], folder: Path) -> Line:
    """Return the line of ``meta.lst`` that has these fields, two to five; its recordings lie in ``folder``."""
    if len(fields) == 2:
        return Line(fields[0], fields[1], "", None)
    if len(fields) == 3:
        return Line(fields[0].removesuffix(".wav"), fields[1], "", folder / fields[2])
    name, said, prompt, text, *recording = fields
    return Line(name, text, said, folder / prompt, folder / (recording[0] if recording else f"wavs/{name}.wav"))
