"""The processes that train together: device, precision, sums and agreement, through Hugging Face Accelerate."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

_ACCELERATE = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}
Precision = Literal["float32", "bfloat16", "float16"]


class Team:
    """One process of a run that ``torchrun`` or ``accelerate launch`` started, or the only one.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; with several GPUs each process takes its own.
        precision: what matrix products are computed in.

    Raises:
        ValueError: Accelerate is not installed, or this machine has no such device or precision.
    """

    def __init__(self, device: str = "auto", precision: Precision = "float32") -> None:
        try:
            from accelerate import Accelerator
            from accelerate.state import AcceleratorState
        except ImportError:
            raise ValueError("training needs Accelerate; run: pip install 'tts-fm[train]'") from None
        from tts_fm.loading import pick_device

        where = pick_device(device).type
        if precision == "float16" and where != "cuda":
            raise ValueError(f"precision float16 trains only on cuda, this is {where}; take bfloat16 or float32")
        AcceleratorState._reset_state()  # an earlier run in this process may have had another precision
        self.accelerator = Accelerator(cpu=where == "cpu", mixed_precision=_ACCELERATE[precision])
        self.rank, self.world = self.accelerator.process_index, self.accelerator.num_processes
        self.device: torch.device = self.accelerator.device
        self.is_main = self.rank == 0

    def ddp(self, module: nn.Module) -> nn.Module:
        """Return ``module`` with its gradients averaged over the team."""
        return self.accelerator.prepare_model(module) if self.world > 1 else module

    def autocast(self) -> AbstractContextManager:
        """Compute matrix products in the team's precision."""
        return self.accelerator.autocast()

    def unsynced(self, module: nn.Module, is_last: bool) -> AbstractContextManager:
        """Keep gradients to this process until the last batch of an update."""
        return nullcontext() if is_last else self.accelerator.no_sync(module)

    def total(self, values: Float[Tensor, " v"]) -> Float[Tensor, " v"]:
        """Return the sum over the team, on the CPU."""
        if self.world == 1:
            return values.cpu()
        summed: Any = self.accelerator.reduce(values.to(self.device), "sum")
        return summed.cpu()

    def most(self, value: int) -> int:
        """Return the largest of the team's numbers."""
        if self.world == 1:
            return value
        everyone: Any = self.accelerator.gather(torch.tensor([value], device=self.device))
        return int(everyone.max())

    def together(self, values: Sequence[Any]) -> list[Any]:
        """Return everyone's values."""
        if self.world == 1:
            return list(values)
        from accelerate.utils import gather_object

        return gather_object(list(values))

    def wait(self) -> None:
        """Return when all are here."""
        self.accelerator.wait_for_everyone()
