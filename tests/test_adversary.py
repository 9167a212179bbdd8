"""Judges of mels: they see what they are meant to, learn by themselves, and press the leaps that they are told to."""

import pytest
import torch
from test_campplus import filled
from test_distillation import LEAPING, SAMPLING
from tiny_run import SECONDS, learner, loop, metrics, values, write_corpus

from tts_fm import infill
from tts_fm.config import RunConfig, parse
from tts_fm.nn.campplus import CAMPPlus
from tts_fm.training.adversary import MelJudges, cut, draw_crops
from tts_fm.training.vocoder_losses import judging


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), SECONDS, n_heldout=2)


def config(manifest, backbone=LEAPING, through=1, lessons=1, speaker=None, **training):
    run = values(manifest, **training)
    run["model"] |= {"sampling": SAMPLING, "backbone": backbone}
    run["adversary"] = {"leaps": 2, "through": through, "share": 1.0, "windows": [8, 16], "widths": [8, 8]}
    run["adversary"] |= {"lessons": lessons, "speaker": speaker}
    return parse(RunConfig, run, "adversary")


def watched(made):
    """A condition and noise, and a list that gets the state, the times and whether gradients are kept at each leap."""
    batch, rng = made.corpus.batch([0, 1, 2]), torch.Generator().manual_seed(0)
    condition, _ = infill.random_span(batch, made.config.infill, rng)
    x_0, asked, leap = torch.randn(batch.mel.shape, generator=rng), [], made.backbone.mean_velocity
    made.backbone.mean_velocity = lambda x, t, until, prepared: (
        asked.append((x, float(t), float(until), torch.is_grad_enabled())),
        leap(x, t, until, prepared),
    )[1]
    return condition, x_0, asked


def test_crops_lie_inside_the_target():
    is_target = torch.zeros(200, 60, dtype=torch.bool)
    is_target[:100, 20:50] = True
    is_target[100:, 55:60] = True  # shorter than the window
    starts = draw_crops(is_target, 12, torch.Generator().manual_seed(0))
    assert sorted(set(starts[:100].tolist())) == list(range(20, 39))
    assert set(starts[100:].tolist()) == {48}
    frames = torch.arange(60.0)[None, :, None].expand(200, -1, 3)
    assert cut(frames, starts, 12)[:, 0, 0].tolist() == starts.tolist()
    assert cut(frames[:, :5], torch.zeros(200, dtype=torch.long), 8).shape == (200, 8, 3)


@pytest.mark.parametrize("through", [1, 2, 5])
def test_the_last_leaps_learn_and_judges_are_left_out_of_the_network(manifest, tmp_path, through):
    made = learner(config(manifest, through=through), tmp_path)
    assert not any("judge" in name for name, _ in made.objective.named_parameters())
    condition, x_0, asked = watched(made)
    speech = made.objective.adversary.speech(condition, x_0)
    grid = made.config.model.sampling.leaping(2).times().tolist()
    assert [one[1:] for one in asked] == [(grid[0], grid[1], through > 1), (grid[1], grid[2], True)]
    assert speech.requires_grad and speech.shape == x_0.shape


def test_what_settles_the_speech_learns_alone_from_speech_moved_to_its_prompt(manifest, tmp_path):
    run = config(manifest)
    model = run.model.model_copy(update={"match_prompt": 1.0, "settle_from": 0.7})
    made = learner(run.model_copy(update={"model": model}), tmp_path)
    adversary = made.objective.adversary
    condition, x_0, asked = watched(made)
    settled = adversary.settled_speech(condition, x_0)
    assert settled.requires_grad
    assert [(round(t, 6), learns) for _, t, _, learns in asked] == [(0.0, False), (0.7, True)]
    with torch.no_grad():
        sampler = adversary.sampler
        walk = sampler.walk(condition, x_0, sampler.made_in)
        moved = sampler.matched(sampler.pointed(walk, x_0), condition)
    missing = condition.is_valid & ~condition.is_prompt
    torch.testing.assert_close(asked[1][0][missing], (0.3 * x_0 + 0.7 * moved)[missing], atol=1e-5, rtol=0)


