"""Which utterances go into which batch: a pure function of the lengths, the seed and the epoch."""

from __future__ import annotations

import random
from collections.abc import Sequence


def plan(lengths: Sequence[int], frames_per_batch: int, max_utterances: int, seed: int, epoch: int) -> list[list[int]]:
    """Return batches of indices; each holds at most ``frames_per_batch`` frames, padding included.

    Utterances of similar length go together; lengths are jittered by up to 5 % so that the groups differ between
    epochs, and the order of the batches is random. Every utterance appears exactly once.

    Raises:
        ValueError: an utterance is longer than a batch may be.
    """
    longest = max(lengths, default=0)
    if longest > frames_per_batch:
        raise ValueError(
            f"an utterance has {longest} frames but frames_per_batch is {frames_per_batch}; raise it or lower max_seconds"
        )
    draw = random.Random(f"{seed}/{epoch}")
    jittered = [(length * draw.uniform(0.95, 1.05), i) for i, length in enumerate(lengths)]
    batches: list[list[int]] = []
    widest = 0
    for _, i in sorted(jittered):
        widest = max(widest, lengths[i])
        full = batches and (len(batches[-1]) == max_utterances or widest * (len(batches[-1]) + 1) > frames_per_batch)
        if not batches or full:
            batches.append([])
            widest = lengths[i]
        batches[-1].append(i)
    draw.shuffle(batches)
    return batches
