"""One implementation is one file: what is there is found, and a new file needs no other change."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from tts_fm import plugins
from tts_fm.backbones import Backbone
from tts_fm.data.corpora import CorpusReader
from tts_fm.evaluation.naturalness import Naturalness
from tts_fm.evaluation.protocols import Protocol
from tts_fm.evaluation.recognisers import Recogniser
from tts_fm.flow import solvers
from tts_fm.flow.couplings import Coupling
from tts_fm.flow.guidance import Guidance
from tts_fm.flow.paths import Path as ProbabilityPath
from tts_fm.flow.solvers import Solver
from tts_fm.frontends import Frontend
from tts_fm.plugins import Options, Plugin
from tts_fm.training.loggers import Logger
from tts_fm.vocoders import Vocoder

INTERFACES: list[type[Plugin]] = [
    Backbone,
    Frontend,
    ProbabilityPath,
    Coupling,
    Solver,
    Vocoder,
    CorpusReader,
    Logger,
    Guidance,
    Recogniser,
    Naturalness,
    Protocol,
]
CHOICES = [(interface, name) for interface in INTERFACES for name in plugins.names(interface)]

LEAP = '''
"""Euler's method under another name."""
from tts_fm.flow.solvers import OneStep

class Leap(OneStep):
    order = 1
    nodes = (0.0,)

    def step(self, field, x, t, t_next):
        return x + (t_next - t) * field(x, t)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose files count as files of ``tts_fm/flow/solvers``."""
    monkeypatch.setattr(solvers, "__path__", [*solvers.__path__, str(tmp_path)])
    before = set(sys.modules)
    importlib.invalidate_caches()
    yield tmp_path
    for module in set(sys.modules) - before:
        del sys.modules[module]


@pytest.mark.parametrize("interface", INTERFACES)
def test_the_files_are_the_names(interface: type[Plugin]) -> None:
    here = Path(str(importlib.import_module(interface.__module__).__file__)).parent
    files = sorted(path.stem for path in here.glob("*.py") if path.stem != "__init__")
    assert plugins.names(interface) == files and files


@pytest.mark.parametrize(("interface", "name"), CHOICES)
def test_every_file_holds_one_implementation_with_strict_options(interface: type[Plugin], name: str) -> None:
    found = plugins.load(interface, name)
    assert issubclass(found, interface) and not getattr(found, "__abstractmethods__", None)
    assert found.__module__ == f"{interface.__module__}.{name}" and found.__doc__
    assert issubclass(found.Options, Options)
    found.Options()
    with pytest.raises(ValidationError, match="no_such_option"):
        found.Options(**{"no_such_option": 1})


def test_an_unknown_name_lists_the_choices_and_the_file_to_add() -> None:
    with pytest.raises(ValueError, match=r"no Solver called 'rk9'; choose one of .*euler, .*midpoint") as caught:
        plugins.load(Solver, "rk9")
    assert "tts_fm/flow/solvers/rk9.py" in str(caught.value)


@pytest.mark.parametrize("name", ["os", "../euler", "__init__", "", "euler.Euler"])
def test_a_name_can_not_reach_other_modules(name: str) -> None:
    with pytest.raises(ValueError, match="no Solver called"):
        plugins.load(Solver, name)


def test_a_new_file_is_a_new_choice(folder: Path) -> None:
    (folder / "leap.py").write_text(LEAP, encoding="utf-8")
    assert "leap" in plugins.names(Solver)
    grid = torch.linspace(0, 1, 3)
    assert plugins.load(Solver, "leap")().solve(lambda x, t: x, torch.ones(1), grid).item() == 2.25


@pytest.mark.parametrize(("source", "count"), [(LEAP + LEAP.replace("Leap", "Other"), 2), ('"""Nothing."""', 0)])
def test_a_file_must_hold_exactly_one(source: str, count: int, folder: Path) -> None:
    (folder / "odd.py").write_text(source, encoding="utf-8")
    with pytest.raises(TypeError, match=rf"exactly one subclass of Solver, it has {count}"):
        plugins.load(Solver, "odd")


def test_options_are_frozen() -> None:
    options = plugins.load(ProbabilityPath, "cond_ot").Options()
    with pytest.raises(ValidationError, match="frozen"):
        options.sigma_min = 0.5  # type: ignore[attr-defined]
