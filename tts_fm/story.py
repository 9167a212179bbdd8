"""A story: a text in which several voices take turns, spoken as one sound."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Protocol, runtime_checkable

import torch

from tts_fm import doubts, levelling
from tts_fm.audio.io import Waveform
from tts_fm.audio.join import join, places
from tts_fm.audio.prompt import Prompt
from tts_fm.levelling import Level
from tts_fm.plan import Plan
from tts_fm.sampler import OnStep, SamplingOptions
from tts_fm.speech import Speech
from tts_fm.stream import Piece
from tts_fm.synthesizer import Synthesizer
from tts_fm.text.lexicon import Lexicon
from tts_fm.turns import MAIN, MAX_SEED, Turn, directed, parse, without_directions

__all__ = [
    "MAIN",
    "Role",
    "Speaker",
    "SpokenTurn",
    "Story",
    "Turn",
    "check_roles",
    "directed",
    "parse",
    "plan",
    "speak",
    "stream",
    "without_directions",
]


@runtime_checkable
class Speaker(Protocol):
    """Whoever speaks as :meth:`Synthesizer.speak` does."""

    def speak(
        self,
        text: str,
        prompt: Prompt | None = None,
        *,
        seed: int = 0,
        speed: float = 1.0,
        seconds: float | None = None,
        sampling: SamplingOptions | None = None,
        normalized: bool = False,
        lexicon: Lexicon | None = None,
        on_step: OnStep | None = None,
    ) -> Speech:
        """Speak ``text`` in the voice of ``prompt``."""
        ...


@dataclass(frozen=True, eq=False)
class Role:
    """A voice in a story, with a lexicon of its own perhaps.

    It is the model's own where ``prompt`` is None, and speaks at the story's speed where ``speed`` is None.
    """

    prompt: Prompt | None
    speed: float | None = None
    lexicon: Lexicon | None = None

    def words(self, *lexicons: Lexicon | None) -> Lexicon | None:
        """Return the voice's own lexicon with ``lexicons``; where readings differ, the last one counts."""
        known = [each for each in (self.lexicon, *lexicons) if each is not None]
        return reduce(or_, known) if known else None


@dataclass(frozen=True, eq=False)
class SpokenTurn:
    """A turn, from when to when it is heard (in seconds), and the seed of its first sentence."""

    turn: Turn
    start: float
    end: float
    seed: int


@dataclass(frozen=True, eq=False)
class Story:
    """A story as one speech, and who speaks when."""

    speech: Speech
    turns: tuple[SpokenTurn, ...]


def speak(
    speaker: Speaker,
    turns: Sequence[Turn],
    roles: Mapping[str, Role],
    *,
    seed: int = 0,
    speed: float = 1.0,
    seconds: float | None = None,
    sampling: SamplingOptions | None = None,
    normalized: bool = False,
    lexicon: Lexicon | None = None,
    is_levelled: bool = True,
    on_step: OnStep | None = None,
) -> Story:
    """Speak ``turns``, each in the voice that ``roles`` give to its name, with a pause between them.

    Args:
        speaker: the model, or who speaks with it.
        turns: see :func:`parse`.
        roles: who speaks under which name.
        seed: sentence ``i`` of the story starts from the noise of ``seed + i``; a turn's own seed counts from its start.
        speed: where neither the turn nor its role says another one.
        seconds: as for :meth:`Synthesizer.speak`; for a single turn only.
        sampling: steps, guidance and so on; the model's defaults if None.
        normalized: whether the text already spells out its numbers and abbreviations.
        lexicon: words of one's own; they go before those of a role's own lexicon.
        is_levelled: whether voices are brought to the loudness of the loudest where they differ by more than 4 dB.
        on_step: called with (characters done, characters in all); what it raises ends the story.

    Raises:
        ValueError: a voice that has no role.
    """
    check_roles((turn.voice for turn in turns), roles)
    if seconds is not None and len(turns) > 1:
        raise ValueError(f"a length can be given to one turn only, this story has {len(turns)}; use the speed instead")
    whole, before = sum(len(turn.text) for turn in turns), 0
    speeches: list[Speech] = []
    seeds: list[int] = []
    for turn in turns:
        role = roles[turn.voice]
        spoken = sum(len(speech.chunks) for speech in speeches)
        seeds.append((seed + spoken) % (MAX_SEED + 1) if turn.seed is None else turn.seed)
        speeches.append(
            speaker.speak(
                turn.text,
                role.prompt,
                seed=seeds[-1],
                speed=next(one for one in (turn.speed, role.speed, speed) if one is not None),
                seconds=seconds,
                sampling=sampling,
                normalized=normalized,
                lexicon=role.words(lexicon, turn.lexicon),
                on_step=None if on_step is None else _within(on_step, before, len(turn.text), whole),
            )
        )
        before += len(turn.text)
    return _joined(turns, _levelled(turns, speeches) if is_levelled else speeches, seeds)


def plan(
    synthesizer: Synthesizer,
    turns: Sequence[Turn],
    roles: Mapping[str, Role],
    *,
    speed: float = 1.0,
    seconds: float | None = None,
    normalized: bool = False,
    lexicon: Lexicon | None = None,
) -> tuple[Plan, ...]:
    """Return how each of ``turns`` would be spoken, with the arguments of :func:`speak`."""
    check_roles((turn.voice for turn in turns), roles)
    return tuple(
        synthesizer.plan(
            turn.text,
            roles[turn.voice].prompt,
            speed=next(one for one in (turn.speed, roles[turn.voice].speed, speed) if one is not None),
            seconds=seconds,
            normalized=normalized,
            lexicon=roles[turn.voice].words(lexicon, turn.lexicon),
        )
        for turn in turns
    )


