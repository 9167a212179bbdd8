"""Subtitles spoken in their own time: every cue begins when it is shown, and its length is an input of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from tts_fm.audio.io import Waveform
from tts_fm.audio.join import fade
from tts_fm.audio.level import Span
from tts_fm.pacing import Voice
from tts_fm.sampler import OnStep, SamplingOptions
from tts_fm.story import MAIN, Role, check_roles
from tts_fm.subtitles import Cue
from tts_fm.synthesizer import Synthesizer
from tts_fm.timing import SpokenWord, told_spans

FASTEST = 1.35
"""Times the voice's own rate: faster speech is hurried."""
_BREATH = 0.08  # seconds that are left before the next cue begins
_PRECISION = 0.02  # seconds: two frames of speech


@dataclass(frozen=True)
class SpokenCue:
    """A cue, and how it was said.

    Attributes:
        cue: what was to be said, and when.
        start: seconds at which its first word is heard.
        end: seconds at which its last word ends.
        needed: seconds that the words take at the voice's own rate.
        had: seconds from its start to its end, or to where the next cue begins, which is later mostly.
        speed: how many times faster than that rate it is said.
    """

    cue: Cue
    start: float
    end: float
    needed: float
    had: float
    speed: float

    @property
    def is_inside(self) -> bool:
        """Whether it is over when its time is."""
        return self.end - self.start <= self.had + _PRECISION


@dataclass(frozen=True, eq=False)
class Dub:
    """Subtitles as one sound, how each cue was said, and when each word is heard."""

    waveform: Waveform
    cues: tuple[SpokenCue, ...]
    words: tuple[SpokenWord, ...]


def dub(
    synthesizer: Synthesizer,
    cues: Sequence[Cue],
    roles: Mapping[str, Role],
    *,
    seed: int = 0,
    fastest: float = FASTEST,
    sampling: SamplingOptions | None = None,
    bed: Waveform | None = None,
    on_step: OnStep | None = None,
) -> Dub:
    """Speak ``cues``, each from its own start on.

    What is too long for its cue at the voice's own rate goes on in the silence before the next cue; what is too long for
    that, too, is said faster, up to ``fastest`` times; what is still too long runs into the next cue, which begins in time
    all the same: see :attr:`SpokenCue.is_inside`.

    Args:
        synthesizer: the model.
        cues: in order of time, see :func:`tts_fm.subtitles.load`.
        roles: who speaks under which name; ``main`` where a cue names nobody.
        seed: cue ``i`` starts from the noise of ``seed + i``.
        fastest: 1 is never faster than the voice itself; at most 3.
        sampling: steps, guidance and so on; the model's defaults if None.
        bed: sound that the speech is laid over; the dub is as long as the longer of the two.
        on_step: called with (cues done, cues in all); what it raises ends the work.

    Raises:
        InputError: a cue that cannot be spoken.
        ValueError: ``fastest`` out of range, or a speaker that has no role.
    """
    if not 1 <= fastest <= 3:
        raise ValueError(f"fastest is {fastest!r}; it must be from 1 (the voice's own rate) to 3")
    check_roles(map(_speaker, cues), roles)
    voices = {name: synthesizer.listen(role.prompt) for name, role in roles.items()}
    mix = _Mix(synthesizer.config.mel.sample_rate, bed)
    spoken: list[SpokenCue] = []
    words: list[SpokenWord] = []
    for i, cue in enumerate(cues):
        role = roles[_speaker(cue)]
        text = _Text(synthesizer, voices[_speaker(cue)], cue.text, role)
        had = _had(cues, i)
        wanted = min(text.needed, max(had, text.needed / fastest))
        seconds = text.seconds(wanted)
        speech = synthesizer.speak(
            cue.text,
            role.prompt,
            seed=seed + i,
            speed=1.0 if role.speed is None else role.speed,
            seconds=seconds,
            sampling=sampling,
            lexicon=role.lexicon,
        )
        said = speech.words if text.is_told else ()
        first, last = (said[0].start, said[-1].end) if said else (0.0, speech.waveform.seconds)
        begin = mix.add(speech.waveform, cue.start - first)
        spoken.append(SpokenCue(cue, begin + first, begin + last, text.needed, had, text.needed / wanted))
        words += [SpokenWord(word.text, begin + word.start, begin + word.end) for word in said]
        if on_step is not None:
            on_step(i + 1, len(cues))
    return Dub(mix.waveform(max(cue.end for cue in cues)), tuple(spoken), tuple(words))


