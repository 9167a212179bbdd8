"""Every pair spoken and judged, beside the recordings themselves and the vocoder's copies of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.audio.level import frame_levels, speech_spans
from tts_fm.audio.prompt import Prompt
from tts_fm.errors import InputError
from tts_fm.evaluation import judges, report
from tts_fm.evaluation.judges import finite
from tts_fm.evaluation.pairs import Pair, strangers, thin_out
from tts_fm.evaluation.report import Judgement, Report, Result
from tts_fm.evaluation.similarity import voice_encoder

SILENT_DB = -45.0
"""Speech whose loudest 25 ms lie under this is silent (dBFS)."""
CLIPPED_SHARE = 1e-3
"""Speech with more samples than this at full scale is clipped."""
PLAUSIBLE = (0.4, 2.5)
"""How long the speech made may be, in lengths of the recording's speech."""

OnPair = Callable[[int, int], None]


@runtime_checkable
class Speaks(Protocol):
    """What can be evaluated; if it also has ``copy(waveform) -> Waveform``, its vocoder is judged alone."""

    def synthesize(self, text: str, prompt: Prompt, *, seed: int = 0) -> Waveform:
        """Speak ``text`` in the voice of ``prompt``."""
        ...


@dataclass(frozen=True)
class _Known:
    """What does not depend on the model: a pair's sounds, its voices and how its recording is judged."""

    pair: Pair
    stranger: Pair | None
    seed: int
    prompt: Prompt
    target: Waveform
    speech_seconds: float
    own: Float[Tensor, " e"]
    other: Float[Tensor, " e"] | None
    recording: Judgement


class Suite:
    """Judges any number of models by the same pairs; what the recordings score is computed once.

    The recogniser is told the texts of all pairs, prompts' too, whatever part of them is spoken.

    Args:
        pairs: what is spoken.
        choice: who judges.
    """

    def __init__(self, pairs: Sequence[Pair], choice: judges.Choice = judges.Choice()) -> None:  # noqa: B008 (frozen)
        self.pairs = list(pairs)
        self.judges = choice.open([text for pair in pairs for text in (pair.target_text, pair.prompt_text)])
        self._strangers = dict(zip((pair.id for pair in pairs), strangers(pairs), strict=True))
        self._known: dict[str, _Known] = {}

    def evaluate(
        self,
        synthesizer: Speaks,
        *,
        seed: int = 0,
        limit: int | None = None,
        out: Path | None = None,
        on_pair: OnPair | None = None,
    ) -> Report:
        """Let ``synthesizer`` speak and judge it.

        Args:
            synthesizer: what is evaluated.
            seed: the ``i``-th of all pairs is spoken with ``seed + i``.
            limit: speak only so many pairs, some of each kind.
            out: where to keep the sounds, ``wavs/ID.wav`` and ``wavs/ID.copy.wav``; nowhere if None.
            on_pair: called with (pairs done, pairs in all).

        Raises:
            InputError: a recording that cannot be used; the pair is named.
        """
        chosen = thin_out(self.pairs, limit)
        results: list[Result] = []
        for i, pair in enumerate(chosen):
            try:
                known = self._know(pair)
                if i == 0:  # the first call also allocates and compiles
                    synthesizer.synthesize(pair.target_text, known.prompt, seed=seed + known.seed)
                results.append(self._speak(synthesizer, known, seed, out))
            except InputError as error:
                raise InputError(f"pair {pair.id}: {error}") from None
            if on_pair is not None:
                on_pair(i + 1, len(chosen))
        return report.make(results, {"judges": self.judges.about()})

    def judge(self, pair: Pair, waveform: Waveform) -> Judgement:
        """Return what ``waveform`` scores as the speech of ``pair``."""
        known = self._know(pair)
        return self.judges.judge(waveform, pair.target_text, known.own, known.other)

    def recording(self, pair: Pair) -> Judgement:
        """Return what the real recording of ``pair`` scores."""
        return self._know(pair).recording

    def _speak(self, synthesizer: Speaks, known: _Known, seed: int, out: Path | None) -> Result:
        """One pair's result."""
        pair = known.pair
        began = time.perf_counter()
        output = synthesizer.synthesize(pair.target_text, known.prompt, seed=seed + known.seed)
        computing = time.perf_counter() - began
        output = finite(output)
        copy = getattr(synthesizer, "copy", None)
        copied = None if copy is None else finite(copy(known.target))
        if out is not None:
            (out / "wavs").mkdir(parents=True, exist_ok=True)
            output.save(out / "wavs" / f"{pair.id}.wav")
            if copied is not None:
                copied.save(out / "wavs" / f"{pair.id}.copy.wav")
        return Result(
            id=pair.id,
            kind=pair.kind,
            speaker=pair.speaker,
            stranger=None if known.stranger is None else known.stranger.speaker,
            text=pair.target_text,
            output=self.judges.judge(output, pair.target_text, known.own, known.other),
            recording=known.recording,
            copied=None if copied is None else self.judges.judge(copied, pair.target_text, known.own, known.other),
            computing_seconds=computing,
            is_silent=is_silent(output),
            is_clipped=is_clipped(output),
            is_implausibly_long_or_short=not is_plausible_length(output, known.speech_seconds),
        )

    def _know(self, pair: Pair) -> _Known:
        if pair.id not in self._known:
            encoder, stranger = voice_encoder(), self._strangers[pair.id]
            prompt = Prompt.load(pair.prompt_audio, pair.prompt_text)
            target = io.read(pair.target_audio)
            own = encoder.embed(prompt.waveform)
            other = None if stranger is None else encoder.embed(io.read(stranger.prompt_audio))
            self._known[pair.id] = _Known(
                pair=pair,
                stranger=stranger,
                seed=self.pairs.index(pair),
                prompt=prompt,
                target=target,
                speech_seconds=_from_first_to_last_word(target),
                own=own,
                other=other,
                recording=self.judges.judge(target, pair.target_text, own, other),
            )
        return self._known[pair.id]


def is_silent(waveform: Waveform) -> bool:
    """Return whether nobody would hear it."""
    if len(waveform.samples) == 0:
        return True
    return bool(frame_levels(waveform.samples, waveform.sample_rate).max() < SILENT_DB)


def is_clipped(waveform: Waveform) -> bool:
    """Return whether a noticeable share of the samples is at full scale or beyond."""
    is_full = waveform.samples.abs() >= 0.999
    return bool(is_full.sum() > CLIPPED_SHARE * len(is_full))


def is_plausible_length(waveform: Waveform, speech_seconds: float) -> bool:
    """Return whether it lasts about as long as the real speaker took for the same words."""
    return PLAUSIBLE[0] * speech_seconds <= waveform.seconds <= PLAUSIBLE[1] * speech_seconds


def _from_first_to_last_word(waveform: Waveform) -> float:
    spans = speech_spans(waveform.samples, waveform.sample_rate)
    return spans[-1].end - spans[0].start if spans else waveform.seconds
