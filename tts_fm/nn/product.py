"""Products with the weights of linear layers, what follows them taken along where weights are held in bfloat16."""

from __future__ import annotations

from typing import TypeGuard

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def project(layer: nn.Module, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b e"]:
    """Return ``layer(x)``."""
    return _in_one_pass(layer, x, "none") if _can_fuse(layer) else layer(x)


def project_gelu(layer: nn.Module, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b e"]:
    """Return ``GELU(layer(x))``, with the GELU's tanh form."""
    return _in_one_pass(layer, x, "gelu") if _can_fuse(layer) else F.gelu(layer(x), approximate="tanh")


def _in_one_pass(layer: nn.Linear, x: Tensor, then: str) -> Tensor:
    """Bias and GELU are taken in float32, before the product is rounded; else each is a pass through memory of its own."""
    held = x.to(layer.weight.dtype)
    return torch.ops.mkldnn._linear_pointwise(held, layer.weight, layer.bias, then, [], "tanh")


def _can_fuse(layer: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether oneDNN has the product; a layer with something beside it (adapters) is a class of its own."""
    if type(layer) is not nn.Linear:
        return False
    is_held = layer.weight.dtype == torch.bfloat16 and layer.weight.device.type == "cpu"
    is_plain = is_held and not torch.is_grad_enabled() and not torch.compiler.is_compiling()
    return is_plain and torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
