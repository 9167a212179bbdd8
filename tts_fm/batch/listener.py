"""Who listens to what was said: the aligner, which knows the words, or a recogniser, which may hear any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tts_fm import alignment, plugins
from tts_fm.alignment import forced
from tts_fm.audio.io import Waveform
from tts_fm.evaluation.recognisers import Recogniser
from tts_fm.evaluation.wer import errors

ALIGNER = "aligner"


@dataclass(frozen=True)
class Hearing:
    """How many words were wrong (not where they should be, or not those), of how many, and what was heard instead."""

    wrong: int
    words: int
    heard: str = ""

    @property
    def share(self) -> float:
        """The share of words that were wrong; more than 1 where more words were heard than told."""
        return self.wrong / max(1, self.words)


Listener = Callable[[Waveform, str], Hearing]


def names() -> list[str]:
    """Return who can listen: recognisers that know the texts before they hear them are not among them."""
    return [ALIGNER, *(name for name in plugins.names(Recogniser) if plugins.load(Recogniser, name).is_open)]


def check(name: str, model: str | None) -> None:
    """Raise ValueError where there is no listener called ``name``, or none with a choice of models."""
    if name not in names():
        raise ValueError(f"there is no listener {name!r}; choose one of {', '.join(names())}")
    if name == ALIGNER and model is not None:
        raise ValueError(f"the aligner has one model; leave out {model!r}, or let a recogniser listen")


def build(name: str, model: str | None = None) -> Listener:
    """Return the listener called ``name``, which hears English.

    Raises:
        ValueError: there is none, or it is not installed.
        ModelError: its model is not on this machine and cannot be fetched.
    """
    check(name, model)
    if name == ALIGNER:
        if not forced.is_available():
            raise ValueError("the aligner needs pocketsphinx; run: pip install 'tts-fm[edit]'")
        return _align
    recogniser = plugins.build(Recogniser, name, (), model)

    def listen(waveform: Waveform, text: str) -> Hearing:
        written = recogniser.words(text)
        heard = recogniser.transcribe(waveform)
        wrong = errors(written, recogniser.words(heard)).count if written else 0
        return Hearing(wrong, len(written), heard)

    return listen


def _align(waveform: Waveform, text: str) -> Hearing:
    words = alignment.words_heard(waveform, text)
    return Hearing(sum(word.is_doubtful for word in words), len(words))
