"""How ``tts-fm serve`` holds: many clients at once, some that leave, some that are slow, and its memory over many requests."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np

TEXTS = (
    "Flow matching turns noise into speech.",
    "The train to the coast leaves at half past seven, and it is nearly always late.",
    "Would you please close the window? It is getting cold in here.",
    "She wrote the number down, folded the paper twice, and put it into her pocket.",
)
RATE = 24_000
LEFT, BROKEN = 499, 0
"""The statuses of a client that left, and of an answer that did not come to its end."""

_PIECE = 4_096  # bytes that are taken at once
_LOOK = 10  # requests between two looks at memory and files
TIMEOUT = 1_800.0  # seconds


def varied(i: int) -> str:
    """Return text ``i`` of endlessly many: 4 to 30 words of ``TEXTS`` in any order."""
    chance = random.Random(i)
    return " ".join(chance.choices(" ".join(TEXTS).split(), k=chance.randint(4, 30)))


@dataclass(frozen=True)
class Told:
    """What became of a request; times in seconds from when it was sent."""

    status: int
    first_byte: float
    end: float
    speech: float = 0.0
    retry_after: str | None = None
    answering: tuple[float, float] = (0.0, 0.0)  # Server.answering() when it was told


@dataclass(frozen=True)
class Server:
    """A server to ask, with what else is told it, and its process where it runs here."""

    url: str
    key: str
    voice: str
    fields: dict[str, Any]
    pid: int | None
    is_varied: bool = False

    def body(self, i: int) -> dict[str, Any]:
        """Return the body of request ``i``."""
        text = varied(i) if self.is_varied else TEXTS[i % len(TEXTS)]
        body = {"model": "tts-1", "input": text, "voice": self.voice, "response_format": "pcm"}
        return {**body, **self.fields}

    @property
    def host(self) -> str:
        """Where it listens."""
        return str(urlsplit(self.url).hostname)

    @property
    def port(self) -> int:
        """At which port."""
        return urlsplit(self.url).port or 80

    def request(self, i: int) -> bytes:
        """Return request ``i`` as it is sent."""
        body = json.dumps(self.body(i)).encode()
        head = (
            f"POST {urlsplit(self.url).path}/audio/speech HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Authorization: Bearer {self.key}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        return head.encode() + body

    def memory(self) -> float:
        """Return the process's resident memory in MB."""
        (line,) = [line for line in Path(f"/proc/{self.pid}/status").read_text().splitlines() if "VmRSS" in line]
        return int(line.split()[1]) / 1024

    def computed(self) -> float:
        """Return the seconds of processor that the process has taken (Linux)."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def answering(self) -> tuple[float, float]:
        """Return the seconds that the thread which answers has computed, and those it has waited for a processor (Linux)."""
        if self.pid is None:
            return 0.0, 0.0
        computed, waited, _ = Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text().split()
        return int(computed) / 1e9, int(waited) / 1e9

    def files(self) -> int:
        """Return how many files the process has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))


async def ask(server: Server, i: int, pause: float = 0.0, leave: float = 0.0) -> Told:
    """Ask for speech; a slow client pauses after each piece it takes, one that leaves does so after so many seconds.

    Times count from before the connection is made. The request is written by hand: a client that computes for a
    millisecond or two per request would, of 200 at once, measure itself.
    """
    began = time.monotonic()
    try:
        async with asyncio.timeout(leave if leave else TIMEOUT):
            reader, writer = await asyncio.open_connection(server.host, server.port, limit=_PIECE)
            try:
                writer.write(server.request(i))
                status, headers = await _head(reader)
                first, size = time.monotonic() - began, 0
                async for part in _body(reader, headers):
                    size += len(part)
                    await asyncio.sleep(pause)
            finally:
                writer.close()
    except TimeoutError:
        return Told(LEFT, 0.0, time.monotonic() - began)
    except (OSError, EOFError):
        return Told(BROKEN, 0.0, time.monotonic() - began)
    speech = size / 2 / RATE if status == 200 else 0.0
    end = time.monotonic() - began
    return Told(status, first, end, speech, headers.get("retry-after"), server.answering())


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    """Return the status and the headers of an answer; they are sent with the first sound."""
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.split(":", 1) for line in lines if ":" in line)
    return int(status.split()[1]), {name.lower(): value.strip() for name, value in pairs}


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    """Yield the body of an answer in pieces."""
    is_chunked = "chunked" in headers.get("transfer-encoding", "")
    while left := int(await reader.readline(), 16) if is_chunked else int(headers["content-length"]):
        while left:
            part = await reader.read(min(left, _PIECE))
            if not part:
                raise EOFError
            left -= len(part)
            yield part
        if not is_chunked:
            return
        await reader.readline()


async def crowd(server: Server, n: int, **how: float) -> tuple[list[Told], float]:
    """Let ``n`` clients ask at the same time; return what they were told, and the seconds it took."""
    began = time.monotonic()
    told = await asyncio.gather(*(ask(server, i, **how) for i in range(n)))
    return list(told), time.monotonic() - began


def summary(told: list[Told], seconds: float) -> dict[str, Any]:
    """Return the figures of a crowd."""
    made = [one for one in told if one.status == 200]
    away = [one for one in told if one.status == 429]
    figures: dict[str, Any] = {
        "statuses": {str(s): sum(one.status == s for one in told) for s in {t.status for t in told}}
    }
    for name, values in (
        ("first_byte", [one.first_byte for one in made]),
        ("end", [one.end for one in made]),
        ("turned_away", [one.end for one in away]),
    ):
        if values:
            figures[name] = {f"p{p}": round(float(np.percentile(values, p)), 3) for p in (50, 95, 99)}
    figures["requests_per_second"] = round(len(made) / seconds, 3)
    figures["speech_per_second"] = round(sum(one.speech for one in made) / seconds, 3)
    figures["turned_away_without_retry_after"] = sum(one.retry_after is None for one in away)
    return figures


async def until_idle(server: Server) -> float:
    """Return the seconds until the server neither runs nor holds anything."""
    began = time.monotonic()
    async with httpx.AsyncClient() as client:
        while True:
            state = (await client.get(server.url.removesuffix("/v1") + "/health")).json()
            if state.get("running", 0) + state.get("waiting", 0) == 0:  # others do not tell
                return time.monotonic() - began
            await asyncio.sleep(0.02)


async def steadily(server: Server, more: Callable[[int, float], bool]) -> dict[str, Any]:
    """Let four clients ask again and again as long as there is ``more``; return memory and files on the way."""
    began, done, failed = time.monotonic(), 0, 0
    course: list[dict[str, float]] = []

    def look() -> None:
        course.append({"requests": done, "memory_mb": round(server.memory(), 1), "files": server.files()})

    async def one() -> None:
        nonlocal done, failed
        while more(done, time.monotonic() - began):
            done += 1
            is_seen = done % _LOOK == 0
            failed += (await ask(server, done)).status != 200
            if is_seen:
                look()

    await asyncio.gather(*(one() for _ in range(4)))
    look()
    return {
        "requests": done,
        "failed": failed,
        "seconds": round(time.monotonic() - began, 1),
        "growth": growth(course),
        "course": course,
    }


