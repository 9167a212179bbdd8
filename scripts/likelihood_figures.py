"""How probable a model finds recordings with their own words, with the same words shuffled, and with none.

    python -m scripts.likelihood_figures --limit 16

Nats per dimension of the mel, averages over pairs with 95 % bootstrap intervals; seconds a pair on a CPU.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tts_fm import Synthesizer
from tts_fm.audio import io
from tts_fm.evaluation import pairs, report
from tts_fm.evaluation.likelihood import ScoreOptions, score
from tts_fm.evaluation.pairs import Pair


@dataclass(frozen=True)
class Found:
    """Nats per dimension of one recording, and the standard error of what the divergence's probes make of them."""

    own: float
    shuffled: float
    without: float
    error: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="default")
    parser.add_argument("--pairs", type=Path, default=pairs.BUNDLED)
    parser.add_argument("--limit", type=int, default=16)
    given = parser.parse_args()
    found = measure(
        Synthesizer.load(given.model, precision="float32"), pairs.thin_out(pairs.read(given.pairs), given.limit)
    )
    columns = {
        "with their own words": [one.own for one in found],
        "with the words shuffled": [one.shuffled for one in found],
        "without words": [one.without for one in found],
        "own less shuffled": [one.own - one.shuffled for one in found],
        "own less none": [one.own - one.without for one in found],
    }
    for name, values in columns.items():
        figure = report.bootstrap(np.array(values))
        above = sum(value > 0 for value in values)
        print(
            f"{name:<24} {figure.value:8.4f} ({figure.low:.4f} to {figure.high:.4f}), above 0 in {above} of {len(values)}"
        )


def measure(synthesizer: Synthesizer, chosen: Sequence[Pair], options: ScoreOptions | None = None) -> list[Found]:
    """Return what ``synthesizer`` finds of the recordings of ``chosen``."""
    options = ScoreOptions(steps=12, probes=2) if options is None else options
    found = []
    for pair in chosen:
        words = pair.target_text.split()
        random.Random(0).shuffle(words)
        texts = [pair.target_text, " ".join(words)]
        scores = score(synthesizer, io.read(pair.target_audio), texts, options=options, seed=0)
        own, shuffled = scores.with_text
        errors = [figure.error for figure in (own, shuffled, scores.without_text)]
        found.append(Found(own.nats, shuffled.nats, scores.without_text.nats, max(errors)))
    return found


if __name__ == "__main__":
    main()
