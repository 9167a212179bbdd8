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
from typing import Any

import pytest
import ray_node

TESTS = Path(__file__).parent
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


def title(process: Any) -> str:
    """Return what a process calls itself; one that has just died has no name."""
    import psutil

    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


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
        return sorted((p for p in self._processes() if p.name() == "raylet"), key=lambda p: p.create_time())

    def processes(self, name: str, node: int | None = None) -> list:
        """The processes that Ray calls by this name, on one of the nodes or on all."""
        nodes = self.nodes() if node is None else [self.nodes()[node]]
        children = [one for raylet in nodes for one in raylet.children(recursive=True)]
        return [one for one in children if name in title(one)]

    def kill_second(self) -> None:
        """Kill the second node with all its processes, as a machine that loses its power."""
        import psutil

        second = self.nodes()[1]
        for one in [second, *second.children(recursive=True)]:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue

    def stop(self) -> None:
        """Kill all of it."""
        import psutil

        while found := list(self._processes()):
            for one in found:
                try:
                    one.kill()
                except psutil.NoSuchProcess:
                    continue
            psutil.wait_procs(found, 10)

    def _processes(self) -> Iterator:
        """All that was started for this cluster, known by what it has inherited."""
        import psutil

        for process in psutil.process_iter():
            try:
                if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(_MARK) == str(self.folder):
                    yield process
            except psutil.Error:
                continue


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
