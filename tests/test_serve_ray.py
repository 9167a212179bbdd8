"""``tts-fm serve --ray`` on two nodes: one replica becomes two under load, the clients' own tests, and one replica is killed."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest
import ray_cluster
import ray_node
from ray_cluster import ENVIRONMENT, Cluster, until
from serving import LONG, RATE
from test_clients import (
    KEY,
    test_livekit,
    test_open_webui,
    test_openai_for_python,
    test_pipecat,
    test_the_ai_sdk_with_its_openai_provider,
    test_what_the_openapi_page_promises_is_held,
    test_wyoming_openai_as_home_assistant_uses_it,
)

__all__ = [
    "test_livekit",
    "test_open_webui",
    "test_openai_for_python",
    "test_pipecat",
    "test_the_ai_sdk_with_its_openai_provider",
    "test_what_the_openapi_page_promises_is_held",
    "test_wyoming_openai_as_home_assistant_uses_it",
]
pytestmark = pytest.mark.ray
TEXTS = [f"{LONG[:120]} This was number {i}." for i in range(12)]
CROWD = TEXTS[:8]
SLOW = {"input": LONG[:650], "response_format": "pcm", "seed": 1, "steps": 64}  # 5 s of a processor
HEADERS = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes, with room for one replica each."""
    pytest.importorskip("ray.serve")
    with ray_cluster.running() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def url(cluster: Cluster, model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server answers, of one replica that became two under load; it ends well when it is told to."""
    (port,) = ray_node.free_ports(1)
    folder = tmp_path_factory.mktemp("served")
    arguments = ["serve", "--ray", cluster.address, "--port", str(port), "--model", str(model_folder)]
    arguments += ["--device", "cpu", "--api-key", KEY, "--audit", "none", "--replicas", "1:2", "--waiting", "30"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tts_fm.commands", *arguments],
        env={**ENVIRONMENT, "TTS_FM_VOICES": str(folder / "voices")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    told = next((found[0] for line in lines if (found := re.search(r"http://\S+/v1", line))), None)
    assert told is not None, "it ended before it answered"
    assert len(replicas(cluster)) == 1
    asyncio.run(crowd(told, TEXTS, lambda: until(lambda: len(replicas(cluster)) == 2, 900)))
    yield told
    with httpx.Client(headers=HEADERS, timeout=900) as client:
        whole = client.post(f"{told}/audio/speech", json=ask(LONG, 1)).content
        with client.stream("POST", f"{told}/audio/speech", json=ask(LONG, 1)) as answer:
            flow = answer.iter_bytes()
            begun = next(flow)
            process.send_signal(signal.SIGTERM)
            assert begun + b"".join(flow) == whole  # what runs is finished
    out, _ = process.communicate(timeout=900)
    assert (process.returncode, out) == (0, "")
    assert not replicas(cluster)


def replicas(cluster: Cluster) -> list:
    """The processes that speak; one that still starts has another name."""
    return [one for one in cluster.processes("ray::ServeReplica") if "__init" not in ray_cluster.title(one)]


def ask(text: str, seed: int) -> dict:
    return {"input": text, "response_format": "pcm", "seed": seed}


async def crowd(url: str, texts: list[str], during: Callable[[], object] = bool) -> tuple[list[bytes], Counter[str]]:
    """Let a client each ask for a text until a sound came whole, and again as long as ``during`` goes on.

    Return the last sound of each, and what else they were told.
    """
    told: Counter[str] = Counter()
    is_over = asyncio.Event()

    async def one(client: httpx.AsyncClient, i: int, text: str) -> bytes:
        while True:
            try:
                answer = await client.post(f"{url}/audio/speech", json=ask(text, i))
                if answer.status_code != 200:
                    told[str(answer.status_code)] += 1
                elif is_over.is_set():
                    return answer.content
            except httpx.TransportError:
                told["broken"] += 1
            await asyncio.sleep(0.1)

    async with httpx.AsyncClient(headers=HEADERS, timeout=900, limits=httpx.Limits(max_connections=None)) as client:
        waiting = [asyncio.create_task(one(client, i, text)) for i, text in enumerate(texts)]
        await asyncio.to_thread(during)
        is_over.set()
        return list(await asyncio.gather(*waiting)), told


def test_a_replica_is_killed_while_it_speaks(url: str, cluster: Cluster) -> None:
    """Both speak to clients that listen, and others wait: what was said breaks off, what had not begun is a 503, no one hangs."""
    with ThreadPoolExecutor(len(CROWD)) as others:
        with both_speak(url, cluster) as (streams, speaking):
            waiting = [others.submit(told_once, url, text, i) for i, text in enumerate(CROWD)]
            until(lambda: min(waits(url) for _ in range(4)) >= 2, 300)  # at the one that has the least to do
            speaking[1].kill()
            (one, is_whole), (other, is_other_whole) = map(to_the_end, streams)
        answers = [answer.result(900) for answer in waiting]
    assert {is_whole, is_other_whole} == {True, False}
    broken, whole = sorted((one, other), key=len)
    assert is_whole == (one == whole) and 0 < len(broken) < len(whole) and broken == whole[: len(broken)]
    assert len(whole) / 2 / RATE == pytest.approx(len(SLOW["input"]) / 15, rel=0.5)
    told = Counter(answer.status_code for answer in answers)
    assert set(told) == {200, 503} and min(told.values()) >= 2, told
    for answer in answers:
        if answer.status_code == 503:
            assert answer.json()["error"]["code"] == "died" and answer.headers["retry-after"] == "1"
    until(lambda: len(replicas(cluster)) == 2, 900)
    assert speaking[1].pid not in {one.pid for one in replicas(cluster)}
    with both_speak(url, cluster):
        pass
    after, _ = asyncio.run(crowd(url, CROWD))
    assert all(len(sound) > RATE for sound in after)
    assert all(answer.content == sound for answer, sound in zip(answers, after, strict=True) if answer.is_success)


@contextmanager
def both_speak(url: str, cluster: Cluster) -> Iterator[tuple[list[Iterator[bytes]], list]]:
    """Yield two streams of ``SLOW``, each of which has begun, and the two replicas, which both compute."""
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(headers=HEADERS, timeout=900))
        until(lambda: len({born(client, url) for _ in range(6)}) == 2, 300)  # both are asked
        asked = [stack.enter_context(client.stream("POST", f"{url}/audio/speech", json=SLOW)) for _ in range(2)]
        streams = [stream.iter_bytes() for stream in asked]
        begun = [next(stream) for stream in streams]
        both = replicas(cluster)
        before = [computed(one) for one in both]
        until(lambda: min(computed(one) - was for one, was in zip(both, before, strict=True)) > 0.5, 300)
        yield [chain([first], stream) for first, stream in zip(begun, streams, strict=True)], both


def to_the_end(stream: Iterator[bytes]) -> tuple[bytes, bool]:
    """Return what comes, and whether its end was told; it breaks off where not."""
    heard = b""
    try:
        for part in stream:
            heard += part
    except httpx.RemoteProtocolError:
        return heard, False
    return heard, True


def told_once(url: str, text: str, seed: int) -> httpx.Response:
    """Return what a client is told that asks once."""
    with httpx.Client(headers=HEADERS, timeout=900) as client:
        return client.post(f"{url}/audio/speech", json=ask(text, seed))


def computed(process: Any) -> float:
    """Return the seconds of processor that a process has taken."""
    return sum(process.cpu_times()[:2])


def born(client: httpx.Client, url: str) -> str:
    """Return when the replica was started that answers now."""
    numbers = client.get(url.removesuffix("/v1") + "/metrics").text
    return next(line for line in numbers.splitlines() if line.startswith("process_start_time_seconds"))


def waits(url: str) -> int:
    """Return how many wait at the replica that answers."""
    with httpx.Client(headers=HEADERS, timeout=900) as client:
        return state(client, url)["waiting"]


def test_a_client_that_leaves_frees_its_place(url: str) -> None:
    with httpx.Client(headers=HEADERS, timeout=600) as client:
        with client.stream("POST", f"{url}/audio/speech", json=ask(LONG, 1)) as answer:
            next(answer.iter_bytes())
        until(lambda: all(state(client, url)["running"] == 0 for _ in range(8)))


def state(client: httpx.Client, url: str) -> dict:
    return client.get(url.removesuffix("/v1") + "/health").json()


def test_a_stream_of_text_is_answered(url: str) -> None:
    from websockets.sync.client import connect

    said = {"type": "input.text", "text": "One sentence, and nothing else."}
    address = f"ws{url.removeprefix('http')}/audio/speech/stream"
    with connect(address, additional_headers=HEADERS, open_timeout=60) as socket:
        for message in ({"type": "session.config", "response_format": "pcm"}, said, {"type": "input.done"}):
            socket.send(json.dumps(message))
        kinds: list[str] = []
        size = 0
        while not kinds or kinds[-1] != "session.done":
            got = socket.recv(timeout=120)
            if isinstance(got, bytes):
                size += len(got)
            else:
                kinds.append(json.loads(got)["type"])
    assert size > 24_000


def test_a_second_server_is_refused(url: str, cluster: Cluster) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "tts_fm.commands", "serve", "--ray", cluster.address, "--port", "8765"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert refused.returncode == 2 and "serve shutdown" in refused.stderr
