"""A book said chapter by chapter into a folder, with what says when each begins; chapters that are there are not said again."""

from __future__ import annotations

import hashlib
import json
import re
import time
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from tts_fm import __version__, atomic, loading, resuming, story
from tts_fm.audio import chaptered, io
from tts_fm.books import Book
from tts_fm.books.turns import turns
from tts_fm.errors import InputError
from tts_fm.sampler import SamplingOptions
from tts_fm.speech import Speech, provenance
from tts_fm.story import Role, Speaker, SpokenTurn
from tts_fm.synthesizer import Synthesizer
from tts_fm.text.lexicon import Lexicon
from tts_fm.turns import MAIN, MAX_SEED, Turn

MANIFEST = "book.json"
"""How the chapters in a folder were made, and when each is heard."""
CHAPTER_PAUSE = 1.5
"""Seconds of silence at the end of a chapter."""
_SEEDS = 100_000  # between those of two chapters: more sentences than one has
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Progress:
    """How far a book is: characters said of all, and what this run has made in how long."""

    chapter: str
    done: int
    total: int
    seconds: float
    elapsed: float

    @property
    def rate(self) -> float:
        """Seconds of speech made in a second."""
        return self.seconds / max(self.elapsed, 1e-9)


OnProgress = Callable[[Progress], None]
OnChapter = Callable[[str, Sequence[SpokenTurn]], None]
"""Told of a chapter's title and turns, at their times in the book, as soon as it is said."""


@dataclass(frozen=True)
class SaidChapter:
    """A chapter that is said: its title, its file, and from when on it is heard for how long, in seconds of the book."""

    title: str
    file: Path
    start: float
    seconds: float
    is_new: bool


@dataclass(frozen=True, eq=False)
class Narrator:
    """Says books with ``synthesizer`` in the voice of ``role``; the others as in :meth:`Synthesizer.speak`.

    Attributes:
        speaker: who speaks with ``synthesizer``, if not itself.
        care: what its speech depends on beside the arguments, as JSON has it.
        remarks: what may be wrong with what was said, each once.
        spoken: the turns that were said, not those that were there, at their times in the book.
    """

    synthesizer: Synthesizer
    role: Role
    seed: int = 0
    speed: float = 1.0
    sampling: SamplingOptions | None = None
    normalized: bool = False
    lexicon: Lexicon | None = None
    suffix: str = "flac"
    speaker: Speaker | None = None
    care: Mapping[str, Any] | None = None
    remarks: list[str] = field(default_factory=list)
    spoken: list[SpokenTurn] = field(default_factory=list)

    def narrate(
        self,
        book: Book,
        folder: Path,
        on_progress: OnProgress | None = None,
        on_chapter: OnChapter | None = None,
    ) -> list[SaidChapter]:
        """Say the chapters of ``book`` that are not in ``folder`` yet; return all of them.

        Raises:
            ValueError: the folder holds another book, or one that was said otherwise.
            InputError: a recording that nothing can be done with.
        """
        identity = self._identity(book)
        manifest = {"software": f"tts-fm {__version__}", **identity}  # another version may go on
        resuming.make(folder)
        resuming.check_begun_alike(
            folder / MANIFEST, identity, author="was written here", other="a book that was said otherwise"
        )
        _write(folder / MANIFEST, manifest)
        atomic.clean(folder)
        files = [folder / _file_name(i, chapter.title, self.suffix) for i, chapter in enumerate(book.chapters, 1)]
        is_new = [not file.is_file() for file in files]
        missing = sum(one.n_characters for one, new in zip(book.chapters, is_new, strict=True) if new)
        speaker = self.synthesizer if self.speaker is None else self.speaker
        count = _Count(speaker, book.n_characters - missing, book.n_characters, on_progress)
        titles = [chapter.title for chapter in book.chapters]
        samples, start = 0, 0.0
        for i, (chapter, file, new) in enumerate(zip(book.chapters, files, is_new, strict=True)):
            if new:
                count.chapter = chapter.title
                spoken = self._say(turns(chapter.parts), count, file, i, f"{book.title}: {chapter.title}")
                placed = [replace(turn, start=start + turn.start, end=start + turn.end) for turn in spoken]
                self.spoken.extend(placed)
                if on_chapter is not None:
                    on_chapter(chapter.title, placed)
            rate, (size,) = chaptered.lengths([chaptered.Chapter(chapter.title, file)])
            samples += size
            start = samples / rate
        said = _placed(titles, files, is_new)
        _write(folder / MANIFEST, manifest | {"said": [_record(one) for one in said]})
        return said

    def _say(
        self, its_turns: Sequence[Turn], count: _Count, file: Path, number: int, title: str
    ) -> Sequence[SpokenTurn]:
        """Say a chapter into ``file``, and return its turns; what the model cannot read is left out, and told."""
        readable = [turn for turn in its_turns if self._is_readable(turn)]
        seed = (self.seed + number * _SEEDS) % (MAX_SEED + 1)
        rate = self.synthesizer.config.mel.sample_rate
        sounds = [torch.zeros(0)]
        spoken: Sequence[SpokenTurn] = ()
        if readable:
            made = story.speak(
                count,
                readable,
                {MAIN: self.role},
                seed=seed,
                speed=self.speed,
                sampling=self.sampling,
                normalized=self.normalized,
                lexicon=self.lexicon,
            )
            sounds, spoken = [made.speech.waveform.samples], made.turns
            for remark in made.speech.remarks:
                self._remark(remark)
        sound = io.Waveform(torch.cat([*sounds, torch.zeros(round(CHAPTER_PAUSE * rate))]), rate)
        io.write(sound, file, metadata=provenance(self.synthesizer.config.name, seed, self._sampling, title))
        return spoken

    def _is_readable(self, turn: Turn) -> bool:
        try:
            self.synthesizer.read(turn.text, normalized=self.normalized, lexicon=self.role.words(self.lexicon))
        except InputError as error:
            self._remark(f"left out: {error}")
            return False
        return True

    def _remark(self, line: str) -> None:
        """Keep a remark, unless one that differs in its figures alone is kept already."""
        if not any(line.partition("(")[0] == one.partition("(")[0] for one in self.remarks):
            self.remarks.append(line)

    @property
    def _sampling(self) -> SamplingOptions:
        return self.synthesizer.config.default_sampling if self.sampling is None else self.sampling

    def _identity(self, book: Book) -> dict[str, Any]:
        """Return all that the sound of the book depends on, as JSON has it."""
        voice = self.synthesizer.default_prompt if self.role.prompt is None else self.role.prompt
        words = self.role.words(self.lexicon)
        said = json.dumps([[chapter.title, *(part.text for part in chapter.parts)] for chapter in book.chapters])
        return {
            "book": book.title,
            "text": _digest(said.encode()),
            "model": self.synthesizer.config.name,
            "weights": loading.digest(self.synthesizer.backbone, self.synthesizer.vocoder),
            "voice": None
            if voice is None
            else _digest(voice.waveform.samples.numpy().tobytes() + voice.transcript.encode()),
            "sampling": self._sampling.model_dump(mode="json"),
            "precision": self.synthesizer.precision,
            "seed": self.seed,
            "speed": self.speed if self.role.speed is None else self.role.speed,
            "is_normalized": self.normalized,
            "lexicon": None if words is None else _digest(repr(words.entries).encode()),
            "format": self.suffix,
            "care": self.care,
        }


