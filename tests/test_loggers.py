"""Where a run shows itself: what is read back is what was recorded, also after a full disk and a resumed run."""

from __future__ import annotations

import inspect
import io
import json
import math
import resource
import sys
import time
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from tts_fm import plugins
from tts_fm.audio.io import Waveform
from tts_fm.training import loggers
from tts_fm.training.loggers import Logger

MEL = torch.linspace(-8.0, 0.0, 60).reshape(6, 10)  # n c
SOUND = Waveform(0.5 * torch.sin(torch.arange(4000) / 20), 24_000)


def rows(folder: Path) -> list[dict]:
    return [
        json.loads(line, parse_constant=pytest.fail) for line in (folder / "metrics.jsonl").read_text().splitlines()
    ]


@contextmanager
def full_disk(limit: int) -> Iterator[None]:
    """No file grows beyond ``limit`` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", plugins.names(Logger))
def test_every_logger_is_built_from_a_folder_a_configuration_and_an_update(name):
    parameters = inspect.signature(plugins.load(Logger, name)).parameters
    assert list(parameters) == ["folder", "config", "resume_from"]
    assert parameters["resume_from"].default == 0


# All of them as one


def test_metrics_are_kept_whatever_is_named(tmp_path):
    for names in ((), ("jsonl",), ("tensorboard", "jsonl")):
        folder = tmp_path / str(len(names))
        folder.mkdir()
        log = loggers.open_all(names, folder, {})
        log.record(1, {"loss": 0.5})
        log.close()
        assert [row["loss"] for row in rows(folder)] == [0.5]


def test_a_name_that_is_none_is_refused_with_the_choices(tmp_path):
    with pytest.raises(ValueError, match="no Logger called 'wandbs'; choose one of jsonl, tensorboard, trackio, wandb"):
        loggers.open_all(["wandbs"], tmp_path, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["tensorboard", "trackio", "wandb"])
def test_a_package_that_is_not_installed_is_named_with_its_pip_line(name, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=rf"'{name}' is not installed; pip install '[\w\[\]>=.-]+', or leave it out"):
        loggers.check([name])


def test_what_one_can_not_write_is_warned_of_once_and_the_others_go_on(tmp_path):
    class Broken(Logger):
        def record(self, update, values):
            raise OSError(28, "No space left on device")

    class Whole(Logger):
        def record(self, update, values):
            seen.append(update)

    seen: list[int] = []
    log = loggers.Loggers({"broken": Broken(tmp_path, {}), "whole": Whole(tmp_path, {})})
    with pytest.warns(UserWarning, match=r"broken could not be written \(No space left on device\)") as told:
        for update in (1, 2, 3):
            log.record(update, {})
    assert len(told) == 1 and seen == [1, 2, 3]
    assert told[0].filename == loggers.__file__  # so that the command shows it


def test_nothing_is_kept_by_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = loggers.none()
    log.record(1, {"loss": 1.0})
    log.mel(1, "a", MEL)
    log.sound(1, "a", SOUND)
    log.close()
    assert list(tmp_path.iterdir()) == []


# metrics.jsonl


def test_a_line_holds_what_was_recorded_to_six_digits_and_is_valid_json(tmp_path):
    log = loggers.open_all([], tmp_path, {})
    values = {"loss": 1 / 3, "lr": 1.23456789e-5, "n": 7, "ids": ["a", "ü"], "bad": math.nan, "big": -math.inf}
    log.record(30, values)
    (row,) = rows(tmp_path)
    assert abs(row.pop("time") - time.time()) < 10
    assert row == {
        "update": 30,
        "loss": 0.333333,
        "lr": 1.23457e-05,
        "n": 7,
        "ids": ["a", "ü"],
        "bad": "nan",
        "big": "-inf",
    }
    assert math.isnan(float(row["bad"])) and float(row["big"]) == -math.inf


def test_lines_of_updates_that_come_again_are_dropped_and_half_a_line_too(tmp_path):
    log = loggers.open_all([], tmp_path, {})
    for update in range(1, 8):
        log.record(update, {"loss": float(update)})
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes() + b'{"update": 2, "lo')
    before = path.read_bytes()
    log = loggers.open_all([], tmp_path, {}, resume_from=4)
    assert before.startswith(path.read_bytes())
    log.record(5, {"loss": 50.0})
    assert [(row["update"], row["loss"]) for row in rows(tmp_path)] == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 50)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["metrics.jsonl"]


def test_a_file_that_needs_no_change_is_not_written_again(tmp_path):
    loggers.open_all([], tmp_path, {}).record(1, {"loss": 1.0})
    before = (tmp_path / "metrics.jsonl").stat()
    loggers.open_all([], tmp_path, {}, resume_from=1)
    after = (tmp_path / "metrics.jsonl").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_on_a_full_disk_lines_stay_whole_and_go_on_when_there_is_room(tmp_path):
    log = loggers.open_all(["tensorboard"], tmp_path, {})
    with warnings.catch_warnings(record=True) as told, full_disk(500):
        warnings.simplefilter("always")
        for update in range(1, 31):
            log.record(update, {"loss": 0.1})
            log.sound(update, "a", SOUND)  # its temporary file is too large
    assert sorted(str(one.message).split()[0] for one in told) == ["jsonl", "tensorboard"]
    assert all("File too large); training goes on" in str(one.message) for one in told)
    kept = [row["update"] for row in rows(tmp_path)]
    assert 5 < len(kept) < 20 and kept == list(range(1, len(kept) + 1))
    assert (tmp_path / "metrics.jsonl").stat().st_size <= 500
    log.record(31, {"loss": 0.2})
    assert [row["update"] for row in rows(tmp_path)] == [*kept, 31]
    steps = [event.step for event in events(tmp_path).Scalars("loss")]
    assert steps[-1] == 31 and steps[:-1] == list(range(1, len(steps))) and 1 < len(steps) < 20


def test_a_sound_that_is_no_numbers_is_warned_of(tmp_path):
    log = loggers.open_all(["tensorboard"], tmp_path, {})
    with pytest.warns(UserWarning, match="tensorboard could not be written .*not finite"):
        log.sound(1, "a", Waveform(torch.full((100,), math.nan), 24_000))


# TensorBoard


def events(folder: Path) -> Any:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    return EventAccumulator(str(folder / "tensorboard")).Reload()


def test_tensorboard_shows_curves_pictures_and_sounds(tmp_path):
    log = loggers.open_all(["tensorboard"], tmp_path, {})
    log.record(10, {"loss": 0.25, "count": 3, "ids": ["a"], "is_done": True})
    log.mel(10, "a", MEL)
    log.sound(10, "a", SOUND)
    log.close()
    found = events(tmp_path)
    assert found.Tags()["scalars"] == ["loss", "count"]
    assert [(event.step, event.value) for event in found.Scalars("loss")] == [(10, 0.25)]
    (image,) = found.Images("a/mel")
    picture = Image.open(io.BytesIO(image.encoded_image_string))
    assert (image.width, image.height) == picture.size == (2 * 6, 4 * 10)
    assert np.asarray(picture)[-1, 0].sum() < np.asarray(picture)[0, -1].sum()  # the loudest is above, at the end
    (audio,) = found.Audio("a/sound")
    samples, rate = soundfile.read(io.BytesIO(audio.encoded_audio_string), dtype="float32")
    assert (rate, audio.length_frames) == (24_000, 4000)
    assert np.abs(samples - SOUND.samples.numpy()).max() < 1e-4


def test_tensorboard_hides_what_comes_again(tmp_path):
    for resume_from, value in ((0, 1.0), (3, 2.0)):
        log = loggers.open_all(["tensorboard"], tmp_path, {}, resume_from=resume_from)
        for update in range(resume_from + 1, resume_from + 6):
            log.record(update, {"loss": value})
    assert [(event.step, event.value) for event in events(tmp_path).Scalars("loss")] == [
        *((update, 1.0) for update in (1, 2, 3)),
        *((update, 2.0) for update in (4, 5, 6, 7, 8)),
    ]


# Trackio


def test_trackio_keeps_a_resumed_run_as_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read when the package is imported
    pytest.importorskip("trackio")
    from trackio.sqlite_storage import SQLiteStorage

    folder = tmp_path / "small"
    folder.mkdir()
    for resume_from in (0, 2):
        log = loggers.open_all(["trackio"], folder, {"model": {"name": "tiny"}}, resume_from=resume_from)
        log.record(resume_from + 1, {"loss": 0.5 + resume_from, "ids": ["a"]})
        log.mel(resume_from + 1, "a", MEL)
        log.sound(resume_from + 1, "a", SOUND)
        log.close()
    assert capsys.readouterr().out == ""
    assert SQLiteStorage.get_runs("tts-fm") == ["small"]
    found = SQLiteStorage.get_logs("tts-fm", "small")
    assert [(row["step"], row["loss"]) for row in found if "loss" in row] == [(1, 0.5), (3, 2.5)]
    assert [row["step"] for row in found if "a/mel" in row] == [1, 3]
    sounds = [tmp_path / "trackio" / "media" / row["a/sound"]["file_path"] for row in found if "a/sound" in row]
    assert [soundfile.info(path).frames for path in sounds] == [4000, 4000]


# Weights & Biases


class _Run:
    """Stands in for a run of wandb's, and keeps what it is told."""

    def __init__(self, calls: list, error: type[Exception]) -> None:
        self.calls, self.error, self.is_lost = calls, error, False

    def define_metric(self, name: str, step_metric: str | None = None) -> None:
        self.calls.append(("define_metric", name, step_metric))

    def log(self, values: dict) -> None:
        if self.is_lost:
            raise self.error("the service is gone")
        self.calls.append(("log", values))

    def finish(self) -> None:
        self.calls.append(("finish",))


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module in wandb's place, with a key."""
    module: Any = types.ModuleType("wandb")
    module.Error = type("Error", (Exception,), {})
    module.calls, module.has_key, module.mode, module.run = [], True, "online", None

    def init(**options: Any) -> _Run:
        module.calls.append(("init", options))
        module.run = _Run(module.calls, module.Error)
        return module.run

    def login(prompt: bool = True, verify: bool = True) -> bool:
        assert not prompt
        return module.has_key

    module.init, module.login = init, login
    module.setup = lambda: types.SimpleNamespace(settings=types.SimpleNamespace(mode=module.mode))
    module.Settings = lambda **options: options
    module.Image = lambda path: ("image", Image.open(path).size)
    module.Audio = lambda path: ("audio", soundfile.info(path).frames)
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    return module


