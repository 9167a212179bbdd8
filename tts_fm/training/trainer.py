"""The training loop: batches, loss, optimizer, averaged weights, checkpoints, metrics."""

from __future__ import annotations

import json
import math
import signal
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import checkpoint, infill
from tts_fm.backbones import Backbone
from tts_fm.config import OptimizerOptions, RunConfig, dump
from tts_fm.data import batching
from tts_fm.data.dataset import Corpus
from tts_fm.flow import objective
from tts_fm.flow.paths import Path as ProbabilityPath
from tts_fm.types import Batch


class Trainer:
    """Trains one backbone on one corpus; running it again in the same folder goes on where it stopped.

    Args:
        config: the run.
        backbone: the network to train.
        corpus: what to learn from.
        validation: held-out utterances for the validation loss.
        folder: where checkpoints, metrics and the model go.
        device: where to train.
        vocab: the frontend's vocabulary file, copied beside the model.
    """

    def __init__(
        self,
        config: RunConfig,
        backbone: Backbone,
        corpus: Corpus,
        validation: Corpus,
        folder: Path,
        device: str = "cpu",
        vocab: Path | None = None,
    ) -> None:
        self.config, self.backbone, self.folder, self.device = config, backbone.to(device), folder, torch.device(device)
        self.corpus, self.validation, self.vocab = corpus, validation, vocab
        self.path = config.model.flow.path.build(ProbabilityPath)
        options = config.optimizer
        self.optimizer = torch.optim.AdamW(
            _decay_groups(backbone, options.weight_decay), lr=options.lr, betas=options.betas, fused=True
        )
        self.ema = {name: value.detach().clone() for name, value in backbone.state_dict().items()}
        self.rng = torch.Generator().manual_seed(config.training.seed)
        self.update, self.epoch, self.position = 0, 0, 0
        self._stop_signal = 0
        folder.mkdir(parents=True, exist_ok=True)
        if config.training.compile:
            for blocks in (m for m in backbone.modules() if isinstance(m, torch.nn.ModuleList)):
                for block in blocks:
                    block.compile(dynamic=True)

    def loss(self, batch: Batch, rng: torch.Generator) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return the flow-matching loss, and the loss of the duration predictor (zero without one)."""
        flow = self.config.model.flow
        condition, is_target = infill.random_span(batch, self.config.infill, rng)
        condition = infill.drop(condition, self.config.infill, rng)
        t = objective.draw_times(flow.time_law, len(batch), rng, flow.time_mean, flow.time_scale).to(self.device)  # b
        x_0 = torch.randn(batch.mel.shape, generator=rng).to(self.device)  # b n c
        point = self.path.sample(x_0, batch.mel, t)
        with self._autocast():
            prepared = self.backbone.prepare(condition)
            velocity = self.backbone.velocity(point.x_t, t, prepared)
        flow_loss = objective.velocity_loss(velocity, point.velocity, is_target)
        if not self.backbone.needs_token_frames:
            return flow_loss, torch.zeros_like(flow_loss)
        return flow_loss, self.backbone.duration_loss(condition, prepared)

    def train(self, max_minutes: float = math.inf) -> int:
        """Train until ``training.updates``, ``max_minutes`` or a signal; return that signal's number, else 0."""
        self._resume()
        self._stop_signal = 0
        previous = {s: signal.signal(s, self._on_signal) for s in (signal.SIGTERM, signal.SIGINT)}
        try:
            self._loop(time.monotonic() + 60 * max_minutes)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        self.save()
        return self._stop_signal

    def _loop(self, deadline: float) -> None:
        options = self.config.training
        self.backbone.train()
        logged_at, frames, sums = time.monotonic(), 0, torch.zeros(2)
        batches = self._plan()
        while self.update < options.updates and time.monotonic() < deadline and not self._stop_signal:
            if self.position == len(batches):
                self.epoch, self.position = self.epoch + 1, 0
                batches = self._plan()
            batch = self.corpus.batch(batches[self.position]).to(self.device)
            losses, norm, lr = self._step(batch)
            self.position, self.update = self.position + 1, self.update + 1
            frames += int(batch.is_valid.sum())
            sums += losses
            if self.update % options.log_every == 0:
                now = time.monotonic()
                flow_loss, duration_loss = (sums / options.log_every).tolist()
                self._log(
                    flow_loss=flow_loss,
                    duration_loss=duration_loss,
                    grad_norm=norm,
                    lr=lr,
                    frames_per_second=frames / (now - logged_at),
                )
                logged_at, frames, sums = now, 0, torch.zeros(2)
            if self.update % options.validate_every == 0:
                self._log(validation_loss=self.validation_loss())
            if self.update % options.save_every == 0:
                self.save()

    def _plan(self) -> list[list[int]]:
        """The batches of this epoch."""
        data = self.config.data
        return batching.plan(
            self.corpus.lengths(), data.frames_per_batch, data.max_utterances, self.config.training.seed, self.epoch
        )

    def _step(self, batch: Batch) -> tuple[Tensor, float, float]:
        """One update; return the two losses, the gradient's norm and the learning rate."""
        lr = learning_rate(self.update, self.config.optimizer, self.config.training.updates)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        flow_loss, duration_loss = self.loss(batch, self.rng)
        (flow_loss + self.config.training.duration_loss_weight * duration_loss).backward()
        norm = torch.nn.utils.clip_grad_norm_(self.backbone.parameters(), self.config.optimizer.max_grad_norm)
        if torch.isfinite(norm):
            self.optimizer.step()
            self._average()
        else:
            self._log(skipped=list(batch.ids))
        self.optimizer.zero_grad(set_to_none=True)
        return torch.stack([flow_loss.detach(), duration_loss.detach()]).cpu(), float(norm), lr

    @torch.no_grad()
    def _average(self) -> None:
        """Exponential moving average of the weights, with a warm-up of its horizon."""
        decay = min(self.config.training.ema_decay, (1 + self.update) / (10 + self.update))
        weights = self.backbone.state_dict()
        floats = [name for name, value in self.ema.items() if value.is_floating_point()]
        torch._foreach_lerp_([self.ema[n] for n in floats], [weights[n] for n in floats], 1 - decay)

    @torch.no_grad()
    def validation_loss(self) -> float:
        """Return the loss on the held-out utterances, with the same noise, times and spans at each call."""
        data = self.config.data
        rng = torch.Generator().manual_seed(1234)
        self.backbone.eval()
        plan = batching.plan(self.validation.lengths(), data.frames_per_batch, data.max_utterances, 0, 0)
        losses = [self.loss(self.validation.batch(indices).to(self.device), rng)[0] for indices in plan]
        self.backbone.train()
        return float(torch.stack(losses).mean())

    def save(self) -> None:
        """Write the training state, and the averaged weights as a model folder."""
        state = {
            "model": self.backbone.state_dict(),
            "ema": self.ema,
            "optimizer": self.optimizer.state_dict(),
            "rng": self.rng.get_state(),
            "counters": {"update": self.update, "epoch": self.epoch, "position": self.position},
            "config": dump(self.config),
        }
        checkpoint.save_state(self.folder / "state.pt", state)
        checkpoint.save_model(self.folder / "model", self.config.model, self.ema, vocab=self.vocab)

    def _resume(self) -> None:
        path = self.folder / "state.pt"
        if not path.exists():
            return
        state = checkpoint.load_state(path)
        self.backbone.load_state_dict(state["model"])
        self.ema = {name: value.to(self.device) for name, value in state["ema"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.set_state(state["rng"])
        for name, value in state["counters"].items():
            setattr(self, name, value)

    def _autocast(self) -> AbstractContextManager:
        dtype = getattr(torch, self.config.training.precision)
        return nullcontext() if dtype == torch.float32 else torch.autocast(self.device.type, dtype=dtype)

    def _log(self, **values: Any) -> None:
        record = {"update": self.update, "epoch": self.epoch, "time": round(time.time(), 1), **values}
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_signal = number


def learning_rate(update: int, options: OptimizerOptions, updates: int) -> float:
    """Return the rate at ``update``: linear warm-up to ``lr``, then decay to ``final_lr_ratio * lr`` at ``updates``."""
    if update < options.warmup_updates:
        return options.lr * (update + 1) / options.warmup_updates
    done = min(1.0, (update - options.warmup_updates) / max(1, updates - options.warmup_updates))
    shape = 0.5 * (1 + math.cos(math.pi * done)) if options.decay == "cosine" else 1 - done
    return options.lr * (options.final_lr_ratio + (1 - options.final_lr_ratio) * shape)


def _decay_groups(backbone: Backbone, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices are decayed; biases, gains and tables are not."""
    parameters = list(backbone.parameters())
    return [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
