"""What a server has, and how a checked request becomes a job whose sound is fetched chunk by chunk."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection
from starlette.types import Receive

from tts_fm import doubts, story
from tts_fm.audio.prompt import Prompt
from tts_fm.sampler import SamplingOptions
from tts_fm.serving import formats, script, wire
from tts_fm.serving import voices as known_voices
from tts_fm.serving.audit import Audit
from tts_fm.serving.errors import ApiError
from tts_fm.serving.metrics import Metrics
from tts_fm.serving.queue import Check, Job, Place, Queue
from tts_fm.serving.voices import ChosenVoice, Consents, Voices
from tts_fm.speech import Speech, provenance
from tts_fm.story import MAIN, Role, Turn
from tts_fm.synthesizer import Synthesizer
from tts_fm.timing import SpokenWord

MODEL_NAMES = ("default", "tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""What the one model answers to, beside its own name."""

_TOKENS_PER_SECOND = 20  # as OpenAI counts the sound of an assistant


@dataclass(frozen=True)
class Caller:
    """Who asks: the ids of the request and of its key, and the place that is kept for it, if any."""

    request: str
    key: str
    place: Place | None = None

    @staticmethod
    def of(connection: HTTPConnection) -> Caller:
        """Return who the guard said it is."""
        state = connection.state
        return Caller(state.request, state.key, getattr(state, "place", None))


@dataclass(frozen=True)
class Chunk:
    """Some bytes of a file.

    Attributes:
        data: may be empty.
        seconds: of speech that they are about.
        is_last: whether the file ends with them.
        words: of the whole speech, when each word is heard, in the first chunk of an order that asks for it; or why that
            is not known.
        remarks: what may be wrong with the voice or the speech.
    """

    data: bytes
    seconds: float = 0.0
    is_last: bool = False
    words: tuple[SpokenWord, ...] | str = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Order:
    """A text to speak, with all that was found right about it."""

    text: str
    turns: tuple[Turn, ...]
    voices: Mapping[str, ChosenVoice]
    format: wire.Format
    sample_rate: int
    speed: float
    seed: int
    sampling: SamplingOptions
    flows: bool
    wants_words: bool

    @property
    def voice(self) -> str:
        """What the voices that speak are called."""
        return ", ".join(dict.fromkeys(voice.name for voice in self.voices.values()))

    def make(self, synthesizer: Synthesizer, check: Check) -> Iterator[Chunk]:
        """Yield the file as it is made; ``check`` is called between the steps of the solver."""
        facts = provenance(synthesizer.config.name, self.seed, self.sampling, self.text)
        encoder = formats.encoder(self.format, self.sample_rate, facts)
        how = {"seed": self.seed, "speed": self.speed, "sampling": self.sampling, "on_step": lambda *_: check()}
        roles = {name: Role(voice.load()) for name, voice in self.voices.items()}
        words: tuple[SpokenWord, ...] | str = ()
        if self.flows and self.wants_words and len(self.turns) == 1:
            words = story.plan(synthesizer, self.turns, roles, speed=self.speed)[0].words
        if self.flows and (words or not self.wants_words):
            known = self._remarks(synthesizer, roles)  # the header goes out with the first piece
            for piece in story.stream(synthesizer, self.turns, roles, **how):
                remarks = tuple(dict.fromkeys((*known, *piece.remarks)))
                yield Chunk(encoder.add(piece.waveform), piece.waveform.seconds, words=words, remarks=remarks)
                words, known = (), ()
        else:  # whole, too, where only an aligner finds the words, or several turns have some
            speech = story.speak(synthesizer, self.turns, roles, **how).speech
            words = _words(speech) if self.wants_words else ()
            yield Chunk(encoder.add(speech.waveform), speech.waveform.seconds, words=words, remarks=speech.remarks)
        yield Chunk(encoder.end(), is_last=True)

    def _remarks(self, synthesizer: Synthesizer, roles: Mapping[str, Role]) -> tuple[str, ...]:
        """Return all that is known of the voices and their speed before they speak."""
        remarks: list[str] = []
        for voice in dict.fromkeys(turn.voice for turn in self.turns):  # an aligner listens, so each is asked once
            own = synthesizer.model.voice(roles[voice].prompt)
            prepared = synthesizer.listen(own).prompt
            remarks += doubts.of_reference(own, prepared, synthesizer.model.checks(own))
            speeds = dict.fromkeys(turn.speed for turn in self.turns if turn.voice == voice)
            for speed in speeds:
                remarks += doubts.possible_speed(self.speed if speed is None else speed, prepared)[1]
        return tuple(dict.fromkeys(remarks))

    def usage(self, seconds: float) -> wire.Usage:
        """Return what ``seconds`` of it count."""
        said, made = len(self.text), round(seconds * _TOKENS_PER_SECOND)
        return wire.Usage(input_tokens=said, output_tokens=made, total_tokens=said + made)


