"""The page's functions as a program calls them: names, docs, results, and mistakes as one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from browser_page import MISHEARD, TEXT, Server, int16

from tts_fm.audio import io

if TYPE_CHECKING:
    from gradio_client import Client

pytestmark = pytest.mark.browser

FUNCTIONS = {
    "speak": ["text", "is_marked_up", "source", "voice", "recording", "transcript", "consent"],
    "story": ["text", "voice_1", "voice_2"],
    "dub": ["text", "voice_1", "consent", "fastest"],
    "edit": ["recording", "transcript", "new_text", "consent"],
    "compare": ["text", "voice", "consent", "model_a", "solver_a", "model_b", "solver_b"],
    "keep_voice": ["name", "recording", "transcript", "note", "consent"],
    "bring_voice": ["file"],
    "show_voice": ["name"],
    "delete_voice": ["name", "is_sure"],
    "list_voices": [],
}
"""Each function, and parameters that it must have."""
SETTINGS = {"steps": 8, "seed": 3, "is_seed_locked": True}


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Client:
    """A program that talks to the page."""
    from gradio_client import Client

    return Client(server.url, download_files=tmp_path_factory.mktemp("downloads"), verbose=False)


@pytest.fixture(scope="module")
def sent(recording: tuple[Path, str]) -> dict[str, Any]:
    """A recording as a program sends it, its words, and the consent of the speaker."""
    from gradio_client import handle_file

    return {"recording": handle_file(recording[0]), "transcript": recording[1], "consent": True}


def refusal(client: Client, function: str, /, **arguments: Any) -> str:
    """Call a function that will not do what is asked, and return what it says."""
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError) as error:
        client.predict(api_name=f"/{function}", **arguments)
    sentence = str(error.value)
    assert sentence.endswith(".") and "\n" not in sentence and "Traceback" not in sentence
    return sentence


def test_every_function_has_a_name_and_says_what_it_does(client: Client) -> None:
    about = client.view_api(return_format="dict", print_info=False)
    assert about["unnamed_endpoints"] == {}
    named = {name.strip("/"): endpoint for name, endpoint in about["named_endpoints"].items()}
    assert set(named) == set(FUNCTIONS)
    for name, endpoint in named.items():
        parameters = [parameter["parameter_name"] for parameter in endpoint["parameters"]]
        assert set(FUNCTIONS[name]) <= set(parameters)
        assert len(endpoint["description"].split()) >= 8, name


def test_a_program_clones_a_voice(client: Client, sent: dict[str, Any], hears: Callable[[Path, str], float]) -> None:
    result = client.predict(TEXT, source="new", **sent, **SETTINGS, api_name="/speak")
    speech = Path(result[0])
    assert hears(speech, TEXT) <= MISHEARD
    assert io.read_metadata(speech)["seed"] == "3"
    assert result[2] == TEXT
    again = client.predict(TEXT, source="new", **sent, **SETTINGS, api_name="/speak")
    assert np.array_equal(int16(speech), int16(Path(again[0])))


def test_a_program_tells_a_story(client: Client) -> None:
    story = "[a] One, two and three.\n[b] Four, five and six."
    sound, turns, *_ = client.predict(story, **SETTINGS, api_name="/story")
    assert turns.count("<tr><td>") == 2
    assert 2 < io.read(sound).seconds < 12


def test_a_program_gets_words_and_subtitles_and_may_direct(client: Client) -> None:
    result = client.predict(
        "One, two. [pause 1s]Three.", is_marked_up=True, recording=None, **SETTINGS, api_name="/speak"
    )
    words = result[5]["words"]
    assert [word for word, _, _ in words] == ["One,", "two.", "Three."]
    assert words[2][1] - words[1][2] > 0.95
    srt, vtt = (Path(file["value"]).read_text() for file in result[6:8])
    assert srt.count("-->") == vtt.count("-->") == 2 and vtt.startswith("WEBVTT")
    assert "tag" in refusal(client, "speak", text="[paus 1s] One.", is_marked_up=True, recording=None)


def test_a_program_dubs(client: Client) -> None:
    text = "1\n00:00:01,000 --> 00:00:03,000\nHello.\n\n2\n00:00:03,000 --> 00:00:03,100\nFar too long for that.\n"
    sound, table, _, facts, _, state = client.predict(text, **SETTINGS, api_name="/dub")
    assert table.count("<tr><td>") == 2 and "s over" in table and "1 of 2 cues" in facts and "Cue 2 needs" in state
    samples = int16(Path(sound))
    assert abs(samples[:20_000]).max() < 500 < abs(samples[22_000:60_000]).max()
    assert "no cues" in refusal(client, "dub", text="Hello.")


def test_a_program_edits_a_recording(client: Client, sent: dict[str, Any]) -> None:
    new_text = sent["transcript"].replace("yes", "no")
    assert new_text != sent["transcript"]
    result = client.predict(**sent, new_text=new_text, **SETTINGS, api_name="/edit")
    before, after = int16(Path(result[0])), int16(Path(result[1]))
    assert np.array_equal(before[:2000], after[:2000]) and np.array_equal(before[-2000:], after[-2000:])
    assert "<del>yes</del>" in result[4] and "<ins>no</ins>" in result[4]


def test_a_program_compares_two_settings(client: Client) -> None:
    given = {"modes_a": "", "modes_b": "", "steps_a": 2, "steps_b": 2, "solver_b": "midpoint"}
    result = client.predict("Hello there.", **given, api_name="/compare")
    assert len(int16(Path(result[0]))) == len(int16(Path(result[3])))
    assert result[7].count("<img") == 16


def test_a_voice_goes_away_and_comes_back_as_a_file(client: Client, server: Server, sent: dict[str, Any]) -> None:
    from gradio_client import handle_file

    client.predict(name="berta", note="A test.", **sent, api_name="/keep_voice")
    assert client.predict(api_name="/list_voices").count("berta") == 1
    assert "already" in refusal(client, "keep_voice", name="berta", note="A test.", **sent)
    _, facts, file = client.predict("berta", api_name="/show_voice")
    assert "A test." in facts
    client.predict("berta", is_sure=True, api_name="/delete_voice")
    assert not server.kept("berta") and "berta" not in client.predict(api_name="/list_voices")
    client.predict(handle_file(file), api_name="/bring_voice")
    assert (server.voices / "berta.flac").read_bytes() == Path(file).read_bytes()
    client.predict("berta", is_sure=True, api_name="/delete_voice")


def test_mistakes_are_one_sentence(client: Client, sent: dict[str, Any]) -> None:
    nothing = {"recording": None, "transcript": ""}
    assert "consent" in refusal(client, "speak", text=TEXT, source="new", **{**sent, "consent": False})
    assert "words" in refusal(client, "speak", text=TEXT, source="new", **{**sent, "transcript": " "})
    assert "recording" in refusal(client, "speak", text=TEXT, source="new", **nothing, consent=True)
    assert "voice" in refusal(client, "speak", text=TEXT, voice="../../etc/passwd", **nothing, consent=True)
    assert "text" in refusal(client, "speak", text="", **nothing)
    assert "4,000" in refusal(client, "speak", text="no " * 2000, **nothing)
    assert "64" in refusal(client, "speak", text=TEXT, **nothing, steps=65)
    assert "names 7 voices" in refusal(client, "story", text="\n".join(f"[v{i}] Hi." for i in range(7)))
    assert "nobody" in refusal(client, "delete_voice", name="nobody", is_sure=True)


@pytest.mark.parametrize(
    "name", ["../anna", "/etc/passwd", "a/../b", "..", "a\0b", "%2e%2e", "C:\\x", "", "A", "x" * 65]
)
def test_no_name_of_a_voice_is_a_path(client: Client, server: Server, sent: dict[str, Any], name: str) -> None:
    there = {path: path.stat().st_mtime_ns for path in server.voices.parent.rglob("*.flac")}
    refusal(client, "keep_voice", name=name, note="A test.", **sent)
    refusal(client, "delete_voice", name=name, is_sure=True)
    refusal(client, "speak", text=TEXT, voice=name, **{**sent, "source": "kept"})
    assert client.predict(name, api_name="/show_voice")[0] is None
    assert {path: path.stat().st_mtime_ns for path in server.voices.parent.rglob("*.flac")} == there
