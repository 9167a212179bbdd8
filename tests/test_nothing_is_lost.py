"""A training loses nothing: killed, interrupted, on a full disk, with broken files, with numbers that are none."""

from __future__ import annotations

import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml
from tiny_run import SECONDS, config, in_processes, learner, loop, metrics, values, write_corpus

from tts_fm import torch_files
from tts_fm.config import RunConfig, parse
from tts_fm.errors import ModelError, TrainingError
from tts_fm.training import loop as loops


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), SECONDS)


def state_of(folder: Path) -> dict:
    return torch_files.load_state(torch_files.states(folder / loops.CHECKPOINTS)[-1])


def assert_same(a, b, name: str = "") -> None:
    """Every number in two states is bit for bit the same."""
    if isinstance(a, dict):
        assert a.keys() == b.keys(), name
        for key in a:
            assert_same(a[key], b[key], f"{name}.{key}")
    elif isinstance(a, list):
        assert len(a) == len(b), name
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{name}[{i}]")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), name
    else:
        assert a == b, name


# Killed at any moment


@pytest.mark.slow
def test_two_hundred_kills_while_saving_leave_no_unreadable_checkpoint(tmp_path):
    draw = random.Random(0)

    def save(update: int) -> None:
        state = {"update": update, "weights": torch.full((200_000,), float(update))}
        torch_files.save_state(torch_files.state_path(tmp_path, update), state, keep=2)

    def first_save(update: int) -> float:
        """How long a new process takes until it has saved, as busy as the machine is."""
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            save(update)
            os._exit(0)
        os.waitpid(child, 0)
        return time.monotonic() - began

    longest, saved = max(first_save(update) for update in range(5)), 4
    for _ in range(200):
        child = os.fork()
        if child == 0:
            update = saved
            while True:
                update += 1
                save(update)
        time.sleep(draw.uniform(0.0, 3 * longest))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for path in torch_files.states(tmp_path):
            state = torch_files.load_state(path)
            assert state["update"] == torch_files.updates_of(path)
            assert bool((state["weights"] == float(state["update"])).all())
        newest = [torch_files.updates_of(path) for path in torch_files.states(tmp_path)]
        assert max(newest, default=0) >= saved
        saved = max(newest, default=0)
    assert saved > 20  # in most of the 200 lives something was saved


@pytest.mark.parametrize("world", [1, 2])
def test_thirty_updates_a_kill_and_twenty_more_are_fifty(manifest, tmp_path, world):
    run = config(manifest, "dit", updates=50, save_every=10, validate_every=25)  # dropout is on in it

    def train(folder: Path, killed_at: int | None = None):
        def watch(update, _):
            if update == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)

        return lambda rank: loop(run, folder, watch=watch).run()

    assert in_processes(world, train(tmp_path / "whole")) == [0] * world
    assert set(in_processes(world, train(tmp_path / "parts", killed_at=34))) == {-9}
    assert state_of(tmp_path / "parts")["update"] == 30
    assert in_processes(world, train(tmp_path / "parts")) == [0] * world
    whole, parts = state_of(tmp_path / "whole"), state_of(tmp_path / "parts")
    assert whole["update"] == parts["update"] == 50
    assert_same(whole["learner"], parts["learner"])
    assert whole["learner"]["optimizer"]["state"][0]["step"] == 50
    losses = metrics(tmp_path / "whole", "flow_loss")
    assert losses == metrics(tmp_path / "parts", "flow_loss") and list(losses) == list(range(1, 51))
    assert metrics(tmp_path / "whole", "validation_loss") == metrics(tmp_path / "parts", "validation_loss")


# Interrupted


def test_sigterm_and_ctrl_c_save_within_a_step_and_the_same_command_goes_on(manifest, tmp_path):
    path, folder = tmp_path / "run.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(values(manifest, updates=100_000, save_every=50_000, validate_every=50_000)))
    command = [sys.executable, "-m", "tts_fm.commands", "train", str(path), "--output", str(folder), "--device", "cpu"]
    done = 0
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None and last_update(folder) < done + 5:
            time.sleep(0.05)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == code, errors
        saved = state_of(folder)["update"]
        assert saved == last_update(folder) >= done + 5
        assert f"{saved} of 100000 updates" in errors and "Traceback" not in errors
        assert (f"going on from update {done}" in errors) == (done > 0)
        done = saved
    assert list(metrics(folder, "flow_loss")) == list(range(1, done + 1))


