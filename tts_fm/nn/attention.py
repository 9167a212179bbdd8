"""Attention with rotary positions, and the feed-forward layer that goes with it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tts_fm.nn.norm import RMSNorm
from tts_fm.nn.product import project, project_gelu

_SCORES = 2**21
"""As many scores lie in memory at a time: 4 MB in bfloat16."""


class Attention(nn.Module):
    """One sequence's queries, keys and values, and the way back to the model's width.

    ``rope_heads`` is how many heads are rotated (None: all). ``qk_norm`` normalises queries and keys per head.
    A sequence that only gives keys and values to another one (``has_output`` False) has no way back.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        head_dim: int,
        *,
        dropout: float = 0.0,
        rope_heads: int | None = None,
        qk_norm: bool = False,
        has_output: bool = True,
    ) -> None:
        super().__init__()
        self.heads, self.rope_heads = heads, heads if rope_heads is None else min(rope_heads, heads)
        self.qkv = nn.Linear(dim, 3 * heads * head_dim)
        self.q_norm = RMSNorm(head_dim, eps=1e-6) if qk_norm else nn.Identity()
        self.k_norm = RMSNorm(head_dim, eps=1e-6) if qk_norm else nn.Identity()
        self.out = nn.Linear(heads * head_dim, dim) if has_output else None
        self.dropout = nn.Dropout(dropout)

    def project(self, x: Float[Tensor, "b n d"], rotary: Float[Tensor, "2 n half"]) -> tuple[Tensor, Tensor, Tensor]:
        """Return rotated queries, rotated keys, and values, each ``(b h n k)``."""
        q, k, v = (part.transpose(1, 2) for part in project(self.qkv, x).unflatten(-1, (3, self.heads, -1)).unbind(2))
        q, k = self._rotate(self.q_norm(q), rotary), self._rotate(self.k_norm(k), rotary)
        return q.to(v.dtype), k.to(v.dtype), v

    def merge(self, attended: Float[Tensor, "b h n k"]) -> Float[Tensor, "b n d"]:
        """Return what the heads found, at the model's width."""
        assert self.out is not None
        return self.dropout(project(self.out, attended.transpose(1, 2).flatten(2)))

    def forward(
        self, x: Float[Tensor, "b n d"], rotary: Float[Tensor, "2 n half"], is_key: Bool[Tensor, "b n"] | None
    ) -> Float[Tensor, "b n d"]:
        """Return self-attention over the positions that are keys (None: all of them)."""
        return self.merge(attend(*self.project(x, rotary), is_key))

    def _rotate(self, x: Float[Tensor, "b h n k"], rotary: Float[Tensor, "2 n half"]) -> Float[Tensor, "b h n k"]:
        if self.rope_heads == self.heads:
            return rotate(x, rotary)
        return torch.cat([rotate(x[:, : self.rope_heads], rotary).to(x.dtype), x[:, self.rope_heads :]], dim=1)


def attend(
    q: Float[Tensor, "b h n k"],
    k: Float[Tensor, "b h j k"],
    v: Float[Tensor, "b h j k"],
    is_key: Bool[Tensor, "b j"] | None,
) -> Float[Tensor, "b h n k"]:
    """Return scaled dot-product attention; without ``is_key`` the fastest kernel is free to be chosen."""
    if is_key is None and _in_products(q) and not torch.is_grad_enabled() and not torch.compiler.is_compiling():
        return _attend_in_products(q, k, v)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=None if is_key is None else is_key[:, None, None, :])


def padded_length(n: int, weight: Tensor) -> int:
    """Return how many positions attention over ``n`` of them is best given, for those too many to be masked as keys.

    ``weight`` is any of the matrices around it. The processor's kernel takes 16 keys at a time and any that are left one
    by one: a fifth of its time at 938 frames.
    """
    return n + -n % 16 if weight.device.type == "cpu" and not _in_products(weight) else n


def _in_products(x: Tensor) -> bool:
    """Whether products of whole matrices are faster than the kernel: it reaches bfloat16's AMX, but not AVX-512's."""
    is_held = x.device.type == "cpu" and x.dtype == torch.bfloat16
    return is_held and torch.cpu._is_avx512_bf16_supported() and not torch.cpu._is_amx_tile_supported()


def _attend_in_products(
    q: Float[Tensor, "b h n k"], k: Float[Tensor, "b h j k"], v: Float[Tensor, "b h j k"]
) -> Float[Tensor, "b h n k"]:
    """The same by the formula, a few heads or rows at a time: as many as leave their scores in the processor's cache."""
    b, h, n, width = q.shape
    heads, rows = max(1, _SCORES // (n * k.shape[2])), max(1, _SCORES // k.shape[2])
    attended = torch.empty(b, n, h, width, dtype=v.dtype).transpose(1, 2)  # as heads are merged
    q = q * width**-0.5
    for one in range(b):
        for head in (slice(i, i + heads) for i in range(0, h, heads)):
            for row in (slice(i, i + rows) for i in range(0, n, rows)):
                weights = torch.bmm(q[one, head, row], k[one, head].mT).softmax(dim=-1)
                attended[one, head, row] = torch.bmm(weights, v[one, head])
    return attended


def rotary_table(n: int, head_dim: int, device: torch.device) -> Float[Tensor, "2 n half"]:
    """Return cosine and sine of ``position * 10000 ** (-2i / head_dim)``, arXiv 2104.09864."""
    frequency = 1.0 / 10_000 ** (torch.arange(0, head_dim, 2, device=device).float() / head_dim)  # half
    angle = torch.arange(n, device=device).float()[:, None] * frequency  # n half
    return torch.stack([angle.cos(), angle.sin()])


def rotate(x: Float[Tensor, "b h n k"], rotary: Float[Tensor, "2 n half"]) -> Float[Tensor, "b h n k"]:
    """Turn each pair of neighbouring channels ``(2i, 2i + 1)`` by its position's angle."""
    # Each head's positions follow one another in memory, for attention reads them so.
    pairs = x.to(torch.float32, memory_format=torch.contiguous_format).unflatten(-1, (-1, 2))  # b h n half 2
    if not torch.compiler.is_compiling():
        return torch.view_as_real(torch.view_as_complex(pairs) * torch.complex(*rotary)).flatten(-2)
    (cos, sin), (even, odd) = rotary, pairs.unbind(-1)  # the compiler fuses these, and knows no complex numbers
    return torch.stack([even * cos - odd * sin, odd * cos + even * sin], dim=-1).flatten(-2)


class FeedForward(nn.Module):
    """``contract(GELU(expand(x)))``, with the GELU's tanh form."""

    def __init__(self, dim: int, mult: float, dropout: float = 0.0) -> None:
        super().__init__()
        self.expand = nn.Linear(dim, int(dim * mult))
        self.contract = nn.Linear(int(dim * mult), dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Return the layer's output."""
        return project(self.contract, self.dropout(project_gelu(self.expand, x)))
