"""AdamW, its learning rate over a run, and the averaged weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from tts_fm.config import OptimizerOptions, TrainingOptions


def adamw(module: nn.Module, options: OptimizerOptions, undecayed: frozenset[str] = frozenset()) -> torch.optim.AdamW:
    """Return AdamW over what is to be trained: matrices decay; biases, gains, tables and ``undecayed`` do not."""
    named = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for name, p in named if p.dim() > 1 and name not in undecayed]},
        {"params": [p for name, p in named if p.dim() <= 1 or name in undecayed], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=options.lr, betas=options.betas, weight_decay=options.weight_decay, fused=True)


def learning_rate(update: int, options: OptimizerOptions, updates: int) -> float:
    """Return the rate at ``update``: linear warm-up to ``lr``, then decay to ``final_lr_ratio * lr`` at ``updates``."""
    if update < options.warmup_updates:
        return options.lr * (update + 1) / options.warmup_updates
    done = min(1.0, (update - options.warmup_updates) / max(1, updates - options.warmup_updates))
    shape = 0.5 * (1 + math.cos(math.pi * done)) if options.decay == "cosine" else 1 - done
    return options.lr * (options.final_lr_ratio + (1 - options.final_lr_ratio) * shape)


class Average:
    """The exponential moving average of a module's weights, which is what a run publishes.

    After ``u`` updates it keeps ``min(ema_decay, 1 - (1 + u) ** (-2 / 3))`` of itself (the law of ema-pytorch).
    """

    def __init__(self, module: nn.Module, options: TrainingOptions) -> None:
        self.module, self.options = module, options
        self.weights = {name: p.detach().clone() for name, p in module.named_parameters() if p.requires_grad}

    def decay(self, update: int) -> float:
        """Return how much is kept at ``update``, counted from 0."""
        since = update - self.options.ema_after
        return min(self.options.ema_decay, 1 - (1 + since) ** (-2 / 3)) if since > 0 else 0.0

    @torch.no_grad()
    def follow(self, update: int) -> None:
        """Move towards the module's weights after ``update``."""
        if update % self.options.ema_every:
            return
        current = dict(self.module.named_parameters())
        targets: list[Tensor] = [current[name] for name in self.weights]
        torch._foreach_lerp_(list(self.weights.values()), targets, 1 - self.decay(update))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Lend the averaged weights to the module."""
        parameters = dict(self.module.named_parameters())
        own = {name: parameters[name].detach().clone() for name in self.weights}
        _copy(parameters, self.weights)
        try:
            yield
        finally:
            _copy(parameters, own)


@torch.no_grad()
def _copy(parameters: dict[str, nn.Parameter], values: dict[str, Tensor]) -> None:
    for name, value in values.items():
        parameters[name].copy_(value)
