"""Batches on several processes and machines: who dies is replaced, every line is said once, and the bytes stay the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray_cluster
from conftest import bent_model
from ray_cluster import ENVIRONMENT, Cluster, until

from tts_fm import plugins
from tts_fm.batch import shards
from tts_fm.batch.executors import Executor
from tts_fm.batch.executors.local import Local
from tts_fm.batch.job import Job
from tts_fm.batch.listing import Line
from tts_fm.batch.run import SAID, Batch, Progress
from tts_fm.data.corpora import CorpusReader
from tts_fm.origin import Origin

LINES = [Line(f"u{i:02d}", "And so on, " * (i % 4) + f"this is line {i}.", number=i + 1) for i in range(16)]


@pytest.fixture(scope="module")
def bent(tmp_path_factory: pytest.TempPathFactory, model_folder: Path) -> Path:
    return bent_model(model_folder, tmp_path_factory.mktemp("bent") / "bent")


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, bent: Path) -> Path:
    """What one process makes of the lines."""
    job = wanted(tmp_path_factory.mktemp("alone"), bent)
    batch(job).run(Local(1), 2)
    return job.out


def wanted(out: Path, model: Path) -> Job:
    return Job(out, Origin(str(model), device="cpu"), store="webdataset", sampling={"steps": 60})


def batch(job: Job) -> Batch:
    return Batch(job, LINES, job.identity(job.origin.load()))


def check(out: Path, alone: Path) -> None:
    """Every line was said once, and all is as one process has made it."""
    assert sorted(one.id for done in shards.find_all(out) for one in done.said) == [line.id for line in LINES]
    found: list[str] = []
    for path in sorted((out / "shards").iterdir()):
        assert path.read_bytes() == (alone / "shards" / path.name).read_bytes(), path
        with tarfile.open(path) as tar:
            found += [name.removesuffix(".flac") for name in tar.getnames() if name.endswith(".flac")]
    assert found == [line.id for line in LINES]
    assert (out / SAID).read_bytes() == (alone / SAID).read_bytes()
    assert not list(out.rglob("*.part"))


def workers(out: Path) -> set[int]:
    """The processes that have said something."""
    return {int(done.worker.split()[-1]) for done in shards.find_all(out)}


class Killer:
    """Kills what is named, one after another, whenever another so many lines are done."""

    def __init__(self, every: int, *kills) -> None:
        self.every, self.kills, self.at = every, list(kills), every

    def __call__(self, progress: Progress) -> None:
        if self.kills and progress.done >= self.at:
            self.at += self.every
            self.kills.pop(0)()


def killed_while_it_ran(executor: Executor, job: Job, killer: Killer) -> None:
    result = batch(job).run(executor, 2, killer)
    assert not killer.kills, "it was done before all had been killed"
    assert result.new == len(LINES)


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced(tmp_path: Path, bent: Path, alone: Path) -> None:
    job = wanted(tmp_path, bent)
    dead: set[int] = set()

    def kill_one() -> None:
        victim = min(workers(job.out))
        os.kill(victim, signal.SIGKILL)
        dead.add(victim)

    killed_while_it_ran(Local(2), job, Killer(4, kill_one))
    check(job.out, alone)
    assert dead < workers(job.out)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_command_that_is_killed_leaves_nobody_and_goes_on(
    number: signal.Signals, tmp_path: Path, bent: Path, alone: Path
) -> None:
    out, listed = tmp_path / "out", tmp_path / "list.jsonl"
    listed.write_text(
        "".join(json.dumps({"id": line.id, "text": line.text}) + "\n" for line in LINES), encoding="utf-8"
    )
    command = [sys.executable, "-m", "tts_fm.commands", "batch", str(listed), str(out), "--model", str(bent)]
    command += ["--shards", "webdataset", "--shard-size", "2", "--steps", "60", "--workers", "2", "--device", "cpu"]
    running = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE)
    until(lambda: len(list((out / "done").glob("*.json"))) >= 2)
    running.send_signal(number)
    code = running.wait(120)
    assert code == {signal.SIGKILL: -9, signal.SIGINT: 130}[number]
    left = workers(out)
    until(lambda: not any(alive(one) for one in left))
    assert 2 <= len(shards.find_all(out)) < len(LINES) / 2
    assert subprocess.run(command, env=ENVIRONMENT, timeout=300).returncode == 0
    check(out, alone)


def alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.ray  # before a cluster is started, which auto would find
@pytest.mark.parametrize("address", ["auto", "127.0.0.1:9"])
def test_no_cluster_is_said(address: str, tmp_path: Path, bent: Path) -> None:
    pytest.importorskip("ray.data")
    if address == "auto" and ray_cluster.is_one_here():
        pytest.skip("another cluster runs on this machine, which auto means")
    from tts_fm.batch.executors.ray import Ray

    with pytest.raises(ValueError, match="there is no Ray cluster at"):
        next(Ray(1, address).run(wanted(tmp_path, bent), [], lambda lines, seconds: None))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster of two nodes."""
    with ray_cluster.running() as cluster:
        yield cluster


@pytest.mark.ray
def test_a_corpus_is_prepared_on_a_cluster_as_in_one_process(
    cluster: Cluster, tmp_path: Path, voice_file: Path
) -> None:
    from tts_fm.data import prepare

    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for i in range(120):
        shutil.copy(voice_file, corpus / f"{i}.wav")
    (corpus / "7.wav").write_bytes(b"broken")
    (corpus / "metadata.csv").write_text("".join(f"{i}.wav|Words of {i}.\n" for i in range(120)), encoding="utf-8")
    for name, address in (("one", None), ("other", cluster.address)):
        out = tmp_path / name
        reader = plugins.build(CorpusReader, "csv", corpus, (), out / "audio")
        assert prepare.prepare(reader, out, prepare.Wishes(ray=address)).read == 120
    for file in (prepare.MANIFEST, prepare.VOCAB, prepare.CUTS, prepare.LEFT_OUT):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes(), file
    assert len((tmp_path / "one" / prepare.MANIFEST).read_text().splitlines()) == 119


class Worker:
    """An actor that takes a moment for whatever it is given."""

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.5)
        return {"done": os.getpid()}


@pytest.mark.ray
def test_no_worker_is_let_go_while_there_is_work(cluster: Cluster) -> None:
    """Ray Data by itself lets the second of two go as soon as it has started; its store of objects has 76 MB here."""
    pytest.importorskip("ray.data")
    from tts_fm import cluster as clusters
    from tts_fm.batch.executors.ray import pool

    with clusters.connected(cluster.address) as ray:
        rows = clusters.rows(ray, range(80)).map(Worker, compute=pool(ray, 2), num_cpus=1)
        said = [row["done"] for row in rows.iter_rows()]
    assert len(said) == 80
    assert len(set(said)) == 2 and min(said[-20:].count(one) for one in set(said)) >= 5


@pytest.mark.ray
def test_a_worker_and_then_a_node_are_killed(cluster: Cluster, tmp_path: Path, bent: Path, alone: Path) -> None:
    from tts_fm.batch.executors.ray import Ray

    job = wanted(tmp_path, bent)

    def kill_first() -> None:
        cluster.processes("MapWorker", 0)[0].kill()

    def kill_second() -> None:
        assert cluster.processes("MapWorker", 1)
        cluster.kill_second()

    killer = Killer(4, kill_first, kill_second)
    killed_while_it_ran(Ray(2, cluster.address), job, killer)
    check(job.out, alone)
    assert len(cluster.nodes()) == 1
