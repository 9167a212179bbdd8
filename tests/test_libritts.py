"""From a tree in LibriTTS's layout, and from a checkpoint in F5's, to a model that the command line speaks with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from conftest import TINY
from tiny_run import BACKBONES, metrics

from tts_fm import checkpoint
from tts_fm.audio import io
from tts_fm.interop import f5_tts
from tts_fm.training.loop import MODEL

TREE = Path(__file__).parent / "data" / "libritts"


def speaks(command, model: Path, out: Path) -> None:
    """The command line speaks with a model, in the voice of a recording of the tree."""
    recording = sorted(TREE.rglob("*.wav"))[0]
    text = recording.with_suffix(".normalized.txt").read_text()
    words = ["synthesize", "some words to say", "-r", recording, "-s", text, "-o", out, "--model", model, "--steps", 2]
    done = command(*words, "--device", "cpu")
    assert done.code == 0, done.stderr
    waveform = io.read(out)
    assert waveform.seconds > 0.3 and bool(waveform.samples.isfinite().all())


@pytest.mark.parametrize("backbone", ["aligned_dit", "dit"])
def test_from_a_tree_in_libritts_layout_to_speech(tts_fm_command, tmp_path, backbone):
    prepared, folder, is_aligned = tmp_path / "prepared", tmp_path / "run", backbone == "aligned_dit"
    done = tts_fm_command("prepare", "libritts", TREE, prepared, "--workers", 1, *(["--align"] if is_aligned else []))
    assert done.code == 0, done.stderr
    rows = [json.loads(line) for line in (prepared / "manifest.jsonl").read_text().splitlines()]
    assert len(rows) == 18 and {row["split"] for row in rows} == {"train", "heldout"}
    run = {
        "model": {
            "name": "mini",
            "mel_scale": {"mean": -2.2, "std": 2.7},
            "frontend": "phonemes" if is_aligned else {"name": "vocab", "pinyin": False},
            "backbone": {"name": backbone, **BACKBONES[backbone]},
            "duration": {"rule": "predicted" if is_aligned else "f5_bytes"},
            "vocoder": {"name": "griffin_lim", "iterations": 2},
        },
        "data": {
            "manifests": [str(prepared / "manifest.jsonl")],
            "vocab": "" if is_aligned else str(prepared / "vocab.txt"),
            "frames_per_batch": 900,
        },
        "optimizer": {"lr": 0.003, "warmup_updates": 2},
        "training": {"updates": 12, "log_every": 1, "validate_every": 6, "ema_decay": 0.5, "loggers": []},
    }
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(run))
    done = tts_fm_command("train", path, "--output", folder, "--device", "cpu")
    assert done.code == 0, done.stderr
    losses = list(metrics(folder, "flow_loss").values())
    assert len(losses) == 12 and sum(losses[-3:]) < sum(losses[:3])
    speaks(tts_fm_command, folder / MODEL, tmp_path / "speech.wav")


@pytest.fixture
def finetune(foreign: Path, tmp_path: Path, tts_fm_command):
    """A function that fine-tunes the F5-layout checkpoint with three new characters, and returns the run's folder."""
    prepared = tmp_path / "prepared"
    csv = tmp_path / "corpus.csv"
    recordings = sorted(TREE.rglob("*.wav"))
    csv.write_text("".join(f"{path}|é à la ñ {'abcdef'[i % 6]}\n" for i, path in enumerate(recordings)))
    done = tts_fm_command("prepare", "csv", csv, prepared, "--vocab", foreign / "vocab.txt", "--workers", 1)
    assert done.code == 0, done.stderr
    run = {
        "model": {**TINY, "name": "finetuned", "frontend": "vocab"},
        "data": {
            "manifests": [str(prepared / "manifest.jsonl")],
            "vocab": str(prepared / "vocab.txt"),
            "frames_per_batch": 900,
        },
        "finetune": {
            "model": str(foreign / "model.pt"),
            "vocab": str(foreign / "vocab.txt"),
            "architecture": str(foreign / "tiny.yaml"),
        },
        "optimizer": {"lr": 0.003, "warmup_updates": 1, "weight_decay": 0.1},
        "training": {"updates": 5, "ema_decay": 0.5, "loggers": []},
    }

    def train(**changes) -> Path:
        value = {**run, "finetune": run["finetune"] | changes}
        (tmp_path / "run.yaml").write_text(yaml.safe_dump(value))
        folder = tmp_path / f"run-{len(changes)}"
        done = tts_fm_command("train", tmp_path / "run.yaml", "--output", folder, "--device", "cpu")
        assert done.code == 0, done.stderr
        return folder

    return train


def test_a_finetune_with_new_characters_leaves_the_old_ones_bitwise(finetune, foreign, tts_fm_command, tmp_path):
    folder = finetune()
    vocab = (folder / MODEL / "vocab.txt").read_text().split("\n")
    old = (foreign / "vocab.txt").read_text().split("\n")
    assert vocab == [*old[:-1], "à", "é", "ñ", ""]
    _, before, _ = f5_tts.load(foreign / "model.pt", foreign / "vocab.txt", foreign / "tiny.yaml")
    _, after = checkpoint.load_model(folder / MODEL)
    rows, table = before.state_dict(), after.state_dict()
    name = "text_embedding.embedding.weight"
    assert torch.equal(table[name][: len(rows[name])], rows[name])
    assert len(table[name]) == len(vocab)  # with the filler's row, and without the last line's end
    moved = [key for key in rows if key != name and not torch.equal(rows[key], table[key])]
    assert len(moved) > 10
    speaks(tts_fm_command, folder / MODEL, tmp_path / "speech.wav")


def test_an_adapter_is_saved_alone_and_merged(finetune, tts_fm_command, tmp_path):
    folder = finetune(lora={"rank": 2, "alpha": 4.0})
    done = tts_fm_command("convert", "lora", folder / "adapter", tmp_path / "merged")
    assert done.code == 0, done.stderr
    ours, merged = (checkpoint.load_model(path)[1].state_dict() for path in (folder / MODEL, tmp_path / "merged"))
    for name, value in ours.items():
        assert torch.allclose(value, merged[name], atol=1e-6), name
    speaks(tts_fm_command, tmp_path / "merged", tmp_path / "speech.wav")
