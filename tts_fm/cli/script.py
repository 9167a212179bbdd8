"""What ``tts-fm synthesize`` says: a text in one voice, or a story and its cast; planned, streamed and spoken alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from tts_fm.cli import cast

if TYPE_CHECKING:
    from tts_fm.audio.prompt import Prompt
    from tts_fm.config import ModelConfig
    from tts_fm.plan import Plan
    from tts_fm.sampler import OnStep, SamplingOptions
    from tts_fm.speech import Speech
    from tts_fm.story import Role, Speaker, SpokenTurn, Turn
    from tts_fm.stream import Piece
    from tts_fm.synthesizer import Synthesizer
    from tts_fm.text.lexicon import Lexicon


@dataclass(frozen=True, eq=False)
class Manner:
    """How it is said, whoever speaks."""

    speed: float
    is_normalized: bool
    lexicon: Lexicon | None

    def reading(self, lexicon: Lexicon | None) -> dict[str, Any]:
        """Return the arguments of :class:`Synthesizer`'s methods, with ``lexicon`` for this one's."""
        return {"speed": self.speed, "normalized": self.is_normalized, "lexicon": lexicon}


@dataclass(frozen=True, eq=False)
class Monologue:
    """A text in one voice, whatever stands in it in brackets."""

    text: str
    role: Role
    manner: Manner

    @property
    def prompt(self) -> Prompt | None:
        """The voice it begins with."""
        return self.role.prompt

    def plans(self, synthesizer: Synthesizer, seconds: float | None) -> list[tuple[str, Plan]]:
        """Return how it would be spoken, and as whom."""
        from tts_fm.story import MAIN

        return [(MAIN, synthesizer.plan(self.text, self.prompt, seconds=seconds, **self._reading))]

    def stream(
        self, synthesizer: Synthesizer, seed: int, sampling: SamplingOptions, is_levelled: bool
    ) -> Iterator[Piece]:
        """Yield it piece by piece."""
        return synthesizer.stream(self.text, self.prompt, seed=seed, sampling=sampling, **self._reading)

    def speak(
        self,
        speaker: Speaker,
        seed: int,
        sampling: SamplingOptions,
        seconds: float | None,
        is_levelled: bool,
        on_step: OnStep | None,
    ) -> tuple[Speech, Sequence[SpokenTurn]]:
        """Return the speech, and that it is one turn."""
        from tts_fm.story import MAIN, SpokenTurn, Turn

        speech = speaker.speak(
            self.text, self.prompt, seed=seed, sampling=sampling, seconds=seconds, on_step=on_step, **self._reading
        )
        return speech, [SpokenTurn(Turn(MAIN, self.text), 0.0, speech.waveform.seconds, seed)]

    @property
    def _reading(self) -> dict[str, Any]:
        return self.manner.reading(self.role.words(self.manner.lexicon))


@dataclass(frozen=True, eq=False)
class Dialogue:
    """The turns of a story, and who speaks them."""

    turns: Sequence[Turn]
    roles: Mapping[str, Role]
    manner: Manner

    @property
    def text(self) -> str:
        """What is said, a line for each turn."""
        return "\n".join(turn.text for turn in self.turns)

    @property
    def prompt(self) -> Prompt | None:
        """The voice it begins with."""
        return self.roles[self.turns[0].voice].prompt

    def plans(self, synthesizer: Synthesizer, seconds: float | None) -> list[tuple[str, Plan]]:
        """Return how each turn would be spoken, and as whom."""
        from tts_fm import story

        plans = story.plan(synthesizer, self.turns, self.roles, seconds=seconds, **self._reading)
        return [(turn.voice, plan) for turn, plan in zip(self.turns, plans, strict=True)]

    def stream(
        self, synthesizer: Synthesizer, seed: int, sampling: SamplingOptions, is_levelled: bool
    ) -> Iterator[Piece]:
        """Yield it piece by piece."""
        from tts_fm import story

        return story.stream(
            synthesizer,
            self.turns,
            self.roles,
            seed=seed,
            sampling=sampling,
            is_levelled=is_levelled,
            **self._reading,
        )

    def speak(
        self,
        speaker: Speaker,
        seed: int,
        sampling: SamplingOptions,
        seconds: float | None,
        is_levelled: bool,
        on_step: OnStep | None,
    ) -> tuple[Speech, Sequence[SpokenTurn]]:
        """Return the speech, and who speaks when."""
        from tts_fm import story

        result = story.speak(
            speaker,
            self.turns,
            self.roles,
            seed=seed,
            sampling=sampling,
            seconds=seconds,
            is_levelled=is_levelled,
            on_step=on_step,
            **self._reading,
        )
        return result.speech, result.turns

    @property
    def _reading(self) -> dict[str, Any]:
        return self.manner.reading(self.manner.lexicon)


Script = Monologue | Dialogue


def build(
    context: typer.Context,
    text: str,
    voices: Sequence[str],
    ref_audio: Path | None,
    ref_text: str | None,
    manner: Manner,
    *,
    is_story: bool,
    is_marked_up: bool,
) -> tuple[Script, tuple[str, ...]]:
    """Return what is said and by whom, and remarks on what was left out of a story.

    Raises:
        ValueError: a name that nobody has, or options that contradict each other.
        InputError: a recording that is none.
    """
    from tts_fm.story import MAIN

    if not is_story:
        role = cast.roles(context, [MAIN], voices, ref_audio, ref_text)[MAIN]
        return Monologue(text, role, manner), ()
    turns, remarks = cast.turns(context, text, is_marked_up, voices)
    roles = cast.roles(context, [turn.voice for turn in turns], voices, ref_audio, ref_text)
    return Dialogue(turns, roles, manner), remarks


def seconds_of_speech(whole: float, prompt: Prompt | None, config: ModelConfig) -> float:
    """Return how long the speech is where F5-TTS's ``--fix_duration`` gives ``whole``, that of prompt and speech together.

    Raises:
        ValueError: there is no prompt, or it lasts as long alone.
    """
    from tts_fm.audio.prompt import prepare

    if prompt is None:
        raise ValueError("--fix_duration counts the recording too; give --ref-audio, or use --duration")
    spent = prepare(prompt, config.mel.sample_rate, config.limits.max_prompt_seconds).waveform.seconds
    if not whole > spent:
        raise ValueError(
            f"--fix_duration is {whole:g}, the recording alone lasts {spent:.1f} s; give more, or use --duration"
        )
    return whole - spent
