"""The static page of demo/web in a real browser: it speaks what the runtime speaks, and asks nobody else."""

from __future__ import annotations

import functools
import io
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile
import torch

from tts_fm import hub, vocoder_folder
from tts_fm.interop import onnx_graphs
from tts_fm.runtime import manifest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

WEB = Path(__file__).parents[1] / "demo" / "web"
TEXT = "The boats lay there, and it was cold. Nobody came."


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and tells nobody."""

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def served(folder: Path, *export: object) -> Iterator[tuple[str, Path]]:
    """Put the page into ``folder`` as it is put on a server: its files, the packages from npm, and the exported voice."""
    if not (folder / "node_modules").is_dir():
        if shutil.which("npm") is None:
            pytest.skip("the page's packages come by npm, which is not installed")
        subprocess.run(["npm", "install", "--silent", "--no-package-lock", "--ignore-scripts"], cwd=folder, check=True)
    if not (folder / "model").is_dir():
        command = [sys.executable, "-m", "tts_fm.commands", "export", "onnx", "default", folder / "model", *export]
        subprocess.run([str(word) for word in command], check=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("site") / "web"
    shutil.copytree(WEB, folder)
    with served(folder) as there:
        yield there


@pytest.fixture(scope="module")
def exact_site(site: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The same with a vocoder that is computed in float32, where the last bits of a sum turn no step of int8."""
    folder = tmp_path_factory.mktemp("exact")
    shutil.copytree(site[1], folder / "web", ignore=shutil.ignore_patterns("model"))
    _, vocoder = vocoder_folder.read(hub.bundled() / "vocoder")
    vocoder_folder.save(folder / "vocoder", onnx_graphs.in_float32(vocoder), dtype=torch.float32)
    with served(folder / "web", "--vocoder", folder / "vocoder") as there:
        yield there


@pytest.mark.parametrize(("where", "least"), [("exact_site", 40), ("site", 20)])
def test_the_page_speaks_what_the_runtime_speaks(
    where: str, least: float, request: pytest.FixtureRequest, chromium: Browser
) -> None:
    from tts_fm.runtime import Speaker

    url, folder = request.getfixturevalue(where)
    page = chromium.new_page()
    page.set_default_timeout(300_000)
    asked: set[str] = set()
    complaints: list[str] = []
    page.on("request", lambda request: asked.add(urlsplit(request.url).hostname or "the page itself"))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(url)
    page.wait_for_function("document.getElementById('state').textContent === 'Ready.'")
    page.context.set_offline(True)
    page.fill("#text", TEXT)
    page.fill("#seed", "5")
    page.click("#speak")
    page.wait_for_selector("#made:not([hidden])")
    bytes_ = page.evaluate(
        "async () => Array.from(new Uint8Array(await (await fetch(document.getElementById('audio').src)).arrayBuffer()))"
    )
    samples, rate = soundfile.read(io.BytesIO(bytes(bytes_)), dtype="float32")
    expected = Speaker(folder / "model").speak(TEXT, seed=5)
    assert (rate, len(samples)) == (expected.sample_rate, len(expected.samples))
    noise = np.square(samples - expected.samples).sum() / np.square(expected.samples).sum()
    assert 10 * np.log10(noise) < -least
    with soundfile.SoundFile(io.BytesIO(bytes(bytes_))) as sound:
        assert '"is_generated":"True"' in sound.comment
    page.fill("#text", " ... ")
    page.click("#speak")
    page.wait_for_selector(".error")
    assert "at least one word" in page.inner_text("#state")
    page.screenshot(path=str(folder / "page.png"))
    assert asked <= {"127.0.0.1", "the page itself"}
    assert complaints == []
    page.close()


def test_an_export_of_another_format_is_refused_in_one_line(site: tuple[str, Path], chromium: Browser) -> None:
    url, folder = site
    about = json.loads((folder / "model" / manifest.NAME).read_text(encoding="utf-8"))
    assert about["format"] == manifest.FORMAT
    page = chromium.new_page()
    page.route(f"**/{manifest.NAME}", lambda route: route.fulfill(json={**about, "format": 3}))
    page.goto(url)
    page.wait_for_selector(".error")
    said = page.inner_text("#state")
    assert said.startswith(f"The model has format 3, this page reads {manifest.FORMAT}; export it anew")
    assert page.is_disabled("#speak")
    page.close()
