"""A worker of a batch: a model, loaded once, that says shards."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from tts_fm import plugins, threads
from tts_fm.audio import io
from tts_fm.batch import listener, shards
from tts_fm.batch.job import Job
from tts_fm.batch.listener import Hearing
from tts_fm.batch.listing import Line, Reference
from tts_fm.batch.shards import Done, Failed, Said, Shard
from tts_fm.batch.stores import Store, Utterance
from tts_fm.errors import InputError
from tts_fm.speech import Speech, provenance

_VOICES = 64  # recordings that are kept in memory
OnLine = Callable[[float], None]
"""Told of each line that is done: how many seconds it lasts, 0 where it failed."""


class _Outcome(NamedTuple):
    utterance: Utterance
    said: Said


class Speaker:
    """Says the lines of ``job``, on ``device`` if that is given; raises as :meth:`Origin.load`."""

    def __init__(self, job: Job, device: str | None = None) -> None:
        origin = job.origin if device is None else replace(job.origin, device=device)
        self.job, self.synthesizer = job, origin.load()
        self.sampling = self.synthesizer.config.sampling_as(job.sampling)
        self.store: Store = plugins.build(Store, job.store, job.out, job.suffix)
        self.listen = None if job.check is None else listener.build(job.check.listener, job.check.model)
        self._prompt = lru_cache(_VOICES)(Reference.prompt)

    def say(self, shard: Shard, on_line: OnLine | None = None) -> Done:
        """Say the lines of ``shard``, keep them, and return what became of them; what is done is not done again."""
        if (done := shards.find(self.job.out, shard.number)) is not None:
            return done
        said: list[Said] = []
        failed: list[Failed] = []

        def kept() -> Iterator[Utterance]:
            for line in shard.lines:
                outcome = self._say(line)
                if on_line is not None:
                    on_line(0.0 if isinstance(outcome, Failed) else outcome.said.seconds)
                if isinstance(outcome, Failed):
                    failed.append(outcome)
                else:
                    said.append(outcome.said)
                    yield outcome.utterance

        with threads.one():  # on a processor it is a worker for each core that makes it quick
            self.store.keep(shard.number, kept())
        done = Done(shard.number, f"{platform.node()} {os.getpid()}", tuple(said), tuple(failed))
        done.save(self.job.out)
        return done

    def _say(self, line: Line) -> _Outcome | Failed:
        """Say one line, and again where the listener does not hear its words."""
        began = time.perf_counter()
        check = self.job.check
        heard: list[Hearing] = []
        try:
            for attempt in range(1 if check is None else check.tries):
                seed = self.job.seed_of(line, attempt)
                speech = self._speak(line, seed)
                if self.listen is not None:
                    heard.append(self.listen(speech.waveform, line.text))
                if check is None or heard[-1].share <= check.allowed:
                    facts = provenance(self.synthesizer.config.name, seed, self.sampling, speech.text)
                    return self._outcome(line, speech, facts, heard, time.perf_counter() - began)
        except ValueError as error:
            kind = "bad text or recording" if isinstance(error, InputError) else "not possible"
            return Failed(line.id, line.digest, kind, str(error))
        return Failed(line.id, line.digest, "not understood", _misheard(heard))

    def _speak(self, line: Line, seed: int) -> Speech:
        return self.synthesizer.speak(
            line.text,
            self._prompt(line.reference),
            seed=seed,
            speed=line.speed,
            seconds=line.seconds,
            sampling=self.sampling,
            normalized=self.job.is_normalized,
        )

    def _outcome(
        self, line: Line, speech: Speech, facts: dict, heard: list[Hearing], computing_seconds: float
    ) -> _Outcome:
        seconds = round(speech.waveform.seconds, 6)
        audio = io.encode(speech.waveform, self.store.suffix, facts)
        said = Said(
            id=line.id,
            line=line.digest,
            seconds=seconds,
            characters=len(speech.text),
            seed=facts["seed"],
            tries=max(1, len(heard)),
            computing_seconds=round(computing_seconds, 4),
            wrong=round(heard[-1].share, 4) if heard else None,
            remarks=speech.remarks,
        )
        return _Outcome(Utterance(line.id, line.text, line.reference.name, audio, seconds, facts), said)


def _misheard(heard: list[Hearing]) -> str:
    best = min(heard, key=lambda hearing: hearing.share)
    said = f"; heard was {best.heard!r}" if best.heard else ""
    tries = "once" if len(heard) == 1 else f"{len(heard)} times"
    return f"said {tries}, and at best {best.wrong} of {best.words} words are wrong{said}"
