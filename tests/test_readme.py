"""The README and the docs tell the truth about the tree."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tts_fm

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINE = re.compile(r"^(\S+\.py)\s{2,}(.+)$", re.MULTILINE)
STOP = re.compile(r"^\d+\. `(\S+\.py)` `(\w+)`: ", re.MULTILINE)


def sentence(path: Path) -> str:
    """The first paragraph of a file's docstring."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert docstring, path
    return " ".join(docstring.split("\n\n")[0].split())


def test_the_map_repeats_what_each_file_says_of_itself():
    lines = LINE.findall(ARCHITECTURE)
    assert len(lines) > 40
    for name, says in lines:
        assert says == sentence(ROOT / name), name


def test_the_map_has_every_file_of_the_package():
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tts_fm").rglob("*.py")}
    empty = {name for name in there if name.endswith("__main__.py")}
    assert {name for name, _ in LINE.findall(ARCHITECTURE)} >= there - empty


def test_the_two_walks_have_at_most_25_stops_and_each_is_there():
    stops = STOP.findall(ARCHITECTURE)
    assert 20 <= len(stops) <= 25
    for name, function in stops:
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert function in names, (name, function)


def test_the_readme_is_read_in_two_minutes():
    assert len(README.splitlines()) <= 150
    assert len(README.split()) <= 1300


def test_every_folder_of_the_readme_is_there():
    (folders,) = re.findall(r"```text\n(tts_fm/.*?)```", README, re.DOTALL)
    assert len(folders.splitlines()) <= 20
    for line in folders.splitlines():
        first, *others = line[:32].replace("*", "").split()
        assert (ROOT / first).exists(), line
        for other in others:  # beside the first, inside of it, or in the root
            assert any((base / other).exists() for base in (ROOT, ROOT / first, ROOT / "tts_fm")), line


def test_the_python_range_is_that_of_the_project():
    low, high = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups())
    for page in (README, (ROOT / "docs/getting-started.md").read_text(encoding="utf-8")):
        assert f"Python 3.{low} to 3.{high - 1}" in page
    versions = {name.removeprefix("Programming Language :: Python :: ") for name in PROJECT["classifiers"]}
    assert {v for v in versions if v.startswith("3.")} == {f"3.{minor}" for minor in range(low, high)}


def test_the_version_stands_in_one_place_and_heads_the_changes():
    assert PROJECT["dynamic"] == ["version"] and "version" not in PROJECT
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(\d\S*)\]", changes, re.MULTILINE)[0] == tts_fm.__version__


def test_the_lock_holds_what_is_asked_for_with_hashes_and_names_no_host():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock and "--index" not in lock
    locked = dict(re.findall(r"^([a-z0-9.-]+)==([^\s;]+)", lock, re.MULTILINE))
    assert lock.count(" \\\n    --hash=sha256:") >= len(locked)
    extras = [name for names in PROJECT["optional-dependencies"].values() for name in names]
    for wanted in map(Requirement, [*PROJECT["dependencies"], *extras]):
        if wanted.name != "tts-fm":
            assert locked[canonicalize_name(wanted.name)] in wanted.specifier, f"{wanted}: run nox -s lock"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_linked_file_is_there(page: Path):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        there = (page.parent / target).resolve()
        assert there.exists(), target
        if page.is_relative_to(ROOT / "docs"):
            assert there.is_relative_to(ROOT / "docs"), f"the site does not have {target}"


def test_the_reference_is_what_the_script_makes():
    from scripts.reference import DOCS, pages

    for name, text in pages().items():
        assert (DOCS / name).read_text(encoding="utf-8") == text, f"{name} is old: run python -m scripts.reference"
