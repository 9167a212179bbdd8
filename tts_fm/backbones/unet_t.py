"""The flat U-Net transformer of E2-TTS (arXiv 2406.18009): the time is a token, and early blocks skip to late ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from tts_fm import plugins
from tts_fm.backbones import Backbone
from tts_fm.nn.attention import Attention, FeedForward, padded_length, rotary_table
from tts_fm.nn.embeddings import FrameEmbedding, TextEmbedding
from tts_fm.nn.modulation import TimeEmbedding, TimeTable, at_time, tabulate
from tts_fm.nn.norm import RMSNorm
from tts_fm.nn.product import project
from tts_fm.types import Condition

NORM_EPS = 1e-20
"""Only keeps a row of zeros from dividing by zero: the published weights were trained without one."""


class UNetT(Backbone):
    """Pre-norm self-attention blocks; the first half's inputs join the second half's in reverse order."""

    class Options(plugins.Options):
        """Sizes and variants as in the backbone ``dit``; ``skip`` is how an early block's input joins a late one's."""

        dim: int = Field(1024, gt=0, le=16_384, multiple_of=16)
        depth: int = Field(8, ge=2, le=256, multiple_of=2)
        heads: int = Field(8, ge=1, le=256)
        head_dim: int = Field(64, ge=2, le=1024, multiple_of=2)
        ff_mult: float = Field(4.0, ge=0.1, le=64)
        dropout: float = Field(0.1, ge=0, lt=1)
        text_dim: int | None = Field(None, ge=2, le=16_384, multiple_of=2)
        conv_layers: int = Field(0, ge=0, le=64)
        text_mask_padding: bool = True
        rope_heads: int | None = Field(None, ge=0, le=256)
        qk_norm: bool = False
        skip: Literal["concat", "add", "none"] = "concat"

    options: Options

    def __init__(self, options: Options, n_mels: int, vocab_size: int) -> None:
        super().__init__(options, n_mels, vocab_size)
        dim, text_dim = options.dim, n_mels if options.text_dim is None else options.text_dim
        self.time_embedding = TimeEmbedding(dim)
        self.text_embedding = TextEmbedding(
            vocab_size, text_dim, options.conv_layers, masks_padding=options.text_mask_padding, max_positions=4096
        )
        self.frame_embedding = FrameEmbedding(n_mels, text_dim, dim)
        half = options.depth // 2
        self.blocks = nn.ModuleList(
            Block(options, joins=i >= half and options.skip == "concat") for i in range(options.depth)
        )
        self.norm_out = RMSNorm(dim, eps=NORM_EPS)
        self.out = nn.Linear(dim, n_mels)

    @property
    def token_table(self) -> nn.Embedding:
        """See :class:`Backbone`."""
        return self.text_embedding.embedding

    def adaptable_layers(self) -> list[nn.Linear]:
        """See :class:`Backbone`; not the layer that joins an early block to a late one."""
        joins = {block.join for block in self.blocks if isinstance(block, Block)}
        return [layer for layer in super().adaptable_layers() if layer not in joins]

    def prepare(self, condition: Condition, times: Float[Tensor, " k"] | None = None) -> Prepared:
        """See :class:`Backbone`."""
        is_valid = condition.is_valid
        n = is_valid.shape[1]
        length = padded_length(n + 1, self.out.weight)
        is_key = F.pad(F.pad(is_valid, (1, 0), value=True), (0, length - n - 1))  # the time is the first
        text = self.text_embedding(condition.token_ids, is_valid, condition.has_text)
        prompt_mel = condition.prompt_mel * condition.has_prompt[:, None, None]
        return Prepared(
            context=self.frame_embedding.context(prompt_mel, text),
            is_valid=None if bool(is_valid.all()) else is_valid,
            is_key=None if bool(is_key.all()) else is_key,
            rotary=rotary_table(length, self.options.head_dim, is_valid.device),
            table=tabulate(times, self._time_tokens),
        )

    def velocity(
        self, x_t: Float[Tensor, "b n c"], t: Float[Tensor, ""] | Float[Tensor, " b"], prepared: Prepared
    ) -> Float[Tensor, "b n c"]:
        """See :class:`Backbone`."""
        is_valid = prepared.is_valid
        n, length = x_t.shape[1], prepared.rotary.shape[1]
        frames = self.frame_embedding(x_t, prepared.context, is_valid)
        token = at_time(prepared.table, t, self._time_tokens).to(frames.dtype).expand(len(frames), -1, -1)
        x = F.pad(torch.cat([token, frames], dim=1), (0, 0, 0, length - n - 1))  # b j d
        skips: list[Tensor] = []
        for i, block in enumerate(self.blocks):
            is_early = i < self.options.depth // 2
            skip = None if is_early or self.options.skip == "none" else skips.pop()
            if is_early:
                skips.append(x)
            x = block(x, skip, prepared.rotary, prepared.is_key)
        v = self.out(self.norm_out(x[:, 1 : n + 1]))
        return v if is_valid is None else v.masked_fill(~is_valid[..., None], 0)

    def _time_tokens(self, t: Float[Tensor, " b"]) -> Float[Tensor, "b 1 d"]:
        return self.time_embedding(t.to(self.out.weight.device))[:, None]


@dataclass(frozen=True)
class Prepared:
    """What :class:`UNetT` computes once for a condition; ``is_valid``, ``is_key`` are None where all is true.

    There are ``j`` positions in the blocks: the time, the frames, and a few more.
    """

    context: Float[Tensor, "b n d"]
    is_valid: Bool[Tensor, "b n"] | None
    is_key: Bool[Tensor, "b j"] | None
    rotary: Float[Tensor, "2 j half"]
    table: TimeTable


class Block(nn.Module):
    """Attention and feed-forward, each after an RMS norm; a late block first joins what an early one was given.

    It joins by a linear layer (``joins`` True) or by a sum.
    """

    def __init__(self, options: UNetT.Options, joins: bool) -> None:
        super().__init__()
        dim = options.dim
        self.join = nn.Linear(2 * dim, dim, bias=False) if joins else None
        self.attention_norm = RMSNorm(dim, eps=NORM_EPS)
        self.attention = Attention(
            dim,
            options.heads,
            options.head_dim,
            dropout=options.dropout,
            rope_heads=options.rope_heads,
            qk_norm=options.qk_norm,
        )
        self.feed_forward_norm = RMSNorm(dim, eps=NORM_EPS)
        self.feed_forward = FeedForward(dim, options.ff_mult, options.dropout)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        skip: Float[Tensor, "b n d"] | None,
        rotary: Float[Tensor, "2 n half"],
        is_key: Bool[Tensor, "b n"] | None,
    ) -> Float[Tensor, "b n d"]:
        """Return the block's output."""
        if skip is not None:
            x = x + skip if self.join is None else project(self.join, torch.cat([x, skip], dim=-1))
        x = x + self.attention(self.attention_norm(x), rotary, is_key)
        return x + self.feed_forward(self.feed_forward_norm(x))
