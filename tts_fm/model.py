"""A model as it speaks: a configuration and the networks that were made for it, its own voice, and how it samples."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch

from tts_fm.audio.prompt import Prompt
from tts_fm.backbones import Backbone
from tts_fm.config import ModelConfig
from tts_fm.errors import InputError
from tts_fm.flow.paths import Path
from tts_fm.frontends import Frontend
from tts_fm.nn import int8
from tts_fm.sampler import OnState, Sampler, SamplingOptions
from tts_fm.vocoders import Vocoder

_MAX_FRAMES = {"cuda": 16_384}  # of a batch; elsewhere a sentence alone is as fast, and its progress can be told


@dataclass(frozen=True, eq=False)
class Model:
    """What a :class:`Synthesizer` is made of: its arguments. Raises ValueError where the vocoder was made for another mel."""

    config: ModelConfig
    backbone: Backbone
    frontend: Frontend
    vocoder: Vocoder
    dtype: torch.dtype = torch.float32
    default_prompt: Prompt | None = None
    weak: Backbone | None = None
    grids: dict[int, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.vocoder.mel != self.config.mel:
            raise ValueError(
                f"the vocoder was made for {self.vocoder.mel}, the model for {self.config.mel}; "
                f"choose a matching vocoder"
            )

    @property
    def device(self) -> torch.device:
        """Where the networks are."""
        return next(self.backbone.parameters()).device

    @property
    def precision(self) -> str:
        """What its products are computed in: ``int8``, ``bfloat16``, ``float16`` or ``float32``."""
        return "int8" if int8.is_held(self.backbone) else str(self.dtype).removeprefix("torch.")

    def with_config(self, config: ModelConfig) -> Model:
        """Return the same networks as ``config`` says. Raises ValueError where they were made for another value of it."""
        for name in ("mel", "mel_scale", "frontend", "backbone", "flow"):
            ours, theirs = getattr(self.config, name), getattr(config, name)
            if ours != theirs:
                raise ValueError(f"{name} is {theirs}, the weights were made for {ours}; load another model for that")
        return replace(self, config=config)

    def voice(self, prompt: Prompt | None) -> Prompt:
        """Return ``prompt``, or the model's own voice where it is None. Raises InputError where there is neither."""
        prompt = self.default_prompt if prompt is None else prompt
        if prompt is None:
            raise InputError(
                f"the model {self.config.name} has no voice of its own; give a reference recording and its transcript"
            )
        return prompt

    def checks(self, prompt: Prompt) -> bool:
        """Whether an aligner looks for the words of ``prompt``: it knows English, and the model's own one says its words."""
        return getattr(self.frontend.options, "language", "").startswith("en") and prompt is not self.default_prompt

    def sampler(
        self, sampling: SamplingOptions | None = None, on_state: OnState | None = None, given: int = 0
    ) -> Sampler:
        """Return what makes mels as ``sampling`` says, as the model's configuration does where it is None.

        ``on_state`` sees the log-mel (n c) of the first utterance on its way, behind the ``given`` frames of its prompt.
        """
        unscaled = self.config.mel_scale.unscaled
        return Sampler(
            self.backbone,
            self.config.default_sampling if sampling is None else sampling,
            self.dtype,
            max_frames=_MAX_FRAMES.get(self.device.type, 1),
            path=self.config.flow.path.build(Path),
            weak=self.weak,
            grids=self.grids,
            match_prompt=self.config.match_prompt,
            settle_from=self.config.settle_from,
            on_state=None if on_state is None else lambda t, x_t: on_state(t, unscaled(x_t[0, given:].float())),
        )
