"""Learning: it learns, teams of any size learn the same, and every option leaves the mathematics as it is."""

import pytest
import torch
from test_nothing_is_lost import assert_same, state_of
from tiny_run import BACKBONES, SECONDS, config, in_processes, learner, loop, metrics, values, write_corpus

from tts_fm import checkpoint, torch_files
from tts_fm.config import RunConfig, parse
from tts_fm.data.batching import Place
from tts_fm.training import sharding
from tts_fm.training.acoustic import draw_seed
from tts_fm.training.loop import MODEL


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return write_corpus(tmp_path_factory.mktemp("corpus"), SECONDS, n_heldout=2)


def test_it_learns_and_leaves_a_model_and_metrics(manifest, tmp_path):
    made = loop(config(manifest, updates=80), tmp_path / "run")
    before = made.learner.validate()["validation_loss"]
    assert before == made.learner.validate()["validation_loss"]  # the same noise, times and spans each time
    made.run()
    assert made.learner.validate()["validation_loss"] < 0.7 * before
    assert len(metrics(tmp_path / "run", "flow_loss")) == 80 and len(metrics(tmp_path / "run", "validation_loss")) == 20
    _, backbone = checkpoint.load_model(tmp_path / "run" / MODEL)
    assert_same(dict(backbone.state_dict()), state_of(tmp_path / "run")["learner"]["average"])


def train(manifest, folder, backbone="dit", **training):
    return lambda rank: loop(config(manifest, backbone, **training), folder).run()


def assert_close(a: dict, b: dict, tolerance: float) -> None:
    assert a.keys() == b.keys()
    for key in a:
        assert a[key] == pytest.approx(b[key], rel=tolerance), key


@pytest.mark.parametrize("backbone", sorted(BACKBONES))
def test_two_processes_learn_what_one_does_with_the_same_global_batch(manifest, tmp_path, backbone):
    one, two = tmp_path / "one", tmp_path / "two"
    assert in_processes(1, train(manifest, one, backbone, updates=12, accumulation=2)) == [0]
    assert in_processes(2, train(manifest, two, backbone, updates=12)) == [0, 0]
    for figure in ("flow_loss", "validation_loss", "grad_norm"):
        assert_close(metrics(one, figure), metrics(two, figure), 1e-4)
    assert state_of(one)["learner"]["place"] == state_of(two)["learner"]["place"]


def test_a_run_of_two_processes_goes_on_with_one(manifest, tmp_path):
    run = tmp_path / "run"
    assert in_processes(2, train(manifest, run, updates=8, save_every=4, keep=9)) == [0, 0]
    whole = metrics(run, "flow_loss")
    torch_files.states(run / "checkpoints")[-1].unlink()
    assert in_processes(1, train(manifest, run, updates=8, accumulation=2)) == [0]
    assert_close(metrics(run, "flow_loss"), whole, 1e-4)


@pytest.mark.parametrize("backbone", sorted(BACKBONES))
def test_sharded_parameters_learn_the_same_and_go_on_unsharded(manifest, tmp_path, backbone):
    whole, sharded = tmp_path / "whole", tmp_path / "sharded"
    assert in_processes(2, train(manifest, whole, backbone, updates=6)) == [0, 0]
    assert in_processes(2, train(manifest, sharded, backbone, updates=4, parallel="fsdp2")) == [0, 0]
    first = state_of(sharded)
    assert first["learner"]["weights"].keys() == state_of(whole)["learner"]["weights"].keys()
    assert_close(
        {u: loss for u, loss in metrics(whole, "flow_loss").items() if u <= 4}, metrics(sharded, "flow_loss"), 1e-4
    )
    loaded = checkpoint.load_model(sharded / MODEL)[1]
    assert_same(dict(loaded.state_dict()), first["learner"]["average"])