def growth(course: list[dict[str, float]]) -> float:
    """Return the MB that memory grows by in 100 requests: the slope of the straight line through the later half of a course."""
    later = course[len(course) // 2 :]
    x, y = (np.array([one[name] for one in later]) for name in ("requests", "memory_mb"))
    return round(100 * float(np.polyfit(x, y, 1)[0]), 2) if len(set(x)) > 1 else 0.0


async def measure(server: Server, asked: argparse.Namespace) -> dict[str, Any]:
    """Return all figures that were asked for."""
    figures: dict[str, Any] = {}
    await crowd(server, 1)  # the first one is slower
    parts: list[tuple[str, bool, Callable[[], Awaitable[Any]]]] = [
        ("at_once", asked.clients > 0, lambda: _crowd(server, asked.clients)),
        ("leaving", asked.leaving > 0, lambda: _crowd(server, asked.leaving, leave=asked.leave_after)),
        ("slow", asked.slow > 0, lambda: _crowd(server, asked.slow, pause=0.05)),
        ("many", asked.requests > 0, lambda: steadily(server, lambda done, _: done < asked.requests)),
        ("soak", asked.soak > 0, lambda: steadily(server, lambda _, seconds: seconds < asked.soak)),
    ]
    for name, is_asked, part in parts:
        if is_asked:
            figures[name] = await part()
            print(f"{name}: {json.dumps(figures[name])}", flush=True)
    return figures


async def _crowd(server: Server, n: int, **how: float) -> dict[str, Any]:
    before, computed = server.answering(), 0.0 if server.pid is None else server.computed()
    told, seconds = await crowd(server, n, **how)
    figures = summary(told, seconds)
    if server.pid is not None:
        if speech := sum(one.speech for one in told):
            figures["processor_seconds_for_a_second"] = round((server.computed() - computed) / speech, 3)
        away = [one.answering for one in told if one.status == 429]
        figures["until_all_were_turned_away"] = {  # what of their waiting was ours, and what the machine's
            name: round(max(one[i] for one in away) - before[i], 3)
            for i, name in enumerate(("seconds_computed", "seconds_without_a_processor"))
            if away
        }
        figures["seconds_until_idle"] = round(await until_idle(server), 3)
        figures["memory_mb"], figures["files"] = round(server.memory(), 1), server.files()
    return figures


@contextmanager
def started(asked: argparse.Namespace) -> Iterator[Server]:
    """Yield the server that was named, or one of our own on a free port."""
    fields = json.loads(asked.fields)
    if asked.url is not None:
        yield Server(asked.url.rstrip("/"), asked.key, asked.voice, fields, asked.pid, asked.varied)
        return
    program = [sys.executable, "-c", "import sys; from tts_fm.commands import main; sys.exit(main())"]
    arguments = ["serve", "--port", "0", "--audit", "none", "--model", asked.model, "--waiting", str(asked.waiting)]
    process = subprocess.Popen([*program, *arguments], stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = re.search(r"http://\S+/v1", line := process.stderr.readline())
        if found is None:
            raise SystemExit(f"the server did not start: {line}")
        yield Server(found[0], asked.key, asked.voice, fields, process.pid, asked.varied)
    finally:
        process.terminate()
        print(f"the server's exit code: {process.wait(60)}")


def _put_first(*processes: int | None) -> None:
    """Let the first thread of these go before all that is not so; their other threads, which generate, stay what they are.

    A thread that answers in a tenth of a second can do so only where it need not wait for a processor longer than that.
    """
    for process in processes:
        if process is not None:
            os.sched_setscheduler(process, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="an OpenAI-compatible server that runs, with /v1; else one is started")
    parser.add_argument("--key", default="none", help="its key")
    parser.add_argument("--voice", default="alloy")
    parser.add_argument("--model", default="default", help="the model of the server that is started")
    parser.add_argument("--waiting", type=int, default=16, help="places of the server that is started")
    parser.add_argument("--fields", default="{}", help="more of each request, in JSON")
    parser.add_argument("--varied", action="store_true", help="another text with each request, of 4 to 30 words")
    parser.add_argument("--pid", type=int, help="the process of the server that runs, if here: its memory and time")
    parser.add_argument(
        "--first", action="store_true", help="clients and the thread that answers go before all else here (Linux, root)"
    )
    parser.add_argument("--clients", type=int, default=200, help="that ask at the same time")
    parser.add_argument("--leaving", type=int, default=50, help="clients that leave in the middle")
    parser.add_argument("--leave-after", type=float, default=2.0, help="seconds")
    parser.add_argument("--slow", type=int, default=50, help="clients that take their sound slowly")
    parser.add_argument(
        "--requests", type=int, default=1_000, help="one after the other, by four clients, for the memory"
    )
    parser.add_argument("--soak", type=float, default=0.0, help="seconds of steady requests")
    parser.add_argument("--out", type=Path, help="a file of all figures, in JSON")
    asked = parser.parse_args()
    with started(asked) as server:
        if asked.first:
            _put_first(0, server.pid)
        if server.pid is None and (asked.requests or asked.soak):
            raise SystemExit("memory can be watched only of a server that is started here; give --requests 0")
        figures = asyncio.run(measure(server, asked))
    if asked.out is not None:
        asked.out.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
