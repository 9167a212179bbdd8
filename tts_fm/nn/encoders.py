"""What is told becomes vectors by convolutions: one for each phoneme, placed where it sounds, and one for a voice."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tts_fm.nn.convolution import FrameConv
from tts_fm.types import FILLER


class TextEncoder(nn.Module):
    """Residual convolutions over tokens; fillers stay zero, as padding is."""

    def __init__(self, vocab_size: int, dim: int, layers: int, kernel: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size + 1, dim, padding_idx=0)
        self.blocks = nn.ModuleList(ConvBlock(dim, kernel) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(self, token_ids: Int[Tensor, "b m"]) -> Float[Tensor, "b m e"]:
        """Return one vector per token, zero for fillers."""
        is_told = (token_ids != FILLER)[..., None]
        h = self.embed(token_ids + 1)
        for block in self.blocks:
            h = block(h) * is_told
        return self.norm(h) * is_told


class ConvBlock(nn.Module):
    """Depthwise convolution and a two-layer network, with a residual connection (ConvNeXt, arXiv 2201.03545)."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.conv = FrameConv(dim, dim, kernel, groups=dim)
        self.norm = nn.LayerNorm(dim)
        self.ff = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Float[Tensor, "b m e"]) -> Float[Tensor, "b m e"]:
        """Return the block's output."""
        return x + self.ff(self.norm(self.conv(x)))


class VoiceEncoder(nn.Module):
    """One vector for the whole prompt: convolutions, then mean and deviation over its frames; zero without a prompt."""

    def __init__(self, n_mels: int, dim: int, out_dim: int) -> None:
        super().__init__()
        self.near = FrameConv(n_mels, dim, 5)
        self.far = FrameConv(dim, dim, 5)
        self.out = nn.Linear(2 * dim, out_dim)

    def forward(self, prompt: Float[Tensor, "b n c"], is_shown: Bool[Tensor, "b n"]) -> Float[Tensor, "b d"]:
        """Return the voice of the frames that are shown."""
        weight = is_shown.to(prompt.dtype)[..., None]  # b n 1
        count = weight.sum(dim=1).clamp(min=1)  # b 1
        h = F.gelu(self.near(prompt)) * weight  # b n e
        h = F.gelu(self.far(h)).float()
        mean = (h * weight).sum(dim=1) / count
        deviation = (((h - mean[:, None]).square() * weight).sum(dim=1) / count + 1e-5).sqrt()
        return self.out(torch.cat([mean, deviation], dim=-1)) * is_shown.any(dim=1)[:, None]


def place(
    encoded: Float[Tensor, "b m e"], token_ids: Int[Tensor, "b m"], token_frames: Int[Tensor, "b m"], n_frames: int
) -> Float[Tensor, "b n e+2"]:
    """Return for each frame its token's vector, how far into the token it lies (0 to 1), and log(1 + the token's frames).

    Frames of fillers are zero, so that one filler is the same as many.
    """
    ends = token_frames.cumsum(dim=1)  # b m
    frame = torch.arange(n_frames, device=ends.device).expand(len(ends), -1).contiguous()  # b n
    token = torch.searchsorted(ends.contiguous(), frame, right=True).clamp(max=ends.shape[1] - 1)  # b n
    length = token_frames.gather(1, token)
    into = (frame - (ends.gather(1, token) - length) + 0.5) / length.clamp(min=1)
    vectors = encoded.gather(1, token[..., None].expand(-1, -1, encoded.shape[-1]))
    placed = torch.cat([vectors, into[..., None], length.float().log1p()[..., None]], dim=-1)
    return placed * (token_ids.gather(1, token) != FILLER)[..., None]