def _speaker(cue: Cue) -> str:
    return MAIN if cue.speaker is None else cue.speaker


def _had(cues: Sequence[Cue], i: int) -> float:
    """Return the seconds of a cue, and the silence before the next one but a breath; cues that overlap lend nothing."""
    own = cues[i].end - cues[i].start
    if i + 1 == len(cues):
        return own
    return max(own, cues[i + 1].start - _BREATH - cues[i].start)


class _Text:
    """A text, and how long the model says it lasts in a voice."""

    def __init__(self, synthesizer: Synthesizer, voice: Voice, text: str, role: Role) -> None:
        self.teller, self.voice = synthesizer.teller, voice
        self.rate = synthesizer.config.mel.frame_rate
        self.pieces, pauses = self.teller.pieces(synthesizer.read(text, lexicon=role.lexicon).paragraphs, voice)
        speed = 1.0 if role.speed is None else role.speed
        natural = [self._measured(piece, speed, None) for piece in self.pieces]
        self.whole = sum(whole for whole, _ in natural)
        self.pauses = sum(pauses[:-1])
        self.is_told = all(spans is not None for _, spans in natural)
        self.needed = self.whole + self.pauses - _silence(natural)
        """Seconds from the first word to the end of the last, at the voice's own rate."""

    def seconds(self, wanted: float) -> float | None:
        """Return the length of the speech in which the words last ``wanted`` seconds; None for the voice's own rate."""
        if wanted >= self.needed:
            return None
        if len(self.pieces) > 1:  # they share it by their letters
            return wanted - self.pauses
        measured = self._measured(self.pieces[0], 1.0, self.whole)
        return wanted * measured[0] / (measured[0] - _silence([measured]))

    def _measured(self, piece: str, speed: float, seconds: float | None) -> tuple[float, tuple[Span, ...] | None]:
        """Return how long a piece lasts, and when its words are heard."""
        frontend = self.teller.frontend
        condition = self.teller.to_speak(self.voice, piece, frontend.tokens(piece), speed, seconds)
        n_frames = int((condition.is_valid & ~condition.is_prompt).sum())
        return n_frames / self.rate, told_spans(condition, frontend, piece, self.rate)


def _silence(measured: Sequence[tuple[float, tuple[Span, ...] | None]]) -> float:
    """Return the seconds before the first word and after the last one, as far as the model tells."""
    (_, first), (length, last) = measured[0], measured[-1]
    return 0.0 if first is None or last is None else first[0].start + length - last[-1].end


class _Mix:
    """Sounds laid over each other, and over a bed."""

    def __init__(self, sample_rate: int, bed: Waveform | None) -> None:
        self.rate = sample_rate
        self.samples = torch.zeros(0) if bed is None else bed.resampled(sample_rate).samples.clone()

    def add(self, waveform: Waveform, start: float) -> float:
        """Lay ``waveform`` over the rest from ``start`` on, or from 0; return from when on."""
        begin = max(round(start * self.rate), 0)
        self._reach(begin + len(waveform.samples))
        self.samples[begin : begin + len(waveform.samples)] += fade(waveform.samples, self.rate, True, True)
        return begin / self.rate

    def waveform(self, seconds: float) -> Waveform:
        """Return all of it, at least so long."""
        self._reach(round(seconds * self.rate))
        return Waveform(self.samples, self.rate)

    def _reach(self, n: int) -> None:
        if n > len(self.samples):
            self.samples = torch.cat([self.samples, torch.zeros(n - len(self.samples))])
