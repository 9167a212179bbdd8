"""The flow-matching lab: its measures in closed form, its data's densities, a quick run from end to end, and its page."""

from __future__ import annotations

import itertools
import json
import math
import re
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from scripts.flow_lab import __main__ as lab  # noqa: E402
from scripts.flow_lab import measure, table, train  # noqa: E402
from scripts.flow_lab.data import DATA  # noqa: E402
from scripts.flow_lab.lessons import LESSONS  # noqa: E402
from scripts.flow_lab.train import METHODS, Settings  # noqa: E402
from tts_fm import plugins  # noqa: E402
from tts_fm.flow.solvers import Solver  # noqa: E402

PUBLISHED = ROOT / "scripts" / "logs" / "flow_lab.json"
TINY = Settings(seconds=0.2, width=8, batch=16)


def normal(count: int, seed: int) -> Tensor:
    return torch.randn(count, 1, 2, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", DATA)
def test_the_known_density_is_a_density_and_that_of_the_draws(name: str) -> None:
    data, step = DATA[name], 0.05
    line = torch.arange(-3.5 + step / 2, 3.5, step)
    log = data.log_density(torch.cartesian_prod(line, line)[:, None])
    density = log.exp() * step**2
    assert density.sum().item() == pytest.approx(1, abs=1e-4)
    negative_entropy = (density * log.clamp(min=-100)).sum().item()
    drawn = data.log_density(data.draw(10_000, torch.Generator().manual_seed(0)))
    assert drawn.mean().item() == pytest.approx(negative_entropy, abs=3 * drawn.std().item() / 100 + 1e-4)


def test_the_energy_distance_of_points_and_shifted_samples() -> None:
    x = normal(300, 0)
    near, far = torch.zeros(1, 1, 2), torch.tensor([[[3.0, 4.0]]])
    assert measure.energy_distance(near, far) == pytest.approx(10)
    assert measure.energy_distance(x, x) == 0
    two = torch.cat([near, far])  # mean distances: to near 2.5, within 2.5
    assert measure.energy_distance(two, near) == pytest.approx(2.5)
    assert measure.energy_distance(x, x + far) > measure.energy_distance(x, x + 0.1 * far) > 0


def test_two_samples_of_one_law_have_the_stated_energy_distance() -> None:
    n, repeats = 100, 100
    found = [measure.energy_distance(normal(n, i), normal(n, 1000 + i)) for i in range(repeats)]
    expected = math.sqrt(math.pi) * 2 / n  # E|x - x'| of two normal points in the plane is the root of pi
    assert sum(found) / repeats == pytest.approx(expected, rel=0.1)


def test_the_sliced_wasserstein_distance_of_a_shift() -> None:
    x, shift = normal(200, 1), torch.tensor([0.6, -0.8])
    assert measure.sliced_wasserstein(x, x + shift) == pytest.approx(2 / math.pi, rel=1e-3)
    assert measure.sliced_wasserstein(x, x[torch.randperm(200)]) == 0
    assert measure.sliced_wasserstein(x, torch.cat([x, x, x])) == 0


@pytest.mark.parametrize("turn", [0.5, 2.0])
def test_the_bend_of_a_turn_and_of_a_straight_flow(turn: float) -> None:
    def rotation(x: Tensor, t: Tensor) -> Tensor:
        return turn * torch.stack([-x[..., 1], x[..., 0]], dim=-1)

    chord = 2 * (1 - math.cos(turn))  # |x_1 - x_0|**2 of a point at distance 1, whose speed is the turn
    assert measure.bend(rotation, normal(100, 2)) == pytest.approx((turn**2 - chord) / chord, rel=1e-3)
    assert measure.bend(lambda x, t: torch.ones_like(x), normal(100, 2)) < 1e-10


def test_work_counts_the_evaluations_of_every_solver() -> None:
    x_0 = normal(50, 3)
    spread = torch.cdist(x_0.flatten(1), x_0.flatten(1)).mean().item()
    judge = measure.Judge(x_0, math.e * x_0, math.e * spread, x_0, log_density=0, floor=0, sliced_floor=0)
    for name in plugins.names(Solver):
        works = measure.work(name, lambda x, t: x, judge)
        costs = [work.evaluations for work in works]
        assert costs == sorted(costs) and costs[-1] > costs[0]
        if name in ("euler", "heun", "midpoint", "rk4", "ab2"):
            assert costs == list(measure.EVALUATIONS)
        assert works[-1].energy < 2e-3 and works[-1].energy < max(works[0].energy, 1e-5)


def train_at(pace: float, key: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[train.Snapshot]:
    """Train by a clock on which every update takes ``pace`` seconds."""
    clock = itertools.count()
    monkeypatch.setattr(train.time, "process_time", lambda: pace * next(clock))
    return train.train(DATA["eight"], METHODS[key], settings)


@pytest.mark.parametrize("key", METHODS)
def test_weights_depend_on_the_seed_and_the_updates_alone(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = train_at(0.1, key, Settings(seconds=0.3, width=8, batch=16), monkeypatch)
    fast = train_at(0.05, key, Settings(seconds=0.15, width=8, batch=16), monkeypatch)
    (one,), (other,) = slow[-1:], fast[-1:]
    assert one.updates == other.updates == 3 and one.seconds == pytest.approx(2 * other.seconds)
    for name, weight in one.weights.items():
        assert torch.equal(weight, other.weights[name])


def test_snapshots_are_taken_at_geometric_marks_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshots = train_at(0.013, "cond_ot", Settings(seconds=0.8, width=8, batch=16), monkeypatch)
    assert [s.updates for s in snapshots] == [20, 28, 39, 55, 62]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lab")
    lab.run(out, ["eight"], TINY, samples=60)
    return out


def test_a_quick_run_makes_a_page_with_every_picture_and_row(finished: Path) -> None:
    html = (finished / "index.html").read_text(encoding="utf-8")
    linked, there = set(re.findall(r'src="pictures/(\S+?)"', html)), {p.name for p in (finished / "pictures").iterdir()}
    assert linked == there and len(there) == len(LESSONS)
    for name in there:
        with Image.open(finished / "pictures" / name) as picture:
            assert picture.format == "WEBP" and picture.mode == "RGBA", "it has no background"
    results = json.loads((finished / "results.json").read_text(encoding="utf-8"))
    of_methods = results["data"]["eight"]["methods"]
    assert list(of_methods) == list(METHODS)
    for key, of in of_methods.items():
        assert f"eight Gaussians, {METHODS[key].title}</th><td>{of['progress'][-1]['updates']}</td>" in html
        assert f"<td>{of['energy']:.4f}</td><td>{of['sliced']:.3f}</td>" in html
        assert f'data-method="{key}"' in html
        assert list(of["solvers"]) == plugins.names(Solver)
    for solver in plugins.names(Solver):
        assert f'<th scope="row">{solver}</th>' in html
    assert not re.search(r"\[[A-Z]+\]", html), "everything was filled in"


def test_running_again_trains_and_measures_nothing(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (finished / "index.html").read_bytes()
    for module, name in ((train, "train"), (lab, "measure")):
        monkeypatch.setattr(module, name, lambda *_: pytest.fail("was done again"))
    monkeypatch.setattr(lab.pictures, "draw_data", lambda *_, **__: None)
    lab.run(finished, ["eight"], TINY, samples=60)
    assert (finished / "index.html").read_bytes() == page


def test_other_settings_are_refused(finished: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["flow_lab", "--out", str(finished), "--data", "eight", "--seed", "1"])
    with pytest.raises(SystemExit) as exit:
        lab.main()
    assert exit.value.code == 2
    assert "eight-likelihood.pt was trained with" in capsys.readouterr().err


def test_a_table_in_columns() -> None:
    text = table.Table(("", "nats"), [("one", "1.5"), ("another", "12.25")]).as_text()
    assert text.splitlines() == ["          nats", "one        1.5", "another  12.25"]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.picture)
def test_lessons_name_files_and_tests_that_are_there(lesson) -> None:
    for name in lesson.files:
        assert (ROOT / name).is_file(), name
    for name in lesson.tests:
        file, test = name.split("::")
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), name


def test_the_page_of_the_docs_shows_the_published_results() -> None:
    page = (ROOT / "docs/flow-matching.md").read_text(encoding="utf-8")
    results = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert list(results["data"]) == list(DATA)
    for key, of in results["data"]["eight"]["methods"].items():
        seconds = "not reached" if of["seconds_to_floor"] is None else f"{of['seconds_to_floor']:.1f}"
        figures = (f"{of['progress'][-1]['updates']:,}", seconds, f"{of['energy']:.4f}")
        assert f"| {' | '.join(figures)} |" in page, METHODS[key].title


def test_what_was_published_is_what_the_lab_is_about() -> None:
    results = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    for name, of_data in results["data"].items():
        of = of_data["methods"]
        assert of["likelihood"]["progress"][-1]["updates"] < of["cond_ot"]["progress"][-1]["updates"] / 20, name
        assert of["minibatch_ot"]["bend"] < 0.1 * of["cond_ot"]["bend"], name
        assert all(of[key]["energy"] < of["likelihood"]["energy"] for key in METHODS if key != "likelihood"), name
