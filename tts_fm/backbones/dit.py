"""The diffusion transformer of F5-TTS (arXiv 2410.06885): text at frame rate, adaptive layer norms."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from tts_fm import plugins
from tts_fm.backbones import Backbone
from tts_fm.nn.attention import Attention, FeedForward, padded_length, rotary_table
from tts_fm.nn.embeddings import FrameEmbedding, TextEmbedding
from tts_fm.nn.modulation import Modulation, TimeEmbedding, TimeTable, at_time, modulate, split, tabulate
from tts_fm.nn.product import project
from tts_fm.types import Condition


class DiT(Backbone):
    """Self-attention blocks modulated by the time; what is told is added to the frames at the input."""

    class Options(plugins.Options):
        """Sizes and variants; the defaults are those of the public package's class.

        ``text_dim`` None is the number of mel channels. ``text_mask_padding`` keeps fillers out of the text blocks
        (F5-TTS v1). ``rope_heads`` is how many heads know positions (None: all; v0: 1). ``average_upsampling`` spreads
        the text over the frames. ``long_skip`` joins the input to the last block's output.
        """

        dim: int = Field(1024, gt=0, le=16_384, multiple_of=16)
        depth: int = Field(8, ge=1, le=256)
        heads: int = Field(8, ge=1, le=256)
        head_dim: int = Field(64, ge=2, le=1024, multiple_of=2)
        ff_mult: float = Field(4.0, ge=0.1, le=64)
        dropout: float = Field(0.1, ge=0, lt=1)
        text_dim: int | None = Field(None, ge=2, le=16_384, multiple_of=2)
        conv_layers: int = Field(0, ge=0, le=64)
        text_mask_padding: bool = True
        average_upsampling: bool = False
        rope_heads: int | None = Field(None, ge=0, le=256)
        qk_norm: bool = False
        long_skip: bool = False

        @model_validator(mode="after")
        def _check(self) -> DiT.Options:
            if self.average_upsampling and not self.text_mask_padding:
                raise ValueError("average_upsampling needs text_mask_padding: true")
            return self

    options: Options

    def __init__(self, options: Options, n_mels: int, vocab_size: int) -> None:
        super().__init__(options, n_mels, vocab_size)
        dim, text_dim = options.dim, n_mels if options.text_dim is None else options.text_dim
        self.time_embedding = TimeEmbedding(dim)
        self.text_embedding = TextEmbedding(
            vocab_size,
            text_dim,
            options.conv_layers,
            masks_padding=options.text_mask_padding,
            upsamples=options.average_upsampling,
        )
        self.frame_embedding = FrameEmbedding(n_mels, text_dim, dim)
        self.blocks = nn.ModuleList(Block(options) for _ in range(options.depth))
        self.modulations = nn.ModuleList(Modulation(dim, rows=6) for _ in range(options.depth))
        self.long_skip = nn.Linear(2 * dim, dim, bias=False) if options.long_skip else None
        self.modulation_out = Modulation(dim, rows=2)
        self.out = nn.Linear(dim, n_mels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    @property
    def token_table(self) -> nn.Embedding:
        """See :class:`Backbone`."""
        return self.text_embedding.embedding

    def prepare(self, condition: Condition, times: Float[Tensor, " k"] | None = None) -> Prepared:
        """See :class:`Backbone`."""
        is_valid = condition.is_valid
        n = is_valid.shape[1]
        length = padded_length(n, self.out.weight)
        is_key = F.pad(is_valid, (0, length - n))
        text = self.text_embedding(condition.token_ids, is_valid, condition.has_text)
        prompt_mel = condition.prompt_mel * condition.has_prompt[:, None, None]
        return Prepared(
            context=self.frame_embedding.context(prompt_mel, text),
            is_valid=None if bool(is_valid.all()) else is_valid,
            is_key=None if bool(is_key.all()) else is_key,
            rotary=rotary_table(length, self.options.head_dim, is_valid.device),
            table=tabulate(times, self._modulations),
        )

    def velocity(
        self, x_t: Float[Tensor, "b n c"], t: Float[Tensor, ""] | Float[Tensor, " b"], prepared: Prepared
    ) -> Float[Tensor, "b n c"]:
        """See :class:`Backbone`."""
        is_valid = prepared.is_valid
        rows = at_time(prepared.table, t, self._modulations)  # b 6 depth + 2 d
        n, length = x_t.shape[1], prepared.rotary.shape[1]
        x = embedded = F.pad(self.frame_embedding(x_t, prepared.context, is_valid), (0, 0, 0, length - n))
        for i, block in enumerate(self.blocks):
            x = block(x, rows[:, 6 * i : 6 * i + 6], prepared.rotary, prepared.is_key)
        if self.long_skip is not None:
            x = project(self.long_skip, torch.cat([x, embedded], dim=-1))
        scale, shift = split(rows[:, -2:])
        v = self.out(modulate(x[:, :n], shift, scale))
        return v if is_valid is None else v.masked_fill(~is_valid[..., None], 0)

    def _modulations(self, t: Float[Tensor, " b"]) -> Float[Tensor, "b l d"]:
        """Every block's modulation, then the output's."""
        time = self.time_embedding(t.to(self.out.weight.device))
        return torch.cat([*(modulation(time) for modulation in self.modulations), self.modulation_out(time)], dim=1)


@dataclass(frozen=True)
class Prepared:
    """What :class:`DiT` computes once for a condition; ``is_valid``, ``is_key`` are None where all is true.

    There are ``j`` positions in the blocks, a few more than frames.
    """

    context: Float[Tensor, "b n d"]
    is_valid: Bool[Tensor, "b n"] | None
    is_key: Bool[Tensor, "b j"] | None
    rotary: Float[Tensor, "2 j half"]
    table: TimeTable


class Block(nn.Module):
    """Attention and feed-forward, each shifted and scaled before and gated after."""

    def __init__(self, options: DiT.Options) -> None:
        super().__init__()
        self.attention = Attention(
            options.dim,
            options.heads,
            options.head_dim,
            dropout=options.dropout,
            rope_heads=options.rope_heads,
            qk_norm=options.qk_norm,
        )
        self.feed_forward = FeedForward(options.dim, options.ff_mult, options.dropout)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        rows: Float[Tensor, "#b 6 d"],
        rotary: Float[Tensor, "2 n half"],
        is_key: Bool[Tensor, "b n"] | None,
    ) -> Float[Tensor, "b n d"]:
        """Return the block's output."""
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = split(rows)
        x = torch.addcmul(x, gate_a, self.attention(modulate(x, shift_a, scale_a), rotary, is_key))
        return torch.addcmul(x, gate_f, self.feed_forward(modulate(x, shift_f, scale_f)))
