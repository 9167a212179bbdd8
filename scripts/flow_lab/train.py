"""One network, four ways to train it: by maximum likelihood and by flow matching on three kinds of paths."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scripts.flow_lab.data import Data
from tts_fm import atomic, plugins
from tts_fm.flow.couplings import Coupling
from tts_fm.flow.maximum_likelihood import maximum_likelihood_loss
from tts_fm.flow.objective import draw_times, velocity_loss
from tts_fm.flow.paths import Path as ProbabilityPath

FIRST_MARK = 0.25  # seconds; from one mark to the next they grow by the root of 2
TOLERANCE = 1e-3  # of the solver that maximum likelihood learns through
LONGEST_MEMORY = 0.999  # of the averaged weights


@dataclass(frozen=True)
class Settings:
    """What all methods have in common."""

    seconds: float = 10.0
    width: int = 96
    batch: int = 128
    lr: float = 6e-3
    seed: int = 0


@dataclass(frozen=True)
class Method:
    """A way to train; without a path it is maximum likelihood."""

    title: str
    path: str | None = None
    coupling: str = "independent"

    def build_path(self) -> ProbabilityPath | None:
        """Return the probability path that is taught, or None."""
        return None if self.path is None else build(ProbabilityPath, self.path)


METHODS = {
    "likelihood": Method("maximum likelihood"),
    "cond_ot": Method("conditional OT", "cond_ot"),
    "vp": Method("VP diffusion", "vp"),
    "minibatch_ot": Method("minibatch OT", "cond_ot", "minibatch_ot"),
}


class Net(nn.Module):
    """``v(x_t, t)`` for points ``(b 1 2)``: three hidden layers, told place and time by themselves and by some waves."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = [layer for _ in range(2) for layer in (nn.Linear(width, width), nn.SiLU())]
        self.layers = nn.Sequential(nn.Linear(19, width), nn.SiLU(), *hidden, nn.Linear(width, 2))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        t = t.expand(len(x)).reshape(-1, 1, 1)
        angles = math.pi * torch.cat([t, 2 * t, x / 4, x / 2, x], dim=-1)  # b 1 8
        return self.layers(torch.cat([x, t, angles.sin(), angles.cos()], dim=-1))


@dataclass(frozen=True)
class Snapshot:
    """The averaged weights after some training; ``seconds`` are of the CPU, and other programs' do not count."""

    seconds: float
    updates: int
    weights: dict[str, Tensor]

    def net(self, width: int) -> Net:
        """Return the network with these weights."""
        net = Net(width)
        net.load_state_dict(self.weights)
        return net.eval().requires_grad_(False)


def train(data: Data, method: Method, settings: Settings) -> list[Snapshot]:
    """Return snapshots at geometric marks of CPU time, the last when ``settings.seconds`` are spent.

    The weights after a number of updates depend on the seed alone; the clock only says when one looks, and when to stop.
    """
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        net = Net(settings.width)
    averaged = copy.deepcopy(net)
    loss_of = objective(data, method, settings)
    optimizer = torch.optim.Adam(net.parameters(), lr=settings.lr, fused=True)
    spent, updates, mark, snapshots = 0.0, 0, FIRST_MARK, []
    began = time.process_time()
    while spent < settings.seconds:
        optimizer.zero_grad()
        loss_of(net).backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        updates += 1
        memory = min(LONGEST_MEMORY, updates / (updates + 10))  # the last tenth of the updates, at most the last 1000
        with torch.no_grad():
            torch._foreach_lerp_(list(averaged.parameters()), list(net.parameters()), 1 - memory)
        spent = time.process_time() - began
        if spent >= min(mark, settings.seconds):
            weights = {name: value.clone() for name, value in averaged.state_dict().items()}
            snapshots.append(Snapshot(spent, updates, weights))
            while mark <= spent:
                mark *= math.sqrt(2)
    return snapshots


def objective(data: Data, method: Method, settings: Settings) -> Callable[[nn.Module], Tensor]:
    """Return a function of the network: the loss on a new batch."""
    generator = torch.Generator().manual_seed(settings.seed)
    everywhere = torch.ones(settings.batch, 1, dtype=torch.bool)
    path, coupling = method.build_path(), build(Coupling, method.coupling)

    def loss_of(net: nn.Module) -> Tensor:
        x_1 = data.draw(settings.batch, generator)
        if path is None:
            return maximum_likelihood_loss(net, x_1, tolerance=TOLERANCE)
        x_0 = coupling.pair(torch.randn(x_1.shape, generator=generator), x_1, everywhere)
        t = draw_times("uniform", settings.batch, generator)
        point = path.sample(x_0, x_1, t)
        return velocity_loss(net(point.x_t, t), point.velocity, everywhere)

    return loss_of


def train_or_read(file: Path, data: Data, method: Method, settings: Settings) -> list[Snapshot]:
    """Return what was trained before and kept in ``file``, or train now and keep it."""
    if file.exists():
        kept = torch.load(file, weights_only=True)
        if kept["settings"] != asdict(settings):
            raise ValueError(f"{file} was trained with {kept['settings']}; give another --out, or remove it")
        return [Snapshot(**snapshot) for snapshot in kept["snapshots"]]
    snapshots = train(data, method, settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(file) as beside:
        kept = {"settings": asdict(settings), "snapshots": [asdict(snapshot) for snapshot in snapshots]}
        torch.save(kept, beside)
    return snapshots


def build(interface: type[Any], name: str) -> Any:
    """Return the choice called ``name`` with its own defaults."""
    kind = plugins.load(interface, name)
    return kind(kind.Options())
