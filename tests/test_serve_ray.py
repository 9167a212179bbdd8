"""``tts-fm serve --ray`` on two nodes: one replica becomes two under load, the clients' own tests, and one replica is killed."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import ray_cluster
import ray_node
from conftest import SKIPPED
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
RUNNING, WAITING, HELD, HEARD, SPOKEN = (
    f"tts_fm_{name}" for name in ("running", "waiting", "held", "first_byte_seconds_count", "spoken_seconds_total")
)


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


@pytest.fixture(autouse=True)
def two_answer(request: pytest.FixtureRequest, url: str) -> Iterator[None]:
    """A client's test finds two replicas and leaves the same two, which have spoken for it; both, where it asks for much."""
    if request.node.originalname not in __all__:
        yield
        return
    before = numbers(url)
    yield
    if request.node.stash[SKIPPED]:  # the client is not to be had here
        return
    after = numbers(url)
    assert set(after) == set(before)
    said = [after[one][SPOKEN] - before[one][SPOKEN] for one in after]
    assert sum(said) > 0
    if request.node.originalname == test_what_the_openapi_page_promises_is_held.__name__:
        assert min(said) > 0


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
            waiting = [others.submit(told_once, url, ask(text, i)) for i, text in enumerate(CROWD)]
            until(lambda: min(of_each(url, WAITING)) >= 2, 300)
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
        numbers(url)  # both are asked
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


def told_once(url: str, body: dict) -> httpx.Response:
    """Return what a client is told that asks once."""
    with httpx.Client(headers=HEADERS, timeout=900) as client:
        return client.post(f"{url}/audio/speech", json=body)


def computed(process: Any) -> float:
    """Return the seconds of processor that a process has taken."""
    return sum(process.cpu_times()[:2])


@pytest.mark.parametrize("format", ["wav", "pcm"], ids=["before its first sound", "in the middle"])
def test_a_client_that_leaves_frees_its_place(url: str, cluster: Cluster, format: str) -> None:
    """Both speak until their clients leave: who comes next is served at once, and no phrase of the rest is finished."""
    both = replicas(cluster)
    whole, _ = cost(both, lambda: told_once(url, SLOW))
    alone, answer = cost(both, lambda: told_once(url, ask(TEXTS[0], 1)))
    heard = sum(of_each(url, HEARD))
    leaving: list[socket.socket] = []
    while not all(of_each(url, RUNNING)):  # the first two may be one replica's
        leaving.append(sent(url, {**SLOW, "input": LONG, "response_format": format}))
        until(lambda: sum(of_each(url, RUNNING, WAITING)) == len(leaving))
    if format == "pcm":
        until(lambda: sum(of_each(url, HEARD)) == heard + 2)

    def leave_and_ask() -> httpx.Response:
        for connection in leaving:
            connection.close()
        return told_once(url, ask(TEXTS[0], 1))

    taken, after = cost(both, leave_and_ask)
    assert after.content == answer.content and len(after.content) > RATE
    assert taken - alone < whole / 16  # a phrase of 8 s of its 43 is a fifth
    until(lambda: not any(of_each(url, RUNNING, WAITING, HELD)), 5)


def cost(processes: list, act: Callable[[], httpx.Response]) -> tuple[float, httpx.Response]:
    """Return the seconds of processor that ``processes`` take for an answer, and the answer."""
    before = sum(map(computed, processes))
    answer = act()
    return sum(map(computed, processes)) - before, answer


def sent(url: str, body: dict) -> socket.socket:
    """Return a connection on which ``body`` is asked for; to close it is to leave."""
    data, headers = json.dumps(body), {**HEADERS, "Content-Type": "application/json"}
    connection = HTTPConnection(urlsplit(url).netloc)
    connection.request("POST", f"{urlsplit(url).path}/audio/speech", data, headers)
    assert connection.sock is not None
    return connection.sock


def of_each(url: str, *names: str) -> list[float]:
    """Return the sum of these numbers at each of the two replicas."""
    return [sum(one.get(name, 0.0) for name in names) for one in numbers(url).values()]


def numbers(url: str) -> dict[float, dict[str, float]]:
    """Return what each of the two replicas tells at ``/metrics`` without labels, by when it was started."""
    told: dict[float, dict[str, float]] = {}

    def both_tell() -> bool:
        told.clear()
        told.update({one["process_start_time_seconds"]: one for one in map(read, asyncio.run(pages(url)))})
        return len(told) == 2

    until(both_tell, 300)
    return told


async def pages(url: str) -> list[str]:
    """Return ``/metrics``, asked for many times at once: one after the other would all be told by who has the least to do."""
    async with httpx.AsyncClient(headers=HEADERS, timeout=900) as client:
        answers = await asyncio.gather(*(client.get(url.removesuffix("/v1") + "/metrics") for _ in range(16)))
    return [answer.text for answer in answers]


def read(page: str) -> dict[str, float]:
    """Return the numbers without labels."""
    from prometheus_client.parser import text_string_to_metric_families

    samples = chain.from_iterable(family.samples for family in text_string_to_metric_families(page))
    return {sample.name: sample.value for sample in samples if not sample.labels}


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
