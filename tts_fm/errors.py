"""The kinds of mistakes and failures that have an exit code of their own, and what of their sentences strangers may read."""

from __future__ import annotations

import re

_PATH = re.compile(r"(?<![\w:/.])(?!(?<=\[)/\w+\]|\\[\[\]])(?:[A-Za-z]:)?[\\/](?:[^\s\\/'\"]+[\\/])*([^\s\\/'\"]+)")


class ArgumentError(ValueError):
    """A mistake in what was asked for.

    ``arguments`` are the names of those it is about, as a function has them: a command says which options these are.
    """

    def __init__(self, message: str, *arguments: str) -> None:
        super().__init__(message)
        self.arguments = arguments


class InputError(ArgumentError):
    """Bad audio or text: exit code 3."""


class ModelError(ArgumentError):
    """A model that is not available or cannot be loaded: exit code 4."""


class TrainingError(RuntimeError):
    """A training that cannot go on, through no mistake in how it was asked for: exit code 1."""


class WorkersError(RuntimeError):
    """Processes that work for this one and cannot go on, through no mistake in what was asked for: exit code 1."""


def without_paths(message: str) -> str:
    """Return ``message`` with only the last name of each path in it, for people who do not own this machine."""
    return _PATH.sub(r"\1", message).replace("the audio stream", "the recording")


def first_sentence(error: BaseException) -> str:
    """Return the beginning of what a library said, which may be many lines."""
    text = str(error).strip()
    first = text.splitlines()[0] if text else type(error).__name__
    return first[:160].rstrip(".")
