"""A transformer of joint text and audio blocks (MM-DiT, arXiv 2403.03206), as in the F5-TTS package."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from tts_fm import plugins
from tts_fm.backbones import Backbone
from tts_fm.nn.attention import Attention, FeedForward, attend, rotary_table
from tts_fm.nn.embeddings import FrameEmbedding, sinusoids
from tts_fm.nn.modulation import Modulation, TimeEmbedding, TimeTable, at_time, modulate, split, tabulate
from tts_fm.types import FILLER, Condition

MAX_TOKEN_POSITIONS = 1024


class MMDiT(Backbone):
    """Frames and tokens are two streams with weights of their own that attend to each other."""

    class Options(plugins.Options):
        """Sizes; ``qk_norm`` normalises queries and keys per head."""

        dim: int = Field(1024, gt=0, le=16_384, multiple_of=16)
        depth: int = Field(8, ge=1, le=256)
        heads: int = Field(8, ge=1, le=256)
        head_dim: int = Field(64, ge=2, le=1024, multiple_of=2)
        ff_mult: float = Field(4.0, ge=0.1, le=64)
        dropout: float = Field(0.1, ge=0, lt=1)
        qk_norm: bool = False

    options: Options

    def __init__(self, options: Options, n_mels: int, vocab_size: int) -> None:
        super().__init__(options, n_mels, vocab_size)
        self.time_embedding = TimeEmbedding(options.dim)
        self.token_embedding = nn.Embedding(vocab_size + 1, options.dim)
        self.frame_embedding = FrameEmbedding(n_mels, 0, options.dim)
        is_last = [i == options.depth - 1 for i in range(options.depth)]
        self.blocks = nn.ModuleList(Block(options, last) for last in is_last)
        self.frame_modulations = nn.ModuleList(Modulation(options.dim, rows=6) for _ in is_last)
        self.token_modulations = nn.ModuleList(Modulation(options.dim, rows=2 if last else 6) for last in is_last)
        self.modulation_out = Modulation(options.dim, rows=2)
        self.out = nn.Linear(options.dim, n_mels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    @property
    def token_table(self) -> nn.Embedding:
        """See :class:`Backbone`."""
        return self.token_embedding

    def prepare(self, condition: Condition, times: Float[Tensor, " k"] | None = None) -> Prepared:
        """See :class:`Backbone`."""
        is_valid, token_ids = condition.is_valid, condition.token_ids
        is_token = token_ids != FILLER
        tokens = self.token_embedding((token_ids + 1) * condition.has_text[:, None])  # b m d
        tokens = tokens + sinusoids(tokens.shape[1], tokens.shape[2], tokens.device, MAX_TOKEN_POSITIONS).to(
            tokens.dtype
        )
        is_key = torch.cat([is_valid, is_token], dim=1)
        head_dim, device = self.options.head_dim, is_valid.device
        return Prepared(
            context=self.frame_embedding.context(condition.prompt_mel * condition.has_prompt[:, None, None], None),
            tokens=tokens * is_token[..., None],
            is_valid=None if bool(is_valid.all()) else is_valid,
            is_key=None if bool(is_key.all()) else is_key,
            frame_rotary=rotary_table(is_valid.shape[1], head_dim, device),
            token_rotary=rotary_table(is_token.shape[1], head_dim, device),
            table=tabulate(times, self._modulations),
        )

    def velocity(
        self, x_t: Float[Tensor, "b n c"], t: Float[Tensor, ""] | Float[Tensor, " b"], prepared: Prepared
    ) -> Float[Tensor, "b n c"]:
        """See :class:`Backbone`."""
        is_valid = prepared.is_valid
        rows = at_time(prepared.table, t, self._modulations)  # b l d
        x, tokens = self.frame_embedding(x_t, prepared.context, is_valid), prepared.tokens
        for i, block in enumerate(self.blocks):
            x, tokens = block(x, tokens, rows[:, 12 * i : 12 * i + 12], prepared)
        scale, shift = split(rows[:, -2:])
        v = self.out(modulate(x, shift, scale))
        return v if is_valid is None else v.masked_fill(~is_valid[..., None], 0)

    def _modulations(self, t: Float[Tensor, " b"]) -> Float[Tensor, "b l d"]:
        """Every block's modulation of frames and of tokens, then the output's."""
        time = self.time_embedding(t.to(self.out.weight.device))
        pairs = zip(self.frame_modulations, self.token_modulations, strict=True)
        of_blocks = [modulation(time) for pair in pairs for modulation in pair]
        return torch.cat([*of_blocks, self.modulation_out(time)], dim=1)


@dataclass(frozen=True)
class Prepared:
    """What :class:`MMDiT` computes once for a condition; ``is_valid``, ``is_key`` are None where all is true."""

    context: Float[Tensor, "b n d"]
    tokens: Float[Tensor, "b m d"]
    is_valid: Bool[Tensor, "b n"] | None
    is_key: Bool[Tensor, "b n+m"] | None
    frame_rotary: Float[Tensor, "2 n half"]
    token_rotary: Float[Tensor, "2 m half"]
    table: TimeTable


class Stream(nn.Module):
    """One sequence's attention weights and feed-forward; in the last block tokens are only attended to."""

    def __init__(self, options: MMDiT.Options, has_output: bool) -> None:
        super().__init__()
        self.attention = Attention(
            options.dim,
            options.heads,
            options.head_dim,
            dropout=options.dropout,
            qk_norm=options.qk_norm,
            has_output=has_output,
        )
        self.feed_forward = FeedForward(options.dim, options.ff_mult, options.dropout) if has_output else None

    def update(self, x: Tensor, attended: Tensor, rows: tuple[Tensor, ...]) -> Tensor:
        """Return ``x`` after what attention found and the feed-forward layer, both gated."""
        assert self.feed_forward is not None
        _, _, gate_a, shift_f, scale_f, gate_f = rows
        x = x + gate_a * self.attention.merge(attended)
        return x + gate_f * self.feed_forward(modulate(x, shift_f, scale_f))


