"""The public f5-tts package and ours beside each other: the same random weights, each in a process of its own, a step in turn."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from scripts.benchmark_inference.costs import Cost, middle, ratio
from tts_fm import strict
from tts_fm.backbones import Backbone
from tts_fm.interop import f5_tts
from tts_fm.types import DECIBELS

HERE = Path(__file__).parent
PROMPT_FRAMES, FRAMES, TOKENS = 469, 938, 150  # 5 s of prompt and 5 s of speech


@dataclass
class Worker:
    """A process that takes its turns, and what they cost."""

    name: str
    precision: str
    program: list[str]
    folder: Path
    steps: list[Cost] = field(default_factory=list)
    loaded: float = 0.0
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def mel(self) -> Path:
        """The file that it leaves."""
        return self.folder / f"{self.name}-{self.precision}.safetensors"

    @property
    def errors(self) -> Path:
        """The file of what it says of itself."""
        return self.mel.with_suffix(".txt")

    def begin(self, threads: int) -> None:
        """Start it, and wait until its first step could begin."""
        environment = {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1", "PYTHONPATH": os.getcwd()}
        with self.errors.open("w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(
                [*self.program, str(self.folder), self.precision, str(self.mel)],
                text=True,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self.said = self._hear()
        self.loaded = self.said["processor"]

    def step(self) -> None:
        """Let it take one step."""
        assert self.process.stdin is not None
        before, began = self.said["processor"], time.perf_counter()
        print("go", file=self.process.stdin, flush=True)
        self.said = self._hear()
        self.steps.append(Cost(self.said["processor"] - before, time.perf_counter() - began, self.said["memory"]))

    @property
    def first(self) -> float:
        """Seconds of the processor before the first step, and what that takes more than the others (weights are read)."""
        return self.loaded + self.steps[0].processor - statistics.median(one.processor for one in self.steps[1:])

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self.program)} failed:\n{self.errors.read_text(encoding='utf-8')[-3000:]}")
        return json.loads(line)


def compare(
    architecture: str,
    peer_python: Path | None,
    ways: Sequence[str],
    steps: int,
    threads: int,
    blocks: int | None = None,
) -> None:
    """Print a table of the peer's float32 (its default) and bfloat16, and of ours in the precisions ``ways``.

    With ``blocks`` both networks have so many of theirs.
    """
    with asked(architecture, steps, blocks) as folder:
        ours = [sys.executable, "-m", "scripts.benchmark_inference.ours"]
        theirs = None if peer_python is None else [str(peer_python.absolute()), str(HERE / "peer.py")]
        workers = [] if theirs is None else [Worker("f5-tts", way, theirs, folder) for way in ("float32", "bfloat16")]
        workers += [Worker("tts-fm", way, ours, folder) for way in ways]
        for worker in workers:
            worker.begin(threads)
        for _ in range(steps):
            for worker in workers:
                worker.step()
        for worker in workers:
            worker.process.communicate("go\n")
        _print(architecture if blocks is None else f"{architecture}, {blocks} of its blocks", workers)


@contextmanager
def asked(architecture: str, steps: int, blocks: int | None) -> Iterator[Path]:
    """Yield a folder with a checkpoint as the package publishes them, a vocabulary, and what is to be spoken."""
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        folder, config = Path(name), f5_tts.architecture(architecture)
        if blocks is not None:
            options = config.backbone.options.model_copy(update={"depth": blocks})
            config = config.model_copy(update={"backbone": config.backbone.model_copy(update={"options": options})})
        (folder / "config.yaml").write_text(strict.dump(config), encoding="utf-8")
        torch.manual_seed(0)
        words = [" ", *(chr(0x4E00 + i) for i in range(2544))]
        (folder / "vocab.txt").write_text("".join(word + "\n" for word in words), encoding="utf-8")
        backbone: Backbone = config.backbone.build(Backbone, config.mel.n_mels, len(words))
        for parameter in backbone.parameters():
            if not parameter.any():  # what begins at zero would let nothing through
                torch.nn.init.normal_(parameter, std=0.02)
        save_file(f5_tts.to_f5(backbone), folder / "model.safetensors")
        tokens = torch.randint(len(words), (TOKENS,))
        save_file(
            {"prompt": torch.randn(PROMPT_FRAMES, config.mel.n_mels), "tokens": tokens}, folder / "told.safetensors"
        )
        wanted = {
            "architecture": architecture,
            "blocks": blocks,
            "frames": FRAMES,
            "steps": steps,
            "guidance": 2.0,
            "seed": 0,
        }
        (folder / "asked.json").write_text(json.dumps(wanted), encoding="utf-8")
        yield folder


def _print(architecture: str, workers: Sequence[Worker]) -> None:
    mels = [load_file(worker.mel)["mel"][PROMPT_FRAMES:] for worker in workers]
    default, alike = workers[0], {worker.precision: worker for worker in workers if worker.name == "f5-tts"}
    print(f"\n{architecture}; {', '.join(dict.fromkeys(worker.said['versions'] for worker in workers))}\n")
    print(
        "| | a step | of its default | like for like | most memory, of its own | to the first step | from its float32 |"
    )
    print("|---|---|---|---|---|---|---|")
    for worker, mel in zip(workers, mels, strict=True):
        held = worker.said["precision"]
        like = None if worker.name == "f5-tts" else alike.get(held)
        distance = DECIBELS * float((mel - mels[0]).square().mean().sqrt())
        columns = (
            f"{worker.name}, {held}" + ("" if worker.precision == held else f" ({worker.precision})"),
            middle([Cost(step.processor, step.clock) for step in worker.steps[1:]]),
            "" if worker is default else ratio(default.steps[1:], worker.steps[1:], "processor"),
            "" if like is None else ratio(like.steps[1:], worker.steps[1:], "processor"),
            f"{worker.said['memory']:.0f} MB" + _of(worker, like, lambda one: one.said["memory"]),
            f"{worker.first:.1f} s" + _of(worker, like, lambda one: one.first),
            "" if worker is default else f"{distance:.3f} dB",
        )
        print(f"| {' | '.join(columns)} |", flush=True)


def _of(worker: Worker, like: Worker | None, value: Any) -> str:
    return "" if like is None else f" ({value(worker) / value(like):.2f})"
