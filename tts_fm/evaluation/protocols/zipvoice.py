"""LibriSpeech-PC by ZipVoice (Zhu et al. 2025): all wrong words over all words, marks read as spaces."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from tts_fm.evaluation.protocols import Line, Protocol, find, rows, tsv


class ZipVoice(Protocol):
    """``test.tsv``; where ``transcript.tsv`` (name, text) lies beside it, what was heard is compared with that."""

    about = "k2-fsa/ZipVoice at 2f7326f (zipvoice/eval/wer/hubert.py)"
    recogniser = "facebook/hubert-large-ls960-ft"
    average = "over all words"

    def read(self, path: Path) -> list[Line]:
        file = find(path, ["test.tsv"])
        lines, transcript = tsv(file), file.parent / "transcript.tsv"
        if not transcript.is_file():
            return lines
        references = {name: text for name, *_, text in rows(transcript, "\t", [2, 3, 4])}
        return [replace(line, reference=references.get(line.id)) for line in lines]

    def normalise(self, text: str) -> str:
        straight = text.replace("‘", "'").replace("’", "'").lower()
        return " ".join(re.sub(r"[^a-z0-9']", " ", straight).split())
