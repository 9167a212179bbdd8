"""Trackio: curves, mel pictures and sounds in a local dashboard (``trackio show --project tts-fm``)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from tts_fm.audio.io import Waveform
from tts_fm.training.loggers import Logger, as_file, numbers, package

PROJECT = "tts-fm"


class Trackio(Logger):
    """A run is called as its folder. Its values go where ``TRACKIO_DIR`` says, or ``TRACKIO_SPACE_ID``."""

    def __init__(self, folder: Path, config: Mapping[str, Any], resume_from: int = 0) -> None:
        super().__init__(folder, config, resume_from)
        self._trackio = package("trackio", "trackio")
        with redirect_stdout(sys.stderr):  # what it tells is for people
            self._run = self._trackio.init(
                project=PROJECT,
                name=folder.resolve().name,
                config=dict(config),
                resume="allow" if resume_from else "never",
                embed=False,
                auto_log_gpu=False,
                auto_log_cpu=False,
            )

    @classmethod
    def check(cls) -> None:
        package("trackio", "trackio")

    def record(self, update: int, values: Mapping[str, Any]) -> None:
        self._run.log(numbers(values), step=update)

    def mel(self, update: int, name: str, mel: Float[Tensor, "n c"]) -> None:
        with as_file(mel) as path:
            self._run.log({f"{name}/mel": self._trackio.Image(path)}, step=update)

    def sound(self, update: int, name: str, waveform: Waveform) -> None:
        with as_file(waveform) as path:
            self._run.log({f"{name}/sound": self._trackio.Audio(path)}, step=update)

    def close(self) -> None:
        with redirect_stdout(sys.stderr):
            self._trackio.finish()
