"""The page of ``tts-fm demo`` as a visitor has it: served by a process of its own, in a real browser."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np
import pytest
import soundfile

from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.evaluation import pairs, wer
from tts_fm.evaluation.recognisers.pocketsphinx import PocketSphinx

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Locator, Page

DATA = pairs.BUNDLED.parent
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
TABS = ["Speak", "Story", "Dub", "Edit", "Compare", "Voices"]
TEXT = "Every morning the old man walked down to the river."
MISHEARD = 0.2  # share of the words; the bundled voice has 0.06 on average, noise about 1
LONGEST_START = 60  # seconds; a machine that does much else at once is slow


@dataclass(frozen=True)
class Server:
    """A running ``tts-fm demo``: where it listens, what it wrote, the voices it keeps and its temporary files."""

    port: int
    log: Path
    voices: Path
    temporary: Path
    seconds_to_start: float

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.port}"

    def kept(self, name: str) -> bool:
        """Whether a voice is kept under this name."""
        return (self.voices / f"{name}.flac").exists()


@dataclass
class Visitor:
    """A person before the page, and what the browser noticed."""

    page: Page
    folder: Path
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> Locator:
        """The part of the page with this ``elem_id``."""
        return self.page.locator(f"#{name}")

    def open(self, tab: str) -> None:
        """Go to a tab by its name; on a narrow screen it may be in the menu of those that found no room."""
        button = self.page.get_by_role("tab", name=tab, exact=True)
        if not button.is_visible():
            self.page.get_by_label("More tabs").click()
            button = self.page.locator(".overflow-dropdown").get_by_text(tab, exact=True)
        button.click()

    def type(self, name: str, text: str) -> None:
        """Write into a field in place of what it holds."""
        self[name].locator("textarea:visible, input:visible").first.fill(text)

    def tick(self, name: str) -> None:
        """Tick a box."""
        self[name].locator("input").check()

    def set(self, name: str, value: int) -> None:
        """Give a slider a value."""
        number = self[name].locator("input[type=number]")
        number.fill(str(value))
        number.press("Tab")

    def choose(self, name: str, value: str) -> None:
        """Take a value of a dropdown."""
        self[name].locator("input").click()
        self[name].get_by_role("option", name=value).click()

    def settle(self, tab: str, steps: int | None = None) -> None:
        """Keep the seed, which is 0, and take so many steps."""
        self[f"{tab}-settings"].locator("button").first.click()
        self.tick(f"{tab}-seed-lock")
        if steps is not None:
            self.set(f"{tab}-steps", steps)

    def wait(self, tab: str, words: str, timeout: float = 120.0) -> None:
        """Wait until the status of a tab, which tells how far it is, says these words."""
        self[f"{tab}-status"].get_by_text(words).first.wait_for(timeout=1000 * timeout)

    def begin(self, tab: str, text: str, steps: int) -> float:
        """Let a text be spoken in so many steps; return after the twentieth, with the seconds that one takes."""
        self.settle(tab, steps)
        self.type(f"{tab}-text", text)
        self[f"{tab}-generate"].click()
        status = self[f"{tab}-status"]
        status.get_by_text(f"of {steps}").wait_for()
        began = time.monotonic()
        status.get_by_text(re.compile(rf"step [2-9]\d of {steps}")).wait_for()
        done = int(re.search(r"step (\d+)", status.inner_text())[1])
        return (time.monotonic() - began) / (done - 1)

    def finish(self, tab: str) -> None:
        """Press the tab's button and wait for its result."""
        self[f"{tab}-generate"].click()
        self.wait(tab, "Done")

    def upload(self, name: str, path: Path) -> None:
        """Give a file to a field."""
        self[name].locator("input[type=file]").first.set_input_files(path)

    def download(self, name: str) -> Path:
        """Press the player's download button and return the file."""
        return self._file(self[name].locator("a[download]").first)

    def press_for_file(self, name: str) -> Path:
        """Press a button that gives a file, and return that."""
        return self._file(self[name])

    def _file(self, button: Locator) -> Path:
        with self.page.expect_download() as waiting:
            button.click()
        path = self.folder / f"{time.monotonic_ns()}-{waiting.value.suggested_filename}"
        waiting.value.save_as(path)
        return path

    def error(self, timeout: float = 20.0) -> str:
        """Wait for the page's message of a mistake, dismiss it and return its words."""
        toast = self.page.get_by_test_id("toast-body").first
        toast.wait_for(timeout=1000 * timeout)
        words = toast.get_by_test_id("toast-text").inner_text()
        toast.get_by_test_id("toast-close").click()
        return words


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The page with the bundled model, on a free port."""
    folder = tmp_path_factory.mktemp("demo")
    log, voices, temporary = folder / "log.txt", folder / "voices", folder / "temporary"
    temporary.mkdir()
    port = _free_port()
    environment = {**os.environ, "TTS_FM_VOICES": str(voices), "TMPDIR": str(temporary)}
    command = [sys.executable, "-m", "tts_fm.commands", "demo", "--port", str(port), "--no-browser"]
    began = time.monotonic()
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=folder)
    try:
        _wait_until_it_answers(process, port, log)
        yield Server(port, log, voices, temporary, time.monotonic() - began)
    finally:
        process.terminate()
        process.wait(timeout=20)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A browser of the system without a window."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.fail("these tests need Playwright; run: pip install '.[test-browser]'", pytrace=False)
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.fail(
            f"these tests need a browser, one of {', '.join(BROWSERS)}; run: apt install chromium", pytrace=False
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(chromium: Browser) -> BrowserContext:
    """The browser of the visitor of most tests, which keeps the page's files as a browser does."""
    return chromium.new_context(viewport={"width": 1280, "height": 900})


