"""An acoustic model that learns from a corpus."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint as recompute

from tts_fm import checkpoint
from tts_fm.backbones import Backbone
from tts_fm.config import RunConfig
from tts_fm.data import batching, dataset
from tts_fm.data.batching import Place, Schedule
from tts_fm.data.dataset import Corpus
from tts_fm.strict import plain
from tts_fm.training import lora, sharding
from tts_fm.training.adversary import Adversary
from tts_fm.training.distillation import Teacher
from tts_fm.training.faults import FaultLog
from tts_fm.training.finetune import Start
from tts_fm.training.learner import Learner, Step
from tts_fm.training.objective import Losses, Objective
from tts_fm.training.optimizer import Average, adamw, learning_rate
from tts_fm.training.team import Team
from tts_fm.types import Batch

MAY_CHANGE = {
    "training": {"log_every", "save_every", "keep", "validate_every", "sample_every", "sample_pairs", "loggers"}
    | {"max_skipped", "accumulation", "parallel"},
    "data": {"manifests", "validation_manifests", "vocab", "workers", "cache", "max_broken"},
}
"""What a run may go on with in another form: book-keeping, and what is compared by its content."""
ADAPTER = "adapter"
"""The folder of a run with its low-rank adapter, where it trains one."""


class AcousticLearner(Learner):
    """A backbone that learns from one corpus and is judged by another.

    Args:
        config: the run.
        backbone: the network to train, perhaps with frozen or adapted parts.
        corpus: what to learn from.
        validation: held-out utterances.
        team: the processes that train together.
        vocab: the frontend's vocabulary file, copied beside the model.
        start: where a fine-tune started from.
        faults: where broken utterances are named, see :class:`FaultLog`.
        teacher: what is imitated, instead of the path itself.
    """

    def __init__(
        self,
        config: RunConfig,
        backbone: Backbone,
        corpus: Corpus,
        validation: Corpus,
        team: Team,
        *,
        vocab: Path | None = None,
        start: Start | None = None,
        faults: Path | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        self.config, self.team, self.vocab, self.start = config, team, vocab, start
        self.corpus, self.validation = corpus, validation
        self.backbone = backbone.to(team.device)
        _prepare_blocks(self.backbone, config.training.activation_checkpointing, config.training.compile)
        adversary = None if config.adversary is None else _adversary(config, self.backbone, team)
        objective = Objective(config, self.backbone, teacher, adversary)
        if teacher is not None:
            _prepare_blocks(teacher.backbone, False, config.training.compile)
        if config.training.parallel == "fsdp2" and team.world > 1:
            sharding.shard(objective, self.backbone, team.device)
            self.module: nn.Module = objective
        else:
            self.module = team.ddp(objective)
        self.objective = objective
        self.optimizer = adamw(self.backbone, config.optimizer, frozenset() if start is None else start.undecayed)
        self.average = Average(self.backbone, config.training)
        self.schedule = Schedule(partial(_plan, corpus, config))
        self.place, self._batches = Place(0, 0), None
        self._faults = FaultLog(faults, len(corpus), config.data.max_broken)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The configuration, the vocabulary, the corpus and the size of an update."""
        settings = plain(self.config)
        for block, names in MAY_CHANGE.items():
            settings[block] = {name: value for name, value in settings[block].items() if name not in names}
        vocab = [] if self.vocab is None else self.vocab.read_text(encoding="utf-8").split("\n")
        return {
            **settings,
            "vocabulary": vocab,
            "corpus": self.corpus.fingerprint,
            "start": None if self.start is None else self.start.sha256,
            "teacher": None if self.objective.teacher is None else self.objective.teacher.sha256,
            "batches_per_update": self.config.training.accumulation * self.team.world,
        }

    def learn(self, update: int) -> Step:
        """See :class:`Learner`."""
        options, lr = self.config.training, learning_rate(update, self.config.optimizer, self.config.training.updates)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.module.train()
        sums, ids, pressed = torch.zeros(4, device=self.team.device), (), []
        for i in range(options.accumulation):
            place, batch = self._next()
            self._faults.name(batch.faults)
            batch = batch.to(self.team.device)
            seed = draw_seed(options.seed, place)
            torch.manual_seed(seed)  # dropout
            with self.team.unsynced(self.module, is_last=i == options.accumulation - 1):
                with self.team.autocast():
                    losses: Losses = self.module(batch, seed)
                self.team.accelerator.backward(losses.total / options.accumulation)
            counts = losses.flow.new_full((), float(len(batch.ids) > 0))
            n_frames = batch.is_valid.sum() * counts
            sums += torch.stack([losses.flow.detach(), losses.duration.detach(), counts, n_frames])
            ids += batch.ids
            pressed += [] if losses.pressure is None else [losses.pressure]
        self.place = self.schedule.after(self.place, options.accumulation * self.team.world)
        flow, duration, batches, frames = self.team.total(sums).tolist()
        norm = self._clip()
        is_number = math.isfinite(norm) and math.isfinite(flow) and math.isfinite(duration)
        self._move(update, is_number)
        values = {"flow_loss": flow / max(batches, 1), "grad_norm": norm, "lr": lr}
        if self.backbone.needs_token_frames:
            values["duration_loss"] = duration / max(batches, 1)
        if pressed:
            facts = [one.facts() for one in pressed]
            values |= {name: float(torch.stack([each[name] for each in facts]).mean()) for name in facts[0]}
        return Step(values, int(frames), is_skipped=not is_number, ids=ids)

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """Return the averaged weights' losses on the held-out utterances, with the same noise, times and spans each time."""
        plan = _plan(self.validation, self.config, 0)
        sums = torch.zeros(3, device=self.team.device)
        self.objective.eval()
        with self.average.in_place(), self.team.autocast():
            for i in range(0, len(plan), self.team.world):
                k = i + self.team.rank
                is_mine = k < len(plan)  # the others compute, too: FSDP gathers weights in every forward pass
                batch = self.validation.batch(plan[k if is_mine else 0])
                self._faults.name(batch.faults)
                batch = batch.to(self.team.device)
                losses = self.objective(batch, draw_seed(0, Place(0, k)))
                weight = batch.is_valid.sum() * float(is_mine and len(batch.ids) > 0)
                sums += weight * torch.stack([losses.flow, losses.duration, torch.ones_like(losses.flow)])
        flow, duration, weight = self.team.total(sums).tolist()
        values = {"validation_loss": flow / max(weight, 1)}
        if self.backbone.needs_token_frames:
            values["validation_duration_loss"] = duration / max(weight, 1)
        return values

    def state(self) -> dict[str, Any]:
        """See :class:`Learner`."""
        scaler = self.team.accelerator.scaler
        return {
            "weights": sharding.whole(self.backbone.state_dict()),
            "average": sharding.whole(self.average.weights),
            "optimizer": sharding.whole(self.optimizer.state_dict()),
            "scaler": {} if scaler is None else scaler.state_dict(),
            "place": list(self.place),
            "adversary": None if self.objective.adversary is None else self.objective.adversary.state_dict(),
        }

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Any]) -> None:
        """See :class:`Learner`."""
        own = self.backbone.state_dict()
        for name, value in own.items():
            value.copy_(sharding.split_like(state["weights"][name], value))
        for name, value in self.average.weights.items():
            value.copy_(sharding.split_like(state["average"][name], value))
        self.optimizer.load_state_dict(sharding.split_optimizer(state["optimizer"], self.optimizer))
        if self.team.accelerator.scaler is not None:
            self.team.accelerator.scaler.load_state_dict(state["scaler"])
        if self.objective.adversary is not None:
            self.objective.adversary.load_state_dict(state["adversary"])
        self.place, self._batches = Place(*state["place"]), None

    def weights(self) -> dict[str, Tensor]:
        """Return the averaged weights of the plain backbone, whole and on the CPU; adapters are merged."""
        return lora.merged_state(self.backbone, self._averaged())

    def publisher(self) -> Callable[[Path], None]:
        """See :class:`Learner`; a model's folder is written, and beside it the adapter where there is one."""
        averaged, config = self._averaged(), self.config
        weights = lora.merged_state(self.backbone, averaged)

        def publish(folder: Path) -> None:
            checkpoint.save_model(folder, config.model, weights, vocab=self.vocab)
            if self.start is not None and config.finetune is not None and config.finetune.lora is not None:
                adapter = lora.adapter_state(self.backbone, averaged)
                lora.save_adapter(folder.with_name(ADAPTER), adapter, config, self.start, self.vocab)

        return publish

    def _averaged(self) -> dict[str, Tensor]:
        return sharding.whole({**self.backbone.state_dict(), **self.average.weights})

    def _next(self) -> tuple[Place, Batch]:
        if self._batches is None:
            places = self.schedule.batches(self.place, self.team.rank, self.team.world)
            self._batches = dataset.load(self.corpus, places, self.config.data.workers)
        return next(self._batches)

    def _clip(self) -> float:
        """Clip the gradients and return their norm before."""
        if self.team.accelerator.scaler is not None:
            self.team.accelerator.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.backbone.parameters(), self.config.optimizer.max_grad_norm)
        return float(sharding.whole(norm))

    def _move(self, update: int, is_number: bool) -> None:
        """Step along the gradient if it is one, and let the average follow."""
        scaler = self.team.accelerator.scaler
        if scaler is not None:  # it skips what is no number by itself, and then lowers its scale
            scaler.step(self.optimizer)
            scaler.update()
        elif is_number:
            self.optimizer.step()
        if is_number:
            self.average.follow(update)
        self.optimizer.zero_grad(set_to_none=True)


