"""Adds to one model what another has learned since: ``to + (learned - since)``, weight by weight (arXiv 2212.04089).

    python -m scripts.add_training --to tts_fm/voices/default --learned runs/flow/model --since runs/before/model --out runs/sum

The bundled voice's flow learns on from weights without leaps; leaps that were taught on the older flow take over what it
learned, so that teaching them anew begins near its end.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from tts_fm import checkpoint, config, tensors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("to", "learned", "since"):
        parser.add_argument(f"--{name}", type=Path, required=True, help="a model's folder")
    parser.add_argument("--share", type=float, default=1.0, help="of what was learned")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    to, learned, since = (
        tensors.read_tensors(folder / checkpoint.WEIGHTS) for folder in (given.to, given.learned, given.since)
    )
    if not to.keys() == learned.keys() == since.keys():
        raise SystemExit("the three models are not of one kind: their weights have other names")
    total = {
        name: value.float() + given.share * (learned[name].float() - since[name].float())
        if value.is_floating_point()
        else value  # a count
        for name, value in to.items()
    }
    model = config.read_model(given.to / checkpoint.CONFIG)
    checkpoint.save_model(given.out, model, total, dtype=torch.float32)


if __name__ == "__main__":
    main()
