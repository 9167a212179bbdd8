"""Real clients against ``tts-fm serve``, each in an environment of its own that is made once (``$TTS_FM_CLIENTS``).

They are marked one by one: ``test_serve_ray.py`` takes them in, with their marks, for two replicas.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from conftest import TRANSCRIPT
from serving import LONG, RATE, decoded

from tts_fm.serving.voices import OPENAI_NAMES

HERE = Path(__file__).parent / "clients"
ENVIRONMENTS = Path(os.environ.get("TTS_FM_CLIENTS", Path(tempfile.gettempdir()) / "tts-fm-clients"))
PACKAGES = {
    "openai": ["openai==3.51.0"],
    "livekit": ["livekit-plugins-openai==1.8.9"],
    "pipecat": ["pipecat-ai[openai]==1.14.0"],
    "wyoming": ["wyoming-openai==0.8.0", "wyoming==1.10.2"],
    "openwebui": ["open-webui==0.12.4"],
    "schemathesis": ["schemathesis==4.32.5"],
    "node": ["ai@7.0.173", "@ai-sdk/openai@4.0.118"],
}
OLDEST = {"wyoming": "3.12"}
KEY = "a-key-of-the-tests"


class Command(NamedTuple):
    """A server that was started as a person starts it."""

    url: str
    process: subprocess.Popen[str]


def start(model: Path, folder: Path) -> Command:
    arguments = [
        "--port",
        "0",
        "--model",
        str(model),
        "--device",
        "cpu",
        "--api-key",
        KEY,
        "--audit",
        str(folder / "audit"),
    ]
    program = "import sys; from tts_fm.commands import main; sys.exit(main())"
    environment = {**os.environ, "TTS_FM_VOICES": str(folder / "voices")}
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", *arguments], stderr=subprocess.PIPE, text=True, env=environment
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    found = re.search(r"http://\S+/v1", line)
    assert found is not None, line
    for _ in range(600):
        try:
            if httpx.get(f"{found[0].removesuffix('/v1')}/health").status_code == 200:
                break
        except httpx.TransportError:
            time.sleep(0.05)
    return Command(found[0], process)


@pytest.fixture(scope="module")
def url(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = start(model_folder, tmp_path_factory.mktemp("served"))
    yield command.url
    command.process.terminate()
    assert command.process.wait(300) == 0
    assert command.process.stderr is not None and command.process.stderr.read() == ""  # nothing failed meanwhile


def environment(name: str) -> Path:
    """Return the folder of the client's environment, made where it is not there or has other versions."""
    folder, wanted = ENVIRONMENTS / name, "\n".join(PACKAGES[name])
    stamp = folder / "tts-fm-packages"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    if name == "node":
        if shutil.which("npm") is None:
            pytest.skip("npm is not installed")
        folder.mkdir(parents=True)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", *PACKAGES[name]], cwd=folder, check=True)
    else:
        python = interpreter(OLDEST.get(name, "3.11"))
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
        subprocess.run([folder / "bin/python", "-m", "pip", "install", "-q", *PACKAGES[name]], check=True)
    stamp.write_text(wanted)
    return folder


def interpreter(oldest: str) -> str:
    """Return a Python that is not older; one that is in the path but does not run (as pyenv's may be) is none."""
    if sys.version_info >= tuple(map(int, oldest.split("."))):
        return sys.executable
    python = shutil.which(f"python{oldest}")
    if python is None or subprocess.run([python, "--version"], capture_output=True).returncode:
        pytest.skip(f"Python {oldest} is not installed")
    return python


def drive(name: str, script: str, *arguments: str) -> dict[str, Any]:
    """Return what a client's script prints."""
    program = [str(environment(name) / "bin/python")] if script.endswith(".py") else ["node"]
    variables = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [*program, str(HERE / script), *arguments], capture_output=True, text=True, timeout=1200, env=variables
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.clients
def test_openai_for_python(url, voice_file):
    told = drive("openai", "openai_client.py", url, KEY, str(voice_file), TRANSCRIPT)
    sounds = {format: base64.b64decode(data) for format, data in told["formats"].items()}
    said = len(decoded(sounds["pcm"], "pcm"))
    for format, data in sounds.items():
        assert said <= len(decoded(data, format)) <= said + 3 * 1152, format
    assert base64.b64decode(told["flow"]) == base64.b64decode(told["events"]) == sounds["pcm"]
    assert told["usage"]["output_tokens"] == pytest.approx(20 * said / RATE, abs=1)
    assert {name: status for name, (status, _) in told["errors"].items()} == {
        "voice": 404,
        "model": 404,
        "speed": 400,
        "key": 401,
    }
    assert "choose one of default" in told["errors"]["voice"][1] and "tts-1" in told["models"]
    assert told["voice"]["id"] == "anna" and told["voice"]["bytes"] > RATE and len(told["voice"]["consents"]) == 1
    assert told["deleted"] == [True, True]