def test_wandb_is_told_everything_with_its_update(tmp_path, wandb):
    folder = tmp_path / "small"
    folder.mkdir()
    log = loggers.open_all(["wandb"], folder, {"seed": 1})
    log.record(10, {"loss": 0.5, "ids": ["a"]})
    log.mel(10, "a", MEL)
    log.sound(10, "a", SOUND)
    log.close()
    (_, options), *rest = wandb.calls
    assert {name: options[name] for name in ("project", "name", "resume", "dir", "config")} == {
        "project": "tts-fm",
        "name": "small",
        "resume": "allow",
        "dir": str(folder),
        "config": {"seed": 1},
    }
    assert rest == [
        ("define_metric", "update", None),
        ("define_metric", "*", "update"),
        ("log", {"loss": 0.5, "update": 10}),
        ("log", {"a/mel": ("image", (12, 40)), "update": 10}),
        ("log", {"a/sound": ("audio", 4000), "update": 10}),
        ("finish",),
    ]


def test_wandb_goes_on_with_the_run_of_the_folder(tmp_path, wandb, monkeypatch):
    ids = []
    for name in ("a", "a", "b"):
        (tmp_path / name).mkdir(exist_ok=True)
        loggers.open_all(["wandb"], tmp_path / name, {}, resume_from=len(ids))
        ids.append(wandb.calls[-3][1]["id"])
    assert ids[0] == ids[1] != ids[2] and len(ids[0]) == 16
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    loggers.open_all(["wandb"], tmp_path / "a", {})
    assert wandb.calls[-3][1]["project"] == "mine"


