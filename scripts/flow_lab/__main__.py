"""The flow-matching lab: four ways to learn a flow in the plane, with the same network and the same time, on one page.

    python -m scripts.flow_lab --out runs/flow_lab

Writes OUT/index.html with its pictures, and OUT/results.json; prints a table. What was trained and measured is kept in
OUT, so that running again goes on where it stopped. All of it takes about six minutes of one CPU core.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from pydantic import TypeAdapter

from scripts.flow_lab import page, pictures
from scripts.flow_lab.data import DATA, Data
from scripts.flow_lab.measure import Figures, Judge, measure
from scripts.flow_lab.table import overview
from scripts.flow_lab.train import METHODS, Settings, Snapshot, train_or_read
from tts_fm import atomic

FIGURES = TypeAdapter(Figures)


def main() -> None:
    """Train, measure, draw, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/flow_lab"))
    parser.add_argument("--data", nargs="+", choices=list(DATA), default=list(DATA), help="default: all")
    parser.add_argument("--seconds", type=float, default=Settings.seconds, help="CPU time of each training")
    parser.add_argument("--samples", type=int, default=2048, help="that are compared with as many of the data")
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--threads", type=int, default=1, help="times are of all threads together")
    parser.add_argument(
        "--quick", action="store_true", help="a small network, half a second each: to see whether it runs"
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    settings, samples = Settings(seconds=args.seconds, seed=args.seed), args.samples
    if args.quick:
        settings, samples = Settings(seconds=0.3, width=16, batch=32, seed=args.seed), 100
    try:
        run(args.out, args.data, settings, samples)
    except ValueError as error:
        parser.error(str(error))


def run(out: Path, names: list[str], settings: Settings, samples: int) -> None:
    """Do the whole lab on the data sets called ``names``."""
    judges: dict[str, Judge] = {}
    figures: dict[str, dict[str, Figures]] = {}
    ways: dict[str, page.Ways] = {}
    for name in names:
        data, judge = DATA[name], Judge.of(DATA[name], samples)
        judges[name], figures[name], nets = judge, {}, {}
        for key, method in METHODS.items():
            print(f"{data.title}, {method.title}", file=sys.stderr)
            snapshots = train_or_read(out / "weights" / f"{name}-{key}.pt", data, method, settings)
            measured = out / "measures" / f"{name}-{key}-{samples}.json"
            figures[name][key] = measure_or_read(measured, data, judge, snapshots, settings)
            nets[key] = snapshots[-1].net(settings.width)
        pictures.draw_data(out / "pictures", name, judge, nets, points=5 * samples)
        pictures.draw_solvers(out / "pictures" / f"solvers-{name}.webp", figures[name], judge)
        ways[name] = page.encode_ways(nets)
    pictures.draw_progress(out / "pictures" / "training.webp", figures, judges)
    write(out / "index.html", page.render(figures, judges, ways, settings, samples))
    results = {
        name: {
            "floor": judges[name].floor,
            "sliced_floor": judges[name].sliced_floor,
            "log_density": judges[name].log_density,
            "methods": {key: asdict(of) for key, of in of_methods.items()},
        }
        for name, of_methods in figures.items()
    }
    report = {"settings": asdict(settings), "samples": samples, "data": results}
    write(out / "results.json", json.dumps(report, indent=1) + "\n")
    print(overview(figures, judges).as_text())


def write(file: Path, text: str) -> None:
    """Write a file as a whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(file) as beside:
        beside.write_text(text, encoding="utf-8")


def measure_or_read(file: Path, data: Data, judge: Judge, snapshots: list[Snapshot], settings: Settings) -> Figures:
    """Return what was measured of these very snapshots before and kept in ``file``, or measure now and keep it."""
    if file.exists():
        kept = FIGURES.validate_json(file.read_bytes())
        if [p.seconds for p in kept.progress] == [s.seconds for s in snapshots]:
            return kept
    figures = measure(data, judge, snapshots, settings)
    write(file, FIGURES.dump_json(figures, indent=1).decode())
    return figures


if __name__ == "__main__":
    main()
