"""The two kinds of mistakes that have an exit code of their own."""


class InputError(ValueError):
    """Bad audio or text: exit code 3."""


class ModelError(ValueError):
    """A model that is not available or can not be loaded: exit code 4."""
