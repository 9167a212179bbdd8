"""What a device multiplies fastest, and weights held in it."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import nn


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is faster there than float32; a CPU that has no instructions for it emulates them slowly."""
    return device.type == "cuda" or (device.type == "cpu" and torch.cpu._is_avx512_bf16_supported())


def hold(module: nn.Module, dtype: torch.dtype, but: Collection[str] = ()) -> None:
    """Turn the matrices of linear layers and convolutions into ``dtype``, so that autocast need not at every call.

    Norms, embeddings and the submodules named in ``but`` stay as they are.
    """
    for name, child in module.named_children():
        if name in but:
            continue
        if isinstance(child, (nn.Linear, nn.Conv1d, nn.ConvTranspose1d)):
            child.to(dtype)
        else:
            hold(child, dtype)