def _adversary(config: RunConfig, backbone: Backbone, team: Team) -> Adversary:
    """Return the judges of a run by one process, for a network that leaps."""
    assert config.adversary is not None
    if team.world > 1:
        raise ValueError(f"an adversary learns in one process, here are {team.world}; start it without torchrun")
    if not config.model.can_leap:
        raise ValueError(
            f"adversary judges leaps, and the backbone {config.model.backbone.name} cannot leap; take aligned_dit with "
            f"leaps: true"
        )
    if config.adversary.settled > 0 and (config.model.match_prompt == 0 or config.model.settle_from == 1):
        raise ValueError(
            f"adversary.settled is {config.adversary.settled:g}, and model.match_prompt {config.model.match_prompt:g} and "
            f"model.settle_from {config.model.settle_from:g} settle nothing; set match_prompt above 0 and settle_from below 1"
        )
    dtype = getattr(torch, config.training.precision)
    return Adversary(config.adversary, config.model, backbone, dtype, team.device)


def draw_seed(seed: int, place: Place) -> int:
    """Return what everything random in the batch at ``place`` follows from."""
    return random.Random(f"{seed}/{place.epoch}/{place.position}").getrandbits(62)


def _plan(corpus: Corpus, config: RunConfig, epoch: int) -> list[list[int]]:
    data, seed = config.data, config.training.seed
    times = [utterance.times for utterance in corpus.utterances]
    return batching.plan(corpus.lengths(), data.frames_per_batch, data.max_utterances, seed, epoch, times)


def _prepare_blocks(backbone: Backbone, recomputes: bool, compiles: bool) -> None:
    """Let blocks forget their activations until the backward pass, and compile every repeated layer."""
    if recomputes:
        for block in backbone.blocks:
            block.forward = partial(recompute, block.forward, use_reentrant=False)
    if compiles:
        for layers in (m for m in backbone.modules() if isinstance(m, nn.ModuleList)):
            for layer in layers:
                layer.compile(dynamic=True)
        # Masks, gradients and precisions that may be there or not are a compilation each, for a teacher's layers too.
        torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 64)
