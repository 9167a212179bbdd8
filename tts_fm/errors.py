"""The kinds of mistakes and failures that have an exit code of their own."""


class InputError(ValueError):
    """Bad audio or text: exit code 3."""


class ModelError(ValueError):
    """A model that is not available or can not be loaded: exit code 4."""


class TrainingError(RuntimeError):
    """A training that can not go on, through no mistake in how it was asked for: exit code 1."""


class ArgumentError(ValueError):
    """A mistake in what was asked for; ``arguments`` are the names of those it is about, as a function has them."""

    def __init__(self, message: str, *arguments: str) -> None:
        super().__init__(message)
        self.arguments = arguments
