"""A run of a few seconds that several tests share: a corpus of noise, a tiny backbone, and processes that train together."""

from __future__ import annotations

import json
import os
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tts_fm.audio.io import Waveform
from tts_fm.config import RunConfig, parse
from tts_fm.training import assemble
from tts_fm.training.acoustic import AcousticLearner
from tts_fm.training.loop import Loop
from tts_fm.training.team import Team

BACKBONES: dict[str, dict[str, Any]] = {
    "aligned_dit": {"dim": 32, "depth": 1, "heads": 2, "text_dim": 16, "prompt_dim": 16, "refine_dim": 16},
    "dit": {"dim": 32, "depth": 2, "heads": 1, "head_dim": 32, "text_dim": 16, "conv_layers": 1},
    "unet_t": {"dim": 32, "depth": 2, "heads": 1, "head_dim": 32},
    "mmdit": {"dim": 32, "depth": 2, "heads": 1, "head_dim": 32},
}
SECONDS = [0.5 + 0.05 * i for i in range(12)]


def write_corpus(folder: Path, seconds: list[float], n_heldout: int = 1) -> Path:
    """Write noise whose three tokens share the frames, and return the manifest; the first ones are held out."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for i, length in enumerate(seconds):
        samples = 0.1 * torch.randn(round(length * 24_000), generator=torch.Generator().manual_seed(i))
        Waveform(samples, 24_000).save(folder / f"{i}.wav")
        frames = len(samples) // 256 + 1
        row = {
            "id": f"u{i}",
            "audio": f"{i}.wav",
            "text": "abc",
            "seconds": length,
            "speaker": f"s{i % 3}",
            "split": "train" if i >= n_heldout else "heldout",
        }
        lines.append(json.dumps(row | {"token_frames": [frames - 7, 3, 4]}))
    path = folder / "manifest.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


def config(manifest: Path, backbone: str = "aligned_dit", data: dict | None = None, **training: Any) -> RunConfig:
    """Return the tiny run on ``manifest``."""
    return parse(RunConfig, values(manifest, backbone, data, **training), "tiny")


def values(manifest: Path, backbone: str = "aligned_dit", data: dict | None = None, **training: Any) -> dict:
    """Return what a YAML file would hold."""
    return {
        "model": {
            "name": "tiny",
            "mel_scale": {"mean": -2.0, "std": 2.0},
            "frontend": "utf8",
            "backbone": {"name": backbone, **BACKBONES[backbone]},
            "vocoder": {"name": "griffin_lim", "iterations": 2},
        },
        "data": {"manifests": [str(manifest)], "frames_per_batch": 200, **({} if data is None else data)},
        "infill": {"hide_prompt_text": 0.5 if backbone == "aligned_dit" else 0.0, "continuation": 0.5},
        "optimizer": {"lr": 0.003, "warmup_updates": 2},
        "training": {
            "updates": 8,
            "log_every": 1,
            "save_every": 100,
            "validate_every": 4,
            "ema_decay": 0.9,
            "loggers": [],
        }
        | training,
    }


def learner(run: RunConfig, folder: Path, team: Team | None = None) -> AcousticLearner:
    """Return what learns; its first weights are always the same."""
    team = Team("cpu", run.training.precision) if team is None else team
    return assemble.acoustic(run, team, folder).learner


def loop(run: RunConfig, folder: Path, **how: Any) -> Loop:
    """Return a new loop in ``folder``, which goes on if there is something to go on from."""
    made = Loop(learner(run, folder), run.training, folder, **how)
    made.resume()
    return made


def metrics(folder: Path, name: str) -> dict[int, Any]:
    """Return one figure of a run by update."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {row["update"]: row[name] for row in rows if name in row}


def in_processes(world: int, work: Callable[[int], None]) -> list[int]:
    """Run ``work(rank)`` in forked processes that form a team over gloo, and return how they ended (-9: killed)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    children = [_fork(rank, world, port, work) for rank in range(world)]
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def _fork(rank: int, world: int, port: int, work: Callable[[int], None]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        from accelerate.state import AcceleratorState

        AcceleratorState._reset_state(reset_partial_state=True)
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)} if world > 1 else {}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_WORLD_SIZE": str(world)}
        work(rank)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
