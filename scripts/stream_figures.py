"""How soon streamed speech is heard, whether it keeps up, and how well it does beside speech that is made as a whole.

python -m scripts.stream_figures --limit 10 --recogniser whisper
python -m scripts.stream_figures --limit 10 --first
python -m scripts.stream_figures --limit 10 --listening

The second one stops each speech at its first sound, twice, as a prompt is heard only once, and judges nothing; the third one
tells what an aligner takes that listens to each prompt for its words, as a server lets it before a streamed answer. Times are
told twice: by the clock, and in seconds of the processor, which other processes on the machine change less.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tts_fm import Prompt, Synthesizer, Waveform, doubts
from tts_fm.evaluation import judges, pairs
from tts_fm.evaluation.suite import Suite


@dataclass(frozen=True)
class Timed:
    """When a piece of sound was ready, by the clock and by the processor, and how long it is."""

    clock: float
    processor: float
    seconds: float


class Streaming:
    """Speaks as :class:`Synthesizer` does, but piece by piece, and keeps the times."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self.synthesizer = synthesizer
        self.runs: list[list[Timed]] = []

    def synthesize(self, text: str, prompt: Prompt, *, seed: int = 0) -> Waveform:
        began = time.perf_counter(), time.process_time()
        run, parts = [], []
        for piece in self.synthesizer.stream(text, prompt, seed=seed):
            now = time.perf_counter() - began[0], time.process_time() - began[1]
            run.append(Timed(*now, piece.waveform.seconds))
            parts.append(piece.waveform)
        self.runs.append(run)
        return Waveform(torch.cat([part.samples for part in parts]), parts[0].sample_rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="default")
    parser.add_argument("--pairs", type=Path, default=pairs.BUNDLED)
    parser.add_argument("--limit", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--recogniser")
    parser.add_argument("--recogniser-model")
    parser.add_argument("--first", action="store_true", help="only how soon the first sound is ready")
    parser.add_argument("--listening", action="store_true", help="only what it takes to listen to the prompts")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    synthesizer = Synthesizer.load(given.model)
    if given.first or given.listening:
        chosen = pairs.thin_out(pairs.read(given.pairs), given.limit)
        return print((first_sounds if given.first else listening)(synthesizer, chosen))
    streaming = Streaming(synthesizer)
    suite = Suite(pairs.read(given.pairs), judges.Choice(given.recogniser, given.recogniser_model))
    for name, speaker in (("streamed", streaming), ("whole", synthesizer)):
        report = suite.evaluate(speaker, limit=given.limit)
        results = report.results
        words = sum(result.output.errors for result in results) / sum(result.output.words for result in results)
        likeness = statistics.mean(result.output.to_prompt for result in results)
        scores = {key: [result.output.naturalness[key] for result in results] for key in results[0].output.naturalness}
        natural = ", ".join(f"{key} {statistics.mean(values):.3f}" for key, values in scores.items())
        print(f"{name}: word error rate {100 * words:.2f} %, likeness {likeness:.4f}, {natural}", flush=True)
    print(latency(streaming.runs[1:]))  # the first one warms up


def first_sounds(synthesizer: Synthesizer, chosen: Sequence[pairs.Pair]) -> str:
    """Return how soon the first sound of each pair was ready; the first pair is spoken once before, to warm up."""
    runs: dict[str, list[list[Timed]]] = {"a new prompt": [], "a prompt that was heard before": []}
    prompts = []
    for pair in (chosen[0], *chosen):
        prompt = Prompt.load(pair.prompt_audio, pair.prompt_text)
        for timed in runs.values():
            began = time.perf_counter(), time.process_time()
            piece = next(synthesizer.stream(pair.target_text, prompt))
            timed.append(
                [Timed(time.perf_counter() - began[0], time.process_time() - began[1], piece.waveform.seconds)]
            )
        prompts.append(synthesizer.listen(prompt).prompt.waveform.seconds)  # as it was heard for the speech
    sounds = [run[0].seconds for timed in runs.values() for run in timed]
    told = [f"{name}:\n{latency(timed[1:])}" for name, timed in runs.items()]
    return "\n".join([f"prompts of {_range(prompts)}, first sounds of {_range(sounds)}", *told])


def _range(seconds: Sequence[float]) -> str:
    return f"{min(seconds):.1f} to {max(seconds):.1f} s"


def listening(synthesizer: Synthesizer, chosen: Sequence[pairs.Pair]) -> str:
    """Return what an aligner takes that looks for the words of each pair's prompt, the first time and once more.

    The first pair is listened to once before, to load the aligner.
    """
    first, again, lengths = [], [], []
    for pair in (chosen[0], *chosen):
        prompt = Prompt.load(pair.prompt_audio, pair.prompt_text)
        prepared = synthesizer.listen(prompt).prompt
        for taken in (first, again):
            began = time.process_time()
            doubts.of_transcript(prompt, prepared, is_english=True)
            taken.append(time.process_time() - began)
        lengths.append(prepared.waveform.seconds)
    return (
        f"prompts of {min(lengths[1:]):.1f} to {max(lengths[1:]):.1f} s: processor {min(first[1:]):.3f} to "
        f"{max(first[1:]):.3f} s, median {statistics.median(first[1:]):.3f} s; to load the aligner {first[0] - first[1]:.2f} s; "
        f"once more {statistics.median(again[1:]):.4f} s"
    )


def latency(runs: list[list[Timed]]) -> str:
    """Return how soon the first sound was ready, and how often a listener would have had to wait for more."""
    lines = []
    for name in ("clock", "processor"):
        first = sorted(getattr(run[0], name) for run in runs)
        waits = sum(is_late(run, name) for run in runs)
        later = f"; {waits} of {len(runs)} would have stopped in between" if len(runs[0]) > 1 else ""
        lines.append(
            f"first sound after {_at(first, 50):.3f} s (p50), {_at(first, 95):.3f} s (p95) of the {name}{later}"
        )
    return "\n".join(lines)


def is_late(run: list[Timed], name: str) -> bool:
    """Whether a piece was ready only after all before it had been played."""
    heard = getattr(run[0], name)
    for before, piece in zip(run, run[1:], strict=False):
        heard += before.seconds
        if getattr(piece, name) > heard:
            return True
    return False


def _at(values: list[float], percent: int) -> float:
    """The nearest-rank percentile of sorted values."""
    return values[max(0, -(-len(values) * percent // 100) - 1)]


if __name__ == "__main__":
    main()
