"""Speech in pieces, the first one short: what is made first can be heard while the rest is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from tts_fm.audio.io import Waveform
from tts_fm.audio.join import join
from tts_fm.audio.prompt import Prompt
from tts_fm.sampler import OnStep, SamplingOptions
from tts_fm.speech import Speech
from tts_fm.synthesizer import Synthesizer
from tts_fm.text.chunk import chunk
from tts_fm.text.normalize import normalize

_LENGTHS = (80, 160, 300)  # characters of the first piece, the second and all others, at most
_HALF_PAUSE = 0.1  # seconds


def stream(
    synthesizer: Synthesizer,
    text: str,
    prompt: Prompt | None,
    *,
    seed: int,
    speed: float,
    sampling: SamplingOptions,
    on_step: OnStep,
) -> Iterator[Speech]:
    """Yield the speech of ``text`` in pieces, pauses included; all arguments as those of :meth:`Synthesizer.speak`."""
    texts = cut(normalize(text))
    for i, part in enumerate(texts):
        speech = synthesizer.speak(
            part, prompt, seed=seed, speed=speed, sampling=sampling, normalized=True, on_step=on_step
        )
        seed += len(speech.passages)  # no two sentences start from the same noise
        nothing = Waveform(torch.zeros(0), speech.waveform.sample_rate)
        before, after = [nothing] if i > 0 else [], [nothing] if i < len(texts) - 1 else []
        yield replace(speech, waveform=join([*before, speech.waveform, *after], pause_seconds=_HALF_PAUSE))


def cut(text: str) -> list[str]:
    """Return ``text`` in pieces that grow, cut where a reader would breathe."""
    pieces: list[str] = []
    while text:
        pieces.append(chunk(text, _LENGTHS[min(len(pieces), len(_LENGTHS) - 1)])[0])
        text = " ".join(text.split())[len(pieces[-1]) :].strip()
    return pieces
