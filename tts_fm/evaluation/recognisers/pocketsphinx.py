"""PocketSphinx, offline, which knows only the words of the evaluation: a closed bigram of its texts."""

from __future__ import annotations

import math
import re
import tempfile
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm.audio.io import Waveform
from tts_fm.audio.level import rms
from tts_fm.evaluation.lexicon import lexicon
from tts_fm.evaluation.recognisers import Recogniser
from tts_fm.text.normalize import normalize

RATE = 16_000
"""What the acoustic model was trained on, in hertz."""
DISCOUNT = 0.94
"""Taken from each bigram's count; at this value LibriSpeech's dev-clean recordings score about 16 %."""
_LEVEL, _SILENCE = 0.1, 1e-5  # root mean squares; the recogniser's noise suppression depends on the level


def words(text: str) -> list[str]:
    """Return ``text`` as it is said: numbers in words, lower case, letters and inner apostrophes only."""
    spelled = unicodedata.normalize("NFKD", normalize(text)).replace("’", "'").lower()
    plain = "".join(c for c in spelled if not unicodedata.combining(c))
    return re.findall(r"[a-z]+(?:'[a-z]+)*", plain)


def bigram_arpa(sentences: Iterable[Sequence[str]], discount: float = DISCOUNT) -> str:
    """Return a bigram model of ``sentences`` in the ARPA format, closed: it knows no other word.

    With counts ``c``, ``p(w | h) = (c(h w) - discount) / c(h)`` for a bigram that was seen; the mass this leaves goes
    to the other words in proportion to ``c(w)``.
    """
    unigrams: Counter[str] = Counter()
    bigrams: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sentence in sentences:
        line = ["<s>", *sentence, "</s>"]
        unigrams.update(line[1:])
        for history, word in pairwise(line):
            bigrams[history][word] += 1
    total = unigrams.total()

    ones, twos = [], []
    for history in sorted({"<s>", *unigrams}):
        followers = bigrams[history]
        unseen = 1 - sum(unigrams[word] for word in followers) / total
        taken = discount if unseen > 1e-9 else 0.0  # nothing to give it to
        left = taken * len(followers) / followers.total() if followers else 1.0
        probability = "-99" if history == "<s>" else f"{math.log10(unigrams[history] / total):.6f}"
        backoff = math.log10(left / unseen) if taken else -99.0
        ones.append(f"{probability} {history} {backoff:.6f}")
        for word, count in sorted(followers.items()):
            twos.append(f"{math.log10((count - taken) / followers.total()):.6f} {history} {word}")
    sizes = ["\\data\\", f"ngram 1={len(ones)}", f"ngram 2={len(twos)}", ""]
    return "\n".join([*sizes, "\\1-grams:", *ones, "", "\\2-grams:", *twos, "", "\\end\\", ""])


class PocketSphinx(Recogniser):
    """PocketSphinx with its own English acoustic model, and a bigram model of the given texts."""

    is_open = False

    def __init__(self, texts: Sequence[str], model: str | None = None) -> None:
        if model is not None:
            raise ValueError(f"the recogniser pocketsphinx has one model; leave out {model!r}, or choose whisper")
        try:
            from pocketsphinx import Decoder, get_model_path
        except ImportError:
            raise ValueError("the recogniser pocketsphinx is not installed; run: pip install 'tts-fm[eval]'") from None
        sentences = [words(text) for text in texts]
        folder = Path(get_model_path("en-us"))
        pronunciations = lexicon((word for s in sentences for word in s), folder / "cmudict-en-us.dict")
        with tempfile.TemporaryDirectory() as made:
            lm, dictionary = Path(made, "texts.arpa"), Path(made, "texts.dict")
            lm.write_text(bigram_arpa(sentences))
            dictionary.write_text("".join(_entries(word, spoken) for word, spoken in pronunciations.items()))
            self._decoder = Decoder(
                hmm=str(folder / "en-us"), lm=str(lm), dict=str(dictionary), samprate=RATE, loglevel="FATAL"
            )
        self.about = f"pocketsphinx {version('pocketsphinx')}, a closed bigram of {len(sentences)} texts"

    @classmethod
    def is_ready(cls) -> bool:
        return find_spec("pocketsphinx") is not None

    def words(self, text: str) -> list[str]:
        return words(text)

    def transcribe(self, waveform: Waveform) -> str:
        samples = prepare(waveform)
        if not samples.any():  # in silence it would imagine words
            return ""
        pcm = (samples * 32767).to(torch.int16).numpy().astype("<i2").tobytes()
        self._decoder.reinit_feat()  # forget the last utterance's mean and noise
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return "" if hypothesis is None else hypothesis.hypstr


def prepare(waveform: Waveform) -> Float[Tensor, " s"]:
    """Return the samples at 16 kHz and at one level, within -1 and 1."""
    samples = waveform.resampled(RATE).samples.detach().float().cpu()
    loudness = rms(samples) if len(samples) else 0.0
    return (samples * (_LEVEL / loudness)).clamp(-1, 1) if loudness > _SILENCE else torch.zeros_like(samples)


def _entries(word: str, pronunciations: Sequence[str]) -> str:
    names = [word, *(f"{word}({i})" for i in range(2, len(pronunciations) + 1))]
    return "".join(f"{name} {phones}\n" for name, phones in zip(names, pronunciations, strict=True))
