"""How cost grows: the fitted power, the rows, the pieces that a text is asked for, and what no picture can come of."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scripts.benchmark_inference import __main__ as benchmark
from scripts.benchmark_inference import bundled, growth
from scripts.benchmark_inference.costs import Cost
from scripts.benchmark_inference.growth import Curve, Point
from tts_fm import Synthesizer
from tts_fm.config import LimitOptions


def point(seconds, *processor, memory=800.0, **more):
    return Point(seconds, tuple(Cost(p, 2 * p, memory + i) for i, p in enumerate(processor)), **more)


def curves():
    one = Curve("one", (point(5, 2.0, 1.0, 4.0), point(10, 8.0), point(40, 32.0, is_beyond=True)))
    return [one, Curve("many", (point(6, 1.5), point(24, 3.0, pieces=4))), Curve("step", (point(5, 0.5), point(10, 1)))]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_power_of_a_law_is_found_and_noise_of_both_signs_does_not_move_it(power):
    sizes = [5.0, 10.0, 20.0, 40.0]
    costs = [3.0 * size**power for size in sizes]
    assert growth.exponent(sizes, costs) == pytest.approx(power, abs=1e-12)
    assert growth.exponent(sizes[:2], costs[:2]) == pytest.approx(power, abs=1e-12)
    spoilt = [cost * by for cost, by in zip(costs, (1.1, 1 / 1.1, 1 / 1.1, 1.1), strict=True)]
    assert growth.exponent(sizes, spoilt) == pytest.approx(power, abs=1e-12)


def test_a_row_tells_the_median_the_range_and_how_it_grew_from_the_row_above():
    rows = growth.table(curves()).splitlines()
    assert rows[2:5] == [
        "| one | 5 | 1 | 2.00 s (1.00–4.00) | 0.40 s |  | 802 MB |  |",
        "|  | 10 | 1 | 8.00 s (8.00–8.00) | 0.80 s | seconds^2.00 | 800 MB | seconds^0.00 |",
        "|  | 40 (beyond its limits) | 1 | 32.00 s (32.00–32.00) | 0.80 s | seconds^1.00 | 800 MB | seconds^0.00 |",
    ]
    assert rows[6] == "|  | 24 | 4 | 3.00 s (3.00–3.00) | 0.12 s | seconds^0.50 | 800 MB | seconds^0.00 |"
    assert {row.count("|") for row in rows} == {9}


def test_what_is_beyond_the_limits_is_drawn_hollow(tmp_path):
    pictures = []
    for is_beyond in (False, True):
        growth.draw([Curve("one", (point(5, 1.0), point(40, 8.0, is_beyond=is_beyond)))] * 3, tmp_path / "a.png")
        pictures.append(np.asarray(Image.open(tmp_path / "a.png"))[..., 3])
    assert pictures[0].shape == pictures[1].shape
    assert pictures[0].astype(int).sum() > pictures[1].astype(int).sum() > 0


@pytest.fixture(scope="module")
def bundled_voice():
    """The bundled voice in one leap, with a vocoder that takes no time, and room for 2.7 s after its prompt."""
    made = Synthesizer.load("default", device="cpu", precision="float32", vocoder="griffin_lim")
    made.vocoder.options = made.vocoder.options.model_copy(update={"iterations": 1})
    limits = made.config.limits.model_copy(update={"max_total_seconds": 8.0})
    return made.with_config(made.config.model_copy(update={"default_leaps": 1, "limits": limits}))


def test_a_paragraph_is_a_piece(bundled_voice):
    roomy = bundled_voice.with_config(bundled_voice.config.model_copy(update={"limits": LimitOptions()}))
    told = bundled.text_of(roomy, 3)
    assert told["pieces"] == 3
    assert 12.0 < told["seconds"] < 24.0


def test_one_piece_is_as_long_as_asked_even_where_the_model_would_cut(bundled_voice):
    told = bundled.one_piece(bundled_voice, 4)
    assert told["seconds"] == pytest.approx(4, abs=1 / bundled_voice.config.mel.frame_rate)
    assert told["room"] == pytest.approx(8.0 - bundled_voice.listen(None).prompt.waveform.seconds)
    assert told["room"] < 4


class Counted:
    """Stands for a worker and its process: a turn costs as many seconds as it is asked for, or frames in a hundred."""

    def __init__(self, name, precision, program, folder):
        self.asked = json.loads((folder / "asked.json").read_text())
        assert (folder / "model.safetensors").exists() == ("frames" in self.asked)
        self.process, self.said, self.steps = self, {}, []

    def begin(self, threads):
        assert not self.steps

    def step(self):
        asked = self.asked
        if "seconds" in asked:
            self.said = {"seconds": asked["seconds"], "room": 18.7}
        elif "pieces" in asked:
            self.said = {"seconds": 6 * asked["pieces"], "pieces": asked["pieces"]}
        cost = asked["frames"] / 100 if "frames" in asked else self.said["seconds"]
        self.steps.append(Cost(cost if self.steps else 99.0, 0.0, 500.0))

    def communicate(self, said):
        assert said == "go\n" and len(self.steps) == self.asked["steps"] == 3


def test_each_length_has_a_worker_and_its_first_turn_is_not_counted(monkeypatch):
    monkeypatch.setattr(growth, "Worker", Counted)
    one, several, step = growth.measure("F5TTS_v1_Base", blocks=1, repeats=2, threads=1)
    assert [p.seconds for p in one.points] == [5, 10, 20, 40] == [p.processor for p in one.points]
    assert [p.is_beyond for p in one.points] == [False, False, True, True]
    assert [p.pieces for p in several.points] == [1, 4, 16]
    assert [p.processor for p in several.points] == [6, 24, 96] == [p.seconds for p in several.points]
    assert [p.seconds for p in step.points] == [5, 10, 20, 40]
    assert [p.processor for p in step.points] == [9.38, 14.07, 23.45, 42.21]  # 5 s of prompt, in frames, are heard too
    assert step.title == "F5TTS_v1_Base, 1 of its blocks: a guided step"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--growth", "a.svg"], "a.svg cannot be written; name a .png in a folder that is there"),
        (["--growth", "nowhere/a.png"], "nowhere/a.png cannot be written"),
        (["--growth", "a.png", "--repeats", "0"], "--repeats is 0; --growth takes at least 1"),
        (["--growth", "a.png", "--blocks", "0"], "--blocks is 0; --growth takes at least 1"),
        (["--growth", "a.png", "--architectures"], "--growth takes one of --architectures"),
        (["--growth", "a.png", "--architectures", "F6TTS"], "there is no architecture"),
    ],
)
def test_what_no_picture_can_come_of_is_refused_before_anything_is_measured(
    options, said, monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["benchmark", *options])
    with pytest.raises(SystemExit) as refused:
        benchmark.main()
    assert refused.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].partition("error: ")[2].startswith(said)
    assert not list(Path(tmp_path).iterdir())
