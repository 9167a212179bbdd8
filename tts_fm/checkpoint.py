"""Weights (safetensors) with their config beside them; save, load, resume."""

from __future__ import annotations

import json
import math
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from tts_fm import atomic, memory, small_file
from tts_fm.backbones import Backbone
from tts_fm.config import ModelConfig, read_model
from tts_fm.errors import ModelError
from tts_fm.frontends import Frontend
from tts_fm.nn import sizes
from tts_fm.strict import dump

CONFIG, WEIGHTS, VOCAB, CARD, GRIDS = "config.yaml", "model.safetensors", "vocab.txt", "README.md", "grid.json"
"""The files of a model folder; ``vocab.txt`` only where the frontend has one, ``grid.json`` where grids were found."""
SCALE = ":scale"
"""What an int8 matrix's name has added in the name of its scales."""

_MAX_GRIDS = 1_000_000  # bytes of grid.json
_STATE = re.compile(r"update-(\d+)\.pt")


def save_model(
    folder: Path,
    config: ModelConfig,
    state: Mapping[str, Tensor],
    *,
    dtype: torch.dtype | None = None,
    vocab: Path | None = None,
    card: str | None = None,
) -> None:
    """Write a model folder; ``dtype`` (such as ``torch.float16``) is what weights are stored in, see :func:`write_tensors`.

    Each file appears whole or not at all, the weights last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if vocab is not None and vocab.resolve() != (folder / VOCAB).resolve():
        with atomic.replacing(folder / VOCAB) as beside:
            shutil.copyfile(vocab, beside)
    texts = {CONFIG: dump(config)} if card is None else {CONFIG: dump(config), CARD: card}
    for name, text in texts.items():
        with atomic.replacing(folder / name) as beside:
            beside.write_text(text, encoding="utf-8")
    write_tensors(folder / WEIGHTS, state, dtype=dtype)


def load_model(
    folder: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[ModelConfig, Backbone]:
    """Return the configuration and the backbone in ``folder``, in evaluation mode on ``device``.

    Floating-point weights become ``dtype``, whatever the file stores.

    Raises:
        ModelError: a file is missing or damaged, or the weights are not those of the configuration.
    """
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise ModelError(f"{folder} is no model: it has no {name}; a model folder holds {CONFIG} and {WEIGHTS}")
    check_links(folder)
    try:
        config = read_model(folder / CONFIG)
        frontend = load_frontend(config, folder)
        with sizes.only():  # no memory is taken until the file is seen to have them
            backbone: Backbone = config.backbone.build(Backbone, config.mel.n_mels, frontend.vocab_size)
    except ModelError:
        raise
    except ValueError as error:
        raise ModelError(str(error)) from None
    fill_from(backbone, folder / WEIGHTS, vocab_size=frontend.vocab_size)
    return config, backbone.to(device=device, dtype=dtype).eval()


def check_links(folder: Path) -> None:
    """Refuse a model folder in which a link leads out; in the cache of a hub links lead to the repository's blobs.

    Raises:
        ModelError: there is such a link.
    """
    root = folder.resolve()
    repository = root.parents[root.parts[::-1].index("snapshots")] if "snapshots" in root.parts[1:] else root
    allowed = (root, repository / "blobs" if repository != root else root)
    for place, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(place, name)
            if path.is_symlink() and not any(Path(os.path.realpath(path)).is_relative_to(inside) for inside in allowed):
                raise ModelError(f"{folder / path.relative_to(root)} is a link out of the folder; put a copy there")


def load_frontend(config: ModelConfig, folder: Path) -> Frontend:
    """Return the frontend of the model in ``folder``, with its vocabulary where there is one."""
    vocab = folder / VOCAB
    return config.frontend.build(Frontend, vocab=vocab if vocab.is_file() else None)


def load_grids(folder: Path) -> dict[int, list[float]]:
    """Return the time grids that were found for the model in ``folder``, by their number of steps.

    Raises:
        ModelError: the file is there and holds something else.
    """
    path = folder / GRIDS
    if not path.is_file():
        return {}
    try:
        value = json.loads(small_file.read_text(path, _MAX_GRIDS))
        grids = {int(steps): [float(t) for t in times] for steps, times in value.items()}
        are_grids = all(
            len(times) == steps + 1 and times[0] == 0 and times[-1] == 1 and all(a < b for a, b in pairwise(times))
            for steps, times in grids.items()
        )
    except (OSError, ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError):
        are_grids, grids = False, {}
    if not are_grids:
        raise ModelError(f"{path} holds no time grids; remove it, or make it anew with tts-fm optimize-steps")
    return grids


def save_grid(folder: Path, times: Sequence[float]) -> None:
    """Store a time grid beside the model in ``folder``; one of as many steps is replaced."""
    grids = load_grids(folder) | {len(times) - 1: list(times)}
    with atomic.replacing(folder / GRIDS) as beside:
        beside.write_text(json.dumps({str(steps): grids[steps] for steps in sorted(grids)}) + "\n", encoding="utf-8")


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
                kept, tensors[name + SCALE] = _to_int8(kept)
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
        raise ModelError(f"{path} is no whole safetensors file ({_line(error)}); copy it again") from None


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of every tensor in a safetensors file, scales included, from its header alone.

    Raises:
        ModelError: the file is missing or damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path} is no whole safetensors file ({_line(error)}); copy it again") from None


def _check_scales(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse scales that are not one a row: a product with others could be of any size."""
    for name, shape in shapes.items():
        if name.endswith(SCALE):
            rows = shapes[name.removesuffix(SCALE)]
            if shape != (*rows[:1], *(1 for _ in rows[1:])):
                raise ValueError(f"the scales of {name.removesuffix(SCALE)!r} are not one a row")


