"""Frames and tokens become vectors: projections, positions, and the text encoder of F5-TTS."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tts_fm.nn.convolution import FrameConv


class FrameEmbedding(nn.Module):
    """``x_t``, the prompt and frame-level text side by side, projected, plus a convolutional position.

    The projection is linear, so the part of prompt and text is computed once (:meth:`context`).
    """

    def __init__(self, n_mels: int, text_dim: int, dim: int) -> None:
        super().__init__()
        self.n_mels = n_mels
        self.proj = nn.Linear(2 * n_mels + text_dim, dim)
        self.position = ConvPosition(dim)

    def context(
        self, prompt_mel: Float[Tensor, "b n c"], text: Float[Tensor, "b n e"] | None
    ) -> Float[Tensor, "b n d"]:
        """Return what prompt and text add to every frame."""
        context = prompt_mel if text is None else torch.cat([prompt_mel, text.to(prompt_mel.dtype)], dim=-1)
        return F.linear(context, self.proj.weight[:, self.n_mels :], self.proj.bias)

    def forward(
        self, x_t: Float[Tensor, "b n c"], context: Float[Tensor, "b n d"], is_valid: Bool[Tensor, "b n"] | None
    ) -> Float[Tensor, "b n d"]:
        """Return the embedded frames; with ``is_valid`` those that pad do not reach the others."""
        x = F.linear(x_t, self.proj.weight[:, : self.n_mels]) + context
        return x + self.position(x, is_valid)


class ConvPosition(nn.Module):
    """Position by two grouped convolutions of 31 frames, each followed by Mish."""

    def __init__(self, dim: int, kernel: int = 31, groups: int = 16) -> None:
        super().__init__()
        self.convs = nn.ModuleList(FrameConv(dim, dim, kernel, groups=groups) for _ in range(2))

    def forward(self, x: Float[Tensor, "b n d"], is_valid: Bool[Tensor, "b n"] | None) -> Float[Tensor, "b n d"]:
        """Return the position's vectors; a frame that pads reads as the zeros beyond the end of a sequence."""
        for conv in self.convs:
            if is_valid is not None:
                x = x.masked_fill(~is_valid[..., None], 0)
            x = F.mish(conv(x))
        return x


class TextEmbedding(nn.Module):
    """Tokens at frame rate: one token per frame from the start, fillers up to the utterance's own length.

    ConvNeXt-V2 blocks refine them. Option ``masks_padding`` keeps the fillers zero there, else they run through the
    blocks as a token of their own. Option ``upsamples`` then spreads the tokens evenly over the utterance's frames.
    """

    def __init__(
        self,
        vocab_size: int,
        dim: int,
        conv_layers: int = 0,
        *,
        masks_padding: bool = True,
        upsamples: bool = False,
        max_positions: int | None = None,
    ) -> None:
        super().__init__()
        self.masks_padding, self.upsamples, self.max_positions = masks_padding, upsamples, max_positions
        self.embedding = nn.Embedding(vocab_size + 1, dim)
        self.blocks = nn.ModuleList(ConvNeXtV2Block(dim, 2 * dim) for _ in range(conv_layers))

    def forward(
        self, token_ids: Int[Tensor, "b m"], is_valid: Bool[Tensor, "b n"], has_text: Bool[Tensor, " b"]
    ) -> Float[Tensor, "b n e"]:
        """Return one vector per frame. Where the text is dropped, all tokens turn to fillers but keep their places."""
        n, m = is_valid.shape[1], token_ids.shape[1]
        ids = F.pad(token_ids + 1, (0, n - m)).masked_fill(~is_valid, 0)  # b n, a long text is cut
        is_text = ids != 0
        ids = ids * has_text[:, None]
        if len(self.blocks) == 0:
            text = self.embedding(ids)  # b n e
        else:
            is_kept = is_text if self.masks_padding else is_valid
            # Out of the text's reach all fillers that stay zero have one response: one of them stands for all.
            w = min(n, m + ConvNeXtV2Block.REACH + 1) if self.masks_padding else n
            frames = torch.cat([is_valid[:, : w - 1], is_valid[:, w - 1 :].sum(dim=1, keepdim=True)], dim=1)  # b w
            text = F.pad(self._refine(ids[:, :w], is_kept[:, :w], frames), (0, 0, 0, n - w))
        return upsample(text, is_text, is_valid) if self.upsamples else text

    def _refine(
        self, ids: Int[Tensor, "b w"], is_kept: Bool[Tensor, "b w"], frames: Int[Tensor, "b w"]
    ) -> Float[Tensor, "b w e"]:
        """Return what the blocks make of the embedded ids; where ``is_kept`` is false they are zero."""
        text = self.embedding(ids)
        positions = sinusoids(ids.shape[1], text.shape[-1], text.device, self.max_positions)
        text = (text + positions.to(text.dtype)) * is_kept[..., None]
        for block in self.blocks:
            text = block(text, frames) * is_kept[..., None]
        return text


