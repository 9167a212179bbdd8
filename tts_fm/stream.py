"""Speech in pieces, each as soon as it is ready: phrase by phrase, every one told what has just been said."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import doubts, infill, memory
from tts_fm.audio.io import Waveform
from tts_fm.audio.join import fade
from tts_fm.config import ModelConfig
from tts_fm.frontends import Frontend
from tts_fm.rendering import Renderer
from tts_fm.sampler import OnStep, Sampler
from tts_fm.text.lexicon import shown
from tts_fm.text.pronunciation import PUNCTUATION
from tts_fm.timing import SpokenWord
from tts_fm.types import Condition
from tts_fm.utterances import Utterance

FIRST = 1.0
"""Seconds of the first phrase, at most, where the text has a place to cut."""
_LONGEST = 8.0  # seconds of any phrase; each is twice as long as the one before
_LEAST = 0.5  # seconds: a phrase is not shorter
# Seconds of the prompt that each phrase hears, all later ones the last; the first is waited for.
_HEARD = (2.0, 2.5, 4.0, 6.0)
_MEMORY = 1.5  # seconds of what was just said that the next phrase hears
_SOONEST, _PIECE = 0.2, 2.0  # seconds of the first piece of sound, and of any: each is as long as what is out already
_ENDING = frozenset(".!?…;:,—")
_MORE = 1.3  # limits: a phrase may be so much longer where that ends it at a mark, or the text


@dataclass(frozen=True, eq=False)
class Piece:
    """Sound that follows that of the piece before at once.

    Attributes:
        waveform: the sound.
        start: seconds at which it begins in the speech.
        words: the words that begin in it, where the model knows when they are heard; one may end in the next piece.
        text: what is said in it, as it was written where ``words`` are known, else as it was read.
        remarks: in the first piece, what may be wrong with the recording of the voice, its speed and the sound; in the last
            one, what an aligner finds wrong with the voice's words, as it listens when all is said.
    """

    waveform: Waveform
    start: float
    words: tuple[SpokenWord, ...]
    text: str
    remarks: tuple[str, ...] = ()

    @property
    def end(self) -> float:
        """Seconds at which it ends in the speech."""
        return self.start + self.waveform.seconds

    def louder(self, gain: float) -> Piece:
        """Return the same with its sound multiplied by ``gain``."""
        return replace(self, waveform=Waveform(self.waveform.samples * gain, self.waveform.sample_rate))

    def later(self, seconds: float, silence: float = 0.0) -> Piece:
        """Return the same ``seconds`` later, begun by so much ``silence``, which is not counted in them."""
        rate = self.waveform.sample_rate
        samples = torch.cat([torch.zeros(round(silence * rate)), self.waveform.samples])
        shift = seconds + silence
        words = tuple(replace(word, start=word.start + shift, end=word.end + shift) for word in self.words)
        return replace(self, waveform=Waveform(samples, rate), start=self.start + seconds, words=words)


@dataclass(frozen=True, eq=False)
class Streamer:
    """What it takes to stream: a model, its text frontend, how its mels become sound, how to sample, and a prompt.

    Attributes:
        prompt_mel: the prompt as the model hears it, scaled.
        gain: what the sound is multiplied by to be as loud as the prompt's recording.
    """

    config: ModelConfig
    frontend: Frontend
    renderer: Renderer
    sampler: Sampler
    prompt_mel: Float[Tensor, "p c"]
    gain: float

    @torch.inference_mode()
    def stream(
        self,
        utterances: Sequence[Utterance],
        seed: int,
        on_step: OnStep | None = None,
        remarks: tuple[str, ...] = (),
        late: Callable[[], tuple[str, ...]] = tuple,
    ) -> Iterator[Piece]:
        """Yield the sound of ``utterances``, in order; phrase ``i`` of them all starts from the noise of ``seed + i``.

        ``remarks`` are those of the first piece, beside what is told of its sound; ``late`` finds those of the last one.
        """
        rate = self.config.mel.sample_rate
        done = 0  # samples
        for number, utterance in enumerate(utterances):
            lead = torch.zeros(round(utterances[number - 1].pause * rate) if number > 0 else 0)
            phrases = self._phrases(utterance, FIRST if number == 0 else _LONGEST)
            words = utterance.words(self.frontend, self.config.mel, (done + len(lead)) / rate)
            hears = _HEARD if number == 0 else _HEARD[-1:]
            for i, (samples, is_last) in enumerate(self._sounds(utterance, phrases, hears, seed, on_step)):
                is_first = i == 0
                faded = fade(samples, rate, is_first and number > 0, is_last and number < len(utterances) - 1)
                whole = torch.cat([lead, faded]) if is_first else faded
                end = (done + len(whole)) / rate
                here = tuple(word for word in words if is_last or word.start < end)
                text = " ".join(word.text for word in here)
                if phrases is None:
                    text = shown(utterance.text) if is_first else ""
                doubtful = (*remarks, *doubts.of_speech(Waveform(samples, rate))) if done == 0 else ()
                if is_last and number == len(utterances) - 1:
                    doubtful += late()
                yield Piece(Waveform(whole, rate), done / rate, here, text, doubtful)
                words = words[len(here) :]
                done += len(whole)
            seed += 1 if phrases is None else len(phrases)
            memory.give_back()

    def _phrases(self, utterance: Utterance, limit: float) -> list[tuple[int, int]] | None:
        """Return the tokens of each phrase; None where the model places the words itself, so that only the whole can be told."""
        frames = utterance.condition.token_frames
        if frames is None:
            return None
        tokens = self.frontend.tokens(utterance.text)
        return cut(tokens, frames[0, -len(tokens) :].tolist(), self.config.mel.frame_rate, limit)

    def _sounds(
        self,
        utterance: Utterance,
        phrases: Sequence[tuple[int, int]] | None,
        hears: Sequence[float],
        seed: int,
        on_step: OnStep | None,
    ) -> Iterator[tuple[Float[Tensor, " s"], bool]]:
        """Yield the sound of ``utterance`` as far as nothing can change it any more, and whether that is its end.

        Phrase ``i`` hears ``hears[i]`` seconds of the prompt, those after the last of these as much as that.
        """
        rate = self.config.mel.frame_rate
        said = self.prompt_mel[:0]
        done = 0  # frames whose sound is out
        for i, phrase in enumerate([None] if phrases is None else phrases):
            condition = (
                utterance.condition
                if phrase is None
                else self._told(utterance.condition, phrase, said, hears[min(i, len(hears) - 1)])
            )
            (mel,) = self.sampler.sample([condition], [seed + i], on_step)
            said = torch.cat([said, mel[int(condition.is_prompt.sum()) :]])
            is_last = phrases is None or i == len(phrases) - 1
            log_mel = self.renderer.log_mel(said)
            ready = len(said) if is_last else len(said) - self.renderer.vocoder.around
            least, most = round(_SOONEST * rate), round(_PIECE * rate)
            while done < ready:
                end = done + min(max(done, least), most)
                end = ready if ready - end < least else end
                yield self.renderer.sound(log_mel, self.gain, done, end).samples, is_last and end == len(said)
                done = end

    def _told(
        self, condition: Condition, phrase: tuple[int, int], said: Float[Tensor, "n c"], hears: float
    ) -> Condition:
        """Tell the model one phrase behind ``hears`` seconds of the prompt and the end of what was ``said``.

        The tokens around the phrase are told, too, with no frames: how a word sounds depends on its neighbours.
        """
        assert condition.token_frames is not None
        rate = self.config.mel.frame_rate
        given = torch.cat([heard(self.prompt_mel, rate, hears), said[max(0, len(said) - round(_MEMORY * rate)) :]])
        first, last = phrase
        ids, (_, *frames) = condition.token_ids[0].tolist(), condition.token_frames[0].tolist()
        kept = [n if first <= i < last else 0 for i, n in enumerate(frames)]
        return infill.continue_prompt(given, ids, len(given) + sum(kept), [len(given), *kept], condition.heard)


def heard(prompt_mel: Float[Tensor, "p c"], frame_rate: float, seconds: float) -> Float[Tensor, "q c"]:
    """Return the end of a prompt, cut at its quietest frame between three quarters of ``seconds`` and all of them."""
    most = round(seconds * frame_rate)
    if len(prompt_mel) <= most:
        return prompt_mel
    first = len(prompt_mel) - most
    levels = prompt_mel[first : first + most // 4].mean(dim=1)
    return prompt_mel[first + int(levels.argmin()) :]


def cut(tokens: Sequence[str], frames: Sequence[int], frame_rate: float, limit: float) -> list[tuple[int, int]]:
    """Return the tokens of each phrase: the first of about ``limit`` seconds at most, each other one of up to twice as much.

    A phrase ends at the last mark at which a reader would breathe, else between the words with the longest pause.
    """
    ends = list(accumulate(frames))
    borders = [i for i in range(1, len(tokens)) if tokens[i - 1] == " " and tokens[i] != " "]
    pauses = {i: _pause(tokens, i) for i in borders}
    least = _LEAST * frame_rate
    ranges: list[tuple[int, int]] = []
    first = 0
    while True:
        begin, most = ends[first - 1] if first else 0, limit * frame_rate
        inside = [i for i in borders if begin + least <= ends[i - 1] <= ends[-1] - least]
        if ends[-1] - begin <= _MORE * most or not inside:
            return [*ranges, (first, len(tokens))]
        near = [i for i in inside if ends[i - 1] - begin <= most] or inside[:1]
        breaths = [i for i in inside if ends[i - 1] - begin <= _MORE * most and set(tokens[pauses[i] : i]) & _ENDING]
        if breaths:
            place = max((i for i in breaths if i in near), default=breaths[0])
        else:
            place = max(near, key=lambda i: (sum(frames[pauses[i] : i]), i))
        ranges.append((first, place))
        first, limit = place, min(2 * limit, _LONGEST)


def _pause(tokens: Sequence[str], place: int) -> int:
    """Return the first of the spaces and marks before the word that begins at ``place``."""
    while place > 0 and (tokens[place - 1] == " " or tokens[place - 1] in PUNCTUATION):
        place -= 1
    return place
