"""An aligned DiT and a HiFi-GAN as ONNX graphs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.export import Dim
from torch.nn.functional import leaky_relu

from tts_fm import atomic, plugins
from tts_fm.backbones.aligned_dit import AlignedDiT, Prepared
from tts_fm.errors import ArgumentError
from tts_fm.interop import onnx_int8
from tts_fm.nn.campplus import CAMPPlus
from tts_fm.nn.convolution import FrameConv, FrameUpsample
from tts_fm.nn.embeddings import rotary_halves
from tts_fm.runtime.windows import Windows
from tts_fm.types import Condition
from tts_fm.vocoders import Vocoder
from tts_fm.vocoders.hifigan import HiFiGAN, Stage

Weights = Literal["int8", "float32"]
OPSET = 20


class Text(nn.Module):
    """Tokens to their vectors, and to the frames that each lasts in an average voice."""

    def __init__(self, backbone: AlignedDiT) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, token_ids: Int[Tensor, "1 m"]) -> tuple[Tensor, Tensor]:
        encoded = self.backbone.text(token_ids)
        return encoded, self.backbone.frames(encoded)


class Preparation(nn.Module):
    """All that does not change between the steps, told everything (row 0) and nothing (row 1), as guidance compares them."""

    def __init__(self, backbone: AlignedDiT) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(
        self,
        encoded: Float[Tensor, "1 m e"],
        token_ids: Int[Tensor, "1 m"],
        token_frames: Int[Tensor, "1 m"],
        prompt_mel: Float[Tensor, "1 n c"],
        is_prompt: Bool[Tensor, "1 n"],
        is_valid: Bool[Tensor, "1 n"],
        heard: Float[Tensor, "1 v"] | None = None,
    ) -> tuple[Tensor, Tensor]:
        yes = torch.ones(1, dtype=torch.bool)
        condition = Condition(prompt_mel, is_prompt, is_valid, token_ids, token_frames, yes, yes, heard)
        both = Condition.stack([condition, condition.empty()])
        prepared = self.backbone.prepare_encoded(both, torch.cat([encoded, encoded]))
        return prepared.input, prepared.voice


class Velocity(nn.Module):
    """The velocity at ``x_t`` and ``t``; with ``until`` beyond ``t``, of a model that leaps, the mean one of the whole step."""

    def __init__(self, backbone: AlignedDiT) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(
        self,
        x_t: Float[Tensor, "b n c"],
        t: Float[Tensor, " 1"],
        until: Float[Tensor, " 1"],
        input: Float[Tensor, "b q d"],
        voice: Float[Tensor, "b d"],
        is_valid: Bool[Tensor, "b n"],
    ) -> Tensor:
        b, q, width = *input.shape[:2], self.backbone.options.dim // self.backbone.options.heads
        prepared = Prepared(
            input=input,
            voice=voice,
            is_valid=is_valid,
            is_valid_patch=torch.ones(b, q, dtype=torch.bool),  # one utterance has no patch without a frame of its own
            key_mask=None,
            rotary=rotary_halves(q, width, voice.device),
            log_frames=voice,  # nobody asks for it here
            modulations={},
        )
        if self.backbone.can_leap:
            return self.backbone.mean_velocity(x_t, t.expand(b), until.expand(b), prepared)
        return self.backbone.velocity(x_t, t.expand(b), prepared)


class Line(nn.Module):
    """A convolution along frames that stays an image one line high: onnxruntime computes it in a third less time."""

    def __init__(self, convolution: FrameConv | FrameUpsample) -> None:
        super().__init__()
        self.convolution = convolution

    def forward(self, x: Float[Tensor, "1 d 1 n"]) -> Tensor:
        return self.convolution.along(x)


class Raised(nn.Module):
    """A log-mel to the first stage of the vocoder, which sees far and takes little memory."""

    def __init__(self, vocoder: HiFiGAN) -> None:
        super().__init__()
        self.vocoder = vocoder

    def forward(self, mel: Float[Tensor, "1 n c"]) -> Tensor:
        return self.vocoder.stages[0](self.vocoder.conv_in(mel.mT[:, :, None]))


class Sound(nn.Module):
    """What the first stage made to samples: all further stages, which see little around and take much memory."""

    def __init__(self, vocoder: HiFiGAN) -> None:
        super().__init__()
        self.vocoder = vocoder

    def forward(self, raised: Float[Tensor, "1 d 1 n"]) -> Tensor:
        for stage in self.vocoder.stages[1:]:
            raised = stage(raised)
        return self.vocoder.conv_out(leaky_relu(raised)).tanh()[:, 0, 0]


def windows(vocoder: HiFiGAN) -> tuple[Windows, Windows]:
    """Return the windows of frames for :class:`Raised`, and those of its columns for :class:`Sound`."""
    rates, first = vocoder.options.upsample_rates, vocoder.stages[0]
    assert isinstance(first, Stage)
    frames, columns = first.reach + vocoder.conv_in.reach, vocoder.reaches[1]
    return Windows(256, frames, rates[0]), Windows(64 * rates[0], columns, math.prod(rates[1:]))


def in_lines(vocoder: HiFiGAN) -> HiFiGAN:
    """Return a copy whose layers work on ``(b d 1 n)``; only :class:`Raised` and :class:`Sound` can use it."""
    copied = deepcopy(vocoder)
    for parent in [*copied.modules()]:
        for name, child in [*parent.named_children()]:
            if isinstance(child, FrameConv | FrameUpsample):
                setattr(parent, name, Line(child))
    return copied


def write(
    folder: Path,
    backbone: AlignedDiT,
    vocoder: HiFiGAN,
    weights: Weights = "int8",
    ranges: Mapping[str, onnx_int8.Range] | None = None,
) -> None:
    """Write ``text.onnx``, ``prepared.onnx``, ``velocity.onnx``, ``raised.onnx`` and ``sound.onnx``.

    The number of frames must be a multiple of the patch; frames beyond the utterance's own are not valid. The vocoder's
    convolutions that are named in ``ranges`` are computed in int8.
    """
    p, d, c = backbone.options.patch, backbone.options.dim, backbone.n_mels
    q, m = Dim("patches", min=2, max=100_000 // p), Dim("tokens", min=2, max=100_000)
    b, n = Dim("conditionings", min=1, max=8), p * q
    is_prompt, is_valid = (
        torch.arange(6 * p)[None] < 3 * p,
        torch.ones(1, 6 * p, dtype=torch.bool),
    )  # one tensor: one input
    ids, mel = torch.arange(7)[None], torch.randn(1, 6 * p, c)
    frames = torch.full((1, 7), 6 * p // 7)
    frames[:, 0] += 6 * p - frames.sum()
    columns, width = vocoder.options.upsample_rates[0], vocoder.options.upsample_initial_channel // 2
    lines = in_lines(vocoder)
    heard = {} if backbone.speaker is None else {"heard": (torch.randn(1, CAMPPlus.DIM), {})}
    graphs: dict[str, tuple[nn.Module, dict[str, tuple[Tensor, dict[int, Any]]], list[str]]] = {
        "text": (Text(backbone), {"token_ids": (ids, {1: m})}, ["encoded", "frames"]),
        "prepared": (
            Preparation(backbone),
            {
                "encoded": (torch.randn(1, 7, backbone.options.text_dim), {1: m}),
                "token_ids": (ids, {1: m}),
                "token_frames": (frames, {1: m}),
                "prompt_mel": (mel, {1: n}),
                "is_prompt": (is_prompt, {1: n}),
                "is_valid": (is_valid, {1: n}),
                **heard,
            },
            ["input", "voice"],
        ),
        "velocity": (
            Velocity(backbone),
            {
                "x_t": (torch.randn(2, 6 * p, c), {0: b, 1: n}),
                "t": (torch.zeros(1), {}),
                "until": (torch.ones(1), {}),
                "input": (torch.randn(2, 6, d), {0: b, 1: q}),
                "voice": (torch.randn(2, d), {0: b}),
                "is_valid": (is_valid.expand(2, -1), {0: b, 1: n}),
            },
            ["velocity"],
        ),
        "raised": (Raised(lines), {"mel": (mel, {1: Dim("frames", min=2, max=100_000)})}, ["raised"]),
        "sound": (
            Sound(lines),
            {"raised": (torch.randn(1, width, 1, 6 * columns), {3: Dim("columns", min=2, max=1_000_000)})},
            ["samples"],
        ),
    }
    for name, (module, inputs, outputs) in graphs.items():
        _write(folder / f"{name}.onnx", module.eval(), inputs, outputs, weights, {} if ranges is None else ranges)


def ranges(vocoder: Vocoder) -> dict[str, onnx_int8.Range]:
    """Return what the layers take that this vocoder computes in int8, by their names; nothing where it does not."""
    names = {layer: name for name, layer in vocoder.named_modules()}
    bounded = vocoder.bounded() if isinstance(vocoder, HiFiGAN) else []
    return {names[layer]: onnx_int8.Range(*at) for layer, *at in bounded}


def in_float32(vocoder: Vocoder) -> HiFiGAN:
    """Return the vocoder without its own lower precision, which is that of PyTorch's kernels.

    Raises:
        ValueError: it is no HiFi-GAN.
    """
    if not isinstance(vocoder, HiFiGAN):
        raise ArgumentError(f"the vocoder is {plugins.name_of(vocoder)}; only hifigan is exported: give one", "vocoder")
    plain = HiFiGAN(vocoder.options.model_copy(update={"precision": "float32"}), vocoder.mel)
    plain.load_state_dict(dict(vocoder.named_parameters()))
    return plain.eval().requires_grad_(False)


def _write(
    path: Path,
    module: nn.Module,
    inputs: dict[str, tuple[Tensor, dict[int, Any]]],
    outputs: list[str],
    weights: Weights,
    ranges: Mapping[str, onnx_int8.Range],
) -> None:
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter about itself
        program = torch.onnx.export(
            module,
            tuple(example for example, _ in inputs.values()),
            dynamo=True,
            input_names=list(inputs),
            output_names=outputs,
            dynamic_shapes={name: axes for name, (_, axes) in inputs.items()},
            opset_version=OPSET,
            custom_translation_table={torch.ops.aten.searchsorted.Tensor: _searchsorted()},
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    onnx_int8.compute_in_bytes(model.graph, {f"vocoder.{layer}.convolution": at for layer, at in ranges.items()})
    if weights == "int8":
        onnx_int8.to_int8(model.graph)
    with atomic.replacing(path) as beside:
        beside.write_bytes(model.SerializeToString())


def _searchsorted() -> Any:
    """What ONNX has no operator for: how many of the sorted values are not above each of those sought."""
    import onnxscript  # pyright: ignore[reportMissingImports] (an extra)

    op: Any = onnxscript.opset20

    def searchsorted(
        sorted_sequence: Any,
        values: Any,
        out_int32: bool = False,
        right: bool = False,
        side: Any = None,
        sorter: Any = None,
    ) -> Any:
        assert right and side is None and sorter is None
        is_before = op.LessOrEqual(op.Unsqueeze(sorted_sequence, [1]), op.Unsqueeze(values, [2]))
        return op.ReduceSum(op.Cast(is_before, to=7), [2], keepdims=False)

    return searchsorted
