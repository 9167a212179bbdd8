"""The curves of a run: what is read, how it is smoothed, what is drawn, and how mistakes are told."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tts_fm.training import plot
from tts_fm.training.plot import Curves, Series

LOGS = Path(__file__).parents[1] / "scripts" / "logs"
TRAINED, HELD_OUT = (0x3B, 0x6E, 0xA5), (0xD9, 0x82, 0x2B)  # the colours of a run that is drawn alone


def write_run(folder: Path, *lines: dict, end: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + end)
    return folder


def acoustic(n: int = 40, **more: float) -> list[dict]:
    """Lines such as a training writes, of ``n`` logged updates."""
    rows = [
        {"update": 10 * i, "flow_loss": 1 / i, "grad_norm": 0.5, "lr": 1e-4, "frames_per_second": 9000.0} | more
        for i in range(1, n + 1)
    ]
    return [*rows, {"update": 5 * n, "validation_loss": 0.4}, {"update": 10 * n, "validation_loss": 0.3}]


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def count(path: Path, colour: tuple[int, int, int]) -> int:
    return int((pixels(path) == colour).all(axis=-1).sum())


# Reading


def test_figures_are_read_by_update_and_what_is_no_number_is_left_out(tmp_path):
    run = write_run(
        tmp_path / "small",
        {"update": 20, "flow_loss": 0.5, "ids": ["a"]},
        {"update": 10, "flow_loss": 0.75},
        {"update": 30, "flow_loss": "nan"},
        {"update": 30, "skipped": 1},
        {"update": 40, "flow_loss": 0.25, "lr": 1e-3},
        end='{"update": 50, "flow_lo',
    )
    curves = plot.read(run)
    assert curves.name == "small"
    assert {name: (list(s.updates), list(s.values)) for name, s in curves.series.items()} == {
        "flow_loss": ([10, 20, 40], [0.75, 0.5, 0.25]),
        "lr": ([40], [1e-3]),
    }


def test_a_file_of_metrics_is_read_too_and_step_is_an_old_word_for_update(tmp_path):
    path = tmp_path / "vocoder.metrics.jsonl"
    path.write_text('{"step": 20, "seconds": 5.0, "mel": 2.5}\n')
    curves = plot.read(path)
    assert curves.name == "vocoder"
    assert list(curves.series) == ["mel"]
    assert (curves.series["mel"].updates[0], curves.series["mel"].values[0]) == (20, 2.5)


@pytest.mark.parametrize("path", sorted(LOGS.glob("*.metrics.jsonl")), ids=lambda path: path.name)
def test_of_a_committed_log_the_last_line_of_an_update_counts(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    key = "flow_loss" if any("flow_loss" in row for row in rows) else "mel"  # a vocoder's
    expected = {row.get("update", row.get("step")): row[key] for row in rows if key in row}
    found = plot.read(path).series[key]
    assert len(found) == len(expected) >= 15
    assert dict(zip(found.updates, found.values, strict=True)) == expected


# Smoothing


def test_smoothing_keeps_a_constant_and_a_straight_line():
    updates = np.arange(400)
    constant = Series(updates, np.full(400, 0.3)).smoothed().values
    assert constant == pytest.approx(0.3, abs=1e-12)
    line = Series(updates, 2.0 * updates).smoothed().values
    assert line[:360] == pytest.approx(2.0 * updates[:360], abs=1e-9)


def test_smoothing_takes_noise_away_and_leaves_a_steep_beginning():
    updates = np.arange(1000)
    noise = np.random.default_rng(0).normal(size=1000)
    assert Series(updates, noise).smoothed().values[100:].std() < 0.2
    steep = 5 * np.exp(-updates / 20)
    assert np.abs(Series(updates, steep).smoothed().values - steep)[:20].max() < 0.25


def test_a_short_curve_is_not_smoothed():
    short = Series(np.arange(10), np.random.default_rng(0).normal(size=10))
    assert short.smoothed() is short


# Drawing


def test_the_figures_of_a_run_fill_the_rows_of_the_picture(tmp_path):
    sizes = {}
    for n_panels, more in ((4, {}), (6, {"duration_loss": 0.1, "mel": 1.0})):  # loss, norm, rate and speed, and more
        run = write_run(tmp_path / str(n_panels), *acoustic(40, **more))
        plot.draw([plot.read(run)], tmp_path / f"{n_panels}.png")
        sizes[n_panels] = Image.open(tmp_path / f"{n_panels}.png").size
    assert sizes == {n: (1430, round(110 * (0.7 + 3.1 * 2))) for n in (4, 6)}
    plot.draw([Curves("one", {"lr": Series(np.array([1, 2]), np.array([0.1, 0.2]))})], tmp_path / "1.png")
    assert Image.open(tmp_path / "1.png").size == (1430, round(110 * (0.7 + 3.1)))


def test_what_is_held_out_has_its_own_colour(tmp_path):
    run = write_run(tmp_path / "run", *acoustic())
    plot.draw([plot.read(run)], tmp_path / "both.png")
    assert count(tmp_path / "both.png", TRAINED) > 300 and count(tmp_path / "both.png", HELD_OUT) > 300
    run = write_run(tmp_path / "run", *acoustic()[:-2])
    plot.draw([plot.read(run)], tmp_path / "one.png")
    assert count(tmp_path / "one.png", TRAINED) > 300 and count(tmp_path / "one.png", HELD_OUT) == 0


def test_a_smaller_loss_is_drawn_lower(tmp_path):
    heights = []
    for loss in (0.2, 0.9):
        lines = [{"update": 10 * i, "flow_loss": loss} for i in range(1, 11)]
        ends = [{"update": 1, "validation_loss": 0.0}, {"update": 2, "validation_loss": 1.0}]  # the same axis
        plot.draw([plot.read(write_run(tmp_path / "run", *lines, *ends))], tmp_path / "a.png")
        found = (pixels(tmp_path / "a.png") == TRAINED).all(axis=-1)
        heights.append(np.flatnonzero(found.sum(axis=1) > 800).mean())
    assert 100 < heights[0] - heights[1] < 250  # 0.7 of the axis, in rows of pixels


def test_a_curve_of_one_point_is_seen(tmp_path):
    run = write_run(tmp_path / "run", {"update": 10, "flow_loss": 0.5})
    plot.draw([plot.read(run)], tmp_path / "a.png")
    assert count(tmp_path / "a.png", TRAINED) > 10


# The command


def test_the_command_writes_beside_the_metrics(tmp_path, tts_fm_command):
    run = write_run(tmp_path / "run", *acoustic())
    done = tts_fm_command("plot", run)
    assert (done.code, done.stdout, done.line) == (0, "", f"the curves are in {run / 'curves.png'}")
    assert Image.open(run / "curves.png").format == "PNG"


def test_several_runs_have_a_colour_each(tmp_path, tts_fm_command, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for parent in ("a", "b"):
        (tmp_path / parent).mkdir()
        write_run(tmp_path / parent / "run", *acoustic())
    done = tts_fm_command("plot", "a/run", "b/run")
    assert (done.code, done.line) == (0, "the curves are in comparison.png")
    done = tts_fm_command("plot", "a/run", "-o", "alone.png", "--quiet")
    assert (done.code, done.stderr) == (0, "")
    assert count(tmp_path / "comparison.png", HELD_OUT) > count(tmp_path / "alone.png", HELD_OUT) > 0


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (None, "metrics.jsonl cannot be read (No such file or directory); give the folder of a training run"),
        ("", "metrics.jsonl holds nothing to draw; its lines should have flow_loss, mel, lr or the like"),
        ('{"update": 1, "flow_loss": "nan"}\n', "metrics.jsonl holds nothing to draw"),
        (
            "no json\n{}\n",
            "metrics.jsonl, line 1 is no record of a training; give a run's folder, or its metrics.jsonl",
        ),
        ('{"update": 1, "lr": 1}\n[1]\n', "metrics.jsonl, line 2 is no record of a training"),
        ('{"lr": 1}\n', "metrics.jsonl, line 1 is no record of a training"),
        ('{"update": "x"}\n', "metrics.jsonl, line 1 is no record of a training"),
    ],
)
def test_a_mistake_is_one_line(content, line, tmp_path, tts_fm_command):
    if content is not None:
        (tmp_path / "metrics.jsonl").write_text(content)
    done = tts_fm_command("plot", tmp_path)
    assert done.code == 2 and line in done.line
    assert not (tmp_path / "curves.png").exists()


def test_a_picture_is_no_log_and_a_jpg_no_picture(tmp_path, tts_fm_command):
    run = write_run(tmp_path / "run", *acoustic(3))
    assert tts_fm_command("plot", run).code == 0
    assert "curves.png is no text" in tts_fm_command("plot", run / "curves.png").line
    for path in ("x.jpg", "nowhere/x.png"):
        done = tts_fm_command("plot", run, "-o", tmp_path / path)
        assert (done.code, "cannot be written; name a .png" in done.line) == (2, True)


def test_without_matplotlib_it_says_what_to_install(tmp_path, tts_fm_command, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done = tts_fm_command("plot", write_run(tmp_path / "run", *acoustic(3)))
    assert (done.code, "pip install 'tts-fm[train]'" in done.line) == (2, True)
