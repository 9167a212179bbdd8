"""What a model is told: given frames, missing frames, dropped conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from pydantic import Field, model_validator
from torch import Tensor

from tts_fm.plugins import Options
from tts_fm.types import FILLER, Batch, Condition

Probability = Annotated[float, Field(ge=0, le=1)]


class InfillOptions(Options):
    """How training hides speech and conditions, each drawn per utterance.

    The hidden span covers a fraction of the utterance, uniform in ``[span_min, span_max]``; it lies anywhere, or, with
    probability ``continuation``, at the end, as in zero-shot synthesis. ``drop_prompt`` hides the prompt's audio,
    ``drop_text`` the text, ``drop_both`` both; at most one happens. ``hide_prompt_text`` hides the text of the given
    frames only (needs token durations).
    """

    span_min: Probability = 0.7
    span_max: Probability = 1.0
    continuation: Probability = 0.0
    drop_prompt: Probability = 0.24
    drop_text: Probability = 0.0
    drop_both: Probability = 0.2
    hide_prompt_text: Probability = 0.0

    @model_validator(mode="after")
    def _check(self) -> InfillOptions:
        if self.span_min > self.span_max:
            raise ValueError(f"span_min {self.span_min} is above span_max {self.span_max}")
        if self.drop_prompt + self.drop_text + self.drop_both > 1:
            raise ValueError("drop_prompt + drop_text + drop_both is above 1")
        return self


def continue_prompt(
    prompt_mel: Float[Tensor, "p c"],
    token_ids: Sequence[int],
    n_frames: int,
    token_frames: Sequence[int] | None = None,
    heard: Float[Tensor, "1 v"] | None = None,
) -> Condition:
    """Return the condition of one utterance of ``n_frames`` frames that begins with ``prompt_mel``.

    ``token_ids`` is the text of prompt and continuation together; ``token_frames``, where given, sums to ``n_frames``;
    ``heard`` is what the backbone hears of the voice, where that is known.
    """
    told = fill_between(prompt_mel, prompt_mel[:0], n_frames - len(prompt_mel), token_ids, token_frames)
    return replace(told, heard=heard)


def fill_between(
    left: Float[Tensor, "p c"],
    right: Float[Tensor, "q c"],
    n_missing: int,
    token_ids: Sequence[int],
    token_frames: Sequence[int] | None = None,
) -> Condition:
    """Return the condition of one utterance that is given but for ``n_missing`` frames between ``left`` and ``right``.

    ``token_ids`` is the text of the whole; ``token_frames``, where given, sums to all of its frames.
    """
    n_frames = len(left) + n_missing + len(right)
    assert n_missing > 0 and (token_frames is None or sum(token_frames) == n_frames)
    device = left.device
    frame = torch.arange(n_frames, device=device)[None]  # 1 n
    is_prompt = (frame < len(left)) | (frame >= n_frames - len(right))
    return Condition(
        prompt_mel=torch.cat([F.pad(left, (0, 0, 0, n_missing)), right])[None],
        is_prompt=is_prompt,
        is_valid=torch.ones_like(is_prompt),
        token_ids=torch.tensor([list(token_ids)], device=device),
        token_frames=None if token_frames is None else torch.tensor([list(token_frames)], device=device),
        has_text=torch.ones(1, dtype=torch.bool, device=device),
        has_prompt=torch.ones(1, dtype=torch.bool, device=device),
    )


def collate(conditions: Sequence[Condition]) -> Condition:
    """Return one batch of utterances of different lengths."""
    n = max(c.prompt_mel.shape[1] for c in conditions)
    m = max(c.token_ids.shape[1] for c in conditions)

    def padded(c: Condition) -> Condition:
        frames, tokens = n - c.prompt_mel.shape[1], m - c.token_ids.shape[1]
        return replace(
            c,
            prompt_mel=F.pad(c.prompt_mel, (0, 0, 0, frames)),
            is_prompt=F.pad(c.is_prompt, (0, frames)),
            is_valid=F.pad(c.is_valid, (0, frames)),
            token_ids=F.pad(c.token_ids, (0, tokens), value=FILLER),
            token_frames=None if c.token_frames is None else F.pad(c.token_frames, (0, tokens)),
        )

    return Condition.stack([padded(c) for c in conditions])


def random_span(
    batch: Batch, options: InfillOptions, generator: torch.Generator
) -> tuple[Condition, Bool[Tensor, "b n"]]:
    """Hide a random span of each utterance; return the condition and which frames are to be predicted.

    F5-TTS arXiv 2410.06885, section 3.1: the span is the target, all else is the prompt. Of an utterance with a prompt of
    its own all else is the target.
    """
    b, n, _ = batch.mel.shape
    lengths = batch.is_valid.sum(dim=1)  # b
    fraction, position, is_continuation, hides = torch.rand(4, b, generator=generator).to(lengths.device)
    span = ((options.span_min + (options.span_max - options.span_min) * fraction) * lengths).long().clamp(min=1)
    start = (position * (lengths - span + 1)).long().clamp(max=lengths - span)
    start = torch.where(is_continuation < options.continuation, lengths - span, start)
    if batch.given is not None:
        start = torch.where(batch.given > 0, batch.given, start)
        span = torch.where(batch.given > 0, lengths - batch.given, span)
    frame = torch.arange(n, device=lengths.device)[None]  # 1 n
    is_target = (frame >= start[:, None]) & (frame < (start + span)[:, None])
    is_prompt = batch.is_valid & ~is_target
    everyone = torch.ones(b, dtype=torch.bool, device=lengths.device)
    condition = Condition(
        prompt_mel=batch.mel * is_prompt[..., None],
        is_prompt=is_prompt,
        is_valid=batch.is_valid,
        token_ids=batch.token_ids,
        token_frames=batch.token_frames,
        has_text=everyone,
        has_prompt=everyone,
    )
    if batch.token_frames is not None:
        is_hidden = _lies_in_prompt(batch.token_frames, is_prompt) & (hides < options.hide_prompt_text)[:, None]
        condition = replace(condition, token_ids=batch.token_ids.masked_fill(is_hidden, FILLER))
    return condition, is_target


def _lies_in_prompt(token_frames: Tensor, is_prompt: Tensor) -> Bool[Tensor, "b m"]:
    """Which tokens have all of their frames (for a token of no frames: the frame where it stands) in the prompt."""
    end = token_frames.cumsum(dim=1)
    last = is_prompt.shape[1] - 1
    return is_prompt.gather(1, (end - token_frames).clamp(max=last)) & is_prompt.gather(1, (end - 1).clamp(0, last))


def drop(condition: Condition, options: InfillOptions, generator: torch.Generator) -> Condition:
    """Drop prompt, text or both from random utterances, so that guidance has something to extrapolate from."""
    coin = torch.rand(len(condition), generator=generator).to(condition.has_text.device)
    both = coin < options.drop_both
    text = (coin >= options.drop_both) & (coin < options.drop_both + options.drop_text)
    prompt = coin >= 1 - options.drop_prompt
    return replace(condition, has_text=~(both | text), has_prompt=~(both | prompt))
