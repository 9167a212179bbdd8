"""The comparison of ways to sample: evaluations that are counted, errors that fall, results that are kept, a page."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from conftest import TRANSCRIPT, bent_model
from test_gallery import Page

from tts_fm import plugins
from tts_fm.audio.io import Waveform
from tts_fm.evaluation import comparison, comparison_report, pairs, settings
from tts_fm.evaluation.comparison import Comparison
from tts_fm.evaluation.comparison_report import Spoken
from tts_fm.evaluation.judges import Choice
from tts_fm.evaluation.pairs import Pair
from tts_fm.evaluation.report import Judgement
from tts_fm.evaluation.settings import Choices, Setting
from tts_fm.evaluation.suite import Suite
from tts_fm.flow.guidance import Guidance
from tts_fm.flow.solvers import Solver
from tts_fm.sampler import SamplingOptions
from tts_fm.synthesizer import Speech, Synthesizer
from tts_fm.types import DECIBELS

OWN = SamplingOptions(solver="euler", grid="uniform", steps=8, guidance=1.0, sway=-1.0)


@pytest.fixture(scope="module")
def model(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bent_model(model_folder, tmp_path_factory.mktemp("bent") / "tiny")


@pytest.fixture(scope="module")
def synthesizer(model: Path) -> Synthesizer:
    return Synthesizer.load(str(model), device="cpu")


@pytest.fixture
def two(voice_file: Path) -> list[Pair]:
    """Two short texts in the voice of a buzz."""
    texts = {"a": "Some words.", "b": "Other words here."}
    return [Pair(name, "real", name, voice_file, TRANSCRIPT, text, voice_file) for name, text in texts.items()]


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fine solution that is soon there."""
    monkeypatch.setitem(settings.FINE, "steps", 8)


def chosen(synthesizer: Synthesizer, **choices: object) -> list[Setting]:
    """Return the model's default and the settings of ``choices``, of nothing else."""
    none = {"solvers": (), "grids": ("cosine",), "nfe": (), "tolerances": (), "guidances": ()}
    made, _ = settings.settings(synthesizer.config.sampling, {}, Choices(**{**none, **choices}), False)  # type: ignore[arg-type]
    return made


# Settings


@pytest.mark.parametrize("solver", plugins.names(Solver))
def test_every_solver_makes_as_many_evaluations_as_asked_for(solver: str) -> None:
    made, left_out = settings.settings(OWN, {}, Choices([solver], ["uniform"], [1, 2, 3, 4, 8], [0.1], []), False)
    asked = {one.nfe: one for one in made if one.solver == solver and one.nfe is not None}
    for nfe, one in asked.items():
        times = plugins.build(Solver, solver).times(one.sampling.times())
        assert times is not None and len(times) == nfe
    if solver == "dopri5":
        assert [one.name for one in made] == ["default", "dopri5 tolerance 0.1"]
        assert made[1].sampling.tolerance == 0.1
    else:
        missing = [nfe for nfe in (1, 2, 3, 4, 8) if nfe not in asked]
        per_step = plugins.load(Solver, solver).evaluations
        assert all(nfe % per_step != 0 or solver == "ab3" for nfe in missing) and 8 in asked
        said = f"{solver} at {', '.join(map(str, missing))} evaluations: it has no number of steps that takes so many"
        assert left_out == ([said] if missing else [])


def test_all_is_every_solver_grid_and_guidance_under_a_name_of_its_own() -> None:
    made, left_out = settings.settings(OWN, {}, Choices.all(), False)
    assert len({one.name for one in made}) == len(made)
    assert {one.solver for one in made} == {"default", *plugins.names(Solver)}
    modes = {mode for one in made for mode in one.sampling.guidance_modes}
    assert modes == set(plugins.names(Guidance)) - {"auto"}
    assert left_out[:2] == [
        "the optimal grid: the model has none; find it with tts-fm optimize-steps",
        "guidance auto: there is no weaker model; name one with --guidance-model",
    ]
    with_weak, _ = settings.settings(OWN, {}, Choices.all(), True)
    assert len(with_weak) == len(made) + 1


def test_what_sounds_the_same_has_one_key() -> None:
    made, _ = settings.settings(OWN, {}, Choices.all(), False)
    key = {one.name: one.key for one in made}
    assert key["default"] == key["guidance cfg"] == key["euler cosine 8"]  # uniform, swayed by -1
    assert key["euler epss.sway=-1 8"] == key["euler cosine 8"]  # EPSS has no grid of 8 steps
    assert key["euler epss.sway=-1 6"] != key["euler cosine 6"]
    assert len({key[f"guidance {name}"] for name in ("none", "cfg@2", "cfg", "apg", "split.speaker=2")}) == 5
    assert len({key[f"{solver} cosine 8"] for solver in ("euler", "heun", "midpoint", "rk4", "ab2", "ab3")}) == 6


