"""A module as sizes alone: on PyTorch's meta device, and without drawing what would be overwritten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


@contextmanager
def only() -> Iterator[None]:
    """Let modules that are made inside have sizes and take no memory."""
    with torch.device("meta"), _NothingDrawn():
        yield


class _NothingDrawn(TorchFunctionMode):
    """Changes in place do nothing to a tensor without numbers, nor do divisions; their kernels take seconds to import."""

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        kwargs = {} if kwargs is None else kwargs
        name = getattr(func, "__name__", "")
        if func in (torch.randn, torch.rand):
            return torch.empty(*args, **kwargs, device="meta")
        first = args[0] if args else kwargs.get("tensor")
        is_change = name.endswith("_") and not name.endswith("__") and name != "requires_grad_"
        is_change = is_change or (name in ("div", "__truediv__") and isinstance(args[1], int | float))
        return first if is_change and isinstance(first, Tensor) and first.is_meta else func(*args, **kwargs)
