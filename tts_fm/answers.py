"""What the networks answer at one time: a velocity for each thing that guidance tells them, in one stacked call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from tts_fm.backbones import Backbone
from tts_fm.flow.guidance import Conditioning
from tts_fm.types import FILLER, Condition

Answers = Callable[[Tensor, Tensor], dict[Conditioning, Tensor]]
"""A function of ``x_t`` (b n c) and ``t``: the velocity (b n c) for each conditioning."""


@dataclass(frozen=True, eq=False)
class Networks:
    """Who is asked.

    Attributes:
        backbone: the velocity network.
        weak: a weaker one, which answers where guidance asks for ``weak``.
        is_lean: whether ``nothing`` is told of the missing frames alone.
    """

    backbone: Backbone
    weak: Backbone | None = None
    is_lean: bool = False

    def answers(
        self, condition: Condition, conditionings: Sequence[Conditioning], times: Float[Tensor, " e"] | None
    ) -> Answers:
        """Prepare ``conditionings`` of ``condition`` at ``times``; None: they are not known before."""
        apart = {"weak", "nothing"} if self.is_lean else {"weak"}
        parts = [_stacked(self.backbone, condition, [name for name in conditionings if name not in apart], times)]
        if self.is_lean and "nothing" in conditionings:
            parts.append(_lean(self.backbone, condition, times))
        if self.weak is not None and "weak" in conditionings:
            parts.append(_weak(self.weak, condition, times))
        return lambda x_t, t: {name: velocity for part in parts for name, velocity in part(x_t, t).items()}


def _stacked(
    backbone: Backbone, condition: Condition, conditionings: Sequence[Conditioning], times: Float[Tensor, " e"] | None
) -> Answers:
    prepared = backbone.prepare(Condition.stack([_conditioned(condition, name) for name in conditionings]), times)

    def answers(x_t: Tensor, t: Tensor) -> dict[Conditioning, Tensor]:
        velocities = backbone.velocity(torch.cat([x_t] * len(conditionings)), t, prepared).float()
        return dict(zip(conditionings, velocities.chunk(len(conditionings)), strict=True))

    return answers


def _lean(backbone: Backbone, condition: Condition, times: Float[Tensor, " e"] | None) -> Answers:
    """Tell nothing of the missing frames, and the others are not there; their velocity is 0."""
    missing = _missing(condition)  # b q
    prepared = backbone.prepare(_bare(condition, missing), times)

    def answers(x_t: Tensor, t: Tensor) -> dict[Conditioning, Tensor]:
        places = missing.clamp(min=0)[..., None].expand(-1, -1, x_t.shape[2])  # b q c
        velocity = backbone.velocity(x_t.gather(1, places), t, prepared).float() * (missing >= 0)[..., None]
        return {"nothing": torch.zeros_like(x_t).scatter_add(1, places, velocity)}

    return answers


def _weak(weak: Backbone, condition: Condition, times: Float[Tensor, " e"] | None) -> Answers:
    prepared = weak.prepare(condition, times)
    return lambda x_t, t: {"weak": weak.velocity(x_t, t, prepared).float()}


def _conditioned(condition: Condition, conditioning: Conditioning) -> Condition:
    """Return ``condition`` without what is not in ``conditioning``."""
    if conditioning == "nothing":
        return condition.empty()
    nobody = torch.zeros_like(condition.has_text)
    if conditioning == "text":
        return replace(condition, has_prompt=nobody)
    return replace(condition, has_text=nobody) if conditioning == "prompt" else condition


def _missing(condition: Condition) -> Int[Tensor, "b q"]:
    """Return the places from the first missing frame of each utterance to its last, -1 where others have more."""
    is_missing = condition.is_valid & ~condition.is_prompt  # b n
    n = is_missing.shape[1]
    first = is_missing.int().argmax(dim=1)
    count = n - is_missing.flip(1).int().argmax(dim=1) - first  # b
    frame = torch.arange(int(count.max()), device=first.device)  # q
    return torch.where(frame < count[:, None], first[:, None] + frame, -1)


def _bare(condition: Condition, places: Int[Tensor, "b q"]) -> Condition:
    """Return the frames at ``places`` of ``condition`` without all that it tells."""
    b, q = places.shape
    is_valid = places >= 0
    return replace(
        condition.empty(),
        prompt_mel=condition.prompt_mel.new_zeros(b, q, condition.prompt_mel.shape[2]),
        is_prompt=torch.zeros_like(is_valid),
        is_valid=is_valid,
        token_ids=torch.full_like(condition.token_ids[:, :1], FILLER),
        token_frames=None if condition.token_frames is None else is_valid.sum(dim=1, keepdim=True),
    )