def last_update(folder: Path) -> int:
    if not (folder / "metrics.jsonl").exists():
        return 0
    lines = [line for line in (folder / "metrics.jsonl").read_text().splitlines() if line.endswith("}")]
    return max((json.loads(line)["update"] for line in lines), default=0)


# A full disk


def test_a_full_disk_keeps_the_last_checkpoint_and_is_tried_again(manifest, tmp_path):
    run = config(manifest, updates=9, save_every=2, keep=1)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    there: dict[int, list[int]] = {}

    def watch(update, _):  # before update 3 and after update 7 there is room
        there[update] = [torch_files.updates_of(p) for p in torch_files.states(tmp_path / "run" / loops.CHECKPOINTS)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000 if 3 <= update <= 7 else hard, hard))

    try:
        with pytest.warns(
            UserWarning, match=r"could not be saved \(File too large\).*update 2; it is tried again"
        ) as said:
            loop(run, tmp_path / "run", watch=watch).run()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert len([w for w in said if "could not be saved" in str(w.message)]) == 2  # at updates 4 and 6
    assert there[3] == there[5] == there[7] == [2] and there[9] == [8]
    assert state_of(tmp_path / "run")["update"] == 9
    assert not list((tmp_path / "run").rglob("*.part"))


def test_a_disk_that_stays_full_ends_in_an_error_that_says_what_there_is(manifest, tmp_path, monkeypatch):
    run = config(manifest, updates=4, save_every=2)
    save = torch_files.save_state

    def full(path, state, keep):
        if state["update"] > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(path, state, keep)

    monkeypatch.setattr(torch_files, "save_state", full)
    with (
        pytest.warns(UserWarning, match="No space left on device"),
        pytest.raises(TrainingError, match="update 4 could not be saved; the last checkpoint is of update 2"),
    ):
        loop(run, tmp_path / "run").run()
    assert state_of(tmp_path / "run")["update"] == 2


# Numbers that are none


def poison(made, updates: range) -> None:
    """Let the loss of some updates be no number."""
    forward = made.learner.objective.forward

    def poisoned(batch, seed):
        losses = forward(batch, seed)
        return losses._replace(total=losses.total * float("nan")) if made.update in updates else losses

    made.learner.objective.forward = poisoned


def test_a_step_without_numbers_is_skipped_counted_and_changes_nothing(manifest, tmp_path):
    run = config(manifest, updates=6, save_every=1, keep=10)
    made = loop(run, tmp_path / "run")
    poison(made, range(2, 4))
    made.run()
    states = [
        torch_files.load_state(path)["learner"] for path in torch_files.states(tmp_path / "run" / loops.CHECKPOINTS)
    ]
    for part in ("weights", "average", "optimizer"):
        assert_same(states[1][part]["state"] if part == "optimizer" else states[1][part],
                    states[3][part]["state"] if part == "optimizer" else states[3][part])  # fmt: skip
    assert any(not torch.equal(states[3]["weights"][name], states[4]["weights"][name]) for name in states[3]["weights"])
    assert made.skipped == 2 and made.skipped_in_a_row == 0
    assert metrics(tmp_path / "run", "skipped") == {3: 1, 4: 2}
    assert all(bool(value.isfinite().all()) for value in states[-1]["weights"].values())
    assert set(metrics(tmp_path / "run", "ids")[3]) <= {f"u{i}" for i in range(len(SECONDS))}


def test_twenty_in_a_row_stop_with_the_utterances(manifest, tmp_path):
    made = loop(config(manifest, updates=60), tmp_path / "run")
    poison(made, range(5, 60))
    with pytest.raises(TrainingError, match=r"20 updates in a row, the last at update 25 with the utterances u\d+"):
        made.run()
    assert made.update == 25


