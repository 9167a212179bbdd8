"""What the page refuses: recordings that are too large, and whatever reaches for other files of the machine."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import pytest
import torch
from browser_page import Server, Visitor

from tts_fm.audio.io import Waveform
from tts_fm.audio.library import VoiceLibrary
from tts_fm.audio.prompt import Prompt

pytestmark = pytest.mark.browser

BUNDLED = Path(__file__).parents[1] / "tts_fm" / "voices" / "default"
CANARY = "the canary that sits outside"


@pytest.fixture(scope="module")
def canary(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text outside of everything that the page may serve."""
    path = tmp_path_factory.mktemp("outside") / "canary.txt"
    path.write_text(CANARY)
    return path


# Reading other files over HTTP

FORMS = (
    "/file={path}",
    "/file/{path}",
    "/gradio_api/file={path}",
    "/gradio_api/file=/{path}",
    "/gradio_api/file=file://{path}",
    "/gradio_api/file=/proc/self/root{path}",
    "/gradio_api/file={path}%00.wav",
    "/gradio_api/file={path}\x00.wav",
    "/gradio_api/file=./{up}{path}",
    "/gradio_api/file={up}{path}",
    "/gradio_api/file={encoded_up}{encoded_path}",
    "/gradio_api/file={doubly_up}{path}",
    "/gradio_api/file={temporary}/{up}{path}",
    "/gradio_api/file={temporary}/{encoded_up}{encoded_path}",
    "/gradio_api/file={voices}/{up}{path}",
    "/gradio_api/file={backward_up}{path}",
    "/gradio_api/proxy=file://{path}",
    "/gradio_api/file/{path}",
    "/gradio_api/stream/a/b/1/{encoded_up}{encoded_path}.ts",
    "/gradio_api/custom_component/{encoded_up}/client/component/{encoded_path}",
    "/static/{up}{path}",
    "/static/{encoded_up}{encoded_path}",
    "/static/{backward_up}{path}",
    "/static/{path}",
    "/assets/{up}{path}",
    "/assets/{encoded_up}{encoded_path}",
    "/assets/{doubly_up}{path}",
    "/svelte/{up}{path}",
    "/svelte/{encoded_up}{encoded_path}",
    "/{up}{path}",
    "/{encoded_up}{encoded_path}",
)
PAGES = ("/?deep_link={encoded_up}{encoded_path}", "/gradio_api/deep_link?session_hash={encoded_up}{encoded_path}")
"""What is answered without a failure, as if nothing had been asked for."""
UP = "../" * 12


def attempts(server: Server, path: Path) -> list[str]:
    """The targets of requests that reach for a file from outside."""
    parts = {
        "path": str(path),
        "encoded_path": quote(str(path), safe=""),
        "up": UP,
        "encoded_up": UP.replace(".", "%2e").replace("/", "%2f"),
        "doubly_up": UP.replace(".", "%252e").replace("/", "%252f"),
        "backward_up": UP.replace("/", "%5c"),
        "temporary": str(server.temporary),
        "voices": str(server.voices),
    }
    return [form.format(**parts) for form in (*FORMS, *PAGES)]


def get(server: Server, target: str) -> tuple[int, bytes]:
    """Ask for ``target`` just as it is written, which no library would do; return status and body."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    status, _, rest = answer.partition(b"\r\n")
    return int(status.split()[1]), rest.partition(b"\r\n\r\n")[2]


def test_no_request_reads_a_file_outside(server: Server, canary: Path) -> None:
    files = {
        canary: CANARY,
        Path("/etc/passwd"): "root:",
        BUNDLED / "config.yaml": "backbone:",
        server.log: "(Ctrl-C ends it)",
    }
    asked, read = 0, []
    for path, secret in files.items():
        assert secret in path.read_text()  # else a leak would not be seen
        for target in attempts(server, path):
            status, body = get(server, target)
            asked += 1
            if secret.encode() in body or (status < 400 and "deep_link" not in target):
                read.append((status, target))
    assert asked >= 50
    assert read == []


def test_the_server_fetches_no_address_for_a_visitor(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(0.5)
        port = other.getsockname()[1]
        for form in ("/gradio_api/file=http://127.0.0.1:{}/a", "/gradio_api/proxy=http://127.0.0.1:{}/a"):
            assert get(server, form.format(port))[0] >= 400
        with pytest.raises(TimeoutError):
            other.accept()


# Reading other files through the page's functions


def call(server: Server, name: str, arguments: list[Any]) -> str:
    """Call a named function as a program would, and return all that it answers."""
    address = f"{server.url}/gradio_api/call/{name}"
    request = Request(address, json.dumps({"data": arguments}).encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=30) as answer:
            event = json.load(answer)["event_id"]
        with urlopen(f"{address}/{event}", timeout=60) as answer:
            return answer.read().decode()
    except HTTPError as error:
        return f"event: error\n{error.read().decode()}"


def functions(server: Server) -> dict[str, list[dict[str, Any]]]:
    """The parameters of each named function."""
    with urlopen(f"{server.url}/gradio_api/info") as answer:
        return {name.strip("/"): about["parameters"] for name, about in json.load(answer)["named_endpoints"].items()}


def is_file(parameter: dict[str, Any]) -> bool:
    """Whether a parameter takes a file."""
    return parameter["component"] in {"Audio", "File", "UploadButton", "Image"}


def upload(server: Server, data: bytes) -> str:
    """Send a file to the page as a browser does, and return where the page says that it is."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.flac"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    with urlopen(
        Request(f"{server.url}/gradio_api/upload", head + data + b"\r\n--x--\r\n", kind), timeout=30
    ) as answer:
        return json.load(answer)[0]


