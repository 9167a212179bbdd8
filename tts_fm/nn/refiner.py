"""Detail of frames that patches lose, added by convolutions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tts_fm.nn.convolution import FrameConv
from tts_fm.nn.encoders import ConvBlock


class Refiner(nn.Module):
    """Adds to the clean mel what patches lose: convolutions over frames that also see ``x_t``.

    Late in the flow ``x_t`` itself knows the detail best, so a part of it is kept: ``clean + keep(t) (x_t - clean)``.
    """

    def __init__(self, n_mels: int, dim: int, layers: int, kernel: int, cond_dim: int) -> None:
        super().__init__()
        self.near = FrameConv(2 * n_mels, dim, 5)
        self.modulation = nn.Linear(cond_dim, 2 * dim)
        self.blocks = nn.ModuleList(ConvBlock(dim, kernel) for _ in range(layers))
        self.out = FrameConv(dim, n_mels, 5)
        self.keep = nn.Linear(cond_dim, n_mels)
        for layer in (self.modulation, self.out, self.keep):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    def forward(
        self,
        clean: Float[Tensor, "b n c"],
        detail: Float[Tensor, "b n r"] | None,
        x_t: Float[Tensor, "b n c"],
        modulation: Float[Tensor, "b 1 _"],
        keep: Float[Tensor, "b 1 c"],
        is_valid: Bool[Tensor, "b n"],
    ) -> Float[Tensor, "b n c"]:
        """Return the refined mel; ``detail`` is what the transformer knows of each frame.

        ``modulation`` and ``keep`` are what the layers of these names make of the time.
        """
        valid = is_valid[..., None]
        h = self.near(torch.cat([clean, x_t.to(clean.dtype)], dim=-1) * valid)  # b n r
        h = h if detail is None else h + detail
        h = F.gelu(modulate(h, *modulation.chunk(2, dim=-1))) * valid
        for block in self.blocks:
            h = block(h) * valid
        clean = clean + self.out(h)
        return clean + keep * (x_t - clean)


def modulate(x: Float[Tensor, "b n d"], shift: Tensor, scale: Tensor) -> Float[Tensor, "b n d"]:
    """Return ``LN(x) * (1 + scale) + shift``."""
    return F.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift
