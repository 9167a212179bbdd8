"""Values read strictly from YAML: every field known, every mistake one line that names what is wrong and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BeforeValidator, ValidationError

from tts_fm import plugins, small_file
from tts_fm.plugins import Options, Plugin
from tts_fm.types import MelSpec

AnyOptions = TypeVar("AnyOptions", bound=Options)
_LONG = 16  # a list of more entries is not shown whole
_MAX_BYTES = 200_000  # of a file: the longest of ours has 4,000
_MAX_DEPTH = 32
_MAX_SIZE = 400_000  # values and characters, once every alias is written out
_SHOWN = 80  # characters of a value in a message
_MESSAGE = 600  # characters


class Choice(Options):
    """A plug-in by name, with its own options: ``{name: dit, dim: 1024, ...}`` in YAML."""

    name: str
    options: Options

    def build(self, interface: type[Plugin], *args: Any, **kwargs: Any) -> Any:
        """Return an instance of the chosen implementation."""
        return plugins.build(interface, self.name, self.options, *args, **kwargs)


def choice(interface: type[Plugin]) -> Any:
    """Return the annotation of a field that names an implementation of ``interface``."""

    def read(value: Any) -> Any:
        if isinstance(value, Choice):
            return value
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict) or "name" not in value:
            raise ValueError(f"needs a 'name', one of {', '.join(plugins.names(interface))}")
        options = {k: v for k, v in value.items() if k != "name"}
        implementation = plugins.load(interface, value["name"])
        try:
            return Choice(name=value["name"], options=implementation.Options.model_validate(options))
        except ValidationError as error:
            raise ValueError(explain(error, implementation.Options, value["name"])) from None

    return Annotated[Choice, BeforeValidator(read)]


def read_yaml(path: Path, changes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the mapping of blocks in ``path``, with ``changes`` of the form ``block.field=value`` made in it."""
    return change(_read_yaml(path), changes, "training.updates=100")


def change(value: dict[str, Any], changes: Sequence[str], example: str) -> dict[str, Any]:
    """Make ``changes`` of the form ``block.field=value``, such as ``example``, in ``value`` and return it."""
    for one in changes:
        name, is_given, text = one.partition("=")
        *blocks, field = name.strip().split(".")
        if not is_given or not all((*blocks, field)):
            raise ValueError(f"--set {one!r} is no change; write it as {example}")
        inner = value
        for block in blocks:
            if not isinstance(inner.get(block), dict):  # a plug-in without options may be its name alone
                inner[block] = {"name": inner[block]} if isinstance(inner.get(block), str) else {}
            inner = inner[block]
        try:
            inner[field] = load_yaml(text)
        except ValueError:
            raise ValueError(f"--set {one!r}: {text!r} is no YAML value; quote it") from None
    return value


