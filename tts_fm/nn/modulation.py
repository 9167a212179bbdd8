"""What the time of the flow does to a network: embedding, adaptive layer norms, and their table over a time grid."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

MAX_TABLE = 256
"""A grid of more times than this is not tabulated: at the largest published size a time takes half a megabyte."""

TimeTable = Mapping[float, Tensor]
"""Per time, rows ``(1 l d)``: whatever a network computes from the time alone."""


class TimeEmbedding(nn.Module):
    """``t -> (d,)``: sines and cosines of ``1000 t``, then a two-layer network."""

    def __init__(self, dim: int, frequencies: int = 128) -> None:
        super().__init__()
        self.frequencies = frequencies
        self.mlp = nn.Sequential(nn.Linear(2 * frequencies, dim), nn.SiLU(), nn.Linear(dim, dim))

    def forward(self, t: Float[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """Return one vector per time."""
        step = math.log(10_000) / (self.frequencies - 1)
        frequency = torch.exp(torch.arange(self.frequencies, device=t.device).float() * -step)
        angle = 1000 * t.float()[:, None] * frequency  # b f
        return self.mlp(torch.cat([angle.sin(), angle.cos()], dim=-1).to(next(self.mlp.parameters()).dtype))


class Modulation(nn.Module):
    """Shifts, scales and gates from the time's embedding (adaLN-Zero, arXiv 2212.09748): zero at first."""

    def __init__(self, dim: int, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.linear = nn.Linear(dim, rows * dim)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, time: Float[Tensor, "b d"]) -> Float[Tensor, "b l d"]:
        """Return ``rows`` vectors per time."""
        return self.linear(F.silu(time)).unflatten(-1, (self.rows, -1))


def split(rows: Float[Tensor, "b l d"]) -> tuple[Tensor, ...]:
    """Return each row as ``(b 1 d)``, to be broadcast over a sequence."""
    return rows.unsqueeze(2).unbind(1)


def modulate(x: Float[Tensor, "b n d"], shift: Float[Tensor, "#b 1 d"], scale: Float[Tensor, "#b 1 d"]) -> Tensor:
    """Return ``LN(x) (1 + scale) + shift`` with a layer norm that has no weights of its own."""
    if len(scale) == 1:  # the same for the whole batch: weights of the norm, which takes them along in float32
        return F.layer_norm(x, x.shape[-1:], 1 + scale.flatten().float(), shift.flatten().float(), eps=1e-6)
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), 1 + scale)


def tabulate(times: Float[Tensor, " k"] | None, compute: Callable[[Tensor], Tensor]) -> TimeTable:
    """Return ``compute`` at each of ``times``, evaluated in one call."""
    if times is None:
        return {}
    distinct = times.unique()
    if len(distinct) > MAX_TABLE:
        return {}
    return dict(zip(distinct.tolist(), compute(distinct).split(1), strict=True))


def at_time(
    table: TimeTable, t: Float[Tensor, ""] | Float[Tensor, " b"], compute: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return the rows for ``t``, ``(1 l d)`` or ``(b l d)``: from ``table`` where it has them, else computed now."""
    if t.dim() == 0 and table:
        rows = table.get(t.item())
        if rows is not None:
            return rows
    return compute(t.reshape(-1))


def sinusoids(t: Float[Tensor, " b"]) -> Float[Tensor, "b 256"]:
    """Return 128 sines and 128 cosines of ``1000 t`` with periods from 2 pi to 20000 pi."""
    angle = 1000 * t[:, None] * torch.exp(-math.log(10_000) * torch.arange(128, device=t.device) / 128)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)
