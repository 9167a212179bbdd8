"""Frames per second of training, ours beside that of the public f5-tts package: its own Trainer, the same work for both.

    python -m venv f5 && f5/bin/pip install f5-tts
    python -m scripts.benchmark_training --peer-python f5/bin/python

Both train the same architecture from new weights on the same mels, one process each, in turn, several times. Each sees
every utterance once before the clock starts and once (``--epochs``) while it runs, and gets its mels ready-made from
one worker. A batch holds at most ``--frames-per-batch`` frames: real ones in the package, with padding in ours.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

SAMPLE_RATE, HOP_LENGTH, N_MELS, HEAD_DIM = 24_000, 256, 100, 64
WARM_UP, LEARNING_RATE = 10, 1e-4  # of the learning rate, in updates; both begin at nothing and decay to it


@dataclass(frozen=True)
class Settings:
    """What both train, and how: by default a small one of F5TTS_v1_Small's kind.

    That one has dim 768, depth 18, heads 12, text_dim 512. The corpus fills ``batches`` batches; every utterance is seen
    ``epochs`` times while the clock runs.
    """

    dim: int = 384
    depth: int = 6
    heads: int = 6
    ff_mult: int = 2
    text_dim: int = 256
    conv_layers: int = 4
    dropout: float = 0.1
    frames_per_batch: int = 3000
    batches: int = 6
    epochs: int = 1
    precision: str = "float32"
    device: str = "cpu"
    threads: int = 1
    seed: int = 0

    @property
    def network(self) -> dict[str, Any]:
        """The sizes of the network, by the names that both give them."""
        names = ("dim", "depth", "heads", "ff_mult", "text_dim", "conv_layers", "dropout")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True)
class Figures:
    """What one process measured over the counted epochs; ``peak`` is of bfloat16 products, in FLOP/s, on a GPU.

    ``cpu_seconds`` do not count the time that other programs took, nor the worker that loads mels.
    """

    seconds: float
    cpu_seconds: float
    updates: int
    loss: float
    parameters: int
    versions: str
    peak: float | None = None


def main() -> None:
    """Measure in turn, and print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", type=Path, required=True, help="the interpreter that has f5-tts")
    parser.add_argument("--repeats", type=int, default=5, help="pairs of runs")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON")
    choices = {"precision": ("float32", "bf16"), "device": ("cpu", "cuda")}
    for name, value in asdict(Settings()).items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=type(value), default=value, choices=choices.get(name), help=f"default {value}")
    args = parser.parse_args()
    settings = Settings(**{name: getattr(args, name) for name in asdict(Settings())})
    interpreters = {"ours": sys.executable, "theirs": str(args.peer_python.absolute())}
    with tempfile.TemporaryDirectory() as folder:
        lengths = write_corpus(Path(folder), settings)
        runs: dict[str, list[Figures]] = {side: [] for side in interpreters}
        for i in range(args.repeats):
            for side, python in interpreters.items():
                runs[side].append(measure(side, python, Path(folder), settings))
                print(f"{i + 1}/{args.repeats} {side}: {runs[side][-1].seconds:.1f} s", file=sys.stderr)
    report = summary(settings, lengths, runs)
    print(json.dumps(report, indent=2) if args.json else table(report))


def write_corpus(folder: Path, settings: Settings) -> list[int]:
    """Write noise of lengths as in LibriTTS (log-normal, 1 to 12 s) with 15 characters a second; return their frames."""
    import numpy as np
    import torch

    from tts_fm.audio.io import Waveform
    from tts_fm.audio.mel import log_mel
    from tts_fm.types import MelSpec

    draw, noise = random.Random(settings.seed), torch.Generator().manual_seed(settings.seed)
    lengths, rows = [], []
    while sum(lengths) < settings.frames_per_batch * settings.batches:
        seconds = draw.lognormvariate(math.log(4.8), 0.7)
        if not 1 <= seconds <= 12:
            continue
        n = int(seconds * SAMPLE_RATE / HOP_LENGTH)
        samples = 0.1 * torch.randn((n - 1) * HOP_LENGTH, generator=noise)
        name = f"{len(rows):05d}"
        Waveform(samples, SAMPLE_RATE).save(folder / f"{name}.wav")
        np.save(folder / f"{name}.npy", log_mel(samples, MelSpec()).mT.numpy())
        text = "".join(draw.choices("abcdefghijklmnopqrstuvwxyz ", k=int(15 * seconds)))
        row = {"id": name, "audio": f"{name}.wav", "text": text, "seconds": len(samples) / SAMPLE_RATE}
        rows.append({**row, "split": "train"})
        lengths.append(n)
    rows.append({**rows[0], "split": "heldout"})  # our trainer validates, after the clock has stopped
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return lengths


