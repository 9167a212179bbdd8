"""A student of few steps: its lesson is where its teacher gets, and it learns to get there."""

import pytest
import torch
from test_nothing_is_lost import assert_same, state_of
from tiny_run import SECONDS, learner, loop, metrics, values, write_corpus

from tts_fm import checkpoint, infill
from tts_fm.config import RunConfig, parse
from tts_fm.sampler import Sampler
from tts_fm.training.loop import MODEL

STUDENT = {"solver": "euler", "grid": "uniform", "steps": 2, "guidance": 0.0, "sway": -1.0, "follow_prompt": True}
TEACHER = {**STUDENT, "guidance": 1.5}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), SECONDS, n_heldout=2)


@pytest.fixture(scope="module")
def teacher(manifest, tmp_path_factory):
    """A tiny model that has learned for a while."""
    folder = tmp_path_factory.mktemp("teacher")
    run = values(manifest, updates=60)
    run["model"]["sampling"] = TEACHER
    loop(parse(RunConfig, run, "teacher"), folder).run()
    return folder / MODEL


def student(manifest, teacher, substeps=3, sampling=STUDENT, **training):
    run = values(manifest, **training)
    run["model"]["sampling"] = sampling
    run["infill"] = {"continuation": 1.0, "drop_prompt": 0.0, "drop_both": 0.0}
    run |= {"distill": {"teacher": str(teacher), "substeps": substeps}, "finetune": {"model": str(teacher)}}
    return parse(RunConfig, run, "student")


def lessons(made, n=12):
    batch = made.corpus.batch([0, 1, 2])
    for seed in range(n):
        rng = torch.Generator().manual_seed(seed)
        condition, is_target = infill.random_span(batch, made.config.infill, rng)
        x_0 = torch.randn(batch.mel.shape, generator=rng)
        yield condition, is_target, x_0, *made.objective.teacher.lesson(condition, x_0, batch.mel, rng)


def test_a_teacher_of_one_step_without_guidance_has_nothing_to_teach_its_own_copy(manifest, teacher, tmp_path):
    run = student(manifest, teacher, substeps=1)
    run = run.model_copy(update={"distill": run.distill.model_copy(update={"sampling": {"guidance": 0.0}})})
    made = learner(run, tmp_path)
    for condition, is_target, _, t, point in lessons(made):
        own = made.backbone.velocity(point.x_t, t, made.backbone.prepare(condition))
        torch.testing.assert_close(own[is_target], point.velocity[is_target], rtol=1e-4, atol=1e-4)
    assert made.objective.eval()(made.corpus.batch([0, 1, 2]), 0).flow.item() < 1e-8


def test_lessons_joined_are_the_teachers_own_way(manifest, teacher, tmp_path):
    """From noise through both lessons one gets where the sampler gets on the finer grid, guided."""
    made = learner(student(manifest, teacher, substeps=3), tmp_path)
    school = made.objective.teacher
    batch = made.corpus.batch([0])
    condition, _ = infill.random_span(batch, made.config.infill, torch.Generator().manual_seed(0))
    x_0 = torch.randn(batch.mel.shape, generator=torch.Generator().manual_seed(1))
    fine = torch.cat([torch.linspace(*map(float, pair), 4)[int(i > 0) :] for i, pair in enumerate(
        zip(school.times[:-1], school.times[1:], strict=True))])  # fmt: skip
    with torch.no_grad():
        whole = school.sampler.integrate(condition, x_0, x_0, fine)
        x_t = x_0
        for k in range(2):
            x_t = school.sampler.integrate(condition, x_t, x_0, torch.linspace(*map(float, school.times[k : k + 2]), 4))
    torch.testing.assert_close(x_t, whole, rtol=1e-5, atol=1e-5)
    assert len(fine) == 7 and isinstance(school.sampler, Sampler) and school.sampler.options.guidance == 1.5


def test_lessons_begin_on_the_path_at_the_students_own_times(manifest, teacher, tmp_path):
    made = learner(student(manifest, teacher), tmp_path)
    batch, seen = made.corpus.batch([0, 1, 2]), set()
    for _, _, x_0, t, point in lessons(made, 24):
        assert len(set(t.tolist())) == 1
        seen.add(float(t[0]))
        expected = made.objective.path.sample(x_0, batch.mel, t).x_t
        torch.testing.assert_close(point.x_t, expected)
    assert seen == set(made.config.model.sampling.times()[:-1].tolist())


def test_a_student_gets_nearer_to_its_teacher_and_the_teacher_stays(manifest, teacher, tmp_path):
    run = loop(student(manifest, teacher, updates=80), tmp_path)
    before = run.learner.validate()["validation_loss"]
    weights = {name: value.clone() for name, value in run.learner.objective.teacher.backbone.state_dict().items()}
    run.run()
    assert run.learner.validate()["validation_loss"] < 0.6 * before
    assert_same(weights, dict(run.learner.objective.teacher.backbone.state_dict()))
    saved, _ = checkpoint.load_model(tmp_path / MODEL)
    assert saved.sampling.steps == 2 and saved.sampling.guidance == 0
    assert not any("teacher" in name for name in state_of(tmp_path)["learner"]["weights"])


def test_a_distillation_goes_on_exactly(manifest, teacher, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    loop(student(manifest, teacher, updates=6, save_every=3, keep=9), whole).run()
    loop(student(manifest, teacher, updates=6, save_every=3, keep=9), parts).run()
    checkpoint.states(parts / "checkpoints")[-1].unlink()
    loop(student(manifest, teacher, updates=6), parts).run()
    assert_same(state_of(whole)["learner"], state_of(parts)["learner"])
    assert metrics(whole, "flow_loss") == metrics(parts, "flow_loss")


@pytest.mark.parametrize("wrong", [{"guidance": 1.0}, {"solver": "heun"}, {"noise": 0.5}])
def test_only_euler_steps_without_guidance_and_noise_can_be_taught(manifest, teacher, tmp_path, wrong):
    with pytest.raises(ValueError, match="a student learns Euler steps without guidance"):
        learner(student(manifest, teacher, sampling=STUDENT | wrong), tmp_path)


def test_a_teacher_of_another_scale_is_refused(manifest, teacher, tmp_path):
    values_ = {**values(manifest), "distill": {"teacher": str(teacher)}}
    values_["model"] |= {"mel_scale": {"mean": 0.0, "std": 1.0}, "sampling": STUDENT}
    with pytest.raises(ValueError, match=r"model.mel_scale is not that of the teacher .*; take the teacher's"):
        learner(parse(RunConfig, values_, "student"), tmp_path)