# Broken files


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_ends_with_broken_files_and_each_is_named_once(tmp_path, workers):
    manifest = write_corpus(tmp_path / "corpus", [0.4 + 0.002 * i for i in range(100)], n_heldout=2)
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    files = {f"u{i}": tmp_path / "corpus" / f"{i}.wav" for i in range(100)}
    files["u10"].write_bytes(files["u10"].read_bytes()[:5000])
    files["u20"].write_bytes(b"")
    files["u0"].write_bytes(b"no sound")  # held out
    samples, rate = soundfile.read(files["u30"])
    soundfile.write(files["u30"], samples, 2 * rate)  # the header says another rate
    soundfile.write(files["u40"], np.zeros(len(soundfile.read(files["u40"])[0])), rate)
    rows[50]["text"] = " "
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {"workers": workers, "cache": "none" if workers else "memory"}
    run = config(manifest, data=data, updates=120)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made = loop(run, tmp_path / "run")
        made.run()
    assert made.learner.place.epoch >= 2  # each epoch has about 45 batches
    faults = [json.loads(line) for line in (tmp_path / "run" / "faults.jsonl").read_text().splitlines()]
    assert sorted(fault["id"] for fault in faults) == ["u0", "u10", "u20", "u30", "u40", "u50"]
    reasons = {fault["id"]: fault["reason"] for fault in faults}
    assert "manifest says" in reasons["u30"] and "no text" in reasons["u50"]
    assert sum("is left out" in str(w.message) for w in said) == 6
    assert all(np.isfinite(list(metrics(tmp_path / "run", "flow_loss").values())))


def test_too_many_broken_files_stop_the_run(tmp_path):
    manifest = write_corpus(tmp_path / "corpus", [0.5] * 20)
    for i in range(5, 9):
        (tmp_path / "corpus" / f"{i}.wav").write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(TrainingError, match=r"of 19 utterances are broken"),
    ):
        loop(config(manifest, updates=50), tmp_path / "run").run()


def test_a_batch_of_broken_files_alone_counts_nothing(tmp_path):
    manifest = write_corpus(tmp_path / "corpus", [0.5] * 4)
    (tmp_path / "corpus" / "1.wav").write_bytes(b"")
    made = learner(config(manifest), tmp_path)
    batch = made.corpus.batch([0])
    assert batch.ids == () and [fault.id for fault in batch.faults] == ["u1"]
    losses = made.objective(batch, 0)
    losses.total.backward()
    assert losses.total.item() == 0 and all(float(p.grad.abs().max()) == 0 for p in made.backbone.parameters())


# Another run


def test_a_changed_run_is_refused_and_the_difference_shown(manifest, tmp_path):
    loop(config(manifest, updates=2), tmp_path / "run").run()

    def refused(match: str, **changed) -> None:
        value = values(manifest, updates=2)
        for block, fields in changed.items():
            value[block] = value[block] | fields
        from tts_fm.config import RunConfig, parse

        with pytest.raises(ValueError, match=match):
            loop(parse(RunConfig, value, "changed"), tmp_path / "run")

    refused(r"optimizer.lr was 0.003 and is 0.001; .*--resume never", optimizer={"lr": 0.001})
    refused(r"training.updates was 2 and is 1", training={"updates": 1})
    mel = {"mel": {"hop_length": 300}}
    refused(r"model.mel.hop_length was 256 and is 300", model=mel)
    loop(config(manifest, updates=2, log_every=5, keep=7), tmp_path / "run")  # book-keeping may change


def test_a_run_that_is_done_goes_on_with_more_updates_and_an_unfinished_one_does_not(manifest, tmp_path):
    folder = tmp_path / "run"
    loop(config(manifest, updates=2, save_every=1, keep=5), folder).run()
    with pytest.warns(UserWarning, match="done after 2 updates and goes on to 4"):
        longer = loop(config(manifest, updates=4, save_every=1, keep=5), folder)
    longer.run()
    assert state_of(folder)["update"] == 4 and list(metrics(folder, "flow_loss")) == [1, 2, 3, 4]
    third = torch_files.state_path(folder / loops.CHECKPOINTS, 3)
    run = config(manifest, updates=9)
    with pytest.raises(ValueError, match=r"training.updates was 4 and is 9"):
        loops.Loop(learner(run, folder), run.training, folder).resume(third)


