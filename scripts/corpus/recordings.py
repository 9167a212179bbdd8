"""Real people: aligned, cut at long pauses where too long, and once more as another speaker by resampling."""

from __future__ import annotations

import csv
import random
import re
from pathlib import Path

import numpy as np

from scripts.corpus import sound
from scripts.corpus.parts import LONGEST, Outcome, Utterance, frames, keep, tokens
from tts_fm.alignment.forced import RATE, Alignment, Implausible, locate
from tts_fm.alignment.phones import SAMPLE_RATE, Span, UnknownPhone, n_frames, scale_frames, shape, words

HELD_OUT = {"ls84", "ls174", "ls1462", "ls2803"}
_LEAST_DYNAMICS_DB = 24
_COMMA, _CUT, _LONGEST_PAUSE, _SHORTEST_PIECE = 0.2, 0.25, 1.6, 1.5  # seconds


def jobs(folder: Path, out: Path) -> dict[str, tuple]:
    """One job per recording, in a fixed random order so that a part of the corpus is a sample of it."""
    with (folder / "transcripts.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    random.Random(0).shuffle(rows)
    return {row["file"]: (row, folder, out) for row in rows}


def record(key: str, row: dict[str, str], folder: Path, out: Path) -> Outcome:
    """The utterances of one recording."""
    outcome = Outcome(key)
    if float(row["dyn_range_db"]) < _LEAST_DYNAMICS_DB:
        outcome.dropped["noisy"] += 1
        return outcome
    source, stem = Path(key).parts[0], Path(key).stem
    audio, rate = sound.read(folder / key)
    audio = sound.resample(audio, rate, SAMPLE_RATE)
    try:
        pieces = _pieces(audio, row["text"], bare=row["text"].isupper())
    except (Implausible, UnknownPhone) as error:
        outcome.dropped[str(error)] += 1
        return outcome
    for i, (text, spans, borders) in enumerate(pieces):
        try:
            cut, spans = sound.trim(audio, *_fitting(audio, text, spans, borders))
            outcome.utterances.append(
                keep(
                    out,
                    cut,
                    frames(text, spans, cut),
                    id=f"real-{stem}" + (f"-{i + 1}" if len(pieces) > 1 else ""),
                    text=text,
                    speaker=row["speaker"],
                    source=source,
                    split="heldout" if row["speaker"] in HELD_OUT else "train",
                )
            )
        except ValueError as error:
            outcome.dropped[str(error)] += 1
    return outcome


def readable(text: str) -> str:
    """A transcript in capitals as somebody would type it."""
    text = re.sub(r"\b(i|[b-hj-z])\b(?!')", lambda m: m[0].upper(), text.lower())
    text = re.sub(r"\bi(?='(?:m|ll|ve|d)\b)", "I", re.sub(r"'([A-Z])\b", lambda m: m[0].lower(), text))
    return text[:1].upper() + text[1:]


def _align(audio: np.ndarray, text: str) -> Alignment:
    return locate(sound.resample(audio, SAMPLE_RATE, RATE), words(tokens(text)))


Piece = tuple[str, list[list[Span]], Span]
"""Text, spans in the recording's time, and the time that the piece may use."""


def _pieces(audio: np.ndarray, text: str, bare: bool) -> list[Piece]:
    """The recording as one or several pieces; commas and full stops are put where ``bare`` has none."""
    whole = (0.0, len(audio) / SAMPLE_RATE)
    if not bare:
        return [(text, _align(audio, text).spans, whole)]
    text = readable(text)
    spans, written = _align(audio, text + ".").spans, text.split()
    after = _written_after(written, [len(word) for word in spans])
    pauses = {k: spans[k + 1][0][0] - spans[k][-1][1] for k in range(len(spans) - 1) if k in after}
    edges = [-1, *_cuts(spans, pauses, 0, len(spans) - 1), len(spans) - 1]
    pieces = []
    for left, right in zip(edges, edges[1:], strict=False):
        first = 0 if left < 0 else after[left]
        last = len(written) if right == len(spans) - 1 else after[right]
        typed = list(written[first:last])
        for k in range(left + 1, right):
            if pauses.get(k, 0) >= _COMMA:
                typed[after[k] - first - 1] += ","
        start = whole[0] if left < 0 else _middle(spans, left)
        end = whole[1] if right == len(spans) - 1 else _middle(spans, right)
        line = " ".join(typed) + ("." if last == len(written) else ",")
        pieces.append((line[:1].upper() + line[1:], spans[left + 1 : right + 1], (start, end)))
    return pieces


def _written_after(written: list[str], spoken: list[int]) -> dict[int, int]:
    """How many written words end with spoken word k; espeak joins some ("had been"), there is no border inside."""
    found = {}
    for j in range(1, len(written)):
        heard = shape(words(tokens(" ".join(written[:j]))))
        if heard == spoken[: len(heard)]:
            found[len(heard) - 1] = j
    return found


def _cuts(spans: list[list[Span]], pauses: dict[int, float], first: int, last: int) -> list[int]:
    """After which words to cut ``first..last``: at the longest pauses, until pieces and pauses are short enough."""
    too_long = spans[last][-1][1] - spans[first][0][0] > LONGEST - 0.5
    possible = [
        k
        for k in range(first, last)
        if pauses.get(k, 0) >= (_CUT if too_long else _LONGEST_PAUSE)
        and spans[k][-1][1] - spans[first][0][0] >= _SHORTEST_PIECE
        and spans[last][-1][1] - spans[k + 1][0][0] >= _SHORTEST_PIECE
    ]
    if not possible:
        return []
    k = max(possible, key=lambda k: pauses[k])
    return [*_cuts(spans, pauses, first, k), k, *_cuts(spans, pauses, k + 1, last)]


def _middle(spans: list[list[Span]], k: int) -> float:
    return (spans[k][-1][1] + spans[k + 1][0][0]) / 2


def _fitting(audio: np.ndarray, text: str, spans: list[list[Span]], borders: Span) -> tuple[list[list[Span]], Span]:
    """``spans``, or new ones where punctuation changed how the text sounds."""
    if shape(words(tokens(text))) == [len(word) for word in spans]:
        return spans, borders
    first = round(borders[0] * SAMPLE_RATE)
    again = _align(audio[first : round(borders[1] * SAMPLE_RATE)], text).spans
    start = first / SAMPLE_RATE
    return [[(a + start, b + start) for a, b in word] for word in again], borders


def warp_factor(speaker: str) -> float:
    """Another voice for this speaker, clearly lower or clearly higher."""
    rng = random.Random(f"warp {speaker}")
    return round(rng.uniform(0.84, 0.94) if rng.random() < 0.5 else rng.uniform(1.06, 1.18), 2)


def warped_jobs(utterances: list[Utterance], out: Path) -> dict[str, tuple]:
    return {u.id: (u, out) for u in utterances if u.split == "train"}


def record_warped(key: str, utterance: Utterance, out: Path) -> Outcome:
    """The same utterance from another throat."""
    outcome, factor = Outcome(key), warp_factor(utterance.speaker)
    audio = sound.warp(sound.read(out / utterance.audio)[0], factor)
    try:
        outcome.utterances.append(
            keep(
                out,
                audio,
                scale_frames(utterance.token_frames, n_frames(len(audio))),
                id=f"{utterance.id}-w{factor}",
                text=utterance.text,
                speaker=f"{utterance.speaker}~w{factor}",
                source=f"{utterance.source}~warped",
                split="train",
            )
        )
    except ValueError as error:
        outcome.dropped[str(error)] += 1
    return outcome
