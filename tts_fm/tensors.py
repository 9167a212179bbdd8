"""Weights as safetensors: written whole, in int8 if wished, compared with a network before memory is taken, put into it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tts_fm import atomic, memory
from tts_fm.errors import ModelError, first_sentence

SCALE = ":scale"
"""What an int8 matrix's name has added in the name of its scales."""
_LEAST_SCALE = 1e-30  # of a row of zeros, which divides too


def write_tensors(path: Path, state: Mapping[str, Tensor], *, dtype: torch.dtype | None = None) -> None:
    """Write ``state`` as safetensors, whole or not at all.

    ``dtype`` is what floating-point weights are stored in. ``torch.int8`` makes of each matrix whole numbers and, beside
    them, one scale a row, which takes a quarter of the room of float32; what is no matrix is stored in float16.

    Raises:
        ValueError: a weight is not a finite number.
    """
    tensors = {}
    for name, value in state.items():
        kept = value.detach().cpu()
        if kept.is_floating_point():
            if dtype == torch.int8 and kept.dim() > 1:
                kept, tensors[name + SCALE] = to_int8(kept)
            elif dtype is not None:
                kept = kept.to(torch.float16 if dtype == torch.int8 else dtype)
            if not bool(tensors.get(name + SCALE, kept).isfinite().all()):
                raise ValueError(f"weight {name!r} is not finite everywhere; nothing was written to {path}")
        tensors[name] = kept.clone(memory_format=torch.contiguous_format)
    with atomic.replacing(path) as beside:
        save_file(tensors, beside, metadata={"format": "pt"})


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a safetensors file, int8 matrices with their scales as float32.

    Raises:
        ModelError: the file is missing or damaged.
    """
    try:
        _check_scales(read_shapes(path))
        with safe_open(path, framework="pt") as file:
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        scales = {name: stored.pop(name) for name in list(stored) if name.endswith(SCALE)}
        return stored | {name.removesuffix(SCALE): stored[name.removesuffix(SCALE)] * scales[name] for name in scales}
    except (SafetensorError, OSError, RuntimeError, LookupError, ValueError, MemoryError) as error:
        raise ModelError(f"{path} is no whole safetensors file ({first_sentence(error)}); copy it again") from None


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor in a safetensors file, scales included, from its header alone.

    Raises:
        ModelError: the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path} is no whole safetensors file ({first_sentence(error)}); copy it again") from None


def _check_scales(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse scales that are not one a row: a product with others could be of any size."""
    for name, shape in shapes.items():
        if name.endswith(SCALE):
            rows = shapes[name.removesuffix(SCALE)]
            if shape != (*rows[:1], *(1 for _ in rows[1:])):
                raise ValueError(f"the scales of {name.removesuffix(SCALE)!r} are not one a row")


def to_int8(matrix: Tensor, axis: int = 0, most: int = 127) -> tuple[Tensor, Tensor]:
    """Return whole numbers up to ``most`` and the scale of each row, whose product comes nearest to ``matrix``.

    What lies along ``axis`` are the rows; all other axes of the scales are 1 long. A row of zeros has a scale, too.
    """
    others = tuple(i for i in range(matrix.dim()) if i != axis)
    scale = (matrix.float().abs().amax(dim=others, keepdim=True) / most).clamp(min=_LEAST_SCALE)
    return (matrix / scale).round().to(torch.int8), scale


def fill_from(module: nn.Module, path: Path, vocab_size: int | None = None) -> None:
    """Load the weights in the safetensors file ``path`` into ``module``, which may still be on the meta device.

    The file's header is compared with the module before any memory is taken. ``vocab_size`` as in :func:`fill`.

    Raises:
        ModelError: the file is damaged, has other weights, or there is no memory for them.
    """
    shapes = {name: shape for name, shape in read_shapes(path).items() if not name.endswith(SCALE)}
    _compare(module, shapes, path, vocab_size)
    memory.check(2 * sum(4 * math.prod(shape) for shape in shapes.values()), f"reading {path}")
    _put(module, read_tensors(path), path)


def fill(module: nn.Module, state: Mapping[str, Tensor], source: Path | str, vocab_size: int | None = None) -> None:
    """Load ``state`` into ``module``: every weight, and no other.

    With ``vocab_size``, a table of another number of tokens is explained as that.

    Raises:
        ModelError: a weight is missing, unknown, of another shape or not finite; one line that names ``source``.
    """
    _compare(module, {name: tuple(value.shape) for name, value in state.items()}, source, vocab_size)
    _put(module, state, source)


def _put(module: nn.Module, state: Mapping[str, Tensor], source: Path | str) -> None:
    """Load ``state``, whose names and shapes are those of ``module``; a weight that is not finite is a ModelError."""
    own = module.state_dict()
    weights = {name: state[name].to(value.dtype) for name, value in own.items()}
    check_finite(weights, source)
    module.load_state_dict(weights, assign=any(value.is_meta for value in own.values()))


def check_stored(weights: Mapping[Any, Tensor], source: Path | str) -> None:
    """Refuse weights of which one is larger than what is stored of it: a small file would fill the memory.

    Raises:
        ModelError: there is such a weight.
    """
    for name, value in weights.items():
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ModelError(f"{source} is damaged: the weight {str(name)!r} is larger than what is stored of it")


def check_finite(weights: Mapping[str, Tensor], source: Path | str) -> None:
    """Refuse weights of which one is not a finite number. Raises ModelError."""
    for name, value in weights.items():
        if value.is_floating_point() and value.numel() and not all(end.isfinite() for end in value.aminmax()):
            raise ModelError(f"{source} is damaged: the weight {name!r} is not finite everywhere; copy it again")


def _compare(
    module: nn.Module, shapes: Mapping[str, tuple[int, ...]], source: Path | str, vocab_size: int | None
) -> None:
    """Raise ModelError where ``shapes`` are not those of the weights of ``module``."""
    wanted = module.state_dict()
    for problem, names in (("lacks", wanted.keys() - shapes.keys()), ("has unknown", shapes.keys() - wanted.keys())):
        if names:
            raise ModelError(
                f"{source} {problem} {len(names)} weight{'' if len(names) == 1 else 's'} such as {min(names)!r}; "
                f"it does not belong to this configuration"
            )
    for name, value in wanted.items():
        got, need = shapes[name], tuple(value.shape)
        if got == need:
            continue
        if vocab_size is not None and got[1:] == need[1:] and need and need[0] - vocab_size in (0, 1):
            raise ModelError(
                f"{source} was trained with a vocabulary of {got[0] - (need[0] - vocab_size)} tokens, the one given "
                f"has {vocab_size}; use the vocab.txt that came with these weights"
            )
        raise ModelError(f"{source} does not belong to this configuration: {name!r} is {got}, {need} is needed")