def test_a_changed_vocabulary_or_corpus_is_refused(tmp_path):
    manifest = write_corpus(tmp_path / "corpus", SECONDS)
    vocab = tmp_path / "vocab.txt"
    vocab.write_text(" \n" + "\n".join("abcdefghijklmnopqrstuvwxyz") + "\n")
    value = values(manifest, "dit", updates=1)
    value["model"]["frontend"] = {"name": "vocab", "pinyin": False}
    value["data"]["vocab"] = str(vocab)
    from tts_fm.config import RunConfig, parse

    run = parse(RunConfig, value, "vocab")
    loop(run, tmp_path / "run").run()
    vocab.write_text(vocab.read_text().replace("c\n", "ç\n"))
    with pytest.raises(ValueError, match=r"vocabulary, line 4, was 'c' and is 'ç'"):
        loop(run, tmp_path / "run")
    vocab.write_text(vocab.read_text().replace("ç\n", "c\n"))
    manifest.write_text(manifest.read_text().replace('"abc"', '"abd"', 3))
    with pytest.raises(ValueError, match=r"corpus.sha256 was"):
        loop(run, tmp_path / "run")


def test_a_malicious_checkpoint_runs_no_code(manifest, tmp_path):
    class Canary:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path / 'executed'}",))

    folder = tmp_path / "run"
    loop(config(manifest, updates=2, save_every=1), folder).run()
    older, newest = torch_files.states(folder / loops.CHECKPOINTS)
    torch.save({"facts": Canary()}, newest)
    with pytest.warns(UserWarning, match="holds more than weights and numbers"):
        assert loop(config(manifest, updates=2), folder).update == 1  # the older one is whole
    with pytest.raises(ModelError, match="holds more than weights and numbers"):
        learner_loop = loops.Loop(learner(config(manifest, updates=2), folder), config(manifest).training, folder)
        learner_loop.resume(newest.with_suffix(".pt.old"))  # where the bad one was put aside
    assert not (tmp_path / "executed").exists() and older.exists()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "cannot be read as a PyTorch file"),
        (lambda path: path.write_bytes(b""), "cannot be read as a PyTorch file"),
        (lambda path: torch.save({"model": torch.zeros(2)}, path), "is no checkpoint of a run: it has no 'facts'"),
    ],
    ids=["cut", "empty", "weights"],
)
def test_a_run_without_a_readable_checkpoint_is_not_begun_again_by_itself(manifest, tmp_path, damage, says):
    folder = tmp_path / "run"
    loop(config(manifest, updates=2), folder).run()
    (only,) = torch_files.states(folder / loops.CHECKPOINTS)
    damage(only)
    figures = (folder / "metrics.jsonl").read_text()
    run = config(manifest, updates=3)
    with warnings.catch_warnings(), pytest.raises(ModelError, match=f"{says}.*, and there is no older checkpoint"):
        warnings.simplefilter("error")  # none is taken, and nobody is told that one is
        loop(run, folder)
    with pytest.raises(ModelError, match=says):
        loops.Loop(learner(run, folder), run.training, folder).resume(only)
    assert (folder / "metrics.jsonl").read_text() == figures


def test_a_refused_run_is_not_said_to_go_on(manifest, tmp_path):
    folder = tmp_path / "run"
    loop(config(manifest, updates=2), folder).run()
    other = values(manifest, updates=3)
    other["optimizer"]["lr"] = 0.001
    with warnings.catch_warnings(), pytest.raises(ValueError, match=r"optimizer.lr was 0.003 and is 0.001; change it"):
        warnings.simplefilter("error")
        loop(parse(RunConfig, other, "tiny"), folder)


def test_going_on_from_an_older_checkpoint_leaves_the_later_ones_aside(manifest, tmp_path):
    folder = tmp_path / "run"
    run = config(manifest, updates=4, save_every=1, keep=9)
    loop(run, folder).run()
    whole = state_of(folder)
    second = torch_files.state_path(folder / loops.CHECKPOINTS, 2)
    made = loops.Loop(learner(run, folder), run.training, folder)
    assert made.resume(second) and made.update == 2
    assert [torch_files.updates_of(p) for p in torch_files.states(folder / loops.CHECKPOINTS)] == [1, 2]
    made.run()
    assert_same(whole["learner"], state_of(folder)["learner"])
    assert list(metrics(folder, "flow_loss")) == [1, 2, 3, 4]
