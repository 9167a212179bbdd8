"""A model's folder: its weights with their configuration, vocabulary, card and time grids beside them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor

from tts_fm import atomic, small_file, tensors
from tts_fm.backbones import Backbone
from tts_fm.config import ModelConfig, read_model
from tts_fm.errors import ModelError
from tts_fm.frontends import Frontend
from tts_fm.nn import sizes
from tts_fm.strict import dump

CONFIG, WEIGHTS, VOCAB, CARD, GRIDS = "config.yaml", "model.safetensors", "vocab.txt", "README.md", "grid.json"
"""The files of a model folder; ``vocab.txt`` only where the frontend has one, ``grid.json`` where grids were found."""

_MAX_GRIDS = 1_000_000  # bytes of grid.json


def save_model(
    folder: Path,
    config: ModelConfig,
    state: Mapping[str, Tensor],
    *,
    dtype: torch.dtype | None = None,
    vocab: Path | None = None,
    card: str | None = None,
) -> None:
    """Write a model folder; ``dtype`` (such as ``torch.float16``) is what weights are stored in (:func:`tensors.write_tensors`).

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
    tensors.write_tensors(folder / WEIGHTS, state, dtype=dtype)


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
    tensors.fill_from(backbone, folder / WEIGHTS, vocab_size=frontend.vocab_size)
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
