"""The README tells the truth about the tree."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINE = re.compile(r"^(\S+\.py)\s{2,}(.+)$", re.MULTILINE)


def sentence(path: Path) -> str:
    """The first paragraph of a file's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, path
    return " ".join(docstring.split("\n\n")[0].split())


def test_the_map_repeats_what_each_file_says_of_itself():
    lines = LINE.findall(README)
    assert len(lines) > 40
    for name, says in lines:
        assert says == sentence(ROOT / name), name


def test_the_map_has_every_file_of_the_package():
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tts_fm").rglob("*.py")}
    empty = {name for name in there if name.endswith("__main__.py")}
    assert {name for name, _ in LINE.findall(README)} >= there - empty


def test_every_linked_file_is_there():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target
