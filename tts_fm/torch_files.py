"""Files of PyTorch: training states, one after so many updates, and the weights of others; no code in one is ever run."""

from __future__ import annotations

import os
import pickle
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tts_fm import atomic
from tts_fm.errors import ModelError, first_sentence

_STATE = re.compile(r"update-(\d+)\.pt")


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
        raise ModelError(
            f"{path} holds more than weights and numbers, so it is not loaded ({first_sentence(error)})"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, TypeError, LookupError) as error:
        raise ModelError(f"{path} cannot be read as a PyTorch file ({first_sentence(error)})") from None
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
