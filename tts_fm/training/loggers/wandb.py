"""Weights & Biases: curves, mel pictures and sounds on wandb.ai, or in the run's folder with WANDB_MODE=offline."""

from __future__ import annotations

import inspect
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from tts_fm import atomic
from tts_fm.audio.io import Waveform
from tts_fm.training.loggers import Logger, as_file, numbers, package

PROJECT = "tts-fm"
_INSTALL = "wandb>=0.31"
_OTHERWISE = "set WANDB_MODE=offline to keep the figures here, or leave wandb out of training.loggers"


class WeightsAndBiases(Logger):
    """A run is called as its folder, which keeps its id, so that a run that goes on is the same run.

    A resumed run cannot take back what it sent, so each value carries its ``update``, over which curves are drawn.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], resume_from: int = 0) -> None:
        super().__init__(folder, config, resume_from)
        self._wandb = wandb = package("wandb", _INSTALL)
        try:
            self._run = wandb.init(
                project=os.environ.get("WANDB_PROJECT", PROJECT),
                name=folder.resolve().name,
                id=_id(folder / "wandb-id.txt"),
                resume="allow",
                dir=str(folder),
                config=dict(config),
                settings=wandb.Settings(console="off"),
            )
        except wandb.Error as error:
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise ValueError(f"wandb could not start ({reason}); {_OTHERWISE}") from None
        self._run.define_metric("update")
        self._run.define_metric("*", step_metric="update")

    @classmethod
    def check(cls) -> None:
        wandb = package("wandb", _INSTALL)
        if "prompt" not in inspect.signature(wandb.login).parameters:
            raise ValueError(f"wandb {wandb.__version__} would ask for its key; pip install '{_INSTALL}'")
        try:
            needs_key = wandb.setup().settings.mode not in ("offline", "disabled", "dryrun")
            if needs_key and not wandb.login(prompt=False, verify=False):
                raise ValueError(f"wandb has no key; set WANDB_API_KEY or run 'wandb login', {_OTHERWISE}")
        except wandb.Error as error:  # a key that cannot be one
            raise ValueError(f"wandb: {str(error).rstrip('.')}; {_OTHERWISE}") from None

    def record(self, update: int, values: Mapping[str, Any]) -> None:
        self._log(update, numbers(values))

    def mel(self, update: int, name: str, mel: Float[Tensor, "n c"]) -> None:
        with as_file(mel) as path:
            self._log(update, {f"{name}/mel": self._wandb.Image(str(path))})

    def sound(self, update: int, name: str, waveform: Waveform) -> None:
        with as_file(waveform) as path:
            self._log(update, {f"{name}/sound": self._wandb.Audio(str(path))})

    def close(self) -> None:
        with self._failing_as_disks_do():
            self._run.finish()

    def _log(self, update: int, values: Mapping[str, Any]) -> None:
        with self._failing_as_disks_do():
            self._run.log({**values, "update": update})

    @contextmanager
    def _failing_as_disks_do(self) -> Iterator[None]:
        try:
            yield
        except self._wandb.Error as error:
            raise OSError(str(error)) from None


def _id(path: Path) -> str:
    """Return the id in ``path``, where a new one is written if there is none."""
    if not path.exists():
        with atomic.replacing(path) as beside:
            beside.write_text(secrets.token_hex(8), encoding="utf-8")
    return path.read_text(encoding="utf-8").strip()