class Delivery:
    """An order on its way to its client: iterate it for chunks, and close it whatever happens."""

    def __init__(self, service: Service, order: Order, caller: Caller) -> None:
        self.order, self.seconds, self.is_whole = order, 0.0, False
        self.remarks: tuple[str, ...] = ()
        self._service, self._caller = service, caller
        self._began = time.monotonic()
        self._watch: asyncio.Task[None] | None = None
        self._outcome: str | None = None
        self._job: Job[Chunk] = service.queue.begin(lambda check: order.make(service.synthesizer, check), caller.place)

    def watch(self, receive: Receive) -> None:
        """Leave as soon as ``receive`` says that the client is gone."""
        self._watch = watch(receive, lambda: self.close("left"))

    def __aiter__(self) -> Delivery:
        return self

    async def __anext__(self) -> Chunk:
        chunk = await self._job.__anext__()
        metrics = self._service.metrics
        if not self.seconds:
            metrics.first_byte.observe(time.monotonic() - self._began)
        self.seconds += chunk.seconds
        self.remarks = tuple(dict.fromkeys((*self.remarks, *chunk.remarks)))
        self.is_whole = chunk.is_last
        if chunk.is_last:
            metrics.whole.observe(time.monotonic() - self._began)
        return chunk

    def close(self, outcome: str) -> None:
        """Give the place back and write down what became of it; what is said first counts."""
        if self._outcome is not None:
            return
        self._outcome = outcome
        self._job.leave()
        if self._watch is not None:
            self._watch.cancel()
        self._service.note(self.order, self._caller, self.seconds, outcome)


@dataclass(frozen=True)
class Service:
    """All that a server has."""

    synthesizer: Synthesizer
    queue: Queue
    voices: Voices
    consents: Consents
    metrics: Metrics
    audit: Audit
    can_change_voices: bool = True
    started: int = field(default_factory=lambda: int(time.time()))

    @property
    def model_names(self) -> list[str]:
        """Every name of the model."""
        return list(dict.fromkeys([self.synthesizer.config.name, *MODEL_NAMES]))

    def order(self, asked: wire.Manner, text: str, *, flows: bool) -> Order:
        """Return what is to be spoken, as it is made where it ``flows``, else as a whole.

        Raises ApiError and ValueError for what cannot be spoken.
        """
        if asked.model not in self.model_names:
            message = f"there is no model {asked.model[:80]!r}; choose one of {', '.join(self.model_names)}"
            raise ApiError(404, message, param="model", code="model_not_found")
        turns = script.turns(text, has_markup=asked.markup)
        formats.check(asked.response_format, asked.sample_rate)
        main = self.voices.choose(asked.voice_name) if asked.ref_audio is None else _sent_voice(asked)
        names = dict.fromkeys(turn.voice for turn in turns)
        given = {"steps": asked.steps, "guidance": asked.guidance}
        return Order(
            text=text,
            turns=turns,
            voices={name: main if name == MAIN else self.voices.choose(name) for name in names},
            format=asked.response_format,
            sample_rate=asked.sample_rate,
            speed=asked.speed,
            seed=secrets.randbelow(2**31) if asked.seed is None else asked.seed,
            sampling=self.synthesizer.config.sampling_as({k: v for k, v in given.items() if v is not None}),
            flows=flows and asked.response_format not in formats.WHOLE,
            wants_words=asked.word_timestamps,
        )

    def begin(self, order: Order, caller: Caller) -> Delivery:
        """Put ``order`` into the queue. Raises Full or Stopping."""
        return Delivery(self, order, caller)

    def note(self, order: Order, caller: Caller, seconds: float, outcome: str) -> None:
        """Count what was spoken of ``order``, and write down what became of it."""
        self.metrics.spoken.inc(seconds)
        if outcome == "done":
            self.metrics.characters.inc(len(order.text))
        with suppress(OSError):  # a full disk ends no speech
            self.audit.write(
                request=caller.request,
                key=caller.key,
                voice=order.voice,
                text=order.text,
                seed=order.seed,
                seconds=seconds,
                outcome=outcome,
            )

    def close(self) -> None:
        """Let what runs end."""
        self.queue.close()


def watch(receive: Receive, leave: Callable[[], None]) -> asyncio.Task[None]:
    """Call ``leave`` as soon as ``receive`` says that the client is gone; cancel the task where that is of no more use."""

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        leave()

    return asyncio.create_task(until_gone())


def _words(speech: Speech) -> tuple[SpokenWord, ...] | str:
    """Return when the words of ``speech`` are heard, or why nobody knows."""
    try:
        return speech.words
    except ValueError as error:  # a language without an aligner, or none installed: the sound is none the worse
        return " ".join(str(error).split())


def _sent_voice(asked: wire.Manner) -> ChosenVoice:
    """Return the voice of a recording that came with the request; it is read when its turn has come."""
    assert asked.ref_audio is not None
    data = known_voices.from_base64(asked.ref_audio)
    words = asked.ref_text

    def load() -> Prompt:
        heard = known_voices.sound(data)
        return Prompt(heard, known_voices.spoken(heard, words))

    return ChosenVoice(f"ref_audio:{hashlib.sha256(data).hexdigest()[:16]}", load)