def _to_int8(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return whole numbers up to 127 and the scale of each row, whose product comes nearest to ``matrix``."""
    scale = matrix.float().abs().amax(dim=tuple(range(1, matrix.dim())), keepdim=True) / 127
    return (matrix / scale.clamp(min=1e-30)).round().to(torch.int8), scale


def fill_from(module: nn.Module, path: Path, vocab_size: int | None = None) -> None:
    """Load the weights in the safetensors file ``path`` into ``module``, which may still be on the meta device.

    The file's header is compared with the module before any memory is taken. ``vocab_size`` as in :func:`fill`.

    Raises:
        ModelError: the file is damaged, has other weights, or there is no memory for them.
    """
    shapes = {name: shape for name, shape in read_shapes(path).items() if not name.endswith(SCALE)}
    _compare(module, shapes, path, vocab_size)
    memory.check(2 * sum(4 * math.prod(shape) for shape in shapes.values()), f"reading {path}")
    fill(module, read_tensors(path), path, vocab_size)


def fill(module: nn.Module, state: Mapping[str, Tensor], source: Path | str, vocab_size: int | None = None) -> None:
    """Load ``state`` into ``module``: every weight, and no other.

    With ``vocab_size``, a table of another number of tokens is explained as that.

    Raises:
        ModelError: a weight is missing, unknown, of another shape or not finite; one line that names ``source``.
    """
    _compare(module, {name: tuple(value.shape) for name, value in state.items()}, source, vocab_size)
    weights = {name: state[name].to(value.dtype) for name, value in module.state_dict().items()}
    check_finite(weights, source)
    is_meta = any(value.is_meta for value in module.state_dict().values())
    module.load_state_dict(weights, assign=is_meta)


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
        if value.is_floating_point() and not bool(value.isfinite().all()):
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


def state_path(folder: Path, update: int) -> Path:
    """Return where the training state after ``update`` updates is kept."""
    return folder / f"update-{update:08d}.pt"


def save_state(path: Path, state: Mapping[str, Any], keep: int | None = None) -> None:
    """Write a training state of plain values and tensors; then, with ``keep``, remove all but the newest ``keep``.

    Raises:
        OSError: the disk is full, or cannot be written to; what was there is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(path) as beside, beside.open("wb") as file:
        try:
            torch.save(dict(state), file)
        except RuntimeError as error:  # PyTorch's writer hides what the disk said
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
    if keep is not None:
        for old in states(path.parent)[: -max(keep, 1)]:
            old.unlink(missing_ok=True)


def load_state(path: Path, device: torch.device | str = "cpu", is_old_format_read: bool = False) -> dict[str, Any]:
    """Return a training state. No code in the file is run.

    With ``is_old_format_read`` the file may be one of PyTorch before 1.6, which is no archive.

    Raises:
        ModelError: missing, damaged, or holding more than plain values and tensors.
    """
    is_readable = path.is_file() if is_old_format_read else zipfile.is_zipfile(path)  # torch.save writes archives
    if not is_readable:
        reason = "it is no archive of PyTorch" if path.is_file() else "No such file"
        raise ModelError(f"{path} cannot be read as a PyTorch file ({reason})")
    try:
        state = torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(f"{path} holds more than weights and numbers, so it is not loaded ({_line(error)})") from None
    except (OSError, RuntimeError, EOFError, ValueError, TypeError, LookupError) as error:
        raise ModelError(f"{path} cannot be read as a PyTorch file ({_line(error)})") from None
    if not isinstance(state, dict):
        raise ModelError(f"{path} holds {type(state).__name__}, not a training state")
    return state


def states(folder: Path) -> list[Path]:
    """Return the training states in ``folder``, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((folder / name for name in os.listdir(folder) if _STATE.fullmatch(name)), key=updates_of)


def updates_of(path: Path) -> int:
    """Return how many updates the training state at ``path`` had."""
    match = _STATE.fullmatch(path.name)
    assert match is not None
    return int(match[1])


def _line(error: BaseException) -> str:
    """The first sentence of an error that may be many lines."""
    text = str(error).strip()
    first = text.splitlines()[0] if text else type(error).__name__
    return first[:160].rstrip(".")
