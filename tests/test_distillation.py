"""Leaps: a lesson is where the teacher gets, a student learns to get there in one step, and keeps its flow."""

import pytest
import torch
from test_nothing_is_lost import assert_same, state_of
from tiny_run import BACKBONES, SECONDS, learner, loop, metrics, values, write_corpus

from tts_fm import checkpoint, infill, torch_files
from tts_fm.backbones import Backbone
from tts_fm.config import RunConfig, parse
from tts_fm.sampler import Sampler, SamplingOptions
from tts_fm.training.loop import MODEL

SAMPLING = {"solver": "euler", "grid": "uniform", "steps": 8, "guidance": 1.5, "sway": -1.0, "follow_prompt": True}
LEAPING = {"name": "aligned_dit", **BACKBONES["aligned_dit"], "leaps": True}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), SECONDS, n_heldout=2)


@pytest.fixture(scope="module")
def teacher(manifest, tmp_path_factory):
    """A tiny model that has learned for a while."""
    folder = tmp_path_factory.mktemp("teacher")
    run = values(manifest, updates=60)
    run["model"]["sampling"] = SAMPLING
    loop(parse(RunConfig, run, "teacher"), folder).run()
    return folder / MODEL


def student(manifest, teacher, model=None, distill=None, **training):
    run = values(manifest, **training)
    run["model"] |= {"sampling": SAMPLING, "default_leaps": 2, "backbone": LEAPING} | ({} if model is None else model)
    run["infill"] = {"continuation": 1.0, "drop_prompt": 0.0, "drop_both": 0.0}
    run["distill"] = {"teacher": str(teacher), "steps": [2], "fine": 6, "share": 1.0} | (
        {} if distill is None else distill
    )
    run["finetune"] = {"model": str(teacher)}
    return parse(RunConfig, run, "student")


def lessons(made, n=12):
    batch = made.corpus.batch([0, 1, 2])
    for seed in range(n):
        rng = torch.Generator().manual_seed(seed)
        condition, is_target = infill.random_span(batch, made.config.infill, rng)
        x_0 = torch.randn(batch.mel.shape, generator=rng)
        yield condition, is_target, x_0, made.objective.teacher.lesson(condition, x_0, batch.mel, rng)


