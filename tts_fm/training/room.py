"""The memory that a run needs at least, counted before any of it is taken."""

from __future__ import annotations

import torch

from tts_fm import memory
from tts_fm.backbones import Backbone
from tts_fm.config import RunConfig
from tts_fm.nn import sizes

_COPIES = 5  # of each weight, in float32: itself, its gradient, two moments of AdamW, the average
_KEPT = (
    12  # numbers per frame, layer and channel that wait for the backward pass; with checkpointing only a layer's input
)


def check(run: RunConfig, vocab_size: int, frames: int, device: torch.device) -> None:
    """Refuse a run that cannot fit; ``frames`` are all that the corpus has.

    Raises:
        ModelError: there is less memory than it needs.
    """
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None
    memory.check(
        needed(run, vocab_size, frames),
        f"training {run.model.name} with batches of {run.data.frames_per_batch:,} frames",
        there=free,
        instead="lower data.frames_per_batch (and raise training.accumulation), set training.activation_checkpointing, "
        "or take a smaller model",
    )


def needed(run: RunConfig, vocab_size: int, frames: int) -> int:
    """Return the least bytes that a process needs for weights, optimizer and what a batch leaves for the backward pass."""
    with sizes.only():
        backbone: Backbone = run.model.backbone.build(Backbone, run.model.mel.n_mels, vocab_size)
    weights = sum(parameter.numel() for parameter in backbone.parameters())
    options = run.model.backbone.options
    width, depth = getattr(options, "dim", 0), getattr(options, "depth", 0)
    kept = 1 if run.training.activation_checkpointing else _KEPT
    bytes_each = 4 if run.training.precision == "float32" else 2
    return 4 * _COPIES * weights + bytes_each * kept * width * depth * min(run.data.frames_per_batch, frames)
