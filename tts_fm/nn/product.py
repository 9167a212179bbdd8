"""Products with the weights of linear layers, on a processor by oneDNN, which takes along what follows them."""

from __future__ import annotations

from typing import TypeGuard

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from tts_fm.nn.int8 import ByteLinear


def project(layer: nn.Module, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b e"]:
    """Return ``layer(x)``."""
    return _in_one_pass(layer, x, "none") if _can_fuse(layer) else layer(x)


def project_gelu(layer: nn.Module, x: Float[Tensor, "*b d"]) -> Float[Tensor, "*b e"]:
    """Return ``GELU(layer(x))``, with the GELU's tanh form."""
    if isinstance(layer, ByteLinear):
        return layer(x, "gelu")
    return _in_one_pass(layer, x, "gelu") if _can_fuse(layer) else F.gelu(layer(x), approximate="tanh")


def _in_one_pass(layer: nn.Linear, x: Tensor, then: str) -> Tensor:
    """Bias and GELU are taken in float32, before a product in bfloat16 is rounded; else each is a pass through memory."""
    held = x.to(layer.weight.dtype)
    return torch.ops.mkldnn._linear_pointwise(held, layer.weight, layer.bias, then, [], "tanh")


def _can_fuse(layer: nn.Module) -> TypeGuard[nn.Linear]:
    """Whether oneDNN has the product; a layer with something beside it (adapters) is a class of its own."""
    if type(layer) is not nn.Linear or layer.weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    if layer.weight.dtype == torch.bfloat16:
        return torch.ops.mkldnn._is_mkldnn_bf16_supported()
    # Weights in float32 under autocast are cast, which is not to be lost; without AVX-512 nobody has measured it.
    is_exact = layer.weight.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return is_exact and torch.cpu._is_avx512_supported()