def stream(
    synthesizer: Synthesizer,
    turns: Sequence[Turn],
    roles: Mapping[str, Role],
    *,
    seed: int = 0,
    speed: float = 1.0,
    sampling: SamplingOptions | None = None,
    normalized: bool = False,
    lexicon: Lexicon | None = None,
    is_levelled: bool = True,
    on_step: OnStep | None = None,
) -> Iterator[Piece]:
    """Yield the story piece by piece, see :meth:`Synthesizer.stream`; arguments as for :func:`speak`.

    A turn without a seed of its own counts on from ``seed`` by the pieces before it. How loud the voices will be is known
    from their prompts, so that they are levelled before all has been said.
    """
    check_roles((turn.voice for turn in turns), roles)
    gains = _expected_gains(synthesizer, turns, roles) if is_levelled else {}
    done, n_pieces = 0.0, 0
    for number, turn in enumerate(turns):
        role = roles[turn.voice]
        pieces = synthesizer.stream(
            turn.text,
            role.prompt,
            seed=(seed + n_pieces) % (MAX_SEED + 1) if turn.seed is None else turn.seed,
            speed=next(one for one in (turn.speed, role.speed, speed) if one is not None),
            sampling=sampling,
            normalized=normalized,
            lexicon=role.words(lexicon, turn.lexicon),
            on_step=on_step,
        )
        start = done
        for i, piece in enumerate(pieces):
            pause = turn.pause if number > 0 and i == 0 else 0.0
            moved = piece.louder(gains.get(turn.voice, 1.0)).later(start, pause)
            start += pause
            done, n_pieces = moved.end, n_pieces + 1
            yield moved


def _expected_gains(synthesizer: Synthesizer, turns: Sequence[Turn], roles: Mapping[str, Role]) -> dict[str, float]:
    """Return what brings the voices to one loudness if each speaks as loud as its prompt; nothing where there is but one."""
    names = dict.fromkeys(turn.voice for turn in turns)
    if len(names) == 1:
        return {}
    prompts = {name: synthesizer.listen(roles[name].prompt).prompt for name in names}
    return levelling.gains({name: Level.of(own.waveform, own.output_gain) for name, own in prompts.items()})


def check_roles(tags: Iterable[str], names: Collection[str]) -> None:
    """Raise ValueError where one of ``tags`` is none of ``names``, in a line that lists them."""
    missing = sorted(set(tags) - set(names))
    if missing:
        tags = ", ".join(f"[{name}]" for name in missing)
        raise ValueError(f"the text names {tags}, and there is no such voice; there are {', '.join(sorted(names))}")


def _within(on_step: OnStep, before: int, own: int, whole: int) -> OnStep:
    """Return ``on_step`` for a part of ``own`` characters behind ``before`` of a ``whole``."""
    return lambda done, total: on_step(before + own * done // total, whole)


def _levelled(turns: Sequence[Turn], speeches: Sequence[Speech]) -> list[Speech]:
    """Return the speeches with softer voices raised to the loudest, as far as their peaks allow; one voice stays as it is."""
    by_voice = {
        voice: join([speech.waveform for turn, speech in zip(turns, speeches, strict=True) if turn.voice == voice])
        for voice in dict.fromkeys(turn.voice for turn in turns)
    }
    gains = levelling.gains({voice: Level.of(sound) for voice, sound in by_voice.items()})
    return [_louder(speech, gains[turn.voice]) for turn, speech in zip(turns, speeches, strict=True)]


def _louder(speech: Speech, gain: float) -> Speech:
    if gain == 1:
        return speech
    waveform = Waveform(speech.waveform.samples * gain, speech.waveform.sample_rate)
    outdated = doubts.of_speech(speech.waveform)  # it may have been faint
    remarks = (*(remark for remark in speech.remarks if remark not in outdated), *doubts.of_speech(waveform))
    return replace(speech, waveform=waveform, remarks=remarks)


def _joined(turns: Sequence[Turn], speeches: Sequence[Speech], seeds: Sequence[int]) -> Story:
    sounds, pauses = [speech.waveform for speech in speeches], [turn.pause for turn in turns[1:]] + [0.0]
    waveform = join(sounds, pauses)
    spoken = [
        SpokenTurn(turn, place.start, place.end, seed)
        for turn, place, seed in zip(turns, places(sounds, pauses), seeds, strict=True)
    ]
    speech = Speech(
        waveform=waveform,
        mel=torch.cat([speech.mel for speech in speeches]),
        text="\n".join(speech.text for speech in speeches),
        passages=tuple(
            passage.later(one.start)
            for speech, one in zip(speeches, spoken, strict=True)
            for passage in speech.passages
        ),
        unknown=tuple(dict.fromkeys(token for speech in speeches for token in speech.unknown)),
        seconds=sum(speech.seconds for speech in speeches),
        remarks=tuple(dict.fromkeys(remark for speech in speeches for remark in speech.remarks)),
    )
    return Story(speech, tuple(spoken))
