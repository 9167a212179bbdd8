"""What the parts of the corpus share: utterances, a resumable manifest each, and the summary."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np

from scripts.corpus import sound
from tts_fm.alignment.phones import SAMPLE_RATE, Span, n_frames, token_ends, token_frames
from tts_fm.frontends.phonemes import Phonemes

Given = TypeVar("Given")
Made = TypeVar("Made")
SHORTEST, LONGEST = 1.0, 14.0
_LICENCES = {
    "librispeech": "CC BY 4.0",
    "ljspeech": "public domain",
    "librivox": "public domain",
    "vctk": "CC BY 4.0",
    "cmu_arctic": "free (Carnegie Mellon University)",
    "kokoro": "Apache-2.0; texts public domain and CC BY 4.0",
    "": "texts public domain and CC BY 4.0",
}  # by how a source begins


@dataclass(frozen=True)
class Utterance:
    """One line of a manifest."""

    id: str
    audio: str
    text: str
    speaker: str
    source: str
    split: str
    seconds: float
    token_frames: list[int]


@dataclass
class Outcome:
    """What one job (a recording, a synthetic voice) gave."""

    job: str
    utterances: list[Utterance] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)


@cache
def _frontend() -> Phonemes:
    return Phonemes(Phonemes.Options())


def tokens(text: str) -> list[str]:
    """The tokens that training will see."""
    return _frontend().tokens(text)


def frames(text: str, spans: list[list[Span]], audio: np.ndarray) -> list[int]:
    """Frames per token of ``text`` whose phones lie at ``spans``."""
    return token_frames(token_ends(tokens(text), spans, len(audio) / SAMPLE_RATE), len(audio))


def keep(
    out: Path, audio: np.ndarray, token_frames: list[int], *, id: str, text: str, speaker: str, source: str, split: str
) -> Utterance:
    """Write the audio and return its line; ValueError where it does not fit the corpus."""
    seconds = len(audio) / SAMPLE_RATE
    if not SHORTEST <= seconds <= LONGEST:
        raise ValueError("under 1 s" if seconds < SHORTEST else "over 14 s")
    if sum(token_frames) != n_frames(len(audio)) or len(token_frames) != len(tokens(text)) or min(token_frames) < 0:
        raise AssertionError(f"{id}: token_frames do not fit the audio")
    sound.write(out / "audio" / f"{id}.flac", sound.level(audio))
    return Utterance(id, f"audio/{id}.flac", text, speaker, source, split, round(seconds, 3), token_frames)


class Part:
    """A manifest and, beside it, the jobs that are done; running again does the others."""

    def __init__(self, out: Path, name: str) -> None:
        self.out, self.name = out, name
        self.manifest = out / f"manifest-{name}.jsonl"
        self._progress = out / f"progress-{name}.jsonl"
        out.mkdir(parents=True, exist_ok=True)
        self._done = {line["job"]: line for line in json_lines(self._progress)}

    def run(self, work: Callable[..., Outcome], jobs: dict[str, tuple], workers: int, hours: float = math.inf) -> None:
        """Do every job that is not done yet, in order, until there are ``hours`` of speech."""
        self._without_halves()
        todo = [(work, key, arguments) for key, arguments in jobs.items() if key not in self._done]
        seconds = sum(utterance.seconds for utterance in self.utterances())
        if seconds >= hours * 3600:
            return
        for i, outcome in enumerate(in_order(_do, todo, workers), 1):
            self._add(outcome)
            seconds += sum(utterance.seconds for utterance in outcome.utterances)
            if i % 50 == 0 or i == len(todo):
                print(f"{self.name}: {i} of {len(todo)}, {seconds / 3600:.2f} h", flush=True)
            if seconds >= hours * 3600:
                break

    def _without_halves(self) -> None:
        """Leave no line of a job that was killed."""
        for path in (self.manifest, self._progress):
            without_half(path)
        finished = {id for line in self._done.values() for id in line["ids"]}
        lines = json_lines(self.manifest)
        whole = [line for line in lines if line["id"] in finished]
        if len(whole) < len(lines):
            self.manifest.write_text("".join(map(json_line, whole)), encoding="utf-8")

    def _add(self, outcome: Outcome) -> None:
        with self.manifest.open("a", encoding="utf-8") as file:
            file.writelines(json_line(asdict(utterance)) for utterance in outcome.utterances)
        line = {"job": outcome.job, "ids": [u.id for u in outcome.utterances], "dropped": dict(outcome.dropped)}
        self._done[outcome.job] = line
        with self._progress.open("a", encoding="utf-8") as file:
            file.write(json_line(line))

    def utterances(self) -> list[Utterance]:
        return [Utterance(**line) for line in json_lines(self.manifest)]

    def summary(self) -> dict[str, object]:
        """Hours, speakers and utterances per source, and what was dropped and why."""
        dropped: Counter[str] = Counter()
        for line in self._done.values():
            dropped.update(line["dropped"])
        kinds: dict[str, list[Utterance]] = {}
        for utterance in self.utterances():
            kinds.setdefault(f"{utterance.source} {utterance.split}", []).append(utterance)
        counts = {
            kind: {
                "hours": round(sum(u.seconds for u in group) / 3600, 2),
                "speakers": len({u.speaker for u in group}),
                "utterances": len(group),
                "licence": licence(group[0].source),
            }
            for kind, group in sorted(kinds.items())
        }
        return {"kept": counts, "dropped": dict(dropped.most_common())}


def licence(source: str) -> str:
    """Under what licence the recordings of a source stand."""
    return next(text for start, text in _LICENCES.items() if source.startswith(start))


def in_order(work: Callable[[Given], Made], todo: Iterable[Given], workers: int) -> Iterator[Made]:
    """What ``work`` gives for each, as it is ready; more than one worker are processes."""
    if workers == 1:
        yield from map(work, todo)
        return
    with get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(work, todo)


def _do(task: tuple[Callable[..., Outcome], str, Iterable]) -> Outcome:
    work, key, arguments = task
    return work(key, *arguments)


def json_line(line: object) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"


def json_lines(path: Path) -> list[dict]:
    """The whole lines of a file, which may be missing."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def without_half(path: Path) -> None:
    """Make the file, or cut off the last line where a killed process left it unfinished."""
    path.touch()
    os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
