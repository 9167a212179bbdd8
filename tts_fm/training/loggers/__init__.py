"""Where a run shows itself: the interface; each other file here is one such place."""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jaxtyping import Float
from torch import Tensor

from tts_fm import plugins
from tts_fm.audio import picture
from tts_fm.audio.io import Waveform
from tts_fm.plugins import Plugin

ALWAYS = "jsonl"


class Logger(Plugin, ABC):
    """One place that keeps a run's figures, and its mels and sounds where it can.

    Args:
        folder: the run's.
        config: the run's configuration, as plain values.
        resume_from: how many updates the run goes on from; what is kept of later ones no longer counts.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], resume_from: int = 0) -> None:
        self.folder, self.config, self.resume_from = folder, config, resume_from

    @classmethod
    def check(cls) -> None:
        """Refuse, with what to do about it, where this logger could not work. Raises ValueError."""

    @abstractmethod
    def record(self, update: int, values: Mapping[str, Any]) -> None:
        """Keep figures by name. Raises OSError where they cannot be written."""

    def mel(self, update: int, name: str, mel: Float[Tensor, "n c"]) -> None:
        """Keep a log-mel as a picture."""

    def sound(self, update: int, name: str, waveform: Waveform) -> None:
        """Keep a sound."""

    def close(self) -> None:
        """Write what is still waiting."""


class Loggers:
    """Several loggers as one. What one of them cannot write is warned of once, and the training goes on."""

    def __init__(self, loggers: Mapping[str, Logger]) -> None:
        self._loggers = loggers
        self._failed: set[str] = set()

    def record(self, update: int, values: Mapping[str, Any]) -> None:
        """See :meth:`Logger.record`; raises nothing."""
        self._each(lambda logger: logger.record(update, values))

    def mel(self, update: int, name: str, mel: Float[Tensor, "n c"]) -> None:
        """See :meth:`Logger.mel`."""
        self._each(lambda logger: logger.mel(update, name, mel))

    def sound(self, update: int, name: str, waveform: Waveform) -> None:
        """See :meth:`Logger.sound`."""
        self._each(lambda logger: logger.sound(update, name, waveform))

    def close(self) -> None:
        """See :meth:`Logger.close`."""
        self._each(lambda logger: logger.close())

    def _each(self, write: Callable[[Logger], None]) -> None:
        for name, logger in self._loggers.items():
            try:
                write(logger)
            except (OSError, ValueError) as error:  # ValueError: a sound or a mel that is no numbers
                if name not in self._failed:
                    self._failed.add(name)
                    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
                    warnings.warn(f"{name} could not be written ({reason}); training goes on", stacklevel=1)


def none() -> Loggers:
    """Return what keeps nothing."""
    return Loggers({})


def check(names: Sequence[str]) -> None:
    """Refuse names of loggers that do not exist, or could not work. Raises ValueError."""
    for name in names:
        plugins.load(Logger, name).check()


def open_all(names: Sequence[str], folder: Path, config: Mapping[str, Any], *, resume_from: int = 0) -> Loggers:
    """Return the loggers called ``names``, after the one of ``metrics.jsonl``, which is always there.

    Raises:
        ValueError: there is no such logger, or it cannot work here.
    """
    check(names)
    chosen = dict.fromkeys([ALWAYS, *names])
    return Loggers({name: plugins.build(Logger, name, folder, config, resume_from) for name in chosen})


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Return those of ``values`` that a curve can be drawn of."""
    return {k: float(v) for k, v in values.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}


def package(name: str, install: str) -> Any:
    """Return the module called ``name``. Raises ValueError with what to ``install`` where it is missing."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        raise ValueError(
            f"the logger {name!r} is not installed; pip install '{install}', or leave it out of training.loggers"
        ) from None


@contextmanager
def as_file(content: Waveform | Float[Tensor, "n c"]) -> Iterator[Path]:
    """Yield the path of a sound as WAV, or of a log-mel as PNG, for as long as the block lasts."""
    with TemporaryDirectory() as folder:
        if isinstance(content, Waveform):
            path = Path(folder, "sound.wav")
            content.save(path)
        else:
            path = Path(folder, "mel.png")
            picture.save(content, path)
        yield path


def append(path: Path, record: bytes) -> None:
    """Write ``record`` at the end of a file, whole or not at all. Raises OSError."""
    end = path.stat().st_size if path.exists() else 0
    try:
        with open(path, "ab") as file:
            file.write(record)
    except OSError:
        if path.exists():
            os.truncate(path, end)
        raise
