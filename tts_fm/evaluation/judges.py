"""Who judges: one recogniser, the encoder of voices, and models of listeners' opinions, chosen by name or by what is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import plugins
from tts_fm.audio.io import Waveform
from tts_fm.audio.level import speech_spans
from tts_fm.evaluation.naturalness import Naturalness
from tts_fm.evaluation.recognisers import Recogniser
from tts_fm.evaluation.report import Judgement
from tts_fm.evaluation.similarity import ABOUT, cosine, voice_encoder
from tts_fm.evaluation.wer import errors

NONE = "none"
"""Named in place of a judge of naturalness where none is wanted."""
PUBLISHED = "large-v3"
"""The size of Whisper that hears published lists."""


@dataclass(frozen=True)
class Choice:
    """Which judges are wanted; None is what is installed.

    Attributes:
        recogniser: the name of a :class:`Recogniser`; else that which has ``recogniser_model``, else Whisper where it
            and its default model are on this machine, else PocketSphinx.
        recogniser_model: which model it hears with.
        naturalness: names of :class:`Naturalness`; ``none`` alone for nobody.
    """

    recogniser: str | None = None
    recogniser_model: str | None = None
    naturalness: Sequence[str] | None = None

    def check(self) -> None:
        """Raise ValueError where a name is none of a judge."""
        if self.recogniser is not None:
            plugins.load(Recogniser, self.recogniser)
        for name in self._naturalness():
            plugins.load(Naturalness, name)

    def for_a_list(self) -> Choice:
        """Return who judges a published list: somebody who may hear any word, Whisper large-v3 if no model is named.

        Raises:
            ValueError: the recogniser that is named knows no other words than the texts'.
        """
        name = "whisper" if self.recogniser is None else self.recogniser
        if not plugins.load(Recogniser, name).is_open:
            raise ValueError(
                f"the recogniser {name} knows the texts, and a published list is heard without; use whisper"
            )
        is_whisper = name == "whisper" and self.recogniser_model is None
        return replace(self, recogniser=name, recogniser_model=PUBLISHED if is_whisper else self.recogniser_model)

    def open(self, texts: Sequence[str], normalise: Callable[[str], str] | None = None) -> Judges:
        """Return the judges of ``texts``, which are compared as ``normalise`` makes them, else as the recogniser does.

        Raises:
            ValueError: there is no such judge, or it is not installed.
            ModelError: its model is not on this machine and cannot be fetched.
        """
        self.check()
        recogniser = plugins.build(Recogniser, self._recogniser(), texts, self.recogniser_model)
        words = recogniser.words if normalise is None else lambda text: normalise(text).split()
        return Judges(recogniser, words, tuple(plugins.build(Naturalness, name) for name in self._naturalness()))

    def _recogniser(self) -> str:
        if self.recogniser is not None:
            return self.recogniser
        if self.recogniser_model is not None or plugins.load(Recogniser, "whisper").is_ready():
            return "whisper"
        return "pocketsphinx"

    def _naturalness(self) -> list[str]:
        if self.naturalness is None:
            return [name for name in plugins.names(Naturalness) if plugins.load(Naturalness, name).is_ready()]
        return [] if list(self.naturalness) == [NONE] else list(dict.fromkeys(self.naturalness))


@dataclass(frozen=True)
class Judges:
    """Judges what is said, whose voice it is and how natural it sounds; ``words`` are a text's, as they are compared."""

    recogniser: Recogniser
    words: Callable[[str], list[str]]
    naturalness: tuple[Naturalness, ...] = ()

    def judge(
        self,
        waveform: Waveform,
        text: str,
        own: Float[Tensor, " e"],
        other: Float[Tensor, " e"] | None = None,
    ) -> Judgement:
        """Return what ``waveform`` scores as ``text`` in the voice ``own``, and not ``other``; see :func:`finite`.

        Raises:
            ValueError: ``text`` has no words to count.
        """
        words, waveform = self.words(text), finite(waveform)
        if not words:
            raise ValueError(f"the text {text!r} has no words to count; give each pair an English target_text")
        heard = self.recogniser.transcribe(waveform)
        wrong, voice = errors(words, self.words(heard)), voice_encoder().embed(waveform)
        return Judgement(
            heard=heard,
            errors=wrong.count,
            words=wrong.words,
            to_prompt=cosine(voice, own),
            to_stranger=None if other is None else cosine(voice, other),
            seconds=waveform.seconds,
            leading_silence=leading_silence(waveform),
            naturalness={name: score for one in self.naturalness for name, score in one.score(waveform).items()},
        )

    def about(self) -> dict[str, Any]:
        """Return who they are, for the report."""
        return {
            "recogniser": self.recogniser.about,
            "voices": ABOUT,
            "naturalness": [one.about for one in self.naturalness],
        }


def leading_silence(waveform: Waveform) -> float:
    """Return the seconds before the first speech, all of them where there is none."""
    if len(waveform.samples) == 0:
        return 0.0
    spans = speech_spans(waveform.samples, waveform.sample_rate)
    return spans[0].start if spans else waveform.seconds


def finite(waveform: Waveform) -> Waveform:
    """Return ``waveform`` on the CPU; one with a value that is no number is silence, and found to be."""
    samples = waveform.samples.detach().float().cpu()
    return Waveform(samples if bool(samples.isfinite().all()) else torch.zeros_like(samples), waveform.sample_rate)