class _Count:
    """Speaks with a model, and tells how far the book is."""

    def __init__(self, speaker: Speaker, done: int, total: int, on_progress: OnProgress | None) -> None:
        self._speaker, self._done, self._total, self._on_progress = speaker, done, total, on_progress
        self._began, self._seconds = time.perf_counter(), 0.0
        self.chapter = ""

    def speak(self, text: str, *args: Any, **kwargs: Any) -> Speech:
        """Speak as :meth:`Synthesizer.speak` does."""
        speech = self._speaker.speak(text, *args, **kwargs)
        self._done += len(text)
        self._seconds += speech.waveform.seconds
        if self._on_progress is not None:
            done, elapsed = min(self._done, self._total), time.perf_counter() - self._began
            self._on_progress(Progress(self.chapter, done, self._total, self._seconds, elapsed))
        return speech


def _placed(titles: Sequence[str], files: Sequence[Path], is_new: Sequence[bool]) -> list[SaidChapter]:
    rate, sizes = chaptered.lengths([chaptered.Chapter(*one) for one in zip(titles, files, strict=True)])
    starts = [sum(sizes[:i]) / rate for i in range(len(sizes))]
    return [SaidChapter(*one) for one in zip(titles, files, starts, [n / rate for n in sizes], is_new, strict=True)]


def _record(one: SaidChapter) -> dict[str, Any]:
    return {"title": one.title, "file": one.file.name, "start": round(one.start, 3), "seconds": round(one.seconds, 3)}


def _file_name(number: int, title: str, suffix: str) -> str:
    """Return the name of a chapter's file: whatever the title is, it is a name in the folder and on every system."""
    plain = unicodedata.normalize("NFC", title)
    plain = re.sub(r"[^\w ,'()&!-]+", " ", plain)
    plain = " ".join(plain.split())[:_LONGEST_NAME].rstrip(" .")
    return f"{number:03d} {plain}.{suffix}" if plain else f"{number:03d}.{suffix}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _write(path: Path, record: dict[str, Any]) -> None:
    with atomic.replacing(path) as beside:
        beside.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