@pytest.fixture
def visitor(server: Server, context: BrowserContext, tmp_path: Path) -> Iterator[Visitor]:
    """One who has just come to the page."""
    visitor = arrive(context, server, tmp_path)
    yield visitor
    visitor.page.close()


@pytest.fixture
def other(server: Server, chromium: Browser, tmp_path: Path) -> Iterator[Visitor]:
    """Another one, with a browser and a small screen of his own."""
    context = chromium.new_context(viewport={"width": 400, "height": 800})
    yield arrive(context, server, tmp_path)
    context.close()


def arrive(context: BrowserContext, server: Server, folder: Path) -> Visitor:
    """Open the page, and note whom it asks and what it complains about."""
    page = context.new_page()
    page.set_default_timeout(60_000)
    visitor = Visitor(page, folder)
    page.on("request", lambda request: visitor.hosts.add(urlsplit(request.url).hostname or "the page itself"))
    page.on("console", lambda line: line.type == "error" and visitor.complaints.append(line.text))
    page.on("pageerror", lambda error: visitor.complaints.append(str(error)))
    page.goto(server.url)
    page.get_by_role("tab", name="Speak", exact=True).first.wait_for()
    return visitor


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A real speaker's recording as a 16-bit WAV, and its words."""
    pair = next(pair for pair in pairs.read(DATA / "pairs.jsonl") if pair.kind == "real")
    path = tmp_path_factory.mktemp("recording") / "recording.wav"
    Waveform.load(pair.prompt_audio).save(path)
    return path, pair.prompt_text


@pytest.fixture(scope="session")
def hears() -> Callable[[Path, str], float]:
    """A function of (file, text): the share of the text's words that the recogniser did not hear in the file."""
    others = [pair.target_text for pair in pairs.read(DATA / "pairs.jsonl")]

    def word_error_rate(path: Path, text: str) -> float:
        recogniser = PocketSphinx([text, *others])
        errors = wer.errors(recogniser.words(text), recogniser.words(recogniser.transcribe(io.read(path))))
        return errors.count / errors.words

    return word_error_rate


def int16(path: Path) -> np.ndarray:
    """Return a file's samples as they are stored."""
    samples, _ = soundfile.read(path, dtype="int16")
    return samples


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Return when the page is there; fail with what the command said where it ends or takes too long."""
    until = time.monotonic() + LONGEST_START
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urlopen(f"http://127.0.0.1:{port}/", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"tts-fm demo did not answer within {LONGEST_START} s; it said: {log.read_text()}", pytrace=False)