def test_only_what_was_uploaded_is_taken_for_an_upload(
    server: Server, canary: Path, recording: tuple[Path, str], tmp_path: Path
) -> None:
    path, words = recording
    given = {"text": "Hello.", "source": "new", "transcript": words, "new_text": f"{words} Yes.", "consent": True}
    given |= {"name": "mallory", "note": "A test.", "steps": 2}
    VoiceLibrary(tmp_path).add("anna", Prompt.load(path, words), "A test.")
    voice = tmp_path / "anna.flac"  # every function would take it
    uploaded = upload(server, voice.read_bytes())
    others = (voice, canary, "/etc/passwd", f"{uploaded}/../../../../..{voice}", f"file://{voice}", f"{voice}\0", "\0")
    asked = 0
    for name, parameters in functions(server).items():
        names = [parameter["parameter_name"] for parameter in parameters]
        for i in (i for i, parameter in enumerate(parameters) if is_file(parameter)):
            arguments = [given.get(each, parameters[j].get("parameter_default")) for j, each in enumerate(names)]
            for other in others:
                arguments[i] = {"path": str(other), "meta": {"_type": "gradio.FileData"}}
                answer = call(server, name, arguments)
                asked += 1
                assert "event: error" in answer and "event: complete" not in answer, (name, other, answer)
                assert CANARY not in answer and "root:" not in answer
            arguments[i] = {"path": uploaded, "meta": {"_type": "gradio.FileData"}}
            assert "event: complete" in call(server, name, arguments), name  # so it was the file that was refused
    assert asked >= 20
    for name in ("anna", "mallory"):
        call(server, "delete_voice", [name, True])


# Recordings that are too large, too long or none


@pytest.fixture
def cloning(visitor: Visitor) -> Visitor:
    """A visitor who is about to give a new recording."""
    visitor["speak-source"].get_by_text("A new recording").click()
    return visitor


def tone(path: Path, seconds: float, rate: int) -> Path:
    """Write a soft tone as a 16-bit WAV."""
    Waveform(0.1 * torch.sin(torch.arange(round(seconds * rate)) / 20), rate).save(path)
    return path


def test_eleven_megabytes_are_refused_in_a_sentence(
    cloning: Visitor, server: Server, recording: tuple[Path, str], tmp_path: Path
) -> None:
    large = tone(tmp_path / "large.wav", 29, 192_000)
    assert large.stat().st_size > 11_000_000
    cloning.upload("speak-recording", large)
    assert "exceed the maximum allowed size of 10.0 M" in cloning.error()
    with pytest.raises(HTTPError) as refusal:  # a program is refused too
        upload(server, large.read_bytes())
    assert refusal.value.code == 413
    cloning.upload("speak-recording", recording[0])  # the page goes on working
    cloning["speak-recording"].locator("[data-testid^=waveform]").first.wait_for()


@pytest.mark.parametrize(
    ("seconds", "says"), [(31, "lasts more than 30 s"), (0.5, "at least 1 s"), (None, "no audio that can be read")]
)
def test_a_recording_that_is_no_use_is_refused_in_a_sentence(
    cloning: Visitor, tmp_path: Path, seconds: float | None, says: str
) -> None:
    path = tmp_path / "recording.wav"
    if seconds is None:
        path.write_bytes(b"no sound at all " * 100)
    else:
        tone(path, seconds, 16_000)
    cloning.upload("speak-recording", path)
    cloning.type("speak-transcript", "These are some words.")
    cloning["speak-consent"].locator("input").check()
    cloning["speak-generate"].click()
    sentence = cloning.error()
    assert says in sentence
    assert sentence.count(". ") == 0 and sentence.endswith(".") and "/" not in sentence and "Traceback" not in sentence
