"""From noise to a mel: time grid, guidance, solver."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import BeforeValidator, Field, field_validator, model_validator
from torch import Tensor

from tts_fm import infill, plugins
from tts_fm.answers import Answers, Networks
from tts_fm.audio import equalize
from tts_fm.backbones import Backbone
from tts_fm.flow import guidance, noise, sde, time_grid
from tts_fm.flow.guidance import Conditioning
from tts_fm.flow.paths import Path
from tts_fm.flow.solvers import OnStep, Solver
from tts_fm.types import Condition, VelocityField

Walk = Callable[..., Tensor]
"""``(x_t, grid, on_step=None)``: where ``x_t`` gets along ``grid``, told one condition."""
OnState = Callable[[float, Tensor], None]
"""Called with the time and the state (b n c) where the velocity is asked for, from noise on."""
GuidanceModes = Annotated[dict[str, dict[str, Any]], BeforeValidator(guidance.parse)]
"""``{NAME: {OPTION: VALUE, ...}, ...}``, complete; may be given as ``NAME,NAME.OPTION=VALUE,...``."""


class SamplingOptions(plugins.Options):
    """How the flow is integrated; ``guidance = 0`` is none, ``shift = 1`` and ``sway = 0`` leave the grid as it is.

    ``grid`` "optimal" is the model's own for so many steps, as it was found: neither shifted nor swayed.

    The flow starts from noise of deviation ``temperature``: less than 1 is a calmer, clearer reading (as in Matcha-TTS).
    A solver with error control stays within ``tolerance`` a step, and takes no heed of grid and steps. With ``noise``
    above 0 the flow is sampled as a diffusion, by one evaluation a step (:func:`sde.euler_maruyama`).
    ``leap`` asks a model that was taught so for the mean velocity of each whole step, guidance included: few steps, one
    evaluation each. ``follow_prompt`` keeps the prompt's frames on their true path, as in training (LongCat-AudioDiT);
    F5-TTS and E2-TTS let them drift. With it ``lean_guidance`` computes the velocity that is told nothing for the missing
    frames alone: it is not shown the prompt's, but would hear them in ``x_t``. ``guidance_modes`` names what guides, with
    settings: ``{interval: {end: 0.7}, rescale: {}}``; none is ``cfg``.
    """

    solver: str = "euler"
    grid: time_grid.GridName = "epss"
    steps: int = Field(default=32, ge=1, le=1000)
    shift: float = Field(default=1.0, ge=0.01, le=100)
    temperature: float = Field(default=1.0, ge=0.05, le=2)
    tolerance: float = Field(default=1e-4, ge=1e-7, le=1)
    noise: float = Field(default=0.0, ge=0, le=10)
    guidance: float = Field(default=2.0, ge=0, le=20)
    sway: float = Field(default=-1.0, ge=-1, le=1.75)
    leap: bool = False
    follow_prompt: bool = False
    lean_guidance: bool = False
    guidance_modes: GuidanceModes = Field(default_factory=dict)

    @field_validator("solver")
    @classmethod
    def _known(cls, name: str) -> str:
        plugins.load(Solver, name)
        return name

    @model_validator(mode="after")
    def _check(self) -> SamplingOptions:
        if self.noise > 0 and self.solver != "euler":
            raise ValueError(
                f"noise is {self.noise:g}, which makes the flow a diffusion; solver {self.solver!r} cannot integrate "
                f"one, leave it at 'euler'"
            )
        if self.lean_guidance and not self.follow_prompt:
            raise ValueError(
                "lean_guidance knows nothing of the prompt's frames, so they must be kept on their path; set follow_prompt, too"
            )
        if self.leap and (self.solver != "euler" or self.noise > 0 or self.guidance > 0 or self.guidance_modes):
            raise ValueError(
                f"leap takes whole steps that have guidance in them already; with solver {self.solver!r}, guidance "
                f"{self.guidance:g} and noise {self.noise:g} leave it out, or set them to 'euler', 0 and 0"
            )
        if self.grid != "optimal" and (self.times().diff() <= 0).any():
            raise ValueError(
                f"shift {self.shift:g} and sway {self.sway:g} make steps of no length; "
                f"take a shift nearer 1, a sway nearer 0 or less than {self.steps} steps"
            )
        return self

    def leaping(self, steps: int) -> SamplingOptions:
        """Return the same in ``steps`` leaps, which need no guidance."""
        plain = {"solver": "euler", "noise": 0.0, "guidance": 0.0, "guidance_modes": {}}
        return type(self)(**{**self.model_dump(), **plain, "steps": steps, "leap": True})

    def times(self) -> Float[Tensor, " k"]:
        """Return the grid, where the steps begin, and 1; not of ``optimal``, which is the model's."""
        with torch.device("cpu"):  # options are also read where a model is made without memory, on "meta"
            return time_grid.build(self.grid, self.steps, self.sway, self.shift)


