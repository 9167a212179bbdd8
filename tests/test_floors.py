"""How the house is kept: lower floors speak no options, shapes are spelled in the letters of one key."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tts_fm
from tts_fm import types
from tts_fm.commands import explain
from tts_fm.errors import ArgumentError, InputError, ModelError

PACKAGE = Path(tts_fm.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z]")  # of ours; the line of another program may be given whole
ABOVE = {"batch", "cli", "commands", "demo", "evaluation", "serving", "training"}
NAMED = {"strict.py"}  # it makes the changes of --set, in its words


def said_in_errors(path: Path) -> Iterator[str]:
    """The texts in what a file raises."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise):
            yield from (c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str))


def test_lower_floors_speak_no_options() -> None:
    files = [p for p in PACKAGE.rglob("*.py") if p.relative_to(PACKAGE).parts[0] not in ABOVE | NAMED]
    assert len(files) > 100
    assert [
        (p.name, text) for p in files for text in said_in_errors(p) if OPTION.search(text) and "ray start" not in text
    ] == []


@pytest.mark.parametrize(("kind", "code"), [(ArgumentError, 2), (InputError, 3), (ModelError, 4)])
def test_a_command_adds_the_options_that_an_error_is_about(kind: type[ArgumentError], code: int) -> None:
    assert explain(kind("give the words", "ref_text")) == ("give the words (--ref-text)", code)
    assert explain(kind("give both", "vocab", "architecture")) == ("give both (--vocab and --architecture)", code)
    assert explain(kind("it is empty")) == ("it is empty", code)


def letters(path: Path) -> set[str]:
    """The dimensions in the shapes that a file's annotations state."""
    shapes = [
        node.slice.elts[1].value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("Float", "Int", "Bool", "Complex")
        if isinstance(node.slice, ast.Tuple) and isinstance(node.slice.elts[1], ast.Constant)
    ]
    return {name for shape in shapes for name in re.findall(r"[a-z]+", shape)}


def test_the_dimension_key_has_every_letter_in_use() -> None:
    key = types.__doc__.split("Dimensions:")[1].split("A mel is")[0]
    known = set(re.findall(r"``([a-z]+)``", key))
    used = {letter: path.name for path in PACKAGE.rglob("*.py") for letter in letters(path)}
    assert len(used) > 15 and set(used) == known, {name: used[name] for name in set(used) - known}