def test_a_models_own_grid_is_used_where_it_has_one() -> None:
    made, left_out = settings.settings(
        OWN, {2: [0.0, 0.3, 1.0]}, Choices(["euler"], ["optimal"], [2, 3], [], []), False
    )
    assert [one.name for one in made] == ["default", "euler optimal 2"] and "[0.0, 0.3, 1.0]" in made[1].key
    assert left_out == ["euler on the optimal grid of 3 steps: the model has none; see tts-fm optimize-steps"]


@pytest.mark.parametrize("spec", ["uniform.shift=0.5", "uniform.sway=-0.5", "linear_quadratic"])
def test_a_grid_is_neither_swayed_nor_shifted_unless_it_says_so(spec: str) -> None:
    options = settings.grid(spec, OWN)
    wanted = {"uniform.shift=0.5": (0.5, 0), "uniform.sway=-0.5": (1, -0.5), "linear_quadratic": (1, 0)}[spec]
    assert (options.shift, options.sway, options.grid) == (*wanted, spec.split(".")[0])


def test_guidances_are_joined_and_have_a_strength() -> None:
    options = settings.guidance("interval.end=0.5+rescale@3", OWN)
    assert options.guidance == 3 and options.guidance_modes["interval"]["end"] == 0.5
    assert set(options.guidance_modes) == {"interval", "rescale"}
    assert settings.guidance("none", OWN).guidance == 0


