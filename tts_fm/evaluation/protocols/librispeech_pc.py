"""LibriSpeech-PC test-clean, cross-sentence, by F5-TTS (Chen et al. 2024): the mean of the utterances, no apostrophes."""

from __future__ import annotations

import string
from pathlib import Path

from tts_fm.evaluation.protocols import HANZI_PUNCTUATION, Line, Protocol, checked, find, rows, without

LIST = "librispeech_pc_test_clean_cross_sentence.lst"
"""The list in F5-TTS's folder ``data``: prompt's id, seconds and text, then those of what is to be said; with tabs."""
_ROOTS = ("", "test-clean", "LibriSpeech/test-clean")  # where the folders of speakers may be


class LibriSpeechPC(Protocol):
    """The list beside LibriSpeech's ``test-clean``, whose recordings are ``SPEAKER/CHAPTER/ID.flac``."""

    about = "SWivid/F5-TTS at 2ae2c9b (src/f5_tts/eval/utils_eval.py)"
    recogniser = "faster-whisper large-v3 (float16, beam 5)"
    average = "mean of utterances"

    def read(self, path: Path) -> list[Line]:
        file = find(path, [LIST])
        fields = rows(file, "\t", [6])
        root = next((file.parent / root for root in _ROOTS if _sound(file.parent / root, fields[0][0]).is_file()), None)
        root = file.parent if root is None else root
        lines = [
            Line(target, text, said, _sound(root, prompt), _sound(root, target))
            for prompt, _, said, target, _, text in fields
        ]
        return checked(lines, file)

    def normalise(self, text: str) -> str:
        return without(text, HANZI_PUNCTUATION + string.punctuation).lower()


def _sound(root: Path, utterance: str) -> Path:
    return root.joinpath(*utterance.split("-")[:2], f"{utterance}.flac")