def test_wandb_without_a_key_is_refused_unless_it_stays_offline(tmp_path, wandb):
    wandb.has_key = False
    with pytest.raises(ValueError, match="wandb has no key; set WANDB_API_KEY .*WANDB_MODE=offline"):
        loggers.open_all(["wandb"], tmp_path, {})
    assert wandb.calls == [] and list(tmp_path.iterdir()) == []
    for mode in ("offline", "disabled"):
        wandb.mode = mode
        loggers.open_all(["wandb"], tmp_path, {})
    assert [call[0] for call in wandb.calls].count("init") == 2


def test_wandb_that_would_ask_for_a_key_or_can_not_start_is_refused(tmp_path, wandb, monkeypatch):
    def fail(**_: Any) -> None:
        raise wandb.Error("no such host\nand so on")

    monkeypatch.setattr(wandb, "init", fail)
    with pytest.raises(ValueError, match=r"wandb could not start \(no such host\); set WANDB_MODE=offline"):
        loggers.open_all(["wandb"], tmp_path, {})
    monkeypatch.setattr(wandb, "__version__", "0.16", raising=False)
    monkeypatch.setattr(wandb, "login", lambda: True)
    with pytest.raises(ValueError, match=r"wandb 0.16 would ask for its key; pip install 'wandb>=0.31'"):
        loggers.check(["wandb"])


def test_wandb_that_is_lost_does_not_end_a_training(tmp_path, wandb):
    log = loggers.open_all(["wandb"], tmp_path, {})
    wandb.run.is_lost = True
    with pytest.warns(UserWarning, match=r"wandb could not be written \(the service is gone\)") as told:
        log.record(1, {"loss": 1.0})
        log.record(2, {"loss": 1.0})
    assert len(told) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        log.record(3, {"loss": 1.0})
    assert [row["update"] for row in rows(tmp_path)] == [1, 2, 3]
