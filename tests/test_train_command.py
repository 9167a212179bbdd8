"""``tts-fm train`` as a person uses it: options, a dry run, going on, samples, and one line for each mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from tiny_run import SECONDS, metrics, values, write_corpus

from tts_fm import config, strict, torch_files
from tts_fm.training.loop import CHECKPOINTS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("corpus"), SECONDS)


@pytest.fixture
def run_file(manifest: Path, tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(values(manifest, updates=3)))
    return path


def newest(folder: Path) -> int:
    return torch_files.updates_of(torch_files.states(folder / CHECKPOINTS)[-1])


@pytest.fixture
def train(tts_fm_command, run_file, tmp_path):
    return lambda *words: tts_fm_command("train", run_file, "--output", tmp_path / "run", "--device", "cpu", *words)


def test_fields_are_changed_from_the_command_line(train, tmp_path):
    done = train("--set", "training.updates=2", "--set", "model.backbone.depth=2", "--set", "training.loggers=[]")
    assert done.code == 0, done.stderr
    kept = config.read_run(tmp_path / "run" / "config.yaml")
    assert kept.training.updates == 2 == newest(tmp_path / "run")
    assert kept.model.backbone.options.depth == 2  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("training.updatez=2", "training has no field 'updatez'; did you mean 'updates'?"),
        ("training.updates=none", "training.updates is 'none'"),
        ("training.updates", "--set 'training.updates' is no change; write it as training.updates=100"),
        ("training.updates=[", "is no YAML value"),
        ("model.backbone.name=ditt", "there is no Backbone called 'ditt'; choose one of aligned_dit, dit"),
        ("data.workers=2", "cache 'memory' is of one process"),
        ("data.manifests=[none.jsonl]", "none.jsonl cannot be read: No such file or directory"),
        ("training.precision=float16", "precision float16 trains only on cuda"),
        ("training.loggers=[tensorbord]", "there is no Logger called 'tensorbord'"),
    ],
)
def test_a_mistake_is_one_line(train, tmp_path, change, says):
    done = train("--set", change)
    assert done.code == 2 and says in done.line
    assert not (tmp_path / "run" / CHECKPOINTS).exists()


def test_the_folder_is_named_after_the_config_by_default(tts_fm_command, run_file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = tts_fm_command("train", run_file, "--device", "cpu")
    assert done.code == 0 and newest(tmp_path / "runs" / "run") == 3


def test_a_dry_run_counts_measures_and_writes_nothing(train, tmp_path):
    done = train("--dry-run", "--set", "training.updates=1000")
    assert done.code == 0 and not (tmp_path / "run").exists()
    rows = {line[:18].strip(): line[18:] for line in done.stdout.splitlines()}
    hours = sum(SECONDS[1:]) / 3600
    assert rows["speech"] == f"{hours:.2f} h, 11 utterances"
    updates = float(rows["updates an epoch"])
    assert rows["the run"] == f"1,000 updates, {1000 / updates:,.1f} epochs"
    parameters = int(rows["parameters"].split(",  ")[0].split(", of")[0].replace(",", ""))
    assert f"{4 * 5 * parameters / 1e9:.2f} GB of state" in rows["memory"]
    assert float(rows["speed"].split()[0].replace(",", "")) > 0 and ":" in rows["time"]


def test_a_forecast_counts_a_recording_once_and_what_a_batch_holds(train):
    prompted = [word for change in ("data.prompted=0.8", "data.prompts=8") for word in ("--set", change)]
    done = train("--dry-run", *prompted)
    rows = {line[:18].strip(): line[18:] for line in done.stdout.splitlines()}
    assert rows["speech"] == f"{sum(SECONDS[1:]) / 3600:.2f} h, 11 utterances"
    frames, updates = (
        float(rows[name].split(",  ")[0].split(", ")[0].replace(",", ""))
        for name in ("frames an update", "updates an epoch")
    )
    everything = sum(SECONDS[1:]) * 24_000 / 256
    assert everything < frames * updates < 2.2 * everything  # prompts are heard, too


def test_resume_auto_never_and_a_path(train, tmp_path):
    folder = tmp_path / "run"
    assert train("--set", "training.save_every=1", "--set", "training.keep=9").code == 0
    before = (folder / "metrics.jsonl").read_text()
    again = train()
    assert again.code == 0 and "going on from update 3" in again.stderr
    assert (folder / "metrics.jsonl").read_text() == before
    second = train("--resume", torch_files.state_path(folder / CHECKPOINTS, 2))
    assert second.code == 0 and "going on from update 2" in second.stderr
    assert list(metrics(folder, "flow_loss")) == [1, 2, 3]
    anew = train("--resume", "never")
    assert anew.code == 0 and f"the earlier run is now in {folder}.old-1" in anew.stderr
    assert newest(tmp_path / "run.old-1") == 3 and "going on" not in anew.stderr
    wrong = train("--resume", "auot")
    assert wrong.code == 2 and "there is no checkpoint auot; give --resume auto, never, or a file" in wrong.line


def test_a_run_that_is_done_may_be_given_more_updates(train, tmp_path):
    folder = tmp_path / "run"
    assert train().code == 0
    more = train("--set", "training.updates=5")
    assert more.code == 0 and newest(folder) == 5 and "going on from update 3" in more.stderr
    assert "the run was done after 3 updates and goes on to 5" in more.stderr
    fewer = train("--set", "training.updates=4")
    assert fewer.code == 2 and "training.updates was 5 and is 4" in fewer.line


@pytest.mark.parametrize("resume", ["auto", "never"])
def test_a_folder_at_which_another_process_trains_is_left_alone(train, tmp_path, resume):
    folder = tmp_path / "run"
    assert train().code == 0
    part = folder / CHECKPOINTS / f".{'a' * 16}.part"
    part.write_bytes(b"what the other one is writing")

    def tree():
        return {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    holder = (
        "import sys; from filelock import FileLock\nwith FileLock(sys.argv[1]): print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holder, folder / ".lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline()
        before = tree()
        done = train("--resume", resume, "--set", "training.updates=5")
        after = tree()
        other.communicate()
    assert other.returncode == 0
    assert done.code == 2 and f"another tts-fm train is at work in {folder}; wait for it" in done.line
    assert after == before
    assert train("--resume", resume, "--set", "training.updates=5").code == 0 and newest(folder) == 5
    assert not part.exists() or resume == "never"


def test_a_file_is_no_folder_for_a_run(train, tmp_path):
    (tmp_path / "run").write_text("mine")
    done = train()
    assert done.code == 2 and f"{tmp_path / 'run'} cannot be made: File exists; choose another folder" in done.line
    assert (tmp_path / "run").read_text() == "mine"


def test_utterances_left_out_are_counted(train):
    done = train("--set", "data.max_seconds=0.9")
    said = [line for line in done.stderr.splitlines() if "longer than data.max_seconds = 0.9" in line]
    assert said == ["tts-fm: warning: 3 utterances are longer than data.max_seconds = 0.9 and left out"]


@pytest.fixture
def speaking_run(tmp_path: Path) -> Path:
    """A run whose three speakers have recordings of three seconds, so that there are pairs; the model says noise."""
    manifest = write_corpus(tmp_path / "corpus", [3.2 + 0.01 * i for i in range(9)], n_heldout=6)
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    for i, row in enumerate(rows):
        row |= {"text": "one two three four five".split()[i % 5] + " and some other words to say"}
        del row["token_frames"]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    value = values(manifest, "dit", {"frames_per_batch": 700}, updates=4, sample_pairs=2)
    value["model"]["sampling"] = {"steps": 2, "grid": "uniform"}
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(value))
    return path


def test_samples_are_spoken_judged_and_shown(tts_fm_command, speaking_run, tmp_path):
    folder = tmp_path / "run"
    done = tts_fm_command("train", speaking_run, "-o", folder, "--device", "cpu", "--set", "training.sample_every=2")
    assert done.code == 0, done.stderr
    wer, similarity = (metrics(folder, name) for name in ("wer", "similarity"))
    assert list(wer) == [2, 4] and all(value >= 0.5 for value in wer.values())
    assert list(similarity) == [2, 4] and all(0 <= value <= 1 for value in similarity.values())
    assert "and some other words to say" in (folder / "samples" / "index.html").read_text()
    for update in (2, 4):
        assert len(list((folder / "samples" / f"update-{update:08d}").glob("*.ogg"))) == 2


def test_speaking_samples_does_not_change_what_is_learned(tts_fm_command, speaking_run, tmp_path):
    averages = []
    for every in (0, 1):
        folder = tmp_path / f"run-{every}"
        changes = ["--set", f"training.sample_every={every}", "--set", "training.sample_pairs=1"]
        done = tts_fm_command("train", speaking_run, "-o", folder, "--device", "cpu", *changes)
        assert done.code == 0, done.stderr
        averages.append(torch_files.load_state(torch_files.states(folder / CHECKPOINTS)[-1])["learner"]["average"])
    for name, expected in averages[0].items():
        assert torch.equal(expected, averages[1][name]), name


def test_a_run_without_pairs_is_trained_without_samples(train):
    done = train("--set", "training.sample_every=1")
    assert done.code == 0 and "no held-out speaker has two recordings of fitting lengths" in done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*_libritts.yaml")), ids=lambda path: path.stem)
def test_every_recipe_for_libritts_is_complete(path):
    """A recipe leaves no number to a default that could change: what it holds is what is read from it."""
    given, read = yaml.safe_load(path.read_text()), strict.plain(config.read_run(path))

    def missing(a, b, name=""):
        for key in b:
            where = f"{name}.{key}"
            if key not in a:
                yield where
            elif isinstance(b[key], dict):
                yield from missing(a[key], b[key], where)

    allowed = {".finetune", ".distill", ".adversary",
               ".data.validation_manifests", ".data.vocab", ".data.max_broken", ".training.max_skipped",
               ".training.duration_loss_weight", ".training.ema_every", ".training.ema_after"}  # fmt: skip
    assert set(missing(given, read)) <= allowed


def test_a_batch_that_can_not_fit_is_told_before_memory_is_taken(train, monkeypatch):
    monkeypatch.setattr("tts_fm.memory.available", lambda: 100_000)
    done = train()
    assert done.code == 4 and "of memory and 0.0 GB are free; lower data.frames_per_batch" in done.line


def test_the_memory_of_a_run_is_counted(manifest):
    from tts_fm.training import room

    run = config.parse(config.RunConfig, values(manifest, updates=3), "test")
    backbone = run.model.backbone.build(config.Backbone, run.model.mel.n_mels, 50)
    weights = sum(parameter.numel() for parameter in backbone.parameters())
    options = run.model.backbone.options
    frames = min(1_000, run.data.frames_per_batch)
    assert room.needed(run, 50, 1_000) == 20 * weights + 48 * options.dim * options.depth * frames
