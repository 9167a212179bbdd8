"""Parameters split between processes by FSDP2, and states that do not know of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor

from tts_fm.backbones import Backbone


def shard(module: nn.Module, backbone: Backbone, device: torch.device) -> None:
    """Split the parameters of ``module`` over all processes, each block of ``backbone`` by itself."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    for block in backbone.blocks:
        fully_shard(block, mesh=mesh)
    fully_shard(module, mesh=mesh)


def whole(value: Any) -> Any:
    """Return a state with every tensor whole and on the CPU; all processes must call it alike."""
    if isinstance(value, dict):
        return {key: whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [whole(inner) for inner in value]
    if isinstance(value, DTensor):
        return value.full_tensor().detach().cpu()
    return value.detach().cpu().clone() if isinstance(value, Tensor) else value


def split_like(value: Tensor, parameter: Tensor) -> Tensor:
    """Return ``value`` split as ``parameter`` is, on its device."""
    placed = value.to(parameter.device)
    if isinstance(parameter, DTensor) and value.shape == parameter.shape:
        return distribute_tensor(placed, parameter.device_mesh, parameter.placements)
    return placed


def split_optimizer(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Return an optimizer's whole state, split as the parameters of ``optimizer`` are."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    moments = {
        i: {name: split_like(v, parameters[i]) if isinstance(v, Tensor) else v for name, v in one.items()}
        for i, one in state["state"].items()
    }
    return {**state, "state": moments}
