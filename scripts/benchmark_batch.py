"""What a batch costs: seconds of speech per second on one and two workers, on Ray, going on with 100,000 ids, and 1,000 hours.

python -m scripts.benchmark_batch --out runs/batch [--ray auto]
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from tts_fm import plugins, threads
from tts_fm.batch import shards
from tts_fm.batch.executors import Executor
from tts_fm.batch.job import Job
from tts_fm.batch.listing import Line
from tts_fm.batch.run import Batch
from tts_fm.batch.shards import Done, Said
from tts_fm.origin import Origin
from tts_fm.synthesizer import Synthesizer

_TEXTS = (
    "Flow matching turns noise into speech.",
    "The train to the coast leaves at nine, and it is never late.",
    "She put the letter back where she had found it.",
    "Nobody knew how long the winter would be, so they brought in all the wood they had.",
)
_HOW = {"as it speaks": {}, "three leaps": {"leap": True, "steps": 3}}
_HOURS = 1000
_MACHINES, _CORES = (1, 8, 64), 16


def main(
    out: Annotated[Path, typer.Option(help="A folder for the speech, made anew.")] = Path("runs/batch"),
    lines: Annotated[int, typer.Option(help="Lines that are said each time.")] = 32,
    finished: Annotated[int, typer.Option(help="Lines that are finished when a run goes on.")] = 100_000,
    ray: Annotated[str | None, typer.Option(help="A Ray cluster to measure, too.")] = None,
) -> None:
    """Measure, print a table, and write ``figures.json``."""
    shutil.rmtree(out, ignore_errors=True)
    ways: dict[str, tuple[str, int, str | None]] = {"1 worker": ("local", 1, None), "2 workers": ("local", 2, None)}
    if ray is not None:
        ways |= {"1 worker on Ray": ("ray", 1, ray), "2 workers on Ray": ("ray", 2, ray)}
    speeds: dict[str, dict[str, float]] = {}
    for name, way in ways.items():
        speeds[name] = _speed(out / name.replace(" ", "-"), lines, *way)
        print(f"{name}: {json.dumps(speeds[name])}", flush=True)
    figures: dict[str, Any] = {"lines": lines, "speeds": speeds, "resume": _resume(out / "resume", finished)}
    busy = {name: _processor_seconds(how) for name, how in _HOW.items()}
    figures["processor seconds for a second of speech"] = busy
    figures["efficiency of 2 workers"] = round(speeds["2 workers"]["rate"] / speeds["1 worker"]["rate"] / 2, 3)
    if ray is not None:
        figures["speed on Ray beside processes of our own"] = {
            name: round(speeds[f"{name} on Ray"]["rate"] / speeds[name]["rate"], 3)
            for name in ("1 worker", "2 workers")
        }
    figures["1,000 hours"] = {
        f"{name}, {n} machines of {_CORES} cores": round(_HOURS * cost / (n * _CORES), 2)
        for name, cost in busy.items()
        for n in _MACHINES
    }
    (out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures, indent=1))


def _processor_seconds(how: dict[str, Any]) -> float:
    """Return what a second of speech costs one thread, whatever else the machine is doing."""
    synthesizer, speech = Synthesizer.load(device="cpu"), 0.0
    sampling = synthesizer.config.sampling_as(how)
    with threads.one():
        synthesizer.synthesize(_TEXTS[0], sampling=sampling)  # the first call also allocates
        began = time.process_time()
        for text in _TEXTS:
            speech += synthesizer.synthesize(text, sampling=sampling).seconds
    return round((time.process_time() - began) / speech, 3)


def _speed(out: Path, n: int, executor: str, workers: int, address: str | None) -> dict[str, float]:
    """Return how fast so many lines are said once every worker has said its first: what starts them is told apart.

    A line was said when its marker was written: Ray hands on what was said later, and many at once. ``overhead`` is the time in
    which workers do not speak, as a share of the time in which they do; ``processor_seconds`` what a second of speech costs
    processes of our own (Linux), which does not depend on what else the machine is doing.
    """
    job = Job(out.absolute(), Origin(device="cpu"), store="webdataset")
    listed = [Line(f"u{i:05d}", _TEXTS[i % len(_TEXTS)], number=i) for i in range(n)]
    job.out.mkdir(parents=True)
    batch = Batch(job, listed, job.identity(job.origin.load()))
    began = time.time()
    first: dict[str, float] = {}
    made: list[tuple[float, Done]] = []
    cost: dict[str, list[tuple[float, float]]] = {}
    for done in plugins.build(Executor, executor, workers, address).run(job, shards.plan(batch.missing, 1), _nobody):
        made.append(((job.out / shards.DONE / f"{done.number:06d}.json").stat().st_mtime, done))
        if address is None:  # Ray's are gone by now, perhaps
            said = sum(one.seconds for one in done.said)
            cost.setdefault(done.worker, []).append((said, _computed(int(done.worker.split()[-1]))))
    made.sort(key=lambda one: one[0])
    for when, done in made:
        first.setdefault(done.worker, when)
    warm = max(first.values())
    after = [one for when, done in made if when > warm for one in done.said]
    speech, computing = sum(one.seconds for one in after), sum(one.computing_seconds for one in after)
    elapsed = made[-1][0] - warm
    figures = {
        "speech": round(speech, 3),
        "rate": round(speech / elapsed, 4),
        "overhead": round(elapsed * workers / computing - 1, 4),
        "started_after": round(warm - began, 1),
    }
    if cost:
        computed = sum(course[-1][1] - course[0][1] for course in cost.values())
        meanwhile = sum(said for course in cost.values() for said, _ in course[1:])
        figures["processor_seconds"] = round(computed / meanwhile, 3)
    return figures


def _computed(process: int) -> float:
    """Return the seconds of processor that a process of this machine has taken, all its threads together."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _nobody(lines: int, seconds: float) -> None:
    """Watch nothing."""


def _resume(out: Path, n: int) -> dict[str, float]:
    """Return how long a run takes that finds so many lines done: reading the markers, planning, writing said.jsonl."""
    listed = [Line(f"u{i:06d}", f"{_TEXTS[i % len(_TEXTS)]} {i}", number=i) for i in range(n)]
    job = Job(out.absolute(), Origin(device="cpu"), store="webdataset")
    job.out.mkdir(parents=True)
    identity = job.identity(job.origin.load())
    for shard in shards.plan(listed, 100):
        kept = tuple(Said(line.id, line.digest, 3.0, 40, 1, 1, 1.2) for line in shard.lines)
        Done(shard.number, "", kept, ()).save(job.out)
    return {
        "lines": n,
        "seconds": round(_timed(lambda: Batch(job, listed, identity).run(plugins.build(Executor, "local"))), 2),
    }


def _timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    typer.run(main)
