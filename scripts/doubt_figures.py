"""How surely the aligner doubts a word that was spoilt, and how seldom one that was not: what ``--verify`` goes by.

python -m scripts.doubt_figures --limit 40

One word of each hard sentence, drawn at random, is muted, cut out, turned round, said twice, or given the sound of another one.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scripts.heard_words import hard_sentences
from tts_fm import Synthesizer, Waveform
from tts_fm.alignment import TimedWord, words_heard
from tts_fm.doubts import faults
from tts_fm.text.normalize import normalize

LEAST_SECONDS, LEAST_LETTERS = 0.15, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--limit", type=int, default=40)
    given = parser.parse_args()
    synthesizer, random = Synthesizer.load(given.model), np.random.default_rng(0)
    said, spoilt, doubted = Counter(), Counter(), Counter()
    for _, text in hard_sentences(given.limit):
        waveform, plain = synthesizer.synthesize(text), normalize(text)
        words = words_heard(waveform, plain)
        said.update(words=len(words), doubted=len(doubts(waveform, words)))
        for how, place, samples in damages(waveform, words, random):
            sound = Waveform(samples, waveform.sample_rate)
            spoilt[how] += 1
            doubted[how] += bool({place - 1, place, place + 1} & doubts(sound, words_heard(sound, plain)))
    print(f"as spoken: {said['doubted']} of {said['words']} words doubted")
    for how, n in spoilt.items():
        print(f"{how}: {doubted[how]} of {n} doubted")


def doubts(waveform: Waveform, words: Sequence[TimedWord]) -> set[int]:
    """Return which words are doubted."""
    return {i for fault in faults(waveform, words) for i in fault.words}


def damages(
    waveform: Waveform, words: Sequence[TimedWord], random: np.random.Generator
) -> Iterator[tuple[str, int, Float[Tensor, " s"]]]:
    """Yield what was done to which word, and the sound with it; nothing where no word is long enough."""
    x, rate = waveform.samples, waveform.sample_rate
    long = [
        i
        for i, word in enumerate(words)
        if word.end - word.start > LEAST_SECONDS and sum(c.isalpha() for c in word.word.text) >= LEAST_LETTERS
    ]
    if not long:
        return
    place = int(random.choice(long))
    start, end = (round(at * rate) for at in (words[place].start, words[place].end))
    word, others = x[start:end], [i for i in long if abs(i - place) > 1]
    middles = {
        "muted": 0 * word,
        "cut out": word[:0],
        "turned round": word.flip(0),
        "said twice": torch.cat([word, word]),
    }
    if others:
        other = words[int(random.choice(others))]
        middles["another word"] = x[round(other.start * rate) : round(other.end * rate)]
    for how, middle in middles.items():
        yield how, place, torch.cat([x[:start], middle, x[end:]])


if __name__ == "__main__":
    main()
