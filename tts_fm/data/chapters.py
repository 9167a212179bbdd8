"""The folders that LibriTTS and LibriTTS-R share: SUBSET/SPEAKER/CHAPTER, with a table of texts in each chapter.

Lhotse's recipe reads the same ids, texts, speakers, sexes and noise levels (a test compares them), but ends at the first
broken file, the first odd line and the first missing table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tts_fm.data.corpora import Entry, Split, split_of
from tts_fm.types import Fault

_KNOWN_CORRUPT = {"1092_134562_000013_000004"}  # damaged in the published archives
_HIDDEN = "._"  # what macOS writes beside a file when it makes an archive


def read(corpus: Path, name: str, subsets: Sequence[str]) -> Iterator[Entry | Fault]:
    """Yield what is in ``corpus``, or in the folder ``name`` in it.

    Raises:
        ValueError: there are no subsets, or not the ones asked for.
    """
    root = corpus / name if (corpus / name).is_dir() else corpus
    there = [folder.name for folder in _folders(root) if split_of(folder.name) is not None]
    if not there:
        raise ValueError(
            f"{corpus} has no folder such as train-clean-100 or dev-clean; give the folder {name}, or the one above it"
        )
    if missing := [subset for subset in subsets if subset not in there]:
        raise ValueError(f"there is no subset {missing[0]!r} in {root}; choose from {', '.join(there)}")
    genders = _genders(root / "SPEAKERS.txt")
    for subset in there if not subsets else sorted(set(subsets)):
        for speaker in _folders(root / subset):
            for chapter in _folders(speaker):
                yield from _chapter(chapter, speaker.name, split_of(subset), genders.get(speaker.name))


def _chapter(folder: Path, speaker: str, split: Split | None, gender: str | None) -> Iterator[Entry | Fault]:
    """Yield the recordings of one chapter, and those that only its table of texts knows."""
    texts, noise = _texts(folder), _signal_to_noise(folder)
    recorded = {path.stem for path in folder.glob("*.wav")}
    for id in sorted(recorded | texts.keys()):
        audio = folder / f"{id}.wav"
        if id.startswith(_HIDDEN):
            yield Fault(id, str(audio), "hidden file: what macOS keeps beside a recording is none")
        elif id in _KNOWN_CORRUPT:
            yield Fault(id, str(audio), "known corrupt: this file is damaged in the published corpus")
        else:
            original, normalized = texts.get(id, ("", ""))
            text = normalized if normalized.strip() else _text_beside(audio)
            notes = {"orig_text": original, "snr": noise.get(id)}
            yield Entry(id, audio, text, speaker, split, gender, "English", notes)


def _texts(folder: Path) -> dict[str, tuple[str, str]]:
    """Return id -> (original, normalized) for the whole lines of the chapter's table."""
    rows = (line.split("\t") for line in _lines(folder, "*.trans.tsv"))
    return {row[0]: (row[1], row[2]) for row in rows if len(row) == 3 and row[0].strip()}


def _signal_to_noise(folder: Path) -> dict[str, float]:
    """Return id -> decibels, which stand last in the lines of the chapter's other table."""
    seconds = {}
    for line in _lines(folder, "*.book.tsv"):
        id, _, rest = line.partition("\t")
        try:
            seconds[id] = float(rest.split()[-1])
        except (IndexError, ValueError):  # nothing that training needs
            continue
    return seconds


def _text_beside(audio: Path) -> str:
    """Return the normalized text in the recording's own file; empty where there is none."""
    path = audio.with_suffix(".normalized.txt")
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _genders(path: Path) -> dict[str, str]:
    """Return speaker -> sex from ``ID |SEX| SUBSET |MINUTES| NAME``."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = (line.split("|") for line in lines if not line.startswith(";"))
    return {row[0].strip(): row[1].strip() for row in rows if len(row) > 1}


def _lines(folder: Path, pattern: str) -> Iterator[str]:
    for path in sorted(folder.glob(pattern)):
        if not path.name.startswith(_HIDDEN):
            yield from path.read_text(encoding="utf-8", errors="replace").splitlines()


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
