"""Learning to leap: what a teacher reaches in several guided steps is learned as one, so that speech needs few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import hub, loading
from tts_fm.backbones import Backbone
from tts_fm.config import DistillOptions, ModelConfig, parse
from tts_fm.flow.paths import Path
from tts_fm.sampler import Sampler, SamplingOptions
from tts_fm.strict import plain
from tts_fm.training.finetune import fingerprint
from tts_fm.types import Condition, PathSample


@dataclass(frozen=True)
class Lesson:
    """A leap: from ``point.x_t`` at ``t`` to where the teacher gets at ``until``, at ``point.velocity`` on the average."""

    t: Float[Tensor, ""]
    until: Float[Tensor, ""]
    point: PathSample


class Teacher:
    """A finished model that shows where its guided flow leads in a leap.

    As in progressive distillation (Salimans and Ho, arXiv 2202.00512) one step is to do what several did, guidance
    included (Meng et al., arXiv 2210.03142). It is no module, so that the student's optimizer and its processes do not
    see its weights.

    Args:
        backbone: the teacher's network.
        sampler: how it walks, with its guidance.
        grids: where students step, and 1.
        options: how much it teaches, and how finely it walks.
        sha256: the fingerprint of its weights.
    """

    def __init__(
        self,
        backbone: Backbone,
        sampler: Sampler,
        grids: Sequence[Float[Tensor, " _"]],
        options: DistillOptions,
        sha256: str,
    ) -> None:
        self.backbone, self.sampler, self.grids, self.options, self.sha256 = backbone, sampler, grids, options, sha256

    def has_lesson(self, generator: torch.Generator) -> bool:
        """Draw whether a batch teaches a leap."""
        return bool(torch.rand((), generator=generator) < self.options.share)

    @torch.no_grad()
    def lesson(
        self, condition: Condition, x_0: Float[Tensor, "b n c"], x_1: Float[Tensor, "b n c"], generator: torch.Generator
    ) -> Lesson:
        """Show a leap that begins on the way from ``x_0`` to ``x_1``; ``generator`` draws the grid and the step."""
        grid = self.grids[int(torch.randint(len(self.grids), (), generator=generator))]
        k = int(torch.randint(len(grid) - 1, (), generator=generator))
        x_t = self.sampler.path.sample(x_0, x_1, grid[k].to(x_0.device).expand(len(x_0))).x_t
        t, until = grid[k : k + 2].to(x_0.device)
        reached = self.sampler.integrate(condition, x_t, x_0, self.way(grid, k))
        return Lesson(t, until, PathSample(x_t, (reached - x_t) / (until - t)))

    def way(self, grid: Float[Tensor, " k"], k: int) -> Float[Tensor, " w"]:
        """Return the teacher's own times in step ``k`` of ``grid``."""
        steps = max(1, round(self.options.fine / (len(grid) - 1)))
        return torch.linspace(float(grid[k]), float(grid[k + 1]), steps + 1)


def load(options: DistillOptions, model: ModelConfig, device: torch.device) -> Teacher:
    """Return the teacher that ``options`` name, for a student described by ``model``.

    Raises:
        ValueError: the student cannot leap, or the teacher has another mel or frontend.
        ModelError: the teacher is not there.
    """
    if not model.can_leap:
        raise ValueError(
            f"distill teaches leaps, and the backbone {model.backbone.name} cannot leap; take aligned_dit with "
            f"leaps: true"
        )
    config, backbone, _ = loading.load_model(hub.resolve(options.teacher), device)
    for block in ("mel", "mel_scale", "frontend"):
        if plain(getattr(config, block)) != plain(getattr(model, block)):
            raise ValueError(f"model.{block} is not that of the teacher {options.teacher}; take the teacher's")
    sampling = parse(SamplingOptions, config.sampling.model_dump() | options.sampling, "distill.sampling")
    return Teacher(
        backbone.eval().requires_grad_(False),
        Sampler(backbone, sampling, path=config.flow.path.build(Path)),
        [model.sampling.leaping(steps).times() for steps in options.steps],
        options,
        fingerprint(backbone.state_dict()),
    )
