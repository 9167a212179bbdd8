"""A small transformer for little compute: phonemes placed by their durations, patches of frames, clean-mel prediction."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor, nn

from tts_fm import plugins
from tts_fm.backbones import Backbone
from tts_fm.nn.convolution import FrameConv
from tts_fm.nn.embeddings import rotary_halves, rotate_halves
from tts_fm.nn.encoders import TextEncoder, VoiceEncoder, place
from tts_fm.nn.heard_voice import HeardVoice
from tts_fm.nn.modulation import sinusoids
from tts_fm.nn.refiner import Refiner, modulate
from tts_fm.types import FILLER, Condition


class AlignedDiT(Backbone):
    """A diffusion transformer that is told which phoneme sounds in which frame.

    As in Voicebox (arXiv 2306.15687) the text reaches the network at frame rate, so that nothing has to learn to align.
    The network works on patches of ``patch`` frames and predicts the clean mel ``x_1``, from which the velocity
    ``(x_1 - x_t) / (1 - t)`` follows: noise does not have to pass through the narrow network
    (Li and He, arXiv 2511.13720). adaLN is shared between blocks (PixArt-alpha, arXiv 2310.00426).
    """

    needs_token_frames = True
    float32_parts = ("text", "token_frames", "speaker")  # durations are the same in every precision

    class Options(plugins.Options):
        """Sizes; ``min_remaining`` bounds ``1 - t`` from below in the velocity.

        With ``leaps`` the network is also told how long the step is that its velocity will be used for; that of a step of
        no length is the velocity of the flow. With ``refine_layers`` the refiner is a network of its own at frame rate,
        which hears from the transformer what it knows of each frame. With ``speaker_rate``, frames of Kaldi's for one of the
        mel, it is also told what a frozen encoder of speakers (CAM++) hears in the prompt.
        """

        dim: int = Field(default=320, gt=0, le=16_384)
        depth: int = Field(default=8, gt=0, le=256)
        heads: int = Field(default=5, gt=0, le=256)
        ff_mult: int = Field(default=3, gt=0, le=64)
        patch: int = Field(default=4, gt=0, le=64)
        text_dim: int = Field(default=192, gt=0, le=16_384)
        text_layers: int = Field(default=4, ge=0, le=64)
        prompt_dim: int = Field(default=192, gt=0, le=16_384)
        refine_dim: int = Field(default=192, gt=0, le=16_384)
        refine_layers: int = Field(default=0, ge=0)
        kernel: int = Field(default=7, gt=0, le=255)
        dropout: float = Field(default=0.0, ge=0, lt=1)
        min_remaining: float = Field(default=0.05, gt=0, lt=1)
        leaps: bool = False
        speaker_rate: float = Field(default=0.0, ge=0, le=16)

    options: Options

    def __init__(self, options: Options, n_mels: int, vocab_size: int) -> None:
        super().__init__(options, n_mels, vocab_size)
        d, p = options.dim, options.patch
        if d % (2 * options.heads):
            raise ValueError(f"dim {d} must be a multiple of 2 * heads = {2 * options.heads}")
        self.text = TextEncoder(vocab_size, options.text_dim, options.text_layers, options.kernel)
        self.token_frames = nn.Sequential(
            nn.Linear(options.text_dim, options.text_dim), nn.GELU(), nn.Linear(options.text_dim, 1)
        )
        self.voice = VoiceEncoder(n_mels, options.prompt_dim, d)
        self.speaker = HeardVoice(n_mels, options.speaker_rate, d) if options.speaker_rate else None
        self.from_x = nn.Linear(p * n_mels, d)
        self.from_condition = nn.Linear(p * (n_mels + 1 + options.text_dim + 2), d)
        self.time = nn.Sequential(nn.Linear(256, d), nn.SiLU(), nn.Linear(d, d))
        self.can_leap = options.leaps
        self.leap = nn.Sequential(nn.Linear(256, d), nn.SiLU(), nn.Linear(d, d)) if options.leaps else None
        self.modulation = nn.Linear(d, 6 * d)
        self.blocks = nn.ModuleList(Block(d, options) for _ in range(options.depth))
        self.out_modulation = nn.Linear(d, 2 * d)
        self.out = nn.Linear(d, p * n_mels)
        self.detail = nn.Linear(d, p * options.refine_dim) if options.refine_layers else None
        self.refine = Refiner(n_mels, options.refine_dim, options.refine_layers, options.kernel, d)
        last = [] if self.leap is None else [self.leap[2]]
        for layer in (self.modulation, self.out_modulation, self.out, *last):
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)

    @property
    def token_table(self) -> nn.Embedding:
        """See :class:`Backbone`."""
        return self.text.embed

    def hear(self, mel: Float[Tensor, "b n c"], is_prompt: Bool[Tensor, "b n"]) -> Float[Tensor, "b v"] | None:
        """See :class:`Backbone`."""
        return None if self.speaker is None else self.speaker.hear(mel, is_prompt)

    def prepare(self, condition: Condition, times: Float[Tensor, " k"] | None = None) -> Prepared:
        """See :class:`Backbone`; ``condition.token_frames`` is needed."""
        if condition.heard is None:
            shown = condition.is_prompt & condition.has_prompt[:, None]  # nobody hears what will not be told
            condition = replace(condition, heard=self.hear(condition.prompt_mel, shown))
        return self.prepare_encoded(condition, self.text(condition.token_ids), times)

    def prepare_encoded(
        self, condition: Condition, encoded: Float[Tensor, "b m e"], times: Float[Tensor, " k"] | None = None
    ) -> Prepared:
        """As :meth:`prepare`, with ``encoded`` as :attr:`text` makes it of the tokens; the voice was heard."""
        assert condition.token_frames is not None
        placed = place(encoded, condition.token_ids, condition.token_frames, condition.prompt_mel.shape[1])  # b n e+2
        placed = placed * (condition.is_valid & condition.has_text[:, None])[..., None]
        shown = condition.is_prompt & condition.has_prompt[:, None]  # b n
        prompt = condition.prompt_mel * shown[..., None]
        context = torch.cat([prompt, shown[..., None].to(prompt.dtype), placed], dim=-1)
        is_valid = self._patches(condition.is_valid[..., None]).any(dim=-1)  # b q
        voice, beside = self.voice(prompt, shown), self.from_condition(self._patches(context))  # b d, b q d
        if self.speaker is not None:
            assert condition.heard is not None
            of_voice, of_patches = self.speaker(condition.heard * condition.has_prompt[:, None]).chunk(2, dim=-1)
            voice, beside = voice + of_voice, beside + of_patches[:, None]
        q = is_valid.shape[1]
        prepared = Prepared(
            input=beside,
            voice=voice,
            is_valid=condition.is_valid,
            is_valid_patch=is_valid,
            key_mask=None if _nothing_pads(is_valid) else is_valid[:, None, None, :],
            rotary=rotary_halves(q, self.options.dim // self.options.heads, voice.device),
            log_frames=self.token_frames(encoded)[..., 0],
            modulations={},
        )
        for t in () if times is None else times:
            prepared.modulations[float(t)] = self._modulate(t, voice)
        return prepared

    def velocity(self, x_t: Float[Tensor, "b n c"], t: Tensor, prepared: Prepared) -> Float[Tensor, "b n c"]:
        """See :class:`Backbone`."""
        at_t = prepared.modulations.get(float(t)) if t.dim() == 0 else None
        at_t = self._modulate(t, prepared.voice) if at_t is None else at_t
        return self._toward_clean(x_t, t, at_t, prepared)

    def mean_velocity(
        self, x_t: Float[Tensor, "b n c"], t: Tensor, until: Tensor, prepared: Prepared
    ) -> Float[Tensor, "b n c"]:
        """See :class:`Backbone`."""
        return self._toward_clean(x_t, t, self._modulate(t, prepared.voice, until - t), prepared)

    def _toward_clean(
        self, x_t: Float[Tensor, "b n c"], t: Tensor, at_t: Modulation, prepared: Prepared
    ) -> Float[Tensor, "b n c"]:
        """The velocity that leads from ``x_t`` to the clean mel that the network predicts."""
        valid = prepared.is_valid_patch[..., None]  # b q 1
        is_valid = prepared.is_valid[..., None]  # b n 1
        h = (self.from_x(self._patches(x_t * is_valid)) + prepared.input) * valid
        for block in self.blocks:
            h = block(h, at_t.blocks, prepared.rotary, prepared.key_mask, valid)
        h = modulate(h, *at_t.out.chunk(2, dim=-1))
        clean = self._frames(self.out(h), x_t.shape[1])  # b n c
        detail = None if self.detail is None else self._frames(self.detail(h), x_t.shape[1])  # b n r
        clean = self.refine(clean, detail, x_t, at_t.refine, at_t.keep, prepared.is_valid).float()
        remaining = (1 - t).clamp(min=self.options.min_remaining).reshape(-1, 1, 1)
        return (clean - x_t) / remaining * is_valid

    def predict_token_frames(self, token_ids: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
        """See :class:`Backbone`."""
        return self.frames(self.text(token_ids[None]))[0]

    def frames(self, encoded: Float[Tensor, "b m e"]) -> Float[Tensor, "b m"]:
        """Return how many frames each token lasts in an average voice, of tokens as :attr:`text` makes them."""
        return self.token_frames(encoded)[..., 0].float().expm1().clamp(min=0)

    def duration_loss(self, condition: Condition, prepared: Prepared) -> Float[Tensor, ""]:
        """Mean squared error of the predicted ``log(1 + frames)`` over the tokens that are told."""
        is_told = condition.token_ids != FILLER
        assert condition.token_frames is not None
        error = (prepared.log_frames.float() - condition.token_frames.float().log1p()).square()
        return (error * is_told).sum() / is_told.sum().clamp(min=1)

    def _patches(self, x: Tensor) -> Tensor:
        """``(b n e) -> (b q p*e)`` with ``n`` padded to a multiple of the patch."""
        b, n, e = x.shape
        p = self.options.patch
        return F.pad(x, (0, 0, 0, -n % p)).reshape(b, -1, p * e)

    def _frames(self, patches: Float[Tensor, "b q _"], n: int) -> Tensor:
        """``(b q p*e) -> (b n e)``, what :meth:`_patches` put together."""
        b, q, width = patches.shape
        return patches.reshape(b, q * self.options.patch, width // self.options.patch)[:, :n]

    def _modulate(self, t: Tensor, voice: Float[Tensor, "b d"], length: Tensor | None = None) -> Modulation:
        """What adaLN does at time ``t``, in a step of ``length`` (None: 0), in each part of the network."""
        e = self.time(sinusoids(t.reshape(-1))) + voice
        if self.leap is not None:
            length = torch.zeros_like(t) if length is None else length
            e = e + self.leap(sinusoids(length.reshape(-1)))
        e = F.silu(e)[:, None]  # b 1 d
        return Modulation(self.modulation(e), self.out_modulation(e), self.refine.modulation(e), self.refine.keep(e))


@dataclass(frozen=True)
class Modulation:
    """Shifts, scales and gates of adaLN at one time."""

    blocks: Float[Tensor, "b 1 _"]
    out: Float[Tensor, "b 1 _"]
    refine: Float[Tensor, "b 1 _"]
    keep: Float[Tensor, "b 1 c"]


@dataclass(frozen=True)
class Prepared:
    """What :class:`AlignedDiT` computes once for a condition."""

    input: Float[Tensor, "b q d"]
    voice: Float[Tensor, "b d"]
    is_valid: Bool[Tensor, "b n"]
    is_valid_patch: Bool[Tensor, "b q"]
    key_mask: Bool[Tensor, "b 1 1 q"] | None
    rotary: tuple[Tensor, Tensor]
    log_frames: Float[Tensor, "b m"]
    modulations: dict[float, Modulation]


class Block(nn.Module):
    """Depthwise convolution, self-attention and feed-forward, the last two modulated and gated by adaLN.

    Patches make the sequences short, where explicit products are faster on a CPU than the fused attention kernel
    (training on one core: 12,600 against 10,300 frames/s, both compiled).
    """

    def __init__(self, dim: int, options: AlignedDiT.Options) -> None:
        super().__init__()
        self.heads, self.dropout = options.heads, options.dropout
        self.table = nn.Parameter(torch.randn(6 * dim) / math.sqrt(dim))
        self.conv_norm = nn.LayerNorm(dim)
        self.conv = FrameConv(dim, dim, options.kernel, groups=dim)
        self.qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.q_norm, self.k_norm = (nn.RMSNorm(dim // options.heads) for _ in range(2))
        self.proj = nn.Linear(dim, dim)
        self.ff = nn.Sequential(nn.Linear(dim, options.ff_mult * dim), nn.GELU(), nn.Linear(options.ff_mult * dim, dim))

    def forward(
        self,
        x: Float[Tensor, "b q d"],
        shared: Float[Tensor, "b 1 _"],
        rotary: tuple[Tensor, Tensor],
        key_mask: Bool[Tensor, "b 1 1 q"] | None,
        valid: Bool[Tensor, "b q 1"],
    ) -> Float[Tensor, "b q d"]:
        """Return the block's output; rows that are not ``valid`` do not reach the others."""
        shift_a, scale_a, gate_a, shift_f, scale_f, gate_f = (shared + self.table).chunk(6, dim=-1)
        x = x + self.conv(self.conv_norm(x) * valid)
        x = x + gate_a * self._attend(modulate(x, shift_a, scale_a), rotary, key_mask)
        return x + gate_f * F.dropout(self.ff(modulate(x, shift_f, scale_f)), self.dropout, self.training)

    def _attend(self, x: Tensor, rotary: tuple[Tensor, Tensor], key_mask: Tensor | None) -> Tensor:
        b, q, d = x.shape
        query, key, value = self.qkv(x).reshape(b, q, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # each b h q k
        query, key = (rotate_halves(norm(y.float()), rotary) for norm, y in ((self.q_norm, query), (self.k_norm, key)))
        scores = (query * query.shape[-1] ** -0.5).to(value.dtype) @ key.mT.to(value.dtype)  # b h q q
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask, float("-inf"))
        out = scores.softmax(dim=-1).to(value.dtype) @ value  # b h q k
        return self.proj(out.transpose(1, 2).reshape(b, q, d))


def _nothing_pads(is_valid: Bool[Tensor, "b q"]) -> bool:
    """Whether every patch has speech in it; an exported network is given one utterance at a time, so there it has."""
    return torch.compiler.is_exporting() or bool(is_valid.all())
