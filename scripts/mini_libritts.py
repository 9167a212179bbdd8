"""Lays out LibriSpeech recordings as a small LibriTTS: the same folders, files and names, at 24 kHz.

    python -m scripts.mini_libritts SPEECH runs/mini/LibriTTS

SPEECH holds transcripts.tsv (file, speaker, text, dyn_range_db, seconds, ...) and the recordings that it names. Texts in
capitals become readable ones with a full stop; noisy recordings are left out. What nobody wrote down (sex and names of
the speakers) stays unknown.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from scripts.corpus import sound
from scripts.corpus.recordings import readable
from tts_fm.alignment.phones import SAMPLE_RATE

_LEAST_DYNAMICS_DB = 24
_TRAIN, _HELD_OUT = "train-clean-100", "dev-clean"


@dataclass(frozen=True)
class Sentence:
    """One recording and where it goes."""

    source: Path
    speaker: str
    chapter: str
    number: str
    text: str
    seconds: float
    dynamics_db: float

    @property
    def id(self) -> str:
        """``SPEAKER_CHAPTER_PARAGRAPH_SENTENCE``; every LibriSpeech utterance is a paragraph of one sentence."""
        return f"{self.speaker}_{self.chapter}_{int(self.number):06}_000000"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speech", type=Path, help="folder of transcripts.tsv")
    parser.add_argument("out", type=Path, help="the corpus, a folder such as runs/mini/LibriTTS")
    parser.add_argument("--speakers", nargs="*", help="only these, such as 1272 251 (default: all of LibriSpeech)")
    parser.add_argument("--dev-speakers", nargs="*", default=["84", "174", "1462", "2803"], help="go into dev-clean")
    parser.add_argument("--min-seconds", type=float, default=0.0, help="leave out shorter recordings")
    parser.add_argument("--max-seconds", type=float, default=1e9, help="leave out longer ones")
    parser.add_argument("--max-seconds-total", type=float, default=1e9, help="stop there; the speakers take turns")
    args = parser.parse_args()

    found = [
        sentence
        for sentence in read(args.speech)
        if (args.speakers is None or sentence.speaker in args.speakers)
        and args.min_seconds <= sentence.seconds <= args.max_seconds
    ]
    sentences = in_turn(found, args.max_seconds_total)
    lay_out(sentences, args.out, set(args.dev_speakers))
    speakers = len({sentence.speaker for sentence in sentences})
    hours = sum(sentence.seconds for sentence in sentences) / 3600
    print(f"{args.out}: {len(sentences)} sentences of {speakers} speakers, {hours:.2f} hours")


def read(speech: Path) -> list[Sentence]:
    """The LibriSpeech recordings that are clean enough."""
    with (speech / "transcripts.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Sentence(
            speech / row["file"],
            *Path(row["file"]).stem.split("-"),
            text=readable(row["text"]) + ".",
            seconds=float(row["seconds"]),
            dynamics_db=float(row["dyn_range_db"]),
        )
        for row in rows
        if row["file"].startswith("librispeech") and float(row["dyn_range_db"]) >= _LEAST_DYNAMICS_DB
    ]


def in_turn(sentences: Sequence[Sentence], max_seconds: float) -> list[Sentence]:
    """The first sentence of every speaker, then the second, and so on, while they last ``max_seconds`` together."""
    by_speaker: dict[str, list[Sentence]] = defaultdict(list)
    for sentence in sorted(sentences, key=lambda sentence: sentence.id):
        by_speaker[sentence.speaker].append(sentence)
    chosen: list[Sentence] = []
    left = max_seconds
    for sentence in (one for turn in zip_longest(*by_speaker.values()) for one in turn if one is not None):
        if sentence.seconds > left:
            break
        left -= sentence.seconds
        chosen.append(sentence)
    return chosen


def lay_out(sentences: Sequence[Sentence], out: Path, dev_speakers: set[str]) -> None:
    """Write the recordings, their texts, and the tables of chapters and speakers."""
    chapters: dict[Path, list[Sentence]] = defaultdict(list)
    minutes: dict[tuple[str, str], float] = defaultdict(float)
    for sentence in sentences:
        subset = _HELD_OUT if sentence.speaker in dev_speakers else _TRAIN
        chapters[out / subset / sentence.speaker / sentence.chapter].append(sentence)
        minutes[sentence.speaker, subset] += sentence.seconds / 60
    for folder, spoken in chapters.items():
        _write_chapter(folder, sorted(spoken, key=lambda sentence: sentence.id))
    rows = sorted(minutes.items(), key=lambda row: int(row[0][0]))
    _write(out / "SPEAKERS.txt", [";ID  |SEX| SUBSET           |MINUTES| NAME"] + [
        f"{speaker:<5}| U | {subset:<17}| {spoken:5.2f} | unknown" for (speaker, subset), spoken in rows
    ])  # fmt: skip
    names = [f"{speaker}\tU\t{subset}\tunknown" for (speaker, subset), _ in rows]
    _write(out / "speakers.tsv", ["READER\tGENDER\tSUBSET\tNAME", *names])


def _write_chapter(folder: Path, sentences: Sequence[Sentence]) -> None:
    for sentence in sentences:
        audio, rate = sound.read(sentence.source)
        sound.write(folder / f"{sentence.id}.wav", sound.resample(audio, rate, SAMPLE_RATE))
        for kind in ("original", "normalized"):
            (folder / f"{sentence.id}.{kind}.txt").write_text(sentence.text, encoding="utf-8")
    name = f"{folder.parent.name}_{folder.name}"
    lines = [f"{sentence.id}\t{sentence.text}\t{sentence.text}" for sentence in sentences]
    _write(folder / f"{name}.trans.tsv", lines)
    noise = [f"{line}\t{sentence.dynamics_db:.1f}" for line, sentence in zip(lines, sentences, strict=True)]
    _write(folder / f"{name}.book.tsv", noise)


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()
