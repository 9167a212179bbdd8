"""Batches on several processes and machines: who dies is replaced, every line is said once, and the bytes stay the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import bent_model

from tts_fm import plugins
from tts_fm.batch import shards
from tts_fm.batch.executors import Executor
from tts_fm.batch.executors.local import Local
from tts_fm.batch.job import Job
from tts_fm.batch.listing import Line
from tts_fm.batch.run import SAID, Batch, Progress
from tts_fm.data.corpora import CorpusReader

LINES = [Line(f"u{i:02d}", "And so on, " * (i % 4) + f"this is line {i}.", number=i + 1) for i in range(16)]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}


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
    return Job(out, store="webdataset", model=str(model), device="cpu", sampling={"steps": 60})


def batch(job: Job) -> Batch:
    return Batch(job, LINES, job.identity(job.load()))


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


def until(is_so, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


# A cluster of two nodes


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Cluster:
    """A Ray cluster of this machine: a head and a second node, of one worker each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = self._start("--head", "--port=0", "--include-dashboard=false", f"--temp-dir={folder}")
        self._start(f"--address={self.address}")

    def _start(self, *options: str) -> str:
        """Start a node, and again where a busy machine was too slow for Ray; return the address of the cluster."""
        common = ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--num-gpus=0", "--object-store-memory=80000000"]
        ray = str(Path(sys.executable).with_name("ray"))
        for _ in range(5):
            port = f"--runtime-env-agent-port={free_port()}"  # Ray waits 15 s for one that it does not know before
            started = subprocess.run(
                [ray, "start", *options, *common, port, "--include-log-monitor=false", "--disable-usage-stats"],
                env=ENVIRONMENT,
                capture_output=True,
                text=True,
            )
            if started.returncode == 0:
                return (self.folder / "ray_current_cluster").read_text() if "--head" in options else self.address
            if "--head" in options:
                self.stop()
        raise RuntimeError(started.stderr)

    def nodes(self) -> list:
        """The raylets, the head's first."""
        return sorted(
            (p for p in self._processes() if "raylet/raylet" in p.cmdline()[0]), key=lambda p: p.create_time()
        )

    def worker(self, node: int) -> Any:
        """The process that says shards on a node."""
        children = self.nodes()[node].children(recursive=True)
        return next(one for one in children if "MapWorker" in " ".join(one.cmdline()))

    def kill_second(self) -> None:
        """Kill the second node with all its processes, as a machine that loses its power."""
        import psutil

        assert self.worker(1).is_running()
        second = self.nodes()[1]
        for one in [second, *second.children(recursive=True)]:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue

    def stop(self) -> None:
        import psutil

        for process in self._processes():
            try:
                for one in [*process.children(recursive=True), process]:
                    one.kill()
            except psutil.NoSuchProcess:
                continue

    def _processes(self) -> Iterator:
        """All that was started for this cluster, known by its folder."""
        import psutil

        for process in psutil.process_iter():
            try:
                if process.cmdline() and any(str(self.folder) in word for word in process.cmdline()):
                    yield process
            except psutil.Error:
                continue


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    pytest.importorskip("ray.data")
    pytest.importorskip("psutil")
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:  # sockets want short names
        made = Cluster(Path(folder))
        try:
            yield made
        finally:
            made.stop()


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


@pytest.mark.ray
def test_a_worker_and_then_a_node_are_killed(cluster: Cluster, tmp_path: Path, bent: Path, alone: Path) -> None:
    from tts_fm.batch.executors.ray import Ray

    job = wanted(tmp_path, bent)
    first = cluster.worker
    killer = Killer(4, lambda: first(0).kill(), cluster.kill_second)
    killed_while_it_ran(Ray(2, cluster.address), job, killer)
    check(job.out, alone)
    assert len(cluster.nodes()) == 1


@pytest.mark.ray  # Ray asks again for up to minutes
@pytest.mark.parametrize("address", ["auto", "127.0.0.1:9"])
def test_no_cluster_is_said(address: str, tmp_path: Path, bent: Path) -> None:
    pytest.importorskip("ray.data")
    from tts_fm.batch.executors.ray import Ray

    with pytest.raises(ValueError, match="there is no Ray cluster at"):
        next(Ray(1, address).run(wanted(tmp_path, bent), [], lambda lines, seconds: None))