def measure(side: str, python: str, folder: Path, settings: Settings) -> Figures:
    """Train in a new process of ``python`` and return its figures."""
    threads = str(settings.threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "HF_HUB_OFFLINE": "1"}
    command = [python, str(Path(__file__).absolute()), side, str(folder), json.dumps(asdict(settings))]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    if done.returncode != 0:
        sys.exit(f"training in {python} failed:\n{done.stderr[-3000:]}")
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


class Clock:
    """When each update ended, and its loss."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, float]] = []
        self.losses: list[float] = []

    def tick(self, loss: float) -> None:
        """Count one update."""
        self.ends.append((time.perf_counter(), time.process_time()))
        self.losses.append(loss)

    def figures(self, warm_up: int, parameters: int, versions: str, peak: float | None = None) -> Figures:
        """Return what was measured after the first ``warm_up`` updates."""
        counted = self.losses[warm_up:]
        seconds, cpu_seconds = (end - start for start, end in zip(self.ends[warm_up - 1], self.ends[-1], strict=True))
        return Figures(seconds, cpu_seconds, len(counted), statistics.fmean(counted), parameters, versions, peak)


def ours(folder: Path, settings: Settings) -> Figures:
    """Train with ``tts-fm train``'s own parts."""
    import torch

    from tts_fm.config import RunConfig, parse
    from tts_fm.training import assemble
    from tts_fm.training.loop import Loop
    from tts_fm.training.team import Team

    backbone = {"name": "dit", "head_dim": HEAD_DIM, **settings.network}
    values = {
        "model": {"name": "benchmark", "frontend": "utf8", "backbone": backbone},
        "data": {
            "manifests": [str(folder / "manifest.jsonl")],
            "frames_per_batch": settings.frames_per_batch,
            "workers": 1,
            "cache": "disk",
        },
        "optimizer": {"lr": LEARNING_RATE, "warmup_updates": WARM_UP},
        "training": {
            "updates": 1,  # their number is known once the batches are
            "precision": "bfloat16" if settings.precision == "bf16" else "float32",
            "ema_every": 10,
            "ema_after": 100,
            "save_every": 10**9,
            "validate_every": 10**9,
            "loggers": [],
        },
    }
    run = parse(RunConfig, values, "benchmark")
    learner = assemble.acoustic(run, Team(settings.device, run.training.precision), folder).learner
    for i in range(len(learner.corpus)):
        learner.corpus.mel(i)  # kept on disk
    epochs = [len(learner.schedule.epoch(i)) for i in range(1 + settings.epochs)]
    clock = Clock()
    options = run.training.model_copy(update={"updates": sum(epochs)})
    learner.config = run.model_copy(update={"training": options})
    Loop(learner, options, folder / "run", watch=lambda update, values: clock.tick(values["flow_loss"])).run()
    parameters = sum(p.numel() for p in learner.backbone.parameters())
    peak = matrix_peak() if settings.device == "cuda" else None
    return clock.figures(epochs[0], parameters, f"tts-fm {version('tts-fm')}, torch {torch.__version__}", peak)


