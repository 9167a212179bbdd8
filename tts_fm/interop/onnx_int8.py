"""An ONNX graph in int8: its matrices, with a scale for each row, and its convolutions, computed in bytes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from tts_fm import tensors

if TYPE_CHECKING:
    from onnx import GraphProto  # pyright: ignore[reportMissingImports] (an extra)

_LEAST = 1024  # entries of a matrix that is worth a scale for each row
_SEVEN_BITS = 63
_LARGEST_BIAS = 2**30  # in steps of a product: it is kept in 32 bits


class Range(NamedTuple):
    """Between what a convolution is given, and the most that it makes, either way."""

    low: float
    high: float
    made: float


def compute_in_bytes(graph: GraphProto, ranges: Mapping[str, Range]) -> None:
    """Let convolutions along lines be computed in bytes, which come from and become float32; ``ranges`` are by layer.

    onnxruntime does so at four times the speed of float32 on a processor with AVX-512 VNNI. Weights have seven bits: where
    there is no VNNI, it adds two products in 16 bits, which eight would not fit into.
    """
    from onnx import helper, numpy_helper  # pyright: ignore[reportMissingImports] (an extra)

    replaced = {f"{layer}.{kind}" for layer in ranges for kind in ("weight", "bias")}
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes, constants = [], [tensor for tensor in graph.initializer if tensor.name not in replaced]
    for node in graph.node:
        layer = node.input[2].removesuffix(".bias") if node.op_type == "Conv" else ""
        if layer not in ranges:
            nodes += [] if replaced.intersection(node.input) else [node]  # what turned the weights into an image
            continue
        low, high, made = ranges[layer]
        step, bias = np.float32((high - low) / 255), values[f"{layer}.bias"]
        _, whole, steps = _int8(values[f"{layer}.weight"], 0, _SEVEN_BITS)
        coarser = np.maximum(steps, np.abs(bias) / (step * np.float32(_LARGEST_BIAS)))  # where a row is all but zero
        whole, steps = np.rint(whole * (steps / coarser)[:, None, None]).astype(np.int8), coarser
        operands = {
            "step": step,
            "zero": np.uint8(round(-low / step)),
            "whole": whole[:, :, None],
            "steps": steps,
            "zeros": np.zeros(len(steps), np.int8),
            "made_step": np.float32(made / 127),
            "made_zero": np.uint8(128),
            "whole_bias": np.rint(bias / (step * steps)).astype(np.int32),
        }
        constants += [numpy_helper.from_array(np.asarray(value), f"{layer}.{name}") for name, value in operands.items()]
        given, result = f"{layer}.given", f"{layer}.result"
        convolution = helper.make_node("QLinearConv", [given, *(f"{layer}.{name}" for name in operands)], [result])
        convolution.attribute.extend(node.attribute)
        nodes += [
            helper.make_node("QuantizeLinear", [node.input[0], f"{layer}.step", f"{layer}.zero"], [given]),
            convolution,
            helper.make_node("DequantizeLinear", [result, f"{layer}.made_step", f"{layer}.made_zero"], [*node.output]),
        ]
    _replace(graph.initializer, constants)
    _replace(graph.node, nodes)


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


def _int8(value: np.ndarray, axis: int, most: int = 127) -> tuple[int, np.ndarray, np.ndarray]:
    whole, scale = tensors.to_int8(torch.tensor(value), axis, most)
    return axis, whole.numpy(), scale.flatten().numpy()


def _error(value: np.ndarray, axis: int, whole: np.ndarray, scale: np.ndarray) -> float:
    others = tuple(i for i in range(value.ndim) if i != axis)
    return math.fsum(np.square(value - whole * np.expand_dims(scale, others)).ravel())


def _replace(field: Any, values: list[Any]) -> None:
    kept = list(values)
    del field[:]
    field.extend(kept)
