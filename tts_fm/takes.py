"""The best of several takes: how well the words of a speech are heard, by an aligner and whoever else listens."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from tts_fm.alignment import TimedWord, words_heard
from tts_fm.audio.io import Waveform
from tts_fm.speech import Speech
from tts_fm.timing import Passage

CountErrors = Callable[[Waveform, str], int]
"""Returns how many words of a text somebody else, such as a recogniser, does not hear in a sound."""
Rank = tuple[int, int, float]
"""Errors that somebody else hears, words that the aligner doubts, and the score of the words as a cost: less is better."""


def best_take(
    speak: Callable[[int], Speech], seeds: Iterable[int], count_errors: CountErrors | None = None
) -> tuple[Speech, int]:
    """Return what ``speak`` makes of that of ``seeds`` whose words are heard best, and the seed.

    It is the one in which ``count_errors`` finds least, if that is given; then the one with the fewest words that the
    aligner doubts; then the one whose words it likes best; then the first.

    Args:
        speak: makes a take.
        seeds: a take each.
        count_errors: who else listens.

    Raises:
        ValueError: no seed, or the extra ``edit``, which has the aligner, is not installed.
    """
    best: tuple[Rank, Speech, int] | None = None
    for seed in seeds:
        take = speak(seed)
        rank = judge(take, count_errors)
        if best is None or rank < best[0]:
            best = rank, take, seed
    if best is None:
        raise ValueError("there is no take to choose from; give at least one seed")
    return best[1], best[2]


def judge(speech: Speech, count_errors: CountErrors | None = None) -> Rank:
    """Return how well the words of ``speech`` are heard, to be compared with another speech of the same text: less is better."""
    errors = 0 if count_errors is None else count_errors(speech.waveform, " ".join(speech.chunks))
    words = [
        word for passage in speech.passages for word in words_heard(sound_of(speech.waveform, passage), passage.text)
    ]
    return errors, sum(word.is_doubtful for word in words), cost(words)


def sound_of(waveform: Waveform, passage: Passage) -> Waveform:
    """Return the part of ``waveform`` in which ``passage`` is said."""
    rate = waveform.sample_rate
    return Waveform(waveform.samples[round(passage.start * rate) : round(passage.end * rate)], rate)


def cost(words: Sequence[TimedWord]) -> float:
    """Return how little the aligner likes ``words``, by the mean of what it says of each; infinite where there is none."""
    costs = [-word.score for word in words if word.end > word.start]
    return sum(costs) / len(costs) if costs else math.inf