class Block(nn.Module):
    """Frames and tokens attend to both; the last block drops the tokens."""

    def __init__(self, options: MMDiT.Options, is_last: bool) -> None:
        super().__init__()
        self.frames = Stream(options, has_output=True)
        self.tokens = Stream(options, has_output=not is_last)
        self.is_last = is_last

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        tokens: Float[Tensor, "b m d"],
        rows: Float[Tensor, "#b l d"],
        prepared: Prepared,
    ) -> tuple[Float[Tensor, "b n d"], Float[Tensor, "b m d"]]:
        """Return both streams after the block; ``rows`` begin with six for the frames, then those for the tokens."""
        n = x.shape[1]
        x_rows, token_rows = split(rows[:, :6]), split(rows[:, 6:])
        # The final norms of this family are stored scale first, the others shift first.
        token_shift, token_scale = (token_rows[1], token_rows[0]) if self.is_last else (token_rows[0], token_rows[1])
        of_frames = self.frames.attention.project(modulate(x, x_rows[0], x_rows[1]), prepared.frame_rotary)
        of_tokens = self.tokens.attention.project(modulate(tokens, token_shift, token_scale), prepared.token_rotary)
        k, v = (torch.cat([f, t], dim=2) for f, t in zip(of_frames[1:], of_tokens[1:], strict=True))
        if self.is_last:
            return self.frames.update(x, attend(of_frames[0], k, v, prepared.is_key), x_rows), tokens
        attended = attend(torch.cat([of_frames[0], of_tokens[0]], dim=2), k, v, prepared.is_key)
        x = self.frames.update(x, attended[:, :, :n], x_rows)
        return x, self.tokens.update(tokens, attended[:, :, n:], token_rows)
