"""What speaking costs: rows of two ways side by side, as ratios measured in the same run, in turn, with medians and ranges.

    tts-fm export onnx default speaker
    python -m scripts.benchmark_inference --exported speaker
    python -m venv f5 && f5/bin/pip install f5-tts
    python -m scripts.benchmark_inference --peer-python f5/bin/python
    python -m scripts.benchmark_inference --growth growth.png --repeats 3 --blocks 4

A ratio is that of one pair of neighbouring runs, so that what else the machine does meets both. Time is the processor's
own where the row says so: it does not count waiting for others. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from functools import partial
from pathlib import Path

import torch

from scripts.benchmark_inference import beside, growth
from scripts.benchmark_inference.costs import Row, print_rows, started, timed
from tts_fm import Synthesizer
from tts_fm.interop import f5_tts

TEXT = "The old man walked down to the river, and the boats lay there as they had always done."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exported", type=Path, help="what tts-fm export onnx wrote; without it no row of the runtime")
    parser.add_argument("--peer-python", type=Path, help="the interpreter that has f5-tts; without it ours alone")
    parser.add_argument(
        "--repeats", type=int, default=5, help="pairs of runs for each row of the bundled voice, 0: none"
    )
    parser.add_argument("--threads", type=int, default=1, help="of torch and of onnxruntime")
    parser.add_argument("--architectures", nargs="*", default=["F5TTS_v1_Base", "E2TTS_Base"], help="published shapes")
    parser.add_argument("--precisions", nargs="*", default=["float32", "auto"], help="of ours in published shapes")
    parser.add_argument("--steps", type=int, default=7, help="of the published shapes; the first is not counted")
    parser.add_argument("--blocks", type=int, help="of the published shapes; all if not given, which takes many GB")
    parser.add_argument(
        "--growth",
        type=Path,
        metavar="PICTURE.png",
        help="how cost grows with the length, and nothing else: of the bundled voice, and of the first architecture",
    )
    given = parser.parse_args()
    if given.growth is not None:
        _check_growth(parser, given)
    torch.set_num_threads(given.threads)
    print(f"{machine()}; torch {torch.__version__}, {given.threads} thread(s)\n")
    if given.growth is not None:
        curves = growth.measure(given.architectures[0], given.blocks, given.repeats, given.threads)
        print(growth.table(curves))
        growth.draw(curves, given.growth)
        return
    if given.repeats > 0:
        print_rows(_bundled(given.exported, given.threads), given.repeats)
    for name in given.architectures:
        beside.compare(name, given.peer_python, given.precisions, given.steps, given.threads, given.blocks)


def _check_growth(parser: argparse.ArgumentParser, given: argparse.Namespace) -> None:
    """Refuse, before minutes of work, what no picture can come of."""
    for name in ("repeats", "blocks"):
        if (value := getattr(given, name)) is not None and value < 1:
            parser.error(f"--{name} is {value}; --growth takes at least 1")
    if not given.architectures:
        parser.error("--growth takes one of --architectures, such as F5TTS_v1_Base")
    try:
        growth.checked(given.growth)
        f5_tts.architecture(given.architectures[0])
    except ValueError as error:
        parser.error(str(error))


def _bundled(exported: Path | None, threads: int) -> list[Row]:
    """The bundled voice: a sentence in each precision, and without torch, and from a cold start."""
    exact, held = (Synthesizer.load("default", device="cpu", precision=name) for name in ("float32", "bfloat16"))
    in_float32, in_bfloat16 = (partial(timed, partial(one.speak, TEXT)) for one in (exact, held))
    rows = [Row("a sentence: float32, bfloat16", in_float32, in_bfloat16)]
    folder = Path(tempfile.mkdtemp())
    ours = ["-m", "tts_fm.commands", "synthesize", "--text", "Hello.", "--seed", "0", "--output", str(folder / "a.wav")]
    floor, cold = partial(started, ["-c", "import torch"]), partial(started, ours)
    rows.append(Row("from a cold start: `import torch`, “Hello.”", floor, cold))
    if exported is not None:
        from tts_fm.runtime import Speaker

        without_torch = partial(timed, partial(Speaker(exported, threads).speak, TEXT))
        rows.append(Row("a sentence: torch in float32, onnxruntime", in_float32, without_torch))
        theirs = ["-m", "tts_fm.runtime", str(exported), "Hello.", "--output", str(folder / "b.wav")]
        rows.append(Row("“Hello.” from a cold start: torch, onnxruntime", cold, partial(started, theirs)))
    return rows


def machine() -> str:
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    flags = next((set(line.split()) for line in _lines("/proc/cpuinfo") if line.startswith("flags")), set())
    has = [name for name in ("amx_bf16", "avx512_bf16") if name in flags]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {' '.join(has) or 'no bfloat16'}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


if __name__ == "__main__":
    main()