def test_before_it_learns_a_leap_is_the_teachers_own_velocity(manifest, teacher, tmp_path):
    """What is new in the network begins as nothing; so a teacher of one plain step has nothing to teach."""
    made = learner(student(manifest, teacher, distill={"fine": 2, "sampling": {"guidance": 0.0}}), tmp_path)
    for condition, is_target, _, lesson in lessons(made):
        prepared, x_t = made.backbone.prepare(condition), lesson.point.x_t
        own = made.backbone.mean_velocity(x_t, lesson.t, lesson.until, prepared)
        torch.testing.assert_close(own, made.backbone.velocity(x_t, lesson.t, prepared), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(own[is_target], lesson.point.velocity[is_target], rtol=1e-4, atol=1e-4)
    assert made.objective.eval()(made.corpus.batch([0, 1, 2]), 0).flow.item() < 1e-8


def test_lessons_joined_are_the_teachers_own_way(manifest, teacher, tmp_path):
    """From noise through both leaps one gets where the sampler gets on the finer grid, guided."""
    made = learner(student(manifest, teacher), tmp_path)
    school, grid = made.objective.teacher, made.objective.teacher.grids[0]
    condition, _ = infill.random_span(made.corpus.batch([0]), made.config.infill, torch.Generator().manual_seed(0))
    x_0 = torch.randn(condition.prompt_mel.shape, generator=torch.Generator().manual_seed(1))
    first, second = school.way(grid, 0), school.way(grid, 1)
    with torch.no_grad():
        whole = school.sampler.integrate(condition, x_0, x_0, torch.cat([first, second[1:]]))
        half = school.sampler.integrate(condition, x_0, x_0, first)
        joined = school.sampler.integrate(condition, half, x_0, second)
    torch.testing.assert_close(joined, whole, rtol=1e-5, atol=1e-5)
    assert len(first) == len(second) == 4 and school.sampler.options.guidance == 1.5


def test_leaps_begin_on_the_path_at_times_of_the_grids(manifest, teacher, tmp_path):
    made = learner(student(manifest, teacher, distill={"steps": [2, 4]}), tmp_path)
    batch, seen = made.corpus.batch([0, 1, 2]), set()
    for _, _, x_0, lesson in lessons(made, 60):
        seen.add((float(lesson.t), float(lesson.until)))
        torch.testing.assert_close(lesson.point.x_t, made.objective.path.sample(x_0, batch.mel, lesson.t.expand(3)).x_t)
    grids = [made.config.model.sampling.leaping(steps).times().tolist() for steps in (2, 4)]
    assert seen == {step for grid in grids for step in zip(grid[:-1], grid[1:], strict=True)}


def test_only_a_share_of_the_batches_teaches(manifest, teacher, tmp_path):
    school = learner(student(manifest, teacher, distill={"share": 0.3}), tmp_path).objective.teacher
    rng = torch.Generator().manual_seed(0)
    assert sum(school.has_lesson(rng) for _ in range(2000)) / 2000 == pytest.approx(0.3, abs=0.03)


def test_a_student_gets_nearer_to_its_teacher_who_stays(manifest, teacher, tmp_path):
    run = loop(student(manifest, teacher, updates=80), tmp_path)
    before = run.learner.validate()["validation_loss"]
    weights = {name: value.clone() for name, value in run.learner.objective.teacher.backbone.state_dict().items()}
    run.run()
    assert run.learner.validate()["validation_loss"] < 0.6 * before
    assert_same(weights, dict(run.learner.objective.teacher.backbone.state_dict()))
    assert not any("teacher" in name for name in state_of(tmp_path)["learner"]["weights"])
    saved, backbone = checkpoint.load_model(tmp_path / MODEL)
    assert saved.default_sampling == saved.sampling.leaping(2) and saved.sampling.steps == 8
    batch = run.learner.validation.batch([0, 1])
    condition, is_target = infill.random_span(batch, run.learner.config.infill, torch.Generator().manual_seed(0))
    x_0 = torch.randn(batch.mel.shape, generator=torch.Generator().manual_seed(1))
    school = run.learner.objective.teacher

    def reached(network: Backbone, options: SamplingOptions) -> torch.Tensor:
        with torch.no_grad():
            return Sampler(network, options).integrate(condition, x_0, x_0, options.times())[is_target]

    aim = reached(school.backbone, saved.sampling)
    plain = reached(school.backbone, saved.sampling.model_copy(update={"steps": 2, "guidance": 0.0}))
    leapt = reached(backbone.eval(), saved.default_sampling)
    assert (leapt - aim).square().mean() < 0.5 * (plain - aim).square().mean()


def test_leaps_take_one_evaluation_each(manifest, teacher, tmp_path):
    made = learner(student(manifest, teacher), tmp_path)
    condition, _ = infill.random_span(made.corpus.batch([0]), made.config.infill, torch.Generator().manual_seed(0))
    asked: list[tuple[float, float]] = []
    network = made.backbone
    leap = network.mean_velocity
    network.mean_velocity = lambda x, t, until, prepared: (
        asked.append((float(t), float(until))),
        leap(x, t, until, prepared),
    )[1]
    options = made.config.model.default_sampling
    Sampler(network, options).sample([condition], [0])
    times = options.times().tolist()
    assert asked == list(zip(times[:-1], times[1:], strict=True)) and len(asked) == 2


def test_a_distillation_goes_on_exactly(manifest, teacher, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    half = {"share": 0.5}
    loop(student(manifest, teacher, distill=half, updates=6, save_every=3, keep=9), whole).run()
    loop(student(manifest, teacher, distill=half, updates=6, save_every=3, keep=9), parts).run()
    torch_files.states(parts / "checkpoints")[-1].unlink()
    loop(student(manifest, teacher, distill=half, updates=6), parts).run()
    assert_same(state_of(whole)["learner"], state_of(parts)["learner"])
    assert metrics(whole, "flow_loss") == metrics(parts, "flow_loss")


def test_a_backbone_that_can_not_leap_is_refused(manifest, teacher, tmp_path):
    plain = {"backbone": {"name": "aligned_dit", **BACKBONES["aligned_dit"]}}
    with pytest.raises(ValueError, match="the backbone aligned_dit cannot leap; take aligned_dit with leaps: true"):
        learner(student(manifest, teacher, model=plain | {"default_leaps": 0}), tmp_path)
    with pytest.raises(ValueError, match="default_leaps is 2: the backbone aligned_dit was not taught to leap"):
        student(manifest, teacher, model=plain)


def test_a_teacher_of_another_scale_is_refused(manifest, teacher, tmp_path):
    run = student(manifest, teacher, model={"mel_scale": {"mean": 0.0, "std": 1.0}})
    with pytest.raises(ValueError, match=r"model.mel_scale is not that of the teacher .*; take the teacher's"):
        learner(run, tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"guidance": 1.0}, {"solver": "heun", "guidance": 0.0}, {"noise": 0.5, "guidance": 0.0}]
)
def test_leaping_with_a_solver_guidance_or_noise_is_refused(wrong):
    with pytest.raises(ValueError, match="leap takes whole steps that have guidance in them already"):
        SamplingOptions(leap=True, **wrong)


def test_asking_a_plain_model_to_leap_is_refused(manifest, tmp_path):
    made = learner(parse(RunConfig, values(manifest), "plain"), tmp_path)
    with pytest.raises(ValueError, match="this model was not taught to leap"):
        Sampler(made.backbone, SamplingOptions().leaping(4))
