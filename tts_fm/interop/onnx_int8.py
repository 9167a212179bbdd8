"""Matrices of an ONNX graph in int8, with a scale for each row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from onnx import GraphProto  # pyright: ignore[reportMissingImports] (an extra)

_LEAST = 1024  # entries of a matrix that is worth a scale for each row


def to_int8(graph: GraphProto) -> None:
    """Store every matrix as int8 with a scale for each row or column, whichever is nearer, and turn it back where it is used.

    A matrix that was read from int8 is stored without any loss.
    """
    from onnx import helper, numpy_helper  # pyright: ignore[reportMissingImports] (an extra)

    first, constants = [], []
    for tensor in graph.initializer:
        value = numpy_helper.to_array(tensor)
        if value.dtype != np.float32 or value.ndim < 2 or value.size < _LEAST:
            constants.append(tensor)
            continue
        axis, whole, scale = min((_int8(value, axis) for axis in (0, 1)), key=lambda stored: _error(value, *stored))
        stored, scales = f"{tensor.name}.int8", f"{tensor.name}.scale"
        constants += [numpy_helper.from_array(whole, stored), numpy_helper.from_array(scale, scales)]
        first.append(helper.make_node("DequantizeLinear", [stored, scales], [tensor.name], axis=axis))
    nodes = [*first, *graph.node]
    _replace(graph.initializer, constants)
    _replace(graph.node, nodes)


def _int8(value: np.ndarray, axis: int) -> tuple[int, np.ndarray, np.ndarray]:
    others = tuple(i for i in range(value.ndim) if i != axis)
    scale = np.maximum(np.abs(value).max(axis=others) / np.float32(127), np.float32(1e-30))
    return axis, np.rint(value / np.expand_dims(scale, others)).astype(np.int8), scale


def _error(value: np.ndarray, axis: int, whole: np.ndarray, scale: np.ndarray) -> float:
    others = tuple(i for i in range(value.ndim) if i != axis)
    return math.fsum(np.square(value - whole * np.expand_dims(scale, others)).ravel())


def _replace(field: Any, values: list[Any]) -> None:
    kept = list(values)
    del field[:]
    field.extend(kept)
