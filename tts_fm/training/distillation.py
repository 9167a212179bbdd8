"""A student of few steps: what its teacher reaches in several guided steps is learned as one step, without guidance."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import hub, loading
from tts_fm.backbones import Backbone
from tts_fm.config import DistillOptions, ModelConfig, parse, plain
from tts_fm.flow.paths import Path
from tts_fm.sampler import Sampler
from tts_fm.training.finetune import fingerprint
from tts_fm.types import Condition, PathSample


class Teacher:
    """A finished model that shows a student each of its steps.

    As in progressive distillation (Salimans and Ho, arXiv 2202.00512) one step is to do what several did, guidance
    included (Meng et al., arXiv 2210.03142). It is no module, so that the student's optimizer and its processes do not
    see its weights.

    Args:
        backbone: the teacher's network.
        sampler: how it walks, with its guidance.
        times: where the student steps, and 1.
        substeps: the teacher's steps in each of the student's.
        sha256: the fingerprint of its weights.
    """

    def __init__(
        self, backbone: Backbone, sampler: Sampler, times: Float[Tensor, " k"], substeps: int, sha256: str
    ) -> None:
        self.backbone, self.sampler, self.times, self.substeps, self.sha256 = backbone, sampler, times, substeps, sha256

    @torch.no_grad()
    def lesson(
        self, condition: Condition, x_0: Float[Tensor, "b n c"], x_1: Float[Tensor, "b n c"], generator: torch.Generator
    ) -> tuple[Float[Tensor, " b"], PathSample]:
        """Return when one of the student's steps begins, where, and the mean velocity that leads where the teacher gets.

        The step is drawn by ``generator``, and begins on the way from ``x_0`` to ``x_1``.
        """
        k = int(torch.randint(len(self.times) - 1, (), generator=generator))
        begin, end = self.times[k], self.times[k + 1]
        t = begin.to(x_0.device).expand(len(x_0))
        x_t = self.sampler.path.sample(x_0, x_1, t).x_t
        fine = torch.linspace(float(begin), float(end), self.substeps + 1)
        reached = self.sampler.integrate(condition, x_t, x_0, fine)
        return t, PathSample(x_t, (reached - x_t) / (end - begin).to(x_t.device))


def load(options: DistillOptions, model: ModelConfig, device: torch.device) -> Teacher:
    """Return the teacher that ``options`` name, for a student described by ``model``.

    Raises:
        ValueError: the student's sampling is not one that can be taught, or the teacher has another mel.
        ModelError: the teacher is not there.
    """
    ours = model.sampling
    if ours.solver != "euler" or ours.grid == "optimal" or ours.guidance != 0 or ours.noise != 0:
        raise ValueError(
            f"a student learns Euler steps without guidance and noise: model.sampling has solver {ours.solver!r}, grid "
            f"{ours.grid!r}, guidance {ours.guidance:g} and noise {ours.noise:g}; take 'euler', another grid than "
            f"'optimal', 0 and 0"
        )
    config, backbone, _ = loading.load_model(hub.resolve(options.teacher), device)
    for block in ("mel", "mel_scale", "frontend"):
        if plain(getattr(config, block)) != plain(getattr(model, block)):
            raise ValueError(f"model.{block} is not that of the teacher {options.teacher}; take the teacher's")
    sampling = parse(type(ours), config.sampling.model_dump() | options.sampling, "distill.sampling")
    path = config.flow.path.build(Path)
    return Teacher(
        backbone.eval().requires_grad_(False),
        Sampler(backbone, sampling, path=path),
        ours.times(),
        options.substeps,
        fingerprint(backbone.state_dict()),
    )
