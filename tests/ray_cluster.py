"""A Ray cluster of this machine: a head and a second node, of one worker each, parts of which can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import ray_node

TESTS = Path(__file__).parent
T = TypeVar("T")
_MARK = "TTS_FM_TEST_CLUSTER"
ENVIRONMENT = {
    **os.environ,
    **ray_node.PATIENCE,
    "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}",
    "OMP_NUM_THREADS": "1",
}


def until(is_so: Callable[[], Any], seconds: float = 120.0) -> None:
    """Wait until ``is_so()``."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def told(ask: Callable[[], T], gone: T) -> T:
    """Return what a process tells of itself; ``gone`` where it has just died."""
    import psutil

    try:
        return ask()
    except psutil.Error:
        return gone


def title(process: Any) -> str:
    """Return what a process calls itself; one that has just died has no name."""
    return " ".join(told(process.cmdline, []))


def descendants(process: Any) -> list:
    """Return the processes that this one has started, and theirs; none where it has just died."""
    return told(lambda: process.children(recursive=True), [])


def is_one_here() -> bool:
    """Whether a cluster runs on this machine, whoever started it."""
    import psutil

    return any(told(process.name, "") == "gcs_server" for process in psutil.process_iter())


class Cluster:
    """What runs in ``folder``, and at which address."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.address = folder, ""

    def start(self) -> None:
        """Start both nodes, and wait until both are known."""
        self._start("--head", "--port=0", "--include-dashboard=false", f"--temp-dir={self.folder}")
        self.address = (self.folder / "ray_current_cluster").read_text()
        self._start(f"--address={self.address}")

    def _start(self, *options: str) -> None:
        common = ["--node-ip-address=127.0.0.1", "--num-cpus=1", "--num-gpus=0", "--object-store-memory=80000000"]
        common += ["--include-log-monitor=false", "--disable-usage-stats"]
        command = [sys.executable, str(TESTS / "ray_node.py"), *options, *common]
        environment = {**ENVIRONMENT, _MARK: str(self.folder)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def nodes(self) -> list:
        """The raylets, the head's first."""
        raylets = [one for one in self._processes() if told(one.name, "") == "raylet"]
        return sorted(raylets, key=lambda one: told(one.create_time, float("inf")))

    def processes(self, name: str, node: int | None = None) -> list:
        """The processes that Ray calls by this name, on one of the nodes or on all."""
        nodes = self.nodes() if node is None else [self.nodes()[node]]
        children = [one for raylet in nodes for one in descendants(raylet)]
        return [one for one in children if name in title(one)]

    def kill_second(self) -> None:
        """Kill the second node with all its processes, as a machine that loses its power."""
        second = self.nodes()[1]
        for one in [second, *descendants(second)]:
            told(one.kill, None)

    def stop(self) -> None:
        """Kill all of it."""
        import psutil

        while found := list(self._processes()):
            for one in found:
                told(one.kill, None)
            psutil.wait_procs(found, 10)

    def _processes(self) -> Iterator:
        """All that was started for this cluster, known by what it has inherited."""
        import psutil

        for process in psutil.process_iter():
            is_dead = told(process.status, psutil.STATUS_ZOMBIE) == psutil.STATUS_ZOMBIE
            if not is_dead and told(process.environ, {}).get(_MARK) == str(self.folder):
                yield process


@contextmanager
def running() -> Iterator[Cluster]:
    """Yield a cluster that runs; skip the test where Ray is not installed."""
    pytest.importorskip("ray.data")
    pytest.importorskip("psutil")
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:  # sockets want short names
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