class Sampler:
    """Integrates a backbone's velocity field from noise to speech.

    Args:
        backbone: the velocity network, in evaluation mode, on the device to work on.
        options: solver, grid and guidance.
        dtype: what matrix products are computed in; the state of the ODE is always float32.
        max_frames: how many frames (padding included) go into one batch.
        path: the probability path that the backbone was trained on; the straight one if None.
        weak: a weaker model, for the guidance mode ``auto``.
        grids: the model's own grids by their number of steps, for ``grid`` "optimal".
        on_state: sees the way from noise to speech.
        match_prompt: how far the long-term spectrum of what was said is moved to the prompt's, see :func:`equalize.like`.
        settle_from: the time on the path where that is done: what the way so far points to is moved, taken back to this time, and
            the rest of the way is walked from there, so that the network mends what moving has spoilt; at 1 nothing is left.
    """

    def __init__(
        self,
        backbone: Backbone,
        options: SamplingOptions,
        dtype: torch.dtype = torch.float32,
        max_frames: int = 16_384,
        path: Path | None = None,
        weak: Backbone | None = None,
        grids: Mapping[int, Sequence[float]] | None = None,
        on_state: OnState | None = None,
        match_prompt: float = 0.0,
        settle_from: float = 1.0,
    ) -> None:
        if "auto" in options.guidance_modes and weak is None:
            raise ValueError("the guidance mode auto leads away from a weaker model; give one, or leave auto out")
        if options.leap and not backbone.can_leap:
            raise ValueError("this model was not taught to leap; leave leap out, or train one with distill")
        self.networks, self.on_state = Networks(backbone, weak, options.lean_guidance), on_state
        self.backbone, self.options, self.dtype, self.max_frames = backbone, options, dtype, max_frames
        self.path = _straight() if path is None else path
        self.solver = plugins.build(Solver, options.solver, options.tolerance)
        is_own = options.grid == "optimal"
        self.grid = time_grid.stored({} if grids is None else grids, options.steps) if is_own else options.times()
        self.match_prompt = match_prompt
        self.making, self.settling = time_grid.split(self.grid, settle_from if match_prompt > 0 else 1.0)
        if options.noise > 0:  # a diffusion's way points nowhere: it is walked to its end
            self.making = self.grid
        self.made_in = [self.making]  # or all but the last step, and that one: two states tell where a way points to
        if self.making[-1] < 1:
            self.made_in = [piece for piece in (self.making[:-1], self.making[-2:]) if len(piece) > 1]

    @torch.inference_mode()
    def sample(
        self, conditions: Sequence[Condition], seeds: Sequence[int], on_step: OnStep | None = None
    ) -> list[Float[Tensor, "n c"]]:
        """Return the mel of each utterance, prompt included; it depends on its condition and seed, not on the others."""
        assert len(conditions) == len(seeds)
        groups = list(self._groups(conditions))
        steps = len(self.making) + len(self.settling) - 2
        mels: dict[int, Tensor] = {}
        for done, group in enumerate(groups):
            progress = (
                None if on_step is None else lambda i, _, done=done: on_step(done * steps + i, len(groups) * steps)
            )
            batch = self._sample_batch([conditions[i] for i in group], [seeds[i] for i in group], progress)
            mels.update(zip(group, batch, strict=True))
        return [mels[i] for i in range(len(conditions))]

    def _groups(self, conditions: Sequence[Condition]) -> Iterator[list[int]]:
        """Yield indices of utterances of similar length that fit into one batch."""
        lengths = [c.prompt_mel.shape[1] for c in conditions]
        group: list[int] = []
        for i in sorted(range(len(conditions)), key=lambda i: -lengths[i]):
            if group and lengths[group[0]] * (len(group) + 1) > self.max_frames:
                yield group
                group = []
            group.append(i)
        if group:
            yield group

    def _sample_batch(
        self, conditions: Sequence[Condition], seeds: Sequence[int], on_step: OnStep | None
    ) -> list[Float[Tensor, "n c"]]:
        device = next(self.backbone.parameters()).device
        condition = infill.collate(conditions).to(device)
        _, n, c = condition.prompt_mel.shape
        lengths = condition.lengths.tolist()
        streams = [noise.stream(seed, m, c) for seed, m in zip(seeds, lengths, strict=True)]

        def draw() -> Float[Tensor, "b n c"]:
            return torch.stack([F.pad(z, (0, 0, 0, n - len(z))) for z in map(next, streams)]).to(device)

        x_0 = self.options.temperature * draw()
        walk = self.walk(condition, x_0, [*self.made_in, *([self.settling] if len(self.settling) > 1 else [])], draw)
        x_1 = self.matched(self.pointed(walk, x_0, on_step), condition)
        if len(self.settling) > 1:
            x_1 = _with_prompt(self.settled(walk, x_1, x_0, _later(on_step, len(self.making) - 1)), condition)
        return [mel[:m].float() for mel, m in zip(x_1, lengths, strict=True)]

    def pointed(self, walk: Walk, x_0: Float[Tensor, "b n c"], on_step: OnStep | None = None) -> Float[Tensor, "b n c"]:
        """Return the speech that the way before settling ends at or, where it ends before 1, that its last step points to."""
        *before, last = self.made_in
        x_s = walk(x_0, before[0], on_step) if before else x_0
        x_t = walk(x_s, last, _later(on_step, len(self.making) - len(last)))
        s, t = last[-2:].to(x_0.device)
        return x_t if t == 1 else self.path.end(x_s, s, x_t, t)

    def matched(self, x_1: Float[Tensor, "b n c"], condition: Condition) -> Float[Tensor, "b n c"]:
        """Return ``x_1`` with the frames of the prompt, and the missing ones of each utterance moved towards those."""
        x_1 = _with_prompt(x_1, condition)
        is_missing = condition.is_valid & ~condition.is_prompt
        for mel, prompt, missing, given in zip(x_1, condition.prompt_mel, is_missing, condition.is_prompt, strict=True):
            mel[missing] = equalize.like(mel[missing], prompt[given], self.match_prompt)
        return x_1

    def settled(
        self, walk: Walk, x_1: Float[Tensor, "b n c"], x_0: Float[Tensor, "b n c"], on_step: OnStep | None = None
    ) -> Float[Tensor, "b n c"]:
        """Return ``x_1`` taken back towards the noise ``x_0`` as far as ``settle_from``, and said anew from there on."""
        x_t = self.path.sample(x_0, x_1, self.settling[0].to(x_0.device).expand(len(x_0))).x_t
        return walk(x_t, self.settling, on_step)

    def integrate(
        self, condition: Condition, x_t: Float[Tensor, "b n c"], x_0: Float[Tensor, "b n c"], grid: Float[Tensor, " k"]
    ) -> Float[Tensor, "b n c"]:
        """Return where ``x_t`` gets from the first time of ``grid`` to the last, see :meth:`walk`."""
        return self.walk(condition, x_0, (grid,))(x_t, grid)

    def walk(
        self,
        condition: Condition,
        x_0: Float[Tensor, "b n c"],
        grids: Sequence[Float[Tensor, " _"]],
        draw: Callable[[], Tensor] | None = None,
    ) -> Walk:
        """Return what leads a state along one of ``grids``, guided as the options say.

        The network is told the condition once. ``x_0`` is the noise that the prompt's frames started from; ``draw`` gives
        the noise of a diffusion.
        """
        device = x_0.device
        with self._autocast(device):
            field = self._leaps(condition, grids) if self.options.leap else self._field(condition, grids)
        if self.options.follow_prompt:
            field = self._on_path(field, x_0, condition)
        if self.on_state is not None:
            field = _watched(field, self.on_state)

        def walk(x_t: Tensor, grid: Tensor, on_step: OnStep | None = None) -> Tensor:
            with self._autocast(device):
                if self.options.noise > 0:
                    assert draw is not None
                    return sde.euler_maruyama(field, self.path, x_t, grid.to(device), self.options.noise, draw, on_step)
                return self.solver.solve(field, x_t, grid.to(device), on_step)

        return walk

    def _leaps(self, condition: Condition, grids: Sequence[Float[Tensor, " _"]]) -> VelocityField:
        """The field of mean velocities from each time of one of ``grids`` to the next."""
        prepared, device = self.backbone.prepare(condition), condition.prompt_mel.device
        until = {float(t): end for grid in grids for t, end in zip(grid[:-1], grid[1:].to(device), strict=True)}

        def field(x_t: Tensor, t: Tensor) -> Tensor:
            return self.backbone.mean_velocity(x_t, t, until[float(t)], prepared).float()

        return field

    def _field(self, condition: Condition, grids: Sequence[Float[Tensor, " _"]]) -> VelocityField:
        """The guided velocity field: all that is told at one time goes through the network in one stacked call."""
        guide = guidance.build(self.options.guidance_modes, self.options.guidance, self.grid)
        known = [at for grid in grids if (at := self.solver.times(grid.to(condition.prompt_mel.device))) is not None]
        times = torch.cat(known) if known else None
        needed_at = [] if times is None else [guide.needed(float(t)) for t in times]
        asked: dict[tuple[Conditioning, ...], Answers] = {}

        def fields(x_t: Tensor, t: Tensor, needed: tuple[Conditioning, ...]) -> dict[Conditioning, Tensor]:
            if needed not in asked:
                now = None if times is None else times[[i for i, other in enumerate(needed_at) if other == needed]]
                asked[needed] = self.networks.answers(condition, needed, now)
            return asked[needed](x_t, t)

        return guide.guide(fields, self.path, condition.is_valid & ~condition.is_prompt)

    def _on_path(self, field: VelocityField, x_0: Float[Tensor, "b n c"], condition: Condition) -> VelocityField:
        """The same field, shown the prompt's frames where the path has them at ``t``."""
        is_prompt = condition.is_prompt[..., None]

        def on_path(x_t: Tensor, t: Tensor) -> Tensor:
            true = self.path.sample(x_0, condition.prompt_mel, t.expand(len(x_0)))
            return field(torch.where(is_prompt, true.x_t, x_t), t)

        return on_path

    def _autocast(self, device: torch.device) -> AbstractContextManager:
        return nullcontext() if self.dtype == torch.float32 else torch.autocast(device.type, dtype=self.dtype)


def _with_prompt(x_1: Float[Tensor, "b n c"], condition: Condition) -> Float[Tensor, "b n c"]:
    return torch.where(condition.is_prompt[..., None], condition.prompt_mel, x_1)


def _later(on_step: OnStep | None, done: int) -> OnStep | None:
    """Return what tells ``on_step`` of the steps after the first ``done`` ones."""
    return None if on_step is None else lambda i, n: on_step(done + i, n)


def _watched(field: VelocityField, on_state: OnState) -> VelocityField:
    """Return the same field, that shows where it is asked."""

    def watched(x_t: Tensor, t: Tensor) -> Tensor:
        on_state(float(t), x_t)
        return field(x_t, t)

    return watched


def _straight() -> Path:
    return plugins.build(Path, "cond_ot", plugins.load(Path, "cond_ot").Options())
