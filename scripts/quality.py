"""Settings and weights beside each other: likeness and naturalness, and how they grew with the hours of training.

    python -m scripts.quality default runs/a/model --corpus runs/corpus --set "sampling.temperature=0.7 match_prompt=0.4"
    python -m scripts.quality default --corpus runs/corpus --hours 9.1 --label "part 10"
    python -m scripts.quality --draw docs/pictures/hours.png

Pairs of held-out real speakers are spoken, without a recogniser: it is quicker than ``tts-fm evaluate``, and its pairs are
others than those of the card's table. Each row is kept in ``--out``; rows with hours are what is drawn.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Picture

from tts_fm import Prompt, Synthesizer, Waveform, loading, plugins
from tts_fm.cli import judging
from tts_fm.evaluation import pairs, report
from tts_fm.evaluation.naturalness import Naturalness
from tts_fm.evaluation.report import Figure
from tts_fm.evaluation.similarity import cosine, voice_encoder

KEPT = Path("scripts/logs/voice/settings.jsonl")
DRAWN = {"cosine": "cosine to the prompt", "dnsmos_overall": "DNSMOS overall", "distillmos": "DistillMOS"}


@dataclass(frozen=True)
class Row:
    """What one model scores with one choice of settings.

    Attributes:
        model: its weights' digest.
        label: what people call it.
        changes: how it differs from the model's own settings, NAME=VALUE.
        pairs: how many were spoken, of how many speakers.
        hours: of training of one core before it, where it is known.
        figures: means over pairs and their 95 % bootstrap intervals.
    """

    model: str
    label: str
    changes: list[str]
    pairs: list[int]
    hours: float | None
    figures: dict[str, Figure]

    def line(self) -> str:
        """Return a row of a table in Markdown."""
        settings = f", {' '.join(f'`{change}`' for change in self.changes)}" if self.changes else ""
        cells = (f"{f.value:.3f} ({f.low:.3f}–{f.high:.3f})" for f in self.figures.values())
        return f"| {self.label}{settings} | {' | '.join(cells)} |"


class Listener:
    """Lets models say the same pairs, and judges what they say."""

    def __init__(self, corpus: Path, limit: int, seed: int) -> None:
        chosen = [pair for pair in pairs.from_corpus(corpus, seed=seed) if pair.kind == "real"][:limit]
        self.pairs, self.seed = chosen, seed
        strangers = [other or pair for pair, other in zip(chosen, pairs.strangers(chosen), strict=True)]
        self.prompts = [Prompt(Waveform.load(pair.prompt_audio), pair.prompt_text) for pair in chosen]
        own = {
            pair.id: voice_encoder().embed(prompt.waveform) for pair, prompt in zip(chosen, self.prompts, strict=True)
        }
        self.voices = [(own[pair.id], own[other.id]) for pair, other in zip(chosen, strangers, strict=True)]
        self.judges = [plugins.build(Naturalness, name) for name in ("dnsmos", "distillmos")]

    def hear(self, synthesizer: Synthesizer) -> dict[str, Figure]:
        """Return the figures of ``synthesizer``; the ``i``-th pair is spoken with the seed ``seed + i``."""
        scores: dict[str, list[float]] = {}
        for i, (pair, prompt) in enumerate(zip(self.pairs, self.prompts, strict=True)):
            speech = synthesizer.synthesize(pair.target_text, prompt, seed=self.seed + i)
            voice = voice_encoder().embed(speech)
            near, far = (cosine(voice, one) for one in self.voices[i])
            heard = {"cosine": near, "right voice": float(near > far)}
            for judge in self.judges:
                heard |= judge.score(speech)
            for name, value in heard.items():
                scores.setdefault(name, []).append(value)
        return {name: report.bootstrap(np.array(values)) for name, values in scores.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", help="as --model of tts-fm synthesize")
    parser.add_argument("--corpus", type=Path, default=Path("runs/corpus"), help="its held-out speakers are spoken")
    parser.add_argument("--limit", type=int, default=24, help="pairs")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of pairs and of the noise")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE ...", help="one more row each")
    parser.add_argument("--own", action="store_true", help="the models' own settings, too, where there is --set")
    parser.add_argument("--label", help="what the model is called")
    parser.add_argument("--hours", type=float, help="of training of one core")
    parser.add_argument("--out", type=Path, default=KEPT)
    parser.add_argument("--draw", type=Path, help="draw the kept rows that have hours into this picture")
    given = parser.parse_args()
    if given.models:
        listener = Listener(given.corpus, given.limit, given.seed)
        size = [len(listener.pairs), len({pair.speaker for pair in listener.pairs})]
        settings = [one.split() for one in given.set]
        for name in given.models:
            synthesizer = Synthesizer.load(name)
            model = loading.digest(synthesizer.backbone)
            for changes in settings if settings and not given.own else [[], *settings]:
                spoken = synthesizer.with_config(judging.changed(synthesizer.config, changes))
                row = Row(model, given.label or name, changes, size, given.hours, listener.hear(spoken))
                with given.out.open("a", encoding="utf-8") as kept:
                    kept.write(json.dumps(asdict(row)) + "\n")
                print(row.line(), flush=True)
    if given.draw is not None:
        draw([parsed(line) for line in given.out.read_text(encoding="utf-8").splitlines()], given.draw)


def parsed(line: str) -> Row:
    """Return the row that ``line`` of ``--out`` holds."""
    value: dict[str, Any] = json.loads(line)
    return Row(**{**value, "figures": {name: Figure(**figure) for name, figure in value["figures"].items()}})


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw how the figures grew with the hours of training, the last row of each number of hours."""
    latest = sorted({row.hours: row for row in rows if row.hours is not None}.items())
    hours = np.array([at for at, _ in latest])
    picture = Picture(figsize=(10, 3), layout="constrained")
    for axes, (name, title) in zip(picture.subplots(1, len(DRAWN)), DRAWN.items(), strict=True):
        figures = [row.figures[name] for _, row in latest]
        axes.fill_between(hours, [f.low for f in figures], [f.high for f in figures], alpha=0.2, linewidth=0)
        axes.plot(hours, [f.value for f in figures], marker="o")
        axes.set(title=title, xlabel="hours of training, one core")
        axes.grid(alpha=0.3)
    picture.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