def test_judging_what_settles_asks_for_something_to_settle(manifest, tmp_path):
    run = config(manifest)
    run = run.model_copy(update={"adversary": run.adversary.model_copy(update={"settled": 0.5})})
    with pytest.raises(ValueError, match="set match_prompt above 0 and settle_from below 1"):
        learner(run, tmp_path)


def test_the_judges_learn_to_tell_noise_from_a_tone():
    adversary = MelJudges((16,), (8, 8))
    optimizer = torch.optim.Adam(adversary.parameters(), 5e-3)
    rng, losses = torch.Generator().manual_seed(0), []
    for _ in range(40):
        noise = torch.randn(8, 16, 20, generator=rng)
        tone = noise * 0.1 + torch.arange(20).eq(7)
        losses.append(judging(adversary([torch.cat([tone, noise])])))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[0].item() == pytest.approx(2.0, abs=0.2) and losses[-1].item() < 0.5


def test_a_run_goes_on_with_the_judges_that_it_had(manifest, tmp_path):
    run = loop(config(manifest, updates=6, log_every=1), tmp_path)
    before = {name: value.clone() for name, value in run.learner.objective.adversary.judges.state_dict().items()}
    run.run()
    assert len(metrics(tmp_path, "judges")) == len(metrics(tmp_path, "pleasing")) == 6
    again = learner(config(manifest, updates=6), tmp_path / "again")
    again.load_state(run.learner.state())
    ours, theirs = (made.objective.adversary.judges.state_dict() for made in (run.learner, again))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not all(torch.equal(before[name], ours[name]) for name in ours)


def test_what_can_not_leap_has_no_adversary(manifest, tmp_path):
    with pytest.raises(ValueError, match="cannot leap; take aligned_dit with leaps: true"):
        learner(config(manifest, backbone={**LEAPING, "leaps": False}), tmp_path)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    path = tmp_path_factory.mktemp("encoder") / "campplus.pt"
    torch.save(filled(CAMPPlus()).state_dict(), path)
    return {"encoder": str(path), "frames": 64}


def test_the_voice_of_a_recording_is_its_own(manifest, tmp_path, encoder):
    adversary = learner(config(manifest, speaker=encoder), tmp_path).objective.adversary
    mel = torch.randn(3, 70, 100, generator=torch.Generator().manual_seed(0))
    start = torch.tensor([0, 3, 6])
    assert float(adversary.speaker_distance(mel, mel, start)) == pytest.approx(0, abs=1e-5)
    other = torch.randn(3, 70, 100, generator=torch.Generator().manual_seed(1)).requires_grad_()
    distance = adversary.speaker_distance(mel, other, start)
    distance.backward()
    assert 0 < float(distance) <= 2 and float(other.grad[0, 65:].abs().max()) == 0 < float(other.grad[0].abs().max())
    assert all(value.grad is None for value in adversary.encoder.parameters())


def test_a_run_is_told_how_far_its_voices_are(manifest, tmp_path, encoder):
    torch.manual_seed(0)
    run = loop(config(manifest, speaker=encoder, updates=3), tmp_path)
    run.run()
    told = metrics(tmp_path, "speaker")
    assert len(told) == 3 and all(0 < value <= 2 for value in told.values())
    state = run.learner.state()["adversary"]
    assert set(state) == {"judges", "optimizer"}  # who hears voices is not learned, and read from its file again


def test_judges_learn_so_many_steps_from_each_speech(manifest, tmp_path):
    run = loop(config(manifest, lessons=3, updates=2), tmp_path)
    run.run()
    steps = run.learner.objective.adversary.optimizer.state_dict()["state"][0]["step"]
    assert int(steps) == 6
