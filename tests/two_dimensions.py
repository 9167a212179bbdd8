"""Small flows in the plane: a network that learns one in seconds, and how straight it is."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tts_fm.flow import objective
from tts_fm.flow.couplings import Coupling
from tts_fm.flow.paths import Path


class Net(nn.Module):
    """``v(x_t, t)`` for points ``(b 1 2)``."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(7, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), nn.Linear(width, 2)
        )

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        t = t.expand(len(x)).reshape(-1, 1, 1)
        waves = [f(k * torch.pi * t) for k in (1, 2) for f in (torch.sin, torch.cos)]
        return self.layers(torch.cat([x, t, *waves], dim=-1))


def train(
    path: Path,
    coupling: Coupling,
    data: Callable[[int, torch.Generator], Tensor],
    updates: int,
    batch: int = 256,
    seed: int = 0,
) -> Net:
    """Return a network trained by flow matching."""
    torch.manual_seed(seed)
    net, generator = Net(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, updates)
    everywhere = torch.ones(batch, 1, dtype=torch.bool)
    for _ in range(updates):
        x_1 = data(batch, generator).float()
        x_0 = coupling.pair(torch.randn(batch, 1, 2, generator=generator), x_1, everywhere)
        t = objective.draw_times("uniform", batch, generator)
        point = path.sample(x_0, x_1, t)
        loss = objective.velocity_loss(net(point.x_t, t), point.velocity, everywhere)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def bend(net: Net, count: int = 1000, steps: int = 50) -> float:
    """Return the mean of ``|v(x_t, t) - (x_1 - x_0)|**2`` along the flow: 0 where every way is straight and steady."""
    x = torch.randn(count, 1, 2, generator=torch.Generator().manual_seed(9))
    velocities = []
    for t in torch.arange(steps) / steps:
        velocities.append(net(x, t))
        x = x + velocities[-1] / steps
    whole = torch.stack(velocities)
    return (whole - whole.mean(dim=0)).square().sum(dim=-1).mean().item()