def theirs(folder: Path, settings: Settings) -> Figures:
    """Train with the package's ``Trainer.train``: its loop, EMA, batches and loader."""
    import numpy as np
    import torch
    from f5_tts.model import CFM, DiT  # pyright: ignore[reportMissingImports]
    from f5_tts.model.dataset import CustomDataset  # pyright: ignore[reportMissingImports]
    from f5_tts.model.trainer import Trainer  # pyright: ignore[reportMissingImports]

    network = DiT(dim_head=HEAD_DIM, mel_dim=N_MELS, text_num_embeds=256, **settings.network)
    model = CFM(transformer=network, mel_spec_kwargs={"n_mel_channels": N_MELS})
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    data = []
    for row in rows:
        if row["split"] == "train":
            mel = np.load(folder / f"{row['id']}.npy")
            duration = mel.shape[1] * HOP_LENGTH / SAMPLE_RATE
            data.append({"audio_path": row["audio"], "text": row["text"], "duration": duration, "mel_spec": mel})
    trainer = Trainer(
        model,
        1 + settings.epochs,
        LEARNING_RATE,
        num_warmup_updates=WARM_UP,
        checkpoint_path=str(folder / "none"),
        batch_size_per_gpu=settings.frames_per_batch,
        batch_size_type="frame",
        max_samples=64,
        logger=None,
        accelerate_kwargs={
            "mixed_precision": "bf16" if settings.precision == "bf16" else "no",
            "cpu": settings.device == "cpu",
        },
    )
    clock = Clock()
    trainer.accelerator.log = lambda values, step: clock.tick(values["loss"])  # the last thing it does in an update
    trainer.save_checkpoint = lambda *_, **__: None
    trainer.train(CustomDataset(data, preprocessed_mel=True), num_workers=1, resumable_with_seed=settings.seed)
    parameters = sum(p.numel() for p in network.parameters())
    versions = f"f5-tts {version('f5-tts')}, torch {torch.__version__}"
    return clock.figures(len(clock.ends) // (1 + settings.epochs), parameters, versions)


def matrix_peak(n: int = 8192, times: int = 20) -> float:
    """Return the FLOP/s of large bfloat16 matrix products on the GPU."""
    import torch

    a = torch.randn(n, n, device="cuda", dtype=torch.bfloat16)
    for counted in (3, times):
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(counted):
            torch.mm(a, a)
        torch.cuda.synchronize()
    return times * 2 * n**3 / (time.perf_counter() - began)


def summary(settings: Settings, lengths: list[int], runs: dict[str, list[Figures]]) -> dict[str, Any]:
    """Return medians and ranges of real frames per second, and of the ratio pair by pair."""
    frames = sum(lengths) * settings.epochs
    pairs = list(zip(runs["ours"], runs["theirs"], strict=True))
    report: dict[str, Any] = {
        "settings": asdict(settings),
        "utterances": len(lengths),
        "frames": frames,
        "ratio": spread([theirs.seconds / ours.seconds for ours, theirs in pairs]),
        "ratio_in_cpu_time": spread([theirs.cpu_seconds / ours.cpu_seconds for ours, theirs in pairs]),
    }
    attention = 12 * settings.depth * settings.dim * sum(n**2 for n in lengths) * settings.epochs
    for side, figures in runs.items():
        last, peak = figures[-1], runs["ours"][0].peak
        report[side] = {name: getattr(last, name) for name in ("updates", "loss", "parameters", "versions")}
        report[side]["frames_per_second"] = spread([frames / run.seconds for run in figures])
        if peak is not None:
            flops = 6 * last.parameters * frames + attention
            report[side]["share_of_peak"] = spread([flops / run.seconds / peak for run in figures])
    return report


def spread(values: list[float]) -> dict[str, float]:
    """Return median, least and greatest of ``values``."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def table(report: dict[str, Any]) -> str:
    """Return the report as a person reads it."""
    s = report["settings"]
    lines = [
        f"DiT of dim {s['dim']}, depth {s['depth']}, heads {s['heads']}, text_dim {s['text_dim']}; {s['precision']} on "
        f"{s['device']} with {s['threads']} threads; {report['utterances']} utterances, {report['frames']} frames, at "
        f"most {s['frames_per_batch']} a batch",
        f"{'':8}{'frames/s':>10}{'min':>8}{'max':>8}{'updates':>9}{'loss':>8}{'parameters':>12}",
    ]
    for side in ("ours", "theirs"):
        r = report[side]
        f = r["frames_per_second"]
        lines.append(
            f"{side:8}{f['median']:10.0f}{f['min']:8.0f}{f['max']:8.0f}{r['updates']:9d}{r['loss']:8.3f}"
            f"{r['parameters']:12d}   {r['versions']}"
        )
        if "share_of_peak" in r:
            lines.append(f"{'':8}{r['share_of_peak']['median']:10.1%} of the measured bfloat16 peak")
    lines.append("ours / theirs, pair by pair: {median:.2f} ({min:.2f} to {max:.2f})".format(**report["ratio"]))
    if s["device"] == "cpu":
        of_cpu = report["ratio_in_cpu_time"]
        lines.append("the same per second of CPU time: {median:.2f} ({min:.2f} to {max:.2f})".format(**of_cpu))
    return "\n".join(lines)


SIDES: dict[str, Callable[[Path, Settings], Figures]] = {"ours": ours, "theirs": theirs}

if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in SIDES:  # one of the two processes
        side, folder, settings = sys.argv[1:]
        figures = SIDES[side](Path(folder), Settings(**json.loads(settings)))
        print(json.dumps(asdict(figures)))
    else:
        main()
