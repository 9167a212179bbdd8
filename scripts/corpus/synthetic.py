"""Synthetic speakers: free synthesizers at many settings read sentences, and resampling makes them more various."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from scripts.corpus import espeak, sound
from scripts.corpus.engines import Voice, speak
from scripts.corpus.parts import Outcome, Utterance, frames, keep, tokens
from scripts.corpus.texts import sentences
from tts_fm.alignment.forced import RATE, Implausible, align, check
from tts_fm.alignment.phones import SAMPLE_RATE, Span, UnknownPhone, n_frames, scale_frames, words

_HELD_OUT_SENTENCES = 6
_SENTENCES = (20, 28)
_PITCH = {"slt": (130, 210), "awb": (95, 165), "kal16": (80, 150), "kal_diphone": (80, 150), "ked_diphone": (80, 140)}
_ESPEAK = [
    f"en-us+{variant}"
    for variant in "m1 m2 m3 m4 m5 m6 m7 m8 f1 f2 f3 f4 f5 Alex Alicia Andrea Andy Annie Gene Lee Mario Michael Reed "
    "adam belinda benjamin caleb croak david edward ian john linda max paul rob shelby steph".split()
]
_COUNTS = {  # voices for training and held out
    "flite": {"slt": (24, 1), "rms": (24, 1), "awb": (20, 1), "kal16": (8, 1)},
    "festival": {"cmu_us_slt_arctic_hts": (22, 1), "kal_diphone": (14, 1), "ked_diphone": (18, 2)},
    "espeak": {"": (44, 4)},
}


def jobs(texts: Path, out: Path) -> dict[str, tuple]:
    """One job per voice: it, its split and its sentences, which no other voice reads."""
    lines = iter(sentences(texts))
    rng = random.Random(2)
    chosen = list(voices())
    held_out = [(voice, split) for voice, split in chosen if split == "heldout"]
    training = [(voice, split) for voice, split in chosen if split == "train"]
    rng.shuffle(training)
    counts = [_HELD_OUT_SENTENCES] * len(held_out) + [rng.randint(*_SENTENCES) for _ in training]
    return {
        voice.id: (voice, split, [next(lines) for _ in range(count)], out)
        for (voice, split), count in zip(held_out + training, counts, strict=True)
    }


def voices() -> Iterator[tuple[Voice, str]]:
    """Every voice once with its split."""
    seen: set[str] = set()
    for engine, bases in _COUNTS.items():
        for base, (train, held_out) in bases.items():
            rng, n = random.Random(f"{engine} {base}"), train + held_out
            hidden = {n * (k + 1) // (held_out + 1) for k in range(held_out)}
            variants = rng.sample(_ESPEAK * 2, n) if engine == "espeak" else [base] * n
            for i, variant in enumerate(variants):
                voice = _voice(rng, engine, variant, i / (n - 1))
                if voice.id not in seen:
                    seen.add(voice.id)
                    yield voice, "heldout" if i in hidden else "train"


def _voice(rng: random.Random, engine: str, base: str, place: float) -> Voice:
    """A setting; ``place`` in 0..1 spreads the warps evenly."""
    warp = round(0.84 * (1.18 / 0.84) ** min(1.0, max(0.0, place + rng.uniform(-0.04, 0.04))), 2)
    stretch = round(rng.uniform(0.85, 1.2), 2)
    if engine == "espeak":
        return Voice(engine, base, rng.randint(20, 75), stretch, warp)
    return Voice(engine, base, rng.randint(*_PITCH[base]) if base in _PITCH else 0, stretch, warp)


def record(key: str, voice: Voice, split: str, lines: list[str], out: Path) -> Outcome:
    """What one voice reads, aligned before it is warped."""
    outcome = Outcome(key)
    with tempfile.TemporaryDirectory() as folder:
        paths = [None] * len(lines) if voice.engine == "espeak" else speak(voice, lines, Path(folder))
        for i, (text, path) in enumerate(zip(lines, paths, strict=True)):
            try:
                audio, spans = _heard(voice, text, path)
                utterance = _warped(f"synthetic-{key}-{i:02}", voice, split, text, audio, spans, out)
            except (Implausible, UnknownPhone, ValueError) as error:
                outcome.dropped[f"{voice.engine}: {error}"] += 1
            else:
                outcome.utterances.append(utterance)
    return outcome


def _heard(voice: Voice, text: str, path: Path | None) -> tuple[np.ndarray, list[list[Span]]]:
    """The sentence at 24 kHz and where its phones lie: espeak says it, for the others it has to be found."""
    written = tokens(text)
    if path is None:
        audio, rate, marks = espeak.read_aloud(text, voice.base, voice.pitch, round(160 / voice.stretch))
        marks = espeak.with_closures(marks, audio, rate)
        return sound.resample(audio, rate, SAMPLE_RATE), espeak.spans(marks, written, words(written))
    if not path.exists() or path.stat().st_size < 1000:
        raise Implausible("the engine said nothing")
    audio, rate = sound.read(path)
    alignment = align(sound.resample(audio, rate, RATE), words(written))
    check(alignment)
    return sound.resample(audio, rate, SAMPLE_RATE), alignment.spans


def _warped(
    id: str, voice: Voice, split: str, text: str, audio: np.ndarray, spans: list[list[Span]], out: Path
) -> Utterance:
    cut, spans = sound.trim(*sound.padded(audio, spans), (0.0, len(audio) / SAMPLE_RATE + 1))
    warped = sound.on_floor(sound.warp(cut, voice.warp), seed=id)
    scaled = scale_frames(frames(text, spans, cut), n_frames(len(warped)))
    return keep(out, warped, scaled, id=id, text=text, speaker=voice.id, source=voice.engine, split=split)