def test_a_sharded_run_goes_on_exactly(manifest, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert in_processes(2, train(manifest, whole, updates=6, parallel="fsdp2", save_every=3, keep=9)) == [0, 0]
    assert in_processes(2, train(manifest, parts, updates=6, parallel="fsdp2", save_every=3, keep=9)) == [0, 0]
    torch_files.states(parts / "checkpoints")[-1].unlink()
    assert in_processes(2, train(manifest, parts, updates=6, parallel="fsdp2")) == [0, 0]
    assert_same(state_of(whole)["learner"], state_of(parts)["learner"])


def test_whole_and_split_are_inverses_for_plain_tensors():
    state = {"a": torch.arange(3.0), "b": [1, torch.ones(2)]}
    assert_same(sharding.whole(state), state)
    assert torch.equal(sharding.split_like(state["a"], torch.zeros(3)), state["a"])


@pytest.mark.parametrize("backbone", sorted(BACKBONES))
def test_forgotten_activations_change_nothing(manifest, tmp_path, backbone):
    gradients = []
    for recomputes in (False, True):
        made = learner(config(manifest, backbone, activation_checkpointing=recomputes), tmp_path)
        torch.manual_seed(1)
        made.objective.train()
        made.objective(made.corpus.batch([0, 1, 2]), 5).total.backward()
        gradients.append({name: p.grad for name, p in made.backbone.named_parameters() if p.grad is not None})
    assert_same(*gradients)
    assert len(gradients[0]) > 20


def test_bfloat16_stays_near_float32(manifest, tmp_path):
    losses = []
    for precision in ("float32", "bfloat16"):
        made = loop(config(manifest, updates=20, precision=precision), tmp_path / precision)
        made.run()
        losses.append(metrics(tmp_path / precision, "flow_loss")[20])
        assert all(value.dtype == torch.float32 for value in made.learner.backbone.state_dict().values())
    assert losses[0] != losses[1] and losses[1] == pytest.approx(losses[0], rel=0.05)


def test_each_utterance_drops_its_own_conditions(manifest, tmp_path):
    """Per sample, not per batch: in most batches of six some have a text and some have none."""
    from tts_fm import infill

    made = learner(config(manifest), tmp_path)
    batch = made.corpus.batch([0, 1, 2, 3, 4, 5])
    mixed = 0
    for seed in range(50):
        rng = torch.Generator().manual_seed(seed)
        condition, _ = infill.random_span(batch, made.config.infill, rng)
        has_text = infill.drop(condition, made.config.infill.model_copy(update={"drop_both": 0.5}), rng).has_text
        mixed += 0 < int(has_text.sum()) < 6
    assert mixed > 40


def test_the_coupling_of_the_config_chooses_the_noise(manifest, tmp_path):
    losses = []
    for change in ({}, {"coupling": "independent"}, {"coupling": "minibatch_ot"}):
        run = values(manifest, "dit")
        run["model"]["flow"] = change
        made = learner(parse(RunConfig, run, "tiny"), tmp_path)
        batch = made.corpus.batch([0, 1, 2, 3, 4, 5])
        with torch.no_grad():
            losses.append([float(made.objective(batch, seed).flow) for seed in range(5)])
    assert losses[0] == losses[1]
    assert sum(a != b for a, b in zip(losses[1], losses[2], strict=True)) >= 4  # by chance the order may be the best
    assert losses[2] == pytest.approx(losses[1], rel=0.1)


def test_seeds_of_batches_differ():
    seeds = {draw_seed(s, Place(e, p)) for s in range(3) for e in range(10) for p in range(30)}
    assert len(seeds) == 900


def test_a_corpus_without_durations_is_refused_where_they_are_needed(tmp_path):
    path = write_corpus(tmp_path / "corpus", SECONDS)
    import json

    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({k: v for k, v in row.items() if k != "token_frames"}) + "\n" for row in rows))
    with pytest.raises(ValueError, match=r"aligned_dit needs the duration of every token.*--align"):
        learner(config(path), tmp_path)
    learner(config(path, "dit"), tmp_path)


def test_an_empty_corpus_is_one_line(manifest, tmp_path):
    with pytest.raises(ValueError, match="no utterance of the split 'train' lasts 20 to 30 s"):
        learner(config(manifest, data={"min_seconds": 20.0}), tmp_path)
