"""Which utterances go into which batch: a pure function of the lengths, the seed and the epoch."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

JITTER = 0.02
"""How far lengths are moved before sorting, so that the groups differ between epochs and batches stay well filled."""


class Place(NamedTuple):
    """A batch of an endless training: the epoch, and the batch's number in it."""

    epoch: int
    position: int


def plan(
    lengths: Sequence[int],
    frames_per_batch: int,
    max_utterances: int,
    seed: int,
    epoch: int,
    times: Sequence[float] | None = None,
) -> list[list[int]]:
    """Return batches of indices; each holds at most ``frames_per_batch`` frames, padding included.

    Utterances of similar length go together, and the order of the batches is random. Every utterance appears exactly
    once, or as often as ``times`` says: 1.3 is once, and once more in three epochs of ten.

    Raises:
        ValueError: an utterance is longer than a batch may be.
    """
    longest = max(lengths, default=0)
    if longest > frames_per_batch:
        raise ValueError(
            f"an utterance has {longest} frames but frames_per_batch is {frames_per_batch}; raise it or lower max_seconds"
        )
    draw = random.Random(f"{seed}/{epoch}")
    every = range(len(lengths)) if times is None else _repeated(times, random.Random(f"{seed}/{epoch}/times"))
    jittered = [(lengths[i] * draw.uniform(1 - JITTER, 1 + JITTER), i) for i in every]
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


def _repeated(times: Sequence[float], draw: random.Random) -> list[int]:
    """Return each index as often as its number says, with a chance for the part that is no whole one."""
    return [i for i, number in enumerate(times) for _ in range(int(number) + (draw.random() < number % 1))]


def filled(batches: Sequence[Sequence[int]], lengths: Sequence[int]) -> float:
    """Return the share of the frames in ``batches`` that are real ones and not padding."""
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    return sum(lengths[i] for batch in batches for i in batch) / padded


class Schedule:
    """All batches of all epochs in order; each process of a group takes every ``world``-th of them.

    Nothing but a :class:`Place` is needed to go on exactly: what lies ahead does not depend on how one got there, nor
    on how many processes share it.
    """

    def __init__(self, plan_of: Callable[[int], list[list[int]]]) -> None:
        self._plan_of = plan_of
        self._kept: dict[int, list[list[int]]] = {}

    def epoch(self, number: int) -> list[list[int]]:
        """The batches of one epoch."""
        if number not in self._kept:
            self._kept = {
                k: plan for k, plan in self._kept.items() if abs(k - number) == 1
            }  # who reads ahead needs two
            self._kept[number] = self._plan_of(number)
        return self._kept[number]

    def after(self, place: Place, count: int) -> Place:
        """Return the place ``count`` batches after ``place``, in a later epoch where this one ends."""
        epoch, position = place.epoch, place.position + count
        while position >= len(self.epoch(epoch)):
            epoch, position = epoch + 1, position - len(self.epoch(epoch))
        return Place(epoch, position)

    def batches(self, start: Place, rank: int = 0, world: int = 1) -> Iterator[tuple[Place, list[int]]]:
        """Yield one process's batches from ``start`` on, without end."""
        return islice(self._all(start), rank, None, world)

    def _all(self, place: Place) -> Iterator[tuple[Place, list[int]]]:
        while True:
            yield place, self.epoch(place.epoch)[place.position]
            place = self.after(place, 1)
