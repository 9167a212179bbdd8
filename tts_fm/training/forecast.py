"""What a run will take, before it is started: counted, and measured by a few updates."""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass

import torch

from tts_fm.data import batching
from tts_fm.training.acoustic import AcousticLearner

WARM_UP, MEASURED = 1, 3
"""Updates that are not timed, and that are."""


@dataclass(frozen=True)
class Forecast:
    """Figures of a run that has not begun.

    Attributes:
        hours: of speech to learn from.
        utterances: how many.
        frames_per_update: real frames, of the whole team.
        filled: share of a batch's frames that are real ones.
        updates_per_epoch: how many updates see every utterance once.
        epochs: how often the run sees every utterance.
        parameters: trained, and in all.
        state_gigabytes: weights, gradients, the optimizer's moments and the averaged weights on one process.
        peak_gigabytes: the most memory this process had.
        frames_per_second: measured, of the whole team.
        seconds: what the run takes at this rate, validation and samples not counted.
    """

    hours: float
    utterances: int
    frames_per_update: float
    filled: float
    updates_per_epoch: float
    epochs: float
    trained_parameters: int
    parameters: int
    state_gigabytes: float
    peak_gigabytes: float
    frames_per_second: float
    seconds: float


def forecast(learner: AcousticLearner) -> Forecast:
    """Do a few updates and return what they tell; nothing is kept of them."""
    corpus, training = learner.corpus, learner.config.training
    plan = learner.schedule.epoch(0)
    batches_per_update = training.accumulation * learner.team.world
    steps = [_timed(learner, i) for i in range(WARM_UP + MEASURED)][WARM_UP:]
    rate = sum(frames for frames, _ in steps) / sum(seconds for _, seconds in steps)
    lengths = corpus.lengths()
    frames_per_update = sum(lengths[i] for batch in plan for i in batch) / len(plan) * batches_per_update
    updates_per_epoch = len(plan) / batches_per_update
    parameters = [p for p in learner.backbone.parameters()]
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    every = sum(p.numel() for p in parameters)
    return Forecast(
        hours=corpus.seconds / 3600,
        utterances=len(corpus.recordings),
        frames_per_update=frames_per_update,
        filled=batching.filled(plan, lengths),
        updates_per_epoch=updates_per_epoch,
        epochs=training.updates / updates_per_epoch,
        trained_parameters=trained,
        parameters=every,
        state_gigabytes=4 * (every + 4 * trained) / 1e9,
        peak_gigabytes=_peak(learner.team.device) / 1e9,
        frames_per_second=rate,
        seconds=training.updates * frames_per_update / rate,
    )


def _timed(learner: AcousticLearner, update: int) -> tuple[int, float]:
    began = time.perf_counter()
    frames = learner.learn(update).frames
    return frames, time.perf_counter() - began


def _peak(device: torch.device) -> float:
    """The most bytes that were used so far, on the GPU where there is one."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