@pytest.mark.parametrize(
    ("read", "spec", "message"),
    [
        (settings.grid, "cosine.x=1", "'cosine.x=1' is no grid; write NAME, NAME.sway=S or NAME.shift=S"),
        (settings.grid, "cosin", "grid is 'cosin'"),
        (settings.guidance, "cgf", "there is no Guidance called 'cgf'; choose one of apg,"),
        (settings.guidance, "cfg@much", "guidance is 'much'"),
    ],
)
def test_what_is_no_grid_or_guidance_is_explained(read, spec: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read(spec, OWN)
    assert "\n" not in str(caught.value)


# Figures


def spoken(squares: float, values: int, nfe: int = 4) -> Spoken:
    return Spoken("a", squares, values, nfe, 1.0, 0.5, 2.0, None)


def test_the_error_is_the_root_mean_square_over_all_frames_in_decibels() -> None:
    setting = Setting("default", "default", "default", None, OWN, {})
    found = comparison_report.figures(setting, [spoken(1.0, 100), spoken(35.0, 300)])
    assert found.error.value == pytest.approx(8.685890 * 0.3, rel=1e-6)
    assert found.error.low == pytest.approx(8.685890 * 0.1, rel=1e-6)
    assert found.error.high == pytest.approx(8.685890 * math.sqrt(35 / 300), rel=1e-6)
    assert (found.real_time_factor.value, found.processor_factor.value, found.nfe) == (0.5, 0.25, 4)
    assert found.word_error_rate is found.right_voice is None


def test_naturalness_is_a_column_where_somebody_judged_it() -> None:
    setting = Setting("default", "default", "default", None, OWN, {})
    judged = [Judgement("a", 0, 1, 0.5, None, 1.0, 0.1, {"dnsmos_p808": value}) for value in (2.0, 3.0)]
    found = comparison_report.figures(setting, [replace(spoken(1.0, 100), judgement=one) for one in judged])
    assert comparison_report.columns([found])[-1][:2] == ("DNSMOS P.808", "dnsmos_p808")
    figure = comparison_report.figure(found, "dnsmos_p808")
    assert figure is not None and figure.value == 2.5 == found.row()["naturalness"]["dnsmos_p808"]["value"]
    unjudged = comparison_report.figures(setting, [spoken(1.0, 100)])
    assert comparison_report.columns([unjudged]) == list(comparison_report.COLUMNS)
    assert comparison_report.figure(unjudged, "dnsmos_p808") is comparison_report.figure(unjudged, "to_prompt") is None


def test_the_best_are_the_guidances_and_the_least_error_of_each_number_of_evaluations() -> None:
    made, _ = settings.settings(OWN, {}, Choices(["euler", "ab2"], ["cosine"], [2, 4], [], ["none"]), False)
    error = {"euler cosine 2": 4.0, "ab2 cosine 2": 3.0, "euler cosine 4": 1.0, "ab2 cosine 4": 2.0}
    found = [comparison_report.figures(one, [spoken(error.get(one.name, 0.0), 1)]) for one in made]
    names = [one.setting.name for one in comparison_report.best(found)]
    assert names == ["default", "guidance none", "ab2 cosine 2", "euler cosine 4"]


# Measuring


def test_the_fine_solution_has_no_error_and_others_less_with_more_evaluations(
    synthesizer: Synthesizer, two: list[Pair], tmp_path: Path
) -> None:
    study = Comparison(synthesizer, two[:1], tmp_path, page_pairs=0)
    made = chosen(synthesizer, solvers=("euler",), nfe=(2, 8, 32))
    found = {one.setting.name: one for one in study.measure([*made, made[0].reference], False)}
    assert found["ab3 reference"].error.value == 0 and found["ab3 reference"].nfe == 65
    errors = [found[f"euler cosine {nfe}"].error.value for nfe in (2, 8, 32)]
    assert errors[0] > 2.5 * errors[1] > 2.5 * 2.5 * errors[2] > 0
    assert not (tmp_path / "sounds").exists()


def test_leaps_are_evaluations_too(synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = synthesizer.backbone
    for name in ("velocity", "mean_velocity"):
        monkeypatch.setattr(type(backbone), name, lambda self, *arguments: torch.zeros(len(arguments)))
    with comparison.counted_evaluations(backbone) as count:
        assert len(backbone.velocity(1, 2, 3)) == 3 and len(backbone.mean_velocity(1, 2, 3, 4)) == 4
    backbone.velocity(1, 2, 3)
    assert count.total() == 2


@pytest.mark.usefixtures("coarse")
def test_evaluations_are_those_that_the_network_makes(
    synthesizer: Synthesizer, two: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = chosen(
        synthesizer,
        solvers=("euler", "heun", "ab3", "dopri5"),
        nfe=(4,),
        tolerances=(0.1,),
        guidances=("none", "interval", "cfg_zero"),
    )
    study = Comparison(synthesizer, two, tmp_path, page_pairs=0)
    study.measure(made[:1], False)  # the fine solution of the default guidance, and what warms up
    asked: list[float] = []
    kind = type(synthesizer.backbone)
    velocity = kind.velocity
    monkeypatch.setattr(kind, "velocity", lambda self, x_t, t, p: asked.append(float(t)) or velocity(self, x_t, t, p))
    for one in made[1:]:
        (reference,) = study.measure([one.reference], False)
        asked.clear()
        (found,) = study.measure([one], False)
        assert sum(single.nfe for single in found.spoken) == len(asked) > 0, one.name
        assert found.nfe == len(asked) / 2 and reference.error.value == 0
        if one.nfe is not None:
            assert [single.nfe for single in found.spoken] == [one.nfe] * 2
    assert "velocity" not in vars(synthesizer.backbone)


@pytest.mark.usefixtures("coarse")
def test_a_solver_that_diverges_is_measured_and_silent(
    synthesizer: Synthesizer, two: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak = Synthesizer.speak

    def diverging(self: Synthesizer, *arguments: Any, sampling: SamplingOptions, **how: Any) -> Speech:
        speech = speak(self, *arguments, sampling=sampling, **how)
        if sampling.steps != 4:
            return speech
        nothing = Waveform(speech.waveform.samples * math.inf, speech.waveform.sample_rate)
        return replace(speech, mel=speech.mel + 100, waveform=nothing)

    monkeypatch.setattr(Synthesizer, "speak", diverging)
    one = next(one for one in chosen(synthesizer, solvers=("euler",), nfe=(4,)) if one.nfe == 4)
    (found,) = Comparison(synthesizer, two, tmp_path, page_pairs=1).measure([one], False)
    assert found.error.value == pytest.approx(100 * DECIBELS, rel=0.02)
    (sound,) = (tmp_path / "sounds").glob("*.ogg")
    assert not soundfile.read(sound)[0].any()


@pytest.mark.usefixtures("coarse")
def test_what_was_measured_is_kept_and_judged_when_it_is_asked_for(
    synthesizer: Synthesizer, two: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pocketsphinx")
    made = chosen(synthesizer, solvers=("euler",), nfe=(2, 4))
    (first, *_) = Comparison(synthesizer, two, tmp_path, page_pairs=1).measure(made[:1], False)
    assert sorted(path.suffix for path in (tmp_path / "sounds").iterdir()) == [".ogg", ".png"]
    times_spoken = []
    speak = Synthesizer.speak
    monkeypatch.setattr(Synthesizer, "speak", lambda *a, **k: times_spoken.append(1) or speak(*a, **k))
    again = Comparison(
        synthesizer, two, tmp_path, page_pairs=1, suite=Suite(two, Choice("pocketsphinx", naturalness=["none"]))
    )
    assert again.measure(made[:1], False) == [first] and not times_spoken
    judged = again.measure(made[:1], True)[0]
    assert len(times_spoken) == 1 + 2  # one warms up
    assert judged.error == first.error and judged.word_error_rate is not None
    assert [one.judgement is None for one in judged.spoken] == [False, False]
    assert again.measure(made, False)[0] == judged  # it is judged already, and that is not lost
    recordings = again.recordings()
    assert recordings.to_prompt is not None and recordings.to_prompt.value == pytest.approx(1)  # the prompt itself
    assert Comparison(synthesizer, two, tmp_path, page_pairs=1).about["judges"] == again.about["judges"]
    with pytest.raises(ValueError, match="measured with other judges; remove it"):
        Comparison(
            synthesizer, two, tmp_path, page_pairs=1, suite=Suite(two[:1], Choice("pocketsphinx", naturalness=[]))
        )
    with pytest.raises(ValueError, match="measured with other seed; remove it, or choose another folder with --out"):
        Comparison(synthesizer, two, tmp_path, seed=1, page_pairs=1)
    (tmp_path / "results.jsonl").unlink()
    other = Comparison(synthesizer, two, tmp_path, seed=1, page_pairs=1).measure([made[0].reference], False)
    assert other[0].error.value == 0  # against the fine solution of its own noise, not of the noise before


# The command


@pytest.mark.usefixtures("coarse")
def test_the_command_writes_figures_and_a_page(
    tts_fm_command, model: Path, two: list[Pair], voice_file: Path, tmp_path: Path
) -> None:
    pairs.write(two, voice_file.parent / "pairs.jsonl")
    words = [
        "compare",
        "--model",
        model,
        "--pairs",
        voice_file.parent / "pairs.jsonl",
        "--out",
        tmp_path,
        "--judge",
        "none",
    ]
    words += ["--solver", "euler,rk4,dopri5", "--grid", "cosine", "--tolerance", 0.3, "--guidance-mode", "none,auto"]
    done = tts_fm_command(*words, "--nfe", "2,4", "--page-pairs", 1, "--json", "--device", "cpu")
    assert done.code == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed == json.loads((tmp_path / "compare.json").read_text())
    names = [row["name"] for row in printed["settings"]]
    assert names == [
        "default",
        "guidance none",
        "dopri5 tolerance 0.3",
        "euler cosine 2",
        "euler cosine 4",
        "rk4 cosine 4",
    ]
    assert [row["nfe"] for row in printed["settings"]][3:] == [2, 4, 4]
    assert printed["left_out"] == [
        "guidance auto: there is no weaker model; name one with --guidance-model",
        "rk4 at 2 evaluations: it has no number of steps that takes so many",
    ]
    assert all(f"left out: {line}" in done.stderr.splitlines() for line in printed["left_out"])

    page = Page(tmp_path / "index.html")
    assert len(page.all("svg")) == 1 and len(page.all("polyline")) == 3  # a grid, three solvers
    assert len(page.all("circle")) == 2 + 1 + 1
    linked = [str(attributes["src"]) for tag in ("audio", "img") for attributes in page.all(tag)]
    assert len(linked) == 2 * (2 + 5)  # prompt, recording; default, none; the best of dopri5, 2 and 4 evaluations
    assert all((tmp_path / path).is_file() for path in linked)
    assert "http" not in (tmp_path / "index.html").read_text()

    more = tts_fm_command(*words, "--nfe", "4", "--page-pairs", 1, "--device", "cpu")
    assert more.code == 0 and "euler cosine 4" in more.stdout and "euler cosine 2" not in more.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--judge", "some"], "--judge is 'some'; choose one of all, best, none"),
        (["--nfe", "2,x"], "--nfe is '2,x'; give whole numbers above 0 and up to 1000 with commas between them"),
        (["--tolerance", "0"], "--tolerance is '0'; give numbers above 0"),
        (["--solver", "rk9"], "there is no Solver called 'rk9'; choose one of ab2, ab3, dopri5,"),
        (["--pairs", "none.jsonl"], "none.jsonl cannot be read"),
    ],
)
def test_wrong_options_are_one_line(tts_fm_command, model: Path, tmp_path: Path, options: list[str], message: str):
    done = tts_fm_command("compare", "--model", model, "--out", tmp_path, "--judge", "none", *options)
    assert done.code == 2 and message in done.line
