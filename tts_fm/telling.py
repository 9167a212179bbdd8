"""What a model is told, to speak, to fill a gap and to score alike: from a voice, words and lengths to a condition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import duration, infill, plugins
from tts_fm.alignment import owned_tokens
from tts_fm.alignment.phones import STRESS
from tts_fm.audio import prompt as prompts
from tts_fm.audio.join import PARAGRAPH_PAUSE, PAUSE
from tts_fm.audio.mel import log_mel
from tts_fm.audio.prompt import PreparedPrompt, Prompt
from tts_fm.backbones import Backbone
from tts_fm.config import ModelConfig
from tts_fm.frontends import Frontend
from tts_fm.pacing import DurationRule, Voice
from tts_fm.text.normalize import without_capitals
from tts_fm.text.pronunciation import END, PUNCTUATION, START
from tts_fm.types import FILLER, Condition

_SEPARATORS = " " + PUNCTUATION


@dataclass(frozen=True, eq=False)
class Gap:
    """Missing speech between given frames, and the words of it all.

    Attributes:
        before: the words before the gap, as they are spoken.
        new: the words that go into it.
        after: the words behind it.
        spoken_seconds: how long ``before`` and ``after`` last together.
        left: the given mel before the gap, scaled.
        right: the given mel behind it.
        lead: frames of pause before the new words.
        tail: frames of pause after them.
        has_pause: whether the pause after the new words is the recording's.
        overlap: frames at each end of the gap whose sound lies outside it: in the recording they hear the old words.
    """

    before: Sequence[str]
    new: Sequence[str]
    after: Sequence[str]
    spoken_seconds: float
    left: Float[Tensor, "p c"]
    right: Float[Tensor, "q c"]
    lead: int
    tail: int
    has_pause: bool
    overlap: int

    @property
    def words(self) -> list[str]:
        """What is said from the left to the right."""
        return [*self.before, *self.new, *self.after]


@dataclass(frozen=True, eq=False)
class Teller:
    """Tells a model what to do, in its own terms."""

    config: ModelConfig
    frontend: Frontend
    backbone: Backbone
    _heard: WeakKeyDictionary[Prompt, Voice] = field(default_factory=WeakKeyDictionary, init=False, repr=False)

    @cached_property
    def rule(self) -> DurationRule:
        """How long speech is."""
        chosen = self.config.duration
        return plugins.build(DurationRule, chosen.rule, chosen, self.config.mel, self.frontend, self.backbone)

    def mel(self, samples: Float[Tensor, " s"]) -> Float[Tensor, "n c"]:
        """Return the scaled mel of samples at the model's rate, where the network is."""
        device = next(self.backbone.parameters()).device
        return self.config.mel_scale.scaled(log_mel(samples.to(device), self.config.mel))

    def listen(self, prompt: Prompt) -> Voice:
        """Level, trim and resample the prompt; return it with its mel and all that is needed of its words.

        A prompt is heard once, and what was heard is kept as long as somebody has the prompt.
        """
        voice = self._heard.get(prompt)
        if voice is None:
            with torch.inference_mode(False), torch.no_grad():  # it is kept, and must be of use anywhere
                voice = self._heard[prompt] = self._listen(prompt)
        return voice

    def _listen(self, prompt: Prompt) -> Voice:
        mel = self.config.mel
        prepared = prompts.prepare(prompt, mel.sample_rate, self.config.limits.max_prompt_seconds)
        prepared = replace(prepared, transcript=without_capitals(prepared.transcript))
        samples = prepared.waveform.samples
        given = self.mel(samples)[: self.rule.n_given(len(samples))]
        heard = self.backbone.hear(given[None], given.new_ones(1, len(given), dtype=torch.bool))
        return Voice(prepared, given, self.rule.words(prepared.transcript), heard)

    def pieces(self, paragraphs: Sequence[str], voice: Voice) -> tuple[list[str], list[float]]:
        """Cut a text so that prompt and piece together fit the model; return the pieces and the silence behind each."""
        if self.rule.reads_on:
            paragraphs = [" ".join(paragraphs)]
        pieces: list[str] = []
        pauses: list[float] = []
        for paragraph in paragraphs:
            if self.frontend.says_something(paragraph):
                own = self.rule.pieces(paragraph, voice.prompt, self.room(voice.prompt))
                pieces += own
                pauses += [PAUSE] * (len(own) - 1) + [PARAGRAPH_PAUSE]
        return pieces, pauses

    def to_speak(
        self, voice: Voice, text: str, tokens: Sequence[str], speed: float = 1.0, seconds: float | None = None
    ) -> Condition:
        """Tell the model to go on from the prompt with ``text``, a piece whose own tokens are ``tokens``.

        Raises:
            ValueError: a speed that is none, or more seconds than the model can speak in one piece.
        """
        fixed = None
        if seconds is not None:
            room = self.room(voice.prompt)
            if seconds > room:
                raise ValueError(
                    f"{seconds:.1f} s in one piece is more than this model can hold after this prompt, {room:.1f} s; "
                    f"ask for less, or give a longer text, which is spoken in several pieces"
                )
            fixed = duration.to_frames(seconds, self.config.mel.frame_rate)
        measured = self.rule.measure(voice, text, tokens, speed=speed, n_frames=fixed)
        return infill.continue_prompt(
            voice.mel, measured.token_ids, measured.n_frames, measured.token_frames, voice.heard
        )

    def to_fill(self, gap: Gap) -> Condition:
        """Tell the model both sides, the words, and how long the gap is."""
        if self.backbone.needs_token_frames:
            return self._to_fill_with_durations(gap)
        units = sum(map(duration.count_units, (*gap.before, *gap.after)))
        rate = min(max(units / gap.spoken_seconds, duration.SLOWEST), duration.FASTEST)
        text = " ".join(gap.new)
        pauses = duration.pause_seconds(text if gap.has_pause else f"{text} and so on")
        seconds = duration.count_units(text) / rate + pauses
        missing = gap.lead + duration.to_frames(seconds, self.config.mel.frame_rate) + gap.tail + 2 * gap.overlap
        return infill.fill_between(gap.left, gap.right, missing, self.frontend.encode(" ".join(gap.words)))

    def to_score(self, text: str, n_frames: int) -> Condition:
        """Tell the model ``n_frames`` frames of which only the (normalised) text is known.

        One that must be told when each token sounds is told its own prediction, stretched to these frames.
        """
        ids = self.frontend.encode(text)
        frames = None
        if self.backbone.needs_token_frames:
            frames = duration.apportion(self.backbone.average_frames(ids), n_frames)
        return infill.continue_prompt(torch.zeros(0, self.config.mel.n_mels), ids, n_frames, frames)

    def room(self, prompt: PreparedPrompt) -> float:
        """Seconds that the model can speak in one piece after the prompt."""
        return self.config.limits.max_total_seconds - prompt.waveform.seconds

    def _to_fill_with_durations(self, gap: Gap) -> Condition:
        """As :meth:`to_fill`, for a backbone that is told the frames of each token; the text of what is given is hidden.

        The sounds next to the new words reach into the gap, and are told there.
        """
        tokens, owners = owned_tokens(self.frontend, gap.words)
        ids = self.frontend.ids(tokens)
        predicted = self.backbone.average_frames(ids)
        words = range(len(gap.before), len(gap.before) + len(gap.new))
        silent = _SEPARATORS if gap.has_pause else " "
        new = [i for i, owner in enumerate(owners) if owner in words and tokens[i] not in (START, END, *silent)]
        first, last = new[0], new[-1] + 1
        expected = sum(predicted[i] for i, owner in enumerate(owners) if owner not in words and tokens[i].isalpha())
        spoken_frames = gap.spoken_seconds * self.config.mel.frame_rate
        ratio = min(max(spoken_frames / expected, 0.5), 2.0) if expected > 0 else 1.0
        wanted = predicted[first:last]
        frames = duration.apportion(wanted, max(round(sum(wanted) * ratio), 1))
        row = [
            (FILLER, len(gap.left)),
            *reversed(_edge(tokens, ids, range(first - 1, -1, -1), gap.lead, gap.overlap)),
            *zip(ids[first:last], frames, strict=True),
            *_edge(tokens, ids, range(last, len(tokens)), gap.tail, gap.overlap),
            (FILLER, len(gap.right)),
        ]
        missing = gap.lead + sum(frames) + gap.tail + 2 * gap.overlap
        return infill.fill_between(gap.left, gap.right, missing, [id for id, _ in row], [n for _, n in row])


def _edge(
    tokens: Sequence[str], ids: Sequence[int], places: Iterable[int], pause: int, sound: int
) -> list[tuple[int, int]]:
    """Return the tokens from the gap outwards, with their frames: the one that holds the ``pause``, then the ``sound``."""
    holder: int | None = None
    for i in places:
        if tokens[i] in _SEPARATORS and holder is None:
            holder = i
        elif tokens[i] not in (*_SEPARATORS, *STRESS):
            return [(ids[i], sound + pause)] if holder is None else [(ids[holder], pause), (ids[i], sound)]
    return [(FILLER, sound + pause)]