def parse(kind: type[AnyOptions], value: Any, source: Path | str, name: str = "the file") -> AnyOptions:
    """Return ``value`` as a ``kind``; an error names ``source``, the field, the value got and what is allowed.

    ``name`` as in :func:`explain`.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise ValueError(f"{source}: {explain(error, kind, name)}") from None


def dump(config: Options) -> str:
    """Return ``config`` as YAML, complete, in the order in which the fields are defined."""
    return yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True)


def explain(error: ValidationError, kind: type[Options], name: str = "the file") -> str:
    """Return the first problem of ``error`` as one line: the field, the value got, what is allowed.

    ``name`` is what an unknown field at the top is said to be missing from.
    """
    return _short(_explained(error, kind, name), _MESSAGE)


def _explained(error: ValidationError, kind: type[Options], name: str) -> str:
    first = error.errors(include_url=False)[0]
    where = _short(".".join(str(part) for part in first["loc"]), _SHOWN)
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        owner, allowed = _fields_at(kind, first["loc"][:-1], name)
        unknown = _short(str(first["loc"][-1]), _SHOWN)
        near = difflib.get_close_matches(unknown, allowed, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(allowed)}"
        return f"{owner} has no field {unknown!r}; {hint}"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] in ("missing", "value_error"):
        return f"{where}: {message}" if where else message
    return f"{where} is {_short(repr(first['input']), _SHOWN)}: {message}"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 4]} ..."


def _fields_at(kind: type[Options], location: tuple[int | str, ...], owner: str) -> tuple[str, list[str]]:
    """Return the name and the fields of the block at ``location`` inside ``kind``, which is called ``owner``."""
    for part in location:
        inner = kind.model_fields.get(str(part))
        if inner is None or not isinstance(inner.annotation, type):
            break
        kind, owner = inner.annotation, str(part)
    names = getattr(kind, "model_fields", None) or getattr(kind, "__dataclass_fields__", {})
    return owner, list(names)


def _read_yaml(path: Path) -> dict[str, Any]:
    text = small_file.read_text(path, _MAX_BYTES)
    try:
        value = load_yaml(text)
    except ValueError as error:
        raise ValueError(f"{path} is not YAML: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{path} must hold a mapping of blocks such as 'backbone:', it holds {type(value).__name__}")
    return value


def load_yaml(text: str) -> Any:
    """Return the value that YAML ``text`` describes: plain ones only, keys that are words, nothing endless.

    An alias may stand for what is written once; all of them written out must stay as small as a file.

    Raises:
        ValueError: it is none, one line.
    """
    try:
        loader = _Loader(text)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(_short(" ".join(str(error).split()) or type(error).__name__, _MESSAGE)) from None


class _Loader(yaml.SafeLoader):
    """A loader that stops where it gets too deep, and measures what it has read before it makes values of it."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ValueError(f"it is nested more than {_MAX_DEPTH} deep")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_document(self, node: yaml.Node) -> Any:
        _size(node, {}, 0)
        return super().construct_document(node)


def _size(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """Return how much ``node`` holds with its aliases written out; ``known`` are the sizes of nodes already measured.

    Raises ValueError where that is more than a file may hold, or a key is no word.
    """
    if depth > _MAX_DEPTH:  # by aliases: a node that holds itself has no end
        raise ValueError(f"its aliases are nested more than {_MAX_DEPTH} deep")
    if id(node) not in known:
        if isinstance(node, yaml.MappingNode):
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag not in _WORDS:
                    shown = _short(repr(getattr(key, "value", None)), _SHOWN)
                    raise ValueError(f"the key {shown} in line {key.start_mark.line + 1} is no word; quote it")
        inner = [one for pair in node.value for one in pair] if isinstance(node, yaml.MappingNode) else node.value
        length = len(inner) if isinstance(inner, str) else sum(_size(one, known, depth + 1) for one in inner)
        known[id(node)] = 1 + length
        if known[id(node)] > _MAX_SIZE:
            raise ValueError(f"with its aliases written out it holds more than {_MAX_SIZE:,} values and characters")
    return known[id(node)]


_WORDS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")


def plain(value: Any) -> Any:
    """Return ``value`` as YAML's own types; a :class:`Choice` becomes one flat mapping."""
    if isinstance(value, Choice):
        return {"name": value.name, **plain(value.options)}
    if isinstance(value, MelSpec):
        return asdict(value)
    if isinstance(value, Options):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    return list(value) if isinstance(value, tuple) else value


def differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Return in what two plain values differ, a line each, such as ``model.backbone.dim was 320 and is 256``.

    A key that only ``new`` has is no difference: an older version did not know it.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return [
            line
            for key, value in old.items()
            for line in differences(value, new.get(key), f"{name}.{key}" if name else str(key))
        ]
    if isinstance(old, list) and isinstance(new, list) and len(old) > _LONG:  # a vocabulary: where it changes is enough
        changed = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
        a, b = (values[changed] if changed < len(values) else None for values in (old, new))
        return [] if old == new else differences(a, b, f"{name}, line {changed + 1},")
    return [] if old == new else [f"{name} was {_shown(old)} and is {_shown(new)}"]


def _shown(value: Any) -> str:
    return "not there" if value is None else _short(repr(value), _SHOWN)
