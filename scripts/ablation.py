"""What each part of the bundled voice's recipe gives: the recipe without it, trained and judged within the same small budget.

    python -m scripts.ablation --corpus runs/corpus --out runs/ablation

Every row learns from nothing with the same processor time (what makes an update dearer gets fewer of them), the same seed,
and speaks the real pairs of the evaluation. Stopped, the same command goes on; rows that are done are kept.
Prints a table and writes ablation.json. Needs '.[train]'; about ten minutes of one core a row.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tts_fm import Synthesizer, atomic
from tts_fm.evaluation import pairs, report
from tts_fm.evaluation.judges import Choice
from tts_fm.evaluation.suite import Suite

CONFIG = Path("configs/bundled.yaml")
UPDATES = 1000
BUDGET = {
    "data.frames_per_batch": 3000,
    "optimizer.warmup_updates": 100,
    "training.ema_decay": 0.99,
    "training.save_every": 200,
    "training.validate_every": 1000,
    "model.vocoder_source": "bundled",
    "model.sampling.steps": 8,
    "data.shares": "[]",
}
"""What the small budget changes in every row."""


@dataclass(frozen=True)
class Row:
    """A change of the recipe, and how many updates the processor time lasts for, as a share of the recipe's."""

    name: str
    changes: dict[str, str]
    updates: float = 1.0
    parts: tuple[str, ...] = ("real", "clean")


F5 = (
    "{name: dit, dim: 320, depth: 7, heads: 5, head_dim: 64, ff_mult: 3, dropout: 0.0, text_dim: 192, conv_layers: 4, "
    "average_upsampling: true}"
)
ROWS = (
    Row("the recipe", {}),
    Row("real speech alone", {}, parts=("real",)),
    Row(
        "voices and channels augmented",
        {"augment": "{probability: 0.6, warp: 1.15, response_db: 4.0, level_db: 3.0, cut: 0.1}"},
    ),
    Row("times uniform, not nearer to the noise", {"model.flow.time_law": "uniform"}),
    Row("masks anywhere, no continuations", {"infill.continuation": "0.0", "infill.hide_prompt_text": "0.0"}),
    Row("no text encoder", {"model.backbone.text_layers": "0"}),
    Row("patches of 4 frames, not 2", {"model.backbone.patch": "4"}, 1.25),
    Row(
        "F5's transformer: text spread evenly, no patches",
        {"model.backbone": F5, "model.duration.rule": "speech_rate"},
        0.26,
    ),
    Row("the recipe, another seed", {"training.seed": "1"}),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", type=Path, default=Path("runs/corpus"), help="made by python -m scripts.corpus")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"), help="gets a run for each row")
    parser.add_argument("--rows", type=int, nargs="*", help="only these, 0 is the recipe")
    given = parser.parse_args()

    judges = Choice("pocketsphinx")  # as all rows that were judged before
    suite = Suite([pair for pair in pairs.read(pairs.BUNDLED) if pair.kind == "real"], judges)
    for row in ROWS if given.rows is None else [ROWS[i] for i in given.rows]:
        folder = given.out / str(ROWS.index(row))
        if not (folder / "judged.json").is_file():
            train(row, given.corpus, folder)
            judge(suite, folder)
    done = [row for i, row in enumerate(ROWS) if (given.out / str(i) / "judged.json").is_file()]
    rows = [figures(row, given.out / str(ROWS.index(row))) for row in done]
    with atomic.replacing(given.out / "ablation.json") as beside:
        beside.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(table(rows))


def train(row: Row, corpus: Path, folder: Path) -> None:
    """Train a row, or go on with it; the processor time is added to ``processor_seconds``."""
    manifests = ", ".join(str(corpus / f"manifest-{part}.jsonl") for part in row.parts)
    changes = {**BUDGET, "data.manifests": f"[{manifests}]", "training.updates": round(UPDATES * row.updates)}
    settings = [f"--set={name}={value}" for name, value in {**changes, **row.changes}.items()]
    command = [sys.executable, "-m", "tts_fm.commands", "train", str(CONFIG), "--output", str(folder), *settings]
    before = _processor_seconds()
    try:
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    finally:
        folder.mkdir(parents=True, exist_ok=True)
        used = folder / "processor_seconds"
        total = _processor_seconds() - before + (float(used.read_text(encoding="utf-8")) if used.is_file() else 0.0)
        used.write_text(f"{total:.1f}\n", encoding="utf-8")


def judge(suite: Suite, folder: Path) -> None:
    """Let the row's model speak every pair, and keep how it was judged."""
    judged = suite.evaluate(Synthesizer.load(str(folder / "model"), device="cpu")).results
    with atomic.replacing(folder / "judged.json") as beside:
        beside.write_text(json.dumps([asdict(one.output) for one in judged]), encoding="utf-8")


def figures(row: Row, folder: Path) -> dict[str, object]:
    """Return what a row scores, and what it took."""
    judged = json.loads((folder / "judged.json").read_text(encoding="utf-8"))
    scores = report.scores([report.Judgement(**one) for one in judged])
    return {
        "row": row.name,
        "changes": row.changes,
        "data": row.parts,
        "updates": round(UPDATES * row.updates),
        "processor_minutes": round(float((folder / "processor_seconds").read_text(encoding="utf-8")) / 60, 1),
        **asdict(scores),
    }


def table(rows: Sequence[dict]) -> str:
    """Return the rows as Markdown."""
    lines = ["| | updates | minutes | word error rate | cosine | right voice |", "|---|---|---|---|---|---|"]
    for row in rows:
        error, to_prompt, right = (
            report.Figure(**row[name]) for name in ("word_error_rate", "to_prompt", "right_voice")
        )
        shown = report.percent(error), report.cosine(to_prompt), report.percent(right)
        lines.append(f"| {row['row']} | {row['updates']} | {row['processor_minutes']:.0f} | {' | '.join(shown)} |")
    return "\n".join(lines)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