class ConvNeXtV2Block(nn.Module):
    """Depthwise convolution of 7, then a network per position with global response normalisation, arXiv 2301.00808."""

    REACH = 3
    """How far the convolution sees to either side."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(dim, dim, 2 * self.REACH + 1, padding=self.REACH, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.expand = nn.Linear(dim, hidden)
        self.gamma = nn.Parameter(torch.zeros(hidden))
        self.beta = nn.Parameter(torch.zeros(hidden))
        self.contract = nn.Linear(hidden, dim)

    def forward(self, x: Float[Tensor, "b n e"], frames: Int[Tensor, "b n"]) -> Float[Tensor, "b n e"]:
        """Return the block's output; in the response's norm each position counts for so many of the utterance's frames."""
        y = F.gelu(self.expand(self.norm(self.conv(x.mT).mT)))
        response = torch.linalg.vector_norm(y * frames[..., None].sqrt(), dim=1, keepdim=True)  # b 1 hidden
        response = (response / (response.mean(dim=-1, keepdim=True) + 1e-6)).to(y.dtype)
        return x + self.contract(self.gamma * (y * response) + self.beta + y)


def sinusoids(n: int, dim: int, device: torch.device, max_positions: int | None = None) -> Float[Tensor, "n e"]:
    """Return cosines, then sines, of ``position * 10000 ** (-2i / dim)``; from ``max_positions`` on the last again."""
    position = torch.arange(n, device=device).float()
    if max_positions is not None:
        position = position.clamp(max=max_positions - 1)
    angle = position[:, None] / 10_000 ** (torch.arange(0, dim, 2, device=device).float() / dim)  # n e/2
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


def upsample(
    text: Float[Tensor, "b n e"], is_text: Bool[Tensor, "b n"], is_valid: Bool[Tensor, "b n"]
) -> Float[Tensor, "b n e"]:
    """Spread the vectors at text positions evenly over the valid frames; the last ones get the frames left over.

    ``f`` frames and ``m`` tokens: each token lasts ``f // m`` frames, the last ``f % m`` of them one more.
    """
    tokens = is_text.sum(dim=1, keepdim=True).clamp(min=1)  # b 1
    frames = is_valid.sum(dim=1, keepdim=True)  # b 1
    each, left = frames // tokens, frames % tokens
    frame = torch.arange(text.shape[1], device=text.device)[None]  # 1 n
    short = (tokens - left) * each  # frames of the tokens that last no more than `each`
    rank = torch.where(frame < short, frame // each.clamp(min=1), tokens - left + (frame - short) // (each + 1))  # b n
    order = is_text.long().argsort(dim=1, descending=True, stable=True)  # b n, text positions first
    source = order.gather(1, rank.clamp(max=text.shape[1] - 1))
    is_told = is_valid & is_text.any(dim=1, keepdim=True)
    return text.gather(1, source[..., None].expand_as(text)) * is_told[..., None]


def rotary_halves(n: int, width: int, device: torch.device) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
    """Return cosines and sines of rotary positions (RoFormer, arXiv 2104.09864), halves side by side."""
    frequency = 10_000 ** (-torch.arange(0, width, 2, device=device) / width)
    angle = torch.arange(n, device=device)[:, None] * frequency  # n k/2
    angle = torch.cat([angle, angle], dim=-1)
    return angle.cos(), angle.sin()


def rotate_halves(x: Float[Tensor, "b h n k"], rotary: tuple[Tensor, Tensor]) -> Float[Tensor, "b h n k"]:
    """Rotate the pairs ``(x_i, x_{i + k/2})`` by their position's angle."""
    cos, sin = rotary
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
