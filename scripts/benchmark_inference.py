"""What speaking costs: rows of two ways side by side, as ratios measured in the same run, in turn, with medians and ranges.

    tts-fm export onnx default speaker
    python -m scripts.benchmark_inference --exported speaker

A ratio is that of one pair of neighbouring runs, so that what else the machine does meets both. Time is the processor's
own where the row says so: it does not count waiting for others. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from tts_fm import Synthesizer, infill
from tts_fm.backbones import Backbone
from tts_fm.interop import f5_architecture
from tts_fm.nn.precision import hold
from tts_fm.types import Condition

TEXT = "The old man walked down to the river, and the boats lay there as they had always done."
PROMPT_FRAMES, FRAMES, TOKENS = 469, 938, 150  # 5 s of prompt and 5 s of speech


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds of the processor, of the clock, and the most memory in MB (0: not measured)."""

    processor: float
    clock: float
    memory: float = 0.0


Row = tuple[str, Callable[[], Cost], Callable[[], Cost]]
"""What is compared, what it was, and what it is now."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exported", type=Path, help="what tts-fm export onnx wrote; without it no row of the runtime")
    parser.add_argument("--repeats", type=int, default=5, help="pairs of runs for each row")
    parser.add_argument("--threads", type=int, default=1, help="of torch and of onnxruntime")
    parser.add_argument("--architectures", nargs="*", default=["F5TTS_v1_Base", "E2TTS_Base"], help="published shapes")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"{_machine()}; torch {torch.__version__}, {given.threads} thread(s), {given.repeats} pairs for each row.\n")
    print("| | then | now | processor time, now / then | clock, now / then | memory, now / then |")
    print("|---|---|---|---|---|---|")
    for row in [*_bundled(given.exported, given.threads), *map(_step, given.architectures)]:
        _print(row, given.repeats)


def _bundled(exported: Path | None, threads: int) -> list[Row]:
    """The bundled voice: a sentence in each precision, and without torch, and from a cold start."""
    exact, held = (Synthesizer.load("default", device="cpu", precision=name) for name in ("float32", "bfloat16"))
    in_float32, in_bfloat16 = (partial(_timed, partial(one.speak, TEXT)) for one in (exact, held))
    rows: list[Row] = [("a sentence: float32, bfloat16", in_float32, in_bfloat16)]
    if exported is not None:
        from tts_fm.runtime import Speaker

        without_torch = partial(_timed, partial(Speaker(exported, threads).speak, TEXT))
        rows.append(("a sentence: torch in float32, onnxruntime", in_float32, without_torch))
        folder = Path(tempfile.mkdtemp())
        ours = ["tts_fm.commands", "synthesize", "--text", "Hello.", "--seed", "0", "--output", str(folder / "a.wav")]
        theirs = ["tts_fm.runtime", str(exported), "Hello.", "--output", str(folder / "b.wav")]
        what = "“Hello.” from a cold start: torch, onnxruntime"
        rows.append((what, partial(_started, ours), partial(_started, theirs)))
    return rows


def _step(name: str) -> Row:
    """One step with guidance of a published shape, with random weights: float32, then weights held in bfloat16."""
    config = f5_architecture.architecture(name)
    torch.manual_seed(0)
    backbones = [config.backbone.build(Backbone, config.mel.n_mels, 2545).eval() for _ in range(2)]
    backbones[1].load_state_dict(backbones[0].state_dict())
    hold(backbones[1], torch.bfloat16, backbones[1].float32_parts)
    one = infill.continue_prompt(torch.randn(PROMPT_FRAMES, config.mel.n_mels), list(range(TOKENS)), FRAMES)
    condition, x_t = Condition.stack([one, one.empty()]), torch.randn(2, FRAMES, config.mel.n_mels)

    def stepping(backbone: Backbone, is_held: bool) -> Callable[[], Cost]:
        def step() -> Cost:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=is_held):
                t = torch.tensor([0.5])
                prepared = backbone.prepare(condition, t)
                return _timed(lambda: backbone.velocity(x_t, t[0], prepared))

        return step

    what = f"a guided step of {name}, 10 s: float32, bfloat16"
    return what, stepping(backbones[0], False), stepping(backbones[1], True)


def _timed(run: Callable[[], object]) -> Cost:
    processor, clock = time.process_time(), time.perf_counter()
    run()
    return Cost(time.process_time() - processor, time.perf_counter() - clock)


def _started(module: Sequence[str]) -> Cost:
    """Run ``python -m`` and return what the process took, its start included."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", *module], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"python -m {' '.join(module)} ended with {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss / 1024)


def _print(row: Row, repeats: int) -> None:
    what, then, now = row
    for warm in (then, now):  # kernels are chosen, files are read
        warm()
    pairs = [(then(), now()) for _ in range(repeats)]

    def value(which: int) -> str:
        costs = [pair[which] for pair in pairs]
        memory = statistics.median(cost.memory for cost in costs)
        return f"{statistics.median(cost.processor for cost in costs):.2f} s" + (f", {memory:.0f} MB" if memory else "")

    def ratio(name: str) -> str:
        ratios = [getattr(b, name) / getattr(a, name) for a, b in pairs if getattr(a, name) > 0]
        return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})" if ratios else ""

    columns = (what, value(0), value(1), ratio("processor"), ratio("clock"), ratio("memory"))
    print(f"| {' | '.join(columns)} |", flush=True)


def _machine() -> str:
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    flags = next((set(line.split()) for line in _lines("/proc/cpuinfo") if line.startswith("flags")), set())
    has = [name for name in ("amx_bf16", "avx512_bf16") if name in flags]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {' '.join(has) or 'no bfloat16'}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    main()