@pytest.mark.clients
def test_the_ai_sdk_with_its_openai_provider(url):
    told = drive("node", "ai_client.mjs", url, KEY, str(environment("node")))
    assert told["mediaType"] == "audio/mpeg" and len(decoded(base64.b64decode(told["sound"]), "mp3")) > RATE
    assert "there is no model 'gpt-9'" in told["error"]


@pytest.mark.clients
def test_livekit(url):
    told = drive("livekit", "livekit_client.py", url, KEY)
    assert set(told) == {"gpt-4o-mini-tts", "tts-1"}
    for heard in told.values():
        assert heard["seconds"] > 1 and (heard["rate"], heard["channels"]) == (24_000, 1)


@pytest.mark.clients
def test_pipecat(url):
    told = drive("pipecat", "pipecat_client.py", url, KEY)
    assert told["errors"] == [] and told["seconds"] > 1 and told["rate"] == 24_000


@pytest.mark.clients
def test_wyoming_openai_as_home_assistant_uses_it(url):
    told = drive("wyoming", "wyoming_client.py", url, KEY)
    assert told["voices"] == ["alloy", "nova"] and told["rate"] == 24_000 and told["seconds"] > 1


@pytest.mark.clients
def test_open_webui(url):
    told = drive("openwebui", "open_webui_client.py", url, KEY)
    assert told["status"] == 200 and told["bytes"] > 2_000 and told["beginning"] in ("494433", "fff384")  # an mp3
    assert {"default", *OPENAI_NAMES} <= {voice["id"] for voice in told["voices"]}
    status, detail = told[
        "wrong"
    ]  # of a voice that is not there; our sentence is lost where aiohttp closes a bad answer unread
    assert status == 404 and json.loads(detail)["detail"].startswith("External: "), told["wrong"]


@pytest.mark.clients
def test_what_the_openapi_page_promises_is_held(url, tmp_path):
    options = ["--checks", "all", "--max-examples", "15", "--generation-deterministic", "--no-color"]
    options += ["--exclude-checks", "positive_data_acceptance"]  # no schema tells that a text has words, a file sound
    # "all" checks include a limit of 10 s, while a batch may ask for 16,384 characters: what is made, not answered, takes that
    options += ["--request-timeout", "300", "--max-response-time", "300"]
    options += ["--suppress-health-check", "all", "--header", f"Authorization: Bearer {KEY}"]
    done = subprocess.run(
        [environment("schemathesis") / "bin/schemathesis", "run", url.removesuffix("v1") + "openapi.json", *options],
        capture_output=True,
        text=True,
        timeout=1800,
        cwd=tmp_path,  # it leaves a folder of what it has found
    )
    assert done.returncode == 0, done.stdout[-6000:]


@pytest.mark.clients
def test_sigterm_finishes_what_runs_and_is_no_failure(model_folder, tmp_path):
    command = start(model_folder, tmp_path)
    with httpx.Client(headers={"Authorization": f"Bearer {KEY}"}, timeout=120) as client:
        asked = {"input": LONG, "response_format": "pcm", "seed": 1}
        with client.stream("POST", f"{command.url}/audio/speech", json=asked) as answer:
            flow = answer.iter_bytes()
            sound = next(flow)
            command.process.send_signal(signal.SIGTERM)
            sound += b"".join(flow)
    assert command.process.wait(300) == 0  # the interpreter takes PyTorch down for a second, of a busy machine's many
    (line,) = map(json.loads, (tmp_path / "audit").read_text().splitlines())
    assert line["outcome"] == "done" and len(sound) / 2 / RATE == pytest.approx(line["seconds"], abs=0.1)
