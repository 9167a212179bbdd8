"""Learning the velocity field: the loss of a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tts_fm import augment, infill
from tts_fm.backbones import Backbone
from tts_fm.config import RunConfig
from tts_fm.flow import objective
from tts_fm.flow.couplings import Coupling
from tts_fm.flow.paths import Path as ProbabilityPath
from tts_fm.training.adversary import Adversary, Pressure
from tts_fm.training.distillation import Teacher
from tts_fm.types import Batch


class Losses(NamedTuple):
    """The losses of one batch; ``total`` is what is minimised. ``pressure`` is what judges said, where they did."""

    total: Float[Tensor, ""]
    flow: Float[Tensor, ""]
    duration: Float[Tensor, ""]
    pressure: Pressure | None = None


class Objective(nn.Module):
    """The loss of one batch, as a module: DDP and FSDP hook into ``forward``.

    Everything random in it follows from ``seed``, so that a run can be repeated from any batch on, by any number of
    processes.
    """

    def __init__(
        self,
        config: RunConfig,
        backbone: Backbone,
        teacher: Teacher | None = None,
        adversary: Adversary | None = None,
    ) -> None:
        super().__init__()
        self.config, self.backbone, self.teacher, self.adversary = config, backbone, teacher, adversary
        self.path = config.model.flow.path.build(ProbabilityPath)
        self.coupling = config.model.flow.coupling.build(Coupling)

    def forward(self, batch: Batch, seed: int) -> Losses:
        """Return the losses, F5-TTS arXiv 2410.06885, section 3.1; zero for a batch without utterances."""
        model, device = self.config.model, batch.mel.device
        flow = model.flow
        rng = torch.Generator().manual_seed(seed)
        if self.training:
            batch = augment.vary(batch, self.config.augment, model.mel, model.mel_scale, rng)
        condition, is_target = infill.random_span(batch, self.config.infill, rng)
        condition = replace(condition, heard=self.backbone.hear(condition.prompt_mel, condition.is_prompt))
        noise = torch.Generator(device).manual_seed(seed + 1)
        x_0 = torch.randn(batch.mel.shape, generator=noise, device=device)  # b n c
        x_0 = self.coupling.pair(x_0, batch.mel, batch.is_valid)
        pressure = None
        if self.training and batch.ids and self.adversary is not None and self.adversary.has_turn(rng):
            pressure = self.adversary.press(condition, x_0, batch.mel, is_target, rng)
        if self.teacher is not None and self.teacher.has_lesson(rng):
            lesson = self.teacher.lesson(condition, x_0, batch.mel, rng)
            point, prepared = lesson.point, self.backbone.prepare(condition)
            velocity = self.backbone.mean_velocity(point.x_t, lesson.t, lesson.until, prepared)
        else:
            condition = infill.drop(condition, self.config.infill, rng)
            t = objective.draw_times(flow.time_law, len(batch), rng, flow.time_mean, flow.time_scale).to(device)  # b
            point, prepared = self.path.sample(x_0, batch.mel, t), self.backbone.prepare(condition)
            velocity = self.backbone.velocity(point.x_t, t, prepared)
        counts = float(len(batch.ids) > 0)
        flow_loss = counts * objective.velocity_loss(velocity, point.velocity, is_target)
        if not self.backbone.needs_token_frames:
            return Losses(flow_loss, flow_loss, torch.zeros_like(flow_loss))
        duration_loss = counts * self.backbone.duration_loss(condition, prepared)
        total = flow_loss + self.config.training.duration_loss_weight * duration_loss
        if pressure is not None:
            total = total + pressure.total
        return Losses(total, flow_loss, duration_loss, pressure)
