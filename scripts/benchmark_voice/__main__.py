"""Throughput of a long text on two cores: the bundled voice in several ways, beside Kokoro-82M and pocket-tts, in one run.

    tts-fm export onnx default speaker
    python -m venv pocket && pocket/bin/pip install pocket-tts==4.0.1
    python -m scripts.benchmark_voice --exported speaker --kokoro models --pocket-python pocket/bin/python

``models`` holds Kokoro's packages, see ``scripts/corpus/kokoro.py``. pocket-tts gets random weights, on which its speed does
not depend, and never stops by itself: what counts is each way's own seconds of speech. All ways take turns, so that what
else the machine does meets each; a ratio is that of one round. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from scripts.benchmark_inference.__main__ import machine
from scripts.benchmark_inference.beside import Worker
from tts_fm import Synthesizer

SENTENCES = (
    "The old man walked slowly down to the river, and the boats lay there as they had always done.",
    "Nobody could say how long the bridge had stood, but every child in the village had jumped from it once.",
    "In the evening the lamps were lit along the water, and people came out of their houses to talk.",
    "When the first boat came back there was singing on the bank, and somebody had brought bread and cheese.",
)
FIRST = "ours, one thread"


@dataclass(frozen=True)
class Spoken:
    """One run: seconds of speech, of the clock and of the processor."""

    speech: float
    clock: float
    processor: float


@dataclass(frozen=True)
class Pocket:
    """pocket-tts in a process of its own."""

    worker: Worker

    def __call__(self) -> Spoken:
        self.worker.step()
        cost = self.worker.steps[-1]
        return Spoken(float(self.worker.said["speech"]), cost.clock, cost.processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--exported", type=Path, help="what tts-fm export onnx wrote")
    parser.add_argument("--kokoro", type=Path, help="the folder with Kokoro's packages")
    parser.add_argument("--pocket-python", type=Path, help="the interpreter that has pocket-tts")
    parser.add_argument("--repeats", type=int, default=3, help="rounds that count")
    parser.add_argument("--sentences", type=int, default=len(SENTENCES), help="of the text, at most")
    given = parser.parse_args()
    print(f"{machine()}; torch {torch.__version__}\n", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        sentences = SENTENCES[: given.sentences]
        ways = _ours(sentences, given.exported)
        if given.kokoro is not None:
            ways["Kokoro-82M int8, onnxruntime, one thread"] = partial(
                _timed, partial(_kokoro, sentences, given.kokoro)
            )
        if given.pocket_python is not None:
            ways["pocket-tts english_18m, one thread a part"] = _pocket(sentences, given.pocket_python, Path(folder))
        for way in ways.values():  # kernels are chosen, files are read
            way()
        rounds = [{name: way() for name, way in ways.items()} for _ in range(given.repeats)]
    _print(rounds)


def _ours(sentences: Sequence[str], exported: Path | None) -> dict[str, Callable[[], Spoken]]:
    """Return the ways of the bundled voice; texts of several sentences are cut by itself where they are long."""
    synthesizer = Synthesizer.load("default", device="cpu")
    text = " ".join(sentences)

    def as_told(threads: int) -> float:
        torch.set_num_threads(threads)
        return synthesizer.synthesize(text).seconds

    def one_by_one(workers: int) -> float:
        torch.set_num_threads(1)
        with ThreadPoolExecutor(workers) as pool:
            return sum(pool.map(lambda sentence: synthesizer.synthesize(sentence).seconds, sentences))

    ways: dict[str, Callable[[], float]] = {
        FIRST: partial(as_told, 1),
        "ours, two threads on a piece": partial(as_told, 2),
        "ours, sentence by sentence, one thread": partial(one_by_one, 1),
        "ours, two sentences at once, one thread each": partial(one_by_one, 2),
    }
    if exported is not None:
        from tts_fm.runtime import Speaker

        speaker = Speaker(exported)
        ways["ours, onnxruntime, one thread"] = lambda: speaker.speak(text).seconds
    return {name: partial(_timed, way) for name, way in ways.items()}


def _kokoro(sentences: Sequence[str], models: Path) -> float:
    from scripts.corpus import kokoro

    voice = kokoro.Voice("af", (("af_heart", 1.0),), 1.0)
    return sum(len(kokoro.speak(models, voice, sentence)) for sentence in sentences) / 24_000


def _pocket(sentences: Sequence[str], python: Path, folder: Path) -> Pocket:
    (folder / "sentences.json").write_text(json.dumps(sentences), encoding="utf-8")
    program = [str(python.absolute()), str(Path(__file__).with_name("pocket.py"))]
    worker = Worker("pocket-tts", "float32", program, folder)
    worker.begin(threads=1)
    return Pocket(worker)


def _timed(run: Callable[[], float]) -> Spoken:
    processor, clock = time.process_time(), time.perf_counter()
    speech = run()
    return Spoken(speech, time.perf_counter() - clock, time.process_time() - processor)


def _print(rounds: list[dict[str, Spoken]]) -> None:
    print("| | speech for a second of the processor | of ours | speech for a second of the clock | of ours |")
    print("|---|---|---|---|---|")
    for name in rounds[0]:
        columns = []
        for kind in ("processor", "clock"):
            rates = [one[name].speech / getattr(one[name], kind) for one in rounds]
            ratios = [
                rate * getattr(one[FIRST], kind) / one[FIRST].speech for rate, one in zip(rates, rounds, strict=True)
            ]
            columns.append(f"{statistics.median(rates):.2f} s")
            columns.append(
                "" if name == FIRST else f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
            )
        print(f"| {' | '.join((name, *columns))} |", flush=True)


if __name__ == "__main__":
    main()
