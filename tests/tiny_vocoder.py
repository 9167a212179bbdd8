"""What vocoders learn from in tests, and the loop that teaches them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import soundfile
import torch

from tts_fm.training import vocoder, vocoder_run
from tts_fm.training.loop import Loop
from tts_fm.training.team import Team


def write_chirps(folder: Path) -> Path:
    """Write two chirps to train on and one that is held out, and return their manifest, whose last line is being written."""
    seconds = torch.arange(8000) / 8000
    entries = []
    for name, split in (("a", "train"), ("b", "train"), ("c", "heldout")):
        chirp = 0.4 * torch.sin(2 * math.pi * (200 + 100 * len(entries) + 400 * seconds) * seconds)
        soundfile.write(folder / f"{name}.flac", chirp.numpy(), 8000)
        entries.append(json.dumps({"audio": f"{name}.flac", "split": split}) + "\n")
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(entries) + '{"audio": "being-wri')
    return manifest


def made(config: Path, folder: Path, *changes: str) -> Loop:
    """A loop in ``folder`` that goes on if there is something to go on from."""
    run = vocoder_run.read(config, [*changes])
    loop = Loop(vocoder.learner(run, Team("cpu", run.training.precision)), run.training, folder)
    loop.resume()
    return loop
