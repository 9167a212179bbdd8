"""One implementation is one file, and the file's name is its name.

A *choice* is a package whose ``__init__.py`` defines an abstract class; every other file in it holds one
implementation. Nothing is registered: ``ls tts_fm/backbones`` is the list of backbones.
"""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict

P = TypeVar("P", bound="Plugin")


class Options(BaseModel):
    """A strict, frozen block of configuration: an unknown field is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Plugin:
    """What every interface of a choice folder derives from."""

    Options: ClassVar[type[Options]] = Options


def names(interface: type[Plugin]) -> list[str]:
    """Return the names of all implementations of ``interface``, sorted."""
    package = import_module(interface.__module__)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def load(interface: type[P], name: str) -> type[P]:
    """Return the class that implements ``interface`` in the file called ``name``.

    Raises:
        ValueError: no such file; the message lists the choices.
    """
    if name not in names(interface):
        raise ValueError(
            f"there is no {interface.__name__} called {name!r}; choose one of {', '.join(names(interface))}, "
            f"or add the file {interface.__module__.replace('.', '/')}/{name}.py"
        )
    module = import_module(f"{interface.__module__}.{name}")
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, interface) and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise TypeError(
            f"{module.__name__} must define exactly one subclass of {interface.__name__}, it has {len(classes)}"
        )
    return classes[0]


def name_of(plugin: Plugin) -> str:
    """Return the name of the file that implements ``plugin``."""
    return type(plugin).__module__.rpartition(".")[2]


def build(interface: type[P], name: str, *args: Any, **kwargs: Any) -> P:
    """Return an instance of the implementation called ``name``; see :func:`load`."""
    return load(interface, name)(*args, **kwargs)
