"""The search for a time grid finds a better one, and what it found is stored and used."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import torch
from conftest import bent_model
from torch import Tensor

from tts_fm import checkpoint, plugins
from tts_fm.errors import ModelError
from tts_fm.flow import step_search, time_grid
from tts_fm.flow.solvers import Solver


@pytest.fixture
def model(model_folder: Path, tmp_path: Path) -> Path:
    return bent_model(model_folder, tmp_path / "tiny")


def test_the_search_finds_the_known_best_grid() -> None:
    """Two Euler steps of ``dx/dt = -x`` are best at one half: ``(1 - t)(1 - (1 - t))`` is largest there."""
    calls = []

    def error(grid: Tensor) -> float:
        x = plugins.load(Solver, "euler")().solve(lambda x, t: -x, torch.ones(1), grid)
        return abs(x.item() - math.exp(-1))

    starts = [torch.tensor([0.0, t, 1.0]) for t in (0.05, 0.9)]
    grid, least = step_search.search(starts, error, lambda *done: calls.append(done))
    assert grid[1].item() == pytest.approx(0.5, abs=0.05) and least == error(grid)
    assert calls == [(i, 8) for i in range(1, 9)]


def test_the_search_is_never_worse_than_its_starts_and_keeps_the_grid_a_grid() -> None:
    def error(grid: Tensor) -> float:
        field = lambda x, t: 5 * torch.cos(9 * t) * x  # noqa: E731
        x = plugins.load(Solver, "euler")().solve(field, torch.ones(1), grid)
        return abs(x.item() - math.exp(5 / 9 * math.sin(9)))

    starts = [time_grid.build(name, 6) for name in ("uniform", "cosine")]
    grid, least = step_search.search(starts, error)
    assert least < 0.5 * min(error(start) for start in starts)
    assert grid.shape == (7,) and grid[0] == 0 and grid[-1] == 1 and (grid.diff() > 0).all()


def test_the_command_lowers_the_error_and_synthesize_uses_what_it_found(tts_fm_command, model: Path, tmp_path: Path):
    found = tts_fm_command("optimize-steps", "--model", model, "--nfe", 3)
    assert found.code == 0
    figures = re.fullmatch(r"error against 64 steps: (\S+), with the model's own grid of 3 steps (\S+)", found.line)
    assert figures is not None and float(figures[1]) < float(figures[2])
    times = checkpoint.load_grids(model)[3]
    assert found.stdout.split() == [f"{t:.4f}" for t in times]
    spoken = ["synthesize", "--text", "Some words.", "--model", model, "--grid", "optimal", "--seed", 1]
    made = tts_fm_command(*spoken, "--steps", 3, "--output", tmp_path / "a.wav", "--json")
    assert made.code == 0 and json.loads(made.stdout)["grid"] == "optimal"
    missing = tts_fm_command(*spoken, "--steps", 4, "--output", tmp_path / "a.wav")
    assert missing.code == 2
    assert missing.line == (
        "tts-fm: there is no optimal grid of 4 steps: the model has it for 3 steps; "
        "let one be found (tts-fm optimize-steps), or take another grid"
    )


def test_stored_grids_come_back_and_are_replaced(tmp_path: Path) -> None:
    assert checkpoint.load_grids(tmp_path) == {}
    for times in ([0.0, 0.5, 1.0], [0.0, 0.1, 0.2, 1.0], [0.0, 0.25, 1.0]):
        checkpoint.save_grid(tmp_path, times)
    assert checkpoint.load_grids(tmp_path) == {2: [0.0, 0.25, 1.0], 3: [0.0, 0.1, 0.2, 1.0]}


@pytest.mark.parametrize(
    "text", ["", "[]", '{"2": [0, 1]}', '{"2": [0, 0.5, 0.9]}', '{"2": [0, 1.5, 1]}', '{"2": 3}', '{"-1": []}']
)
def test_a_file_that_holds_no_grids_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / checkpoint.GRIDS).write_text(text)
    with pytest.raises(ModelError, match="holds no time grids; remove it, or make it anew"):
        checkpoint.load_grids(tmp_path)


def test_a_voice_is_a_recording_and_its_words(tts_fm_command, model: Path, voice_file: Path) -> None:
    found = tts_fm_command("optimize-steps", "--model", model, "--nfe", 3, "--ref-audio", voice_file)
    assert found.code == 2 and found.line.endswith(
        "give --ref-audio and --ref-text together: the recording and its words"
    )
