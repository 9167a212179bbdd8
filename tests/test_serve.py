"""The server over loopback: OpenAI's surface, its errors, voices, keys, limits, and clients that leave."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from conftest import TRANSCRIPT
from serving import LONG, RATE, Served, decoded, serving
from starlette.types import Message, Receive, Scope, Send

from tts_fm import doubts
from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.audio.library import VoiceLibrary
from tts_fm.audio.prompt import Prompt
from tts_fm.serving import formats, guard, proxy, speech_routes, stream_routes, wire
from tts_fm.serving.guard import Rules, digest
from tts_fm.serving.replicas import Size
from tts_fm.serving.service import Service
from tts_fm.serving.voices import OPENAI_NAMES, Voices
from tts_fm.synthesizer import Synthesizer
from tts_fm.timing import SpokenWord

KEY = "a-key-of-the-tests"
TEXT = "Hello there. And this is one more sentence, which is longer than the first, so that it comes in pieces."


@pytest.fixture(scope="module")
def server(model_folder, tmp_path_factory) -> Iterator[Served]:
    with serving(model_folder, tmp_path_factory.mktemp("served")) as served:
        yield served


@pytest.fixture(scope="module")
def keyed(model_folder, tmp_path_factory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("keyed")
    rules = Rules((digest(KEY), digest("another-key")), ("https://friend.example",), False)
    with serving(model_folder, folder, rules=rules) as served:
        yield served


@pytest.fixture
def client(server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def speak(client: httpx.Client, **body) -> httpx.Response:
    return client.post("/v1/audio/speech", json={"input": "Some words to say.", "seed": 1, **body})


def error_of(answer: httpx.Response) -> dict:
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["message"]
    return error


def events_of(text: str) -> list[dict]:
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
    events = [json.loads(block["data"]) for block in blocks]
    assert all(block["event"] == event["type"] for block, event in zip(blocks, events, strict=True))
    return events


# ---- speech


@pytest.mark.parametrize("format", formats.MEDIA_TYPES)
def test_every_format_has_its_type_and_its_whole_length(server, client, format):
    if format == "aac":
        pytest.importorskip("av")
    answer = speak(client, input=TEXT, response_format=format)
    assert answer.status_code == 200 and answer.headers["content-type"] == formats.MEDIA_TYPES[format]
    said = server.lines()[-1]["seconds"] * RATE
    assert said - 100 <= len(decoded(answer.content, format)) <= said + 3 * 1152 + 100  # the audit rounds
    is_whole = format in formats.WHOLE
    assert ("content-length" in answer.headers) == is_whole  # it flows, or says how long it is
    assert answer.headers["x-seed"] == "1" and answer.headers["x-voice"] == "default"


def test_what_is_whole_says_how_long_it_is_and_is_what_speak_says(server, client):
    answer = speak(client, input=TEXT, response_format="wav")
    assert int(answer.headers["content-length"]) == len(answer.content)
    speech = server.service.synthesizer.speak(TEXT, seed=1).waveform.resampled(RATE)
    assert np.abs(decoded(answer.content, "wav") - speech.samples.numpy()).max() < 2 / 32_768


def test_words_are_told_with_their_times_where_there_is_room(client):
    answer = speak(client, input="Hello.", word_timestamps=True, response_format="pcm")
    (word,) = json.loads(answer.headers["x-word-timestamps"])
    assert word["word"] == "Hello." and 0 <= word["start_ms"] < word["end_ms"] <= len(answer.content) / 48
    words = tuple(SpokenWord(f"wörd{i}", float(i), i + 0.5) for i in range(100))
    told = speech_routes._word_header(words[:2])["X-Word-Timestamps"]
    assert json.loads(told)[1] == {"word": "wörd1", "start_ms": 1000, "end_ms": 1500} and told.isascii()
    assert speech_routes._word_header(words)["X-Word-Timestamps-Omitted"].startswith("oversize; bytes=")


def test_the_same_seed_is_the_same_sound_and_the_header_tells_a_random_one(client):
    one = client.post("/v1/audio/speech", json={"input": "Some words.", "response_format": "pcm"})
    again = speak(client, input="Some words.", response_format="pcm", seed=int(one.headers["x-seed"]))
    other = speak(client, input="Some words.", response_format="pcm", seed=int(one.headers["x-seed"]) + 1)
    assert one.content == again.content != other.content


def test_speed_and_rate_change_the_length(client):
    words = "Some more words to say now, and a few more."
    normal, fast = (len(speak(client, input=words, response_format="pcm", speed=speed).content) for speed in (1, 2))
    assert fast < 0.75 * normal  # not a half: what is implausibly fast is slowed down
    low = speak(client, input=words, response_format="pcm", sample_rate=8_000)
    assert len(low.content) == pytest.approx(normal / 3, rel=0.001)


def test_the_first_bytes_come_before_the_last_piece_is_made(server, client):
    with client.stream("POST", "/v1/audio/speech", json={"input": LONG[:500], "response_format": "pcm"}) as answer:
        flow = answer.iter_bytes()
        first = next(flow)
        is_running = bool(server.service.queue.busy)
        rest = b"".join(flow)
    assert is_running and 0 < len(first) < len(rest)


def test_events_hold_the_same_bytes_and_what_they_count(client):
    plain = speak(client, input=TEXT).content
    answer = speak(client, input=TEXT, stream_format="sse")
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, done = events_of(answer.text)
    assert len(deltas) > 1 and {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert b"".join(base64.b64decode(event["audio"]) for event in deltas) == plain
    seconds = len(speak(client, input=TEXT, response_format="pcm").content) / 2 / RATE
    usage = done["usage"]
    assert done["type"] == "speech.audio.done" and usage["input_tokens"] == len(TEXT)
    assert usage["output_tokens"] == pytest.approx(20 * seconds, abs=1)
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_what_may_be_wrong_is_told_everywhere(server, client, monkeypatch):
    assert "x-remarks" not in speak(client).headers
    monkeypatch.setattr(doubts, "of_speech", lambda _: ("faint – and one\nline",))
    remarks = ["faint – and one\nline"]
    for format in ("wav", "pcm"):
        assert json.loads(speak(client, response_format=format).headers["x-remarks"]) == remarks
    assert events_of(speak(client, input=TEXT, stream_format="sse").text)[-1]["remarks"] == remarks
    (item,) = client.post("/v1/audio/speech/batch", json={"items": [{"input": "One."}]}).json()["results"]
    assert item["remarks"] == remarks
    config = {"type": "session.config", "response_format": "pcm", "stream_audio": True}
    told, _ = session(server, config, {"type": "input.text", "text": "One."}, {"type": "input.done"})
    assert [message["remarks"] for message in told if message["type"] == "audio.done"] == [remarks]


def test_a_streamed_answer_tells_what_is_wrong_with_its_voices_at_its_beginning(server, client, tmp_path, monkeypatch):
    asked: list[str] = []

    def of_transcript(prompt: Prompt, *_) -> tuple[str, ...]:
        asked.append(prompt.transcript)
        return (f"not said: {prompt.transcript}",)

    monkeypatch.setattr(doubts, "of_transcript", of_transcript)
    monkeypatch.setattr(doubts, "of_recording", lambda prompt: (f"clipped: {prompt.transcript}",))
    own = server.service.synthesizer.default_prompt
    server.service.voices.library.add("anna", Prompt(own.waveform, "Other words."), "test")
    try:
        text = f"{TEXT} [voice anna]One more."
        wanted = [f"{what}: {words}" for words in (TRANSCRIPT, "Other words.") for what in ("not said", "clipped")]
        for how in ({"response_format": "pcm"}, {"response_format": "wav"}, {"stream_format": "sse"}):
            answer = speak(client, input=text, markup=True, **how)
            assert set(wanted) <= set(json.loads(answer.headers["x-remarks"])), how
        done = events_of(answer.text)[-1]
        assert done["remarks"] == json.loads(answer.headers["x-remarks"])
        config = {"type": "session.config", "response_format": "pcm", "stream_audio": True, "markup": True}
        told, _ = session(server, config, {"type": "input.text", "text": text}, {"type": "input.done"})
        (last,) = [message["remarks"] for message in told if message["type"] == "audio.done"]
        assert set(wanted) <= set(last) and asked
        fast = speak(client, input=text, markup=True, response_format="pcm", speed=4)
        assert any("letters per second" in remark for remark in json.loads(fast.headers["x-remarks"]))
    finally:
        server.service.voices.library.remove("anna")


def test_what_has_no_effect_is_said(client):
    answer = speak(client, instructions="Speak calmly.", lang_code="a", **{"b c": 1})
    assert answer.headers["x-without-effect"] == "instructions, lang_code"
    assert "x-without-effect" not in speak(client).headers


def test_what_flows_is_what_the_synthesizer_streams(server, client):
    pieces = server.service.synthesizer.stream(LONG[:600], seed=1)
    sound = Waveform(torch.cat([piece.waveform.samples for piece in pieces]), RATE)
    answer = decoded(speak(client, input=LONG[:600], response_format="pcm").content, "pcm")
    assert np.abs(answer - sound.samples.numpy()).max() < 2 / 32_768


def test_a_batch_gives_each_item_its_own(client):
    items = [
        {"input": "One."},
        {"input": "Two.", "response_format": "wav"},
        {"input": "..."},
        {"input": "x", "voice": "no"},
    ]
    answer = client.post("/v1/audio/speech/batch", json={"items": items, "response_format": "pcm", "seed": 5}).json()
    assert (answer["total"], answer["succeeded"], answer["failed"]) == (4, 2, 2)
    one, two, nothing, nobody = answer["results"]
    alone = speak(client, input="Two.", response_format="wav", seed=5).content
    assert base64.b64decode(two["audio_data"]) == alone and two["media_type"] == "audio/wav"
    assert one["usage"]["input_tokens"] == 4 and len(base64.b64decode(one["audio_data"])) > RATE / 2
    assert nothing["status"] == "error" and "at least one letter" in nothing["error"]
    assert "there is no voice 'no'" in nobody["error"] and "audio_data" not in nobody


# ---- errors


@pytest.mark.parametrize(
    ("body", "status", "param", "words"),
    [
        ({"input": ""}, 400, "input", "at least 1 character"),
        ({"input": "x" * (wire.MAX_CHARACTERS + 1)}, 400, "input", "at most 4096"),
        ({"input": "..."}, 400, None, "nothing to speak"),
        ({"speed": 9}, 400, "speed", "less than or equal to 4"),
        ({"response_format": "ogg"}, 400, "response_format", "'mp3'"),
        ({"response_format": "opus", "sample_rate": 44_100}, 400, None, "opus has no sample rate"),
        ({"voice": "nobody"}, 404, "voice", "choose one of default"),
        ({"voice": {"id": "nobody"}}, 404, "voice", "alloy"),
        ({"model": "gpt-9"}, 404, "model", "tts-1"),
        ({"ref_audio": "file:///etc/passwd"}, 400, "ref_audio", "not fetched"),
        ({"ref_audio": base64.b64encode(b"no sound").decode(), "ref_text": "x"}, 400, None, "no audio"),
        ({"steps": 1000}, 400, "steps", "64"),
    ],
)
def test_a_mistake_is_one_sentence_in_openais_form(client, body, status, param, words):
    answer = speak(client, **body)
    error = error_of(answer)
    assert answer.status_code == status and error["param"] == param and words in error["message"]
    assert error["type"] == "invalid_request_error"


def test_what_is_no_json_or_no_route_is_told_in_the_same_form(client):
    json_type = {"content-type": "application/json"}
    assert client.post("/v1/audio/speech", content=b'{"input":', headers=json_type).status_code == 400
    assert error_of(client.get("/v1/nothing"))["code"] == "not_found"
    wrong = client.get("/v1/audio/speech")
    assert wrong.status_code == 405 and error_of(wrong) and wrong.headers["allow"] == "POST"
    assert client.put("/v1/audio/voices").headers["allow"] == "GET, POST"


def test_our_own_failure_is_a_500_and_its_log_holds_no_text(server, client, monkeypatch, caplog):
    def broken(*_, **__):
        raise RuntimeError("secret words in /root/secret")

    monkeypatch.setattr(Synthesizer, "stream", broken)
    with caplog.at_level(logging.DEBUG):
        answer = speak(client, input="Secret words.")
    assert answer.status_code == 500 and error_of(answer)["type"] == "server_error"
    assert caplog.text.count("a request failed") == 1
    assert "RuntimeError" in caplog.text and "tts_fm.serving.service" in caplog.text
    assert "ecret" not in caplog.text and "ecret" not in answer.text
    assert server.lines()[-1]["outcome"] == "failed"


# ---- voices


def test_openais_voices_are_the_default_one_and_a_kept_one_goes_before(tmp_path):
    from tts_fm import hub, loading

    library = VoiceLibrary(tmp_path)
    recording = loading.own_voice(hub.bundled())
    assert recording is not None and len(OPENAI_NAMES) == 13
    voices = Voices(library, has_own=True)
    assert {voices.choose(name).name for name in OPENAI_NAMES} == {"default"}
    library.add("anna", recording, "a test")
    library.add("nova", recording, "a test")
    voices = Voices(library, has_own=True, aliases={"alloy": "anna"})
    assert [voices.choose(name).name for name in ("alloy", "nova", "echo", "anna")] == [
        "anna",
        "nova",
        "default",
        "anna",
    ]
    with pytest.raises(ValueError, match="there is no voice 'bob'"):
        Voices(library, has_own=True, aliases={"alloy": "bob"})
    assert Voices(library, has_own=False).names() == ["anna", "nova"]


def test_a_voice_is_made_with_a_consent_spoken_in_and_deleted(client, server, voice_file):
    recording = voice_file.read_bytes()
    names = {"name": "Anna Miller", "language": "en"}
    consent = client.post("/v1/audio/voice_consents", data=names, files={"recording": recording}).json()
    assert consent["object"] == "audio.voice_consent" and consent["name"] == "Anna Miller"
    assert client.get("/v1/audio/voice_consents").json()["data"] == [consent]
    assert client.get(f"/v1/audio/voice_consents/{consent['id']}").json() == consent
    fields = {"name": "My Anna", "consent": consent["id"], "ref_text": TRANSCRIPT}
    voice = client.post("/v1/audio/voices", data=fields, files={"audio_sample": recording}).json()
    assert (voice["id"], voice["name"], voice["type"]) == ("my-anna", "My Anna", "audio_sample")
    kept = server.service.voices.library.load("my-anna")
    assert consent["id"] in kept.consent and "Anna Miller" in kept.consent and kept.prompt.transcript == TRANSCRIPT
    listed = client.get("/v1/audio/voices").json()["voices"]
    assert {"id": "my-anna", "name": "my-anna"} in listed and {"id": "alloy", "name": "alloy"} in listed
    answer = speak(client, voice={"id": "my-anna"})
    assert answer.headers["x-voice"] == "my-anna"
    again = client.post("/v1/audio/voices", data=fields, files={"audio_sample": recording})
    assert again.status_code == 400 and "already" in error_of(again)["message"]
    assert client.delete("/v1/audio/voices/my-anna").json()["deleted"]
    assert client.delete(f"/v1/audio/voice_consents/{consent['id']}").json()["deleted"]
    assert client.delete("/v1/audio/voices/my-anna").status_code == 404
    assert client.delete("/v1/audio/voices/default").status_code == 404
    assert speak(client, voice="my-anna").status_code == 404


def test_a_voice_needs_a_consent_that_is_there_and_a_name_of_its_own(client, voice_file):
    recording = {"audio_sample": voice_file.read_bytes()}
    for consent in ("cons_000000000000000000000000", "yes", "../x"):
        fields = {"name": "x", "consent": consent, "ref_text": "x"}
        answer = client.post("/v1/audio/voices", data=fields, files=recording)
        assert answer.status_code == 404 and error_of(answer)["code"] == "consent_not_found"
    names = {"name": "A", "language": "en"}
    consent = client.post("/v1/audio/voice_consents", data=names, files={"recording": voice_file.read_bytes()}).json()
    for name in ("nova", "../x", ".", "x" * 80):
        fields = {"name": name, "consent": consent["id"], "ref_text": "x"}
        answer = client.post("/v1/audio/voices", data=fields, files=recording)
        assert answer.status_code == 400 and "/" not in error_of(answer)["message"].replace(name, "")
    no_sound = client.post("/v1/audio/voice_consents", data=names, files={"recording": b"x" * 100})
    assert no_sound.status_code == 400 and "no audio" in error_of(no_sound)["message"]


def test_a_recording_that_comes_along_is_the_voice(client, server, voice_file):
    encoded = base64.b64encode(voice_file.read_bytes()).decode()
    plain = speak(client, ref_audio=encoded, ref_text=TRANSCRIPT, response_format="pcm")
    named = speak(client, ref_audio=f"data:audio/wav;base64,{encoded}", ref_text=TRANSCRIPT, response_format="pcm")
    assert plain.content == named.content != speak(client, response_format="pcm").content
    digest = hashlib.sha256(voice_file.read_bytes()).hexdigest()[:16]
    assert plain.headers["x-voice"] == server.lines()[-2]["voice"] == f"ref_audio:{digest}"


# ---- who may ask, and how much


def test_a_key_is_needed_but_for_what_open_webui_asks_without(keyed):
    with keyed.client() as stranger, keyed.client(key=KEY) as friend, keyed.client(key=KEY + "x") as wrong:
        for client in (stranger, wrong):
            answer = speak(client)
            assert answer.status_code == 401 and error_of(answer)["code"] == "invalid_api_key"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert client.get("/v1/models").status_code == client.get("/metrics").status_code == 401
            assert client.delete("/v1/audio/voices/x").status_code == 401
        assert [stranger.get(path).status_code for path in ("/", "/health", "/v1/audio/voices")] == [200] * 3
        assert speak(friend).status_code == 200 and friend.get("/v1/models").status_code == 200
    assert keyed.lines()[-1]["key"] == hashlib.sha256(KEY.encode()).hexdigest()[:8]


def test_pages_of_others_and_other_names_of_this_machine_are_refused(server, keyed):
    with server.client() as client:
        assert client.get("/health", headers={"Host": "evil.example"}).status_code == 403
        assert client.get("/health", headers={"Origin": "https://evil.example"}).status_code == 403
        assert client.get("/health", headers={"Origin": server.url}).status_code == 200
    with keyed.client(headers={"Origin": "https://friend.example"}) as client:
        asked = client.options("/v1/audio/speech", headers={"Access-Control-Request-Method": "POST"})
        assert asked.status_code == 200 and asked.headers["access-control-allow-origin"] == "https://friend.example"


def test_what_is_too_large_is_refused_whether_it_says_so_or_not(client):
    too_large = b"x" * (guard.MAX_BODY + 1)
    assert client.post("/v1/audio/speech", content=too_large).status_code == 413

    def pieces_of_it() -> Iterator[bytes]:
        for start in range(0, len(too_large), 2**20):
            yield too_large[start : start + 2**20]

    with suppress(httpx.WriteError, httpx.ReadError):  # it was closed before all was sent
        assert client.post("/v1/audio/speech", content=pieces_of_it()).status_code == 413
    assert client.get("/health").status_code == 200


def test_a_body_that_does_not_come_and_a_silent_connection_end(server, monkeypatch):
    monkeypatch.setattr(guard, "_BODY_SECONDS", 0.3)
    with connected(server) as slow:
        slow.sendall(post(100) + b"{")
        assert slow.recv(100).startswith(b"HTTP/1.1 408")


def test_who_is_one_too_many_gets_429_at_once_and_all_others_their_speech(model_folder, tmp_path):
    with serving(model_folder, tmp_path, most_waiting=2) as served:
        barrier = threading.Barrier(8)

        def ask(_: int) -> tuple[int, float, str | None]:
            with served.client() as client:
                barrier.wait()
                began = time.monotonic()
                answer = speak(client, input=LONG[:126])
                return answer.status_code, time.monotonic() - began, answer.headers.get("retry-after")

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, range(8)))
        assert sorted(status for status, _, _ in answers) == [200] * 3 + [429] * 5
        away = [(seconds, after) for status, seconds, after in answers if status == 429]
        made = [seconds for status, seconds, _ in answers if status == 200]
        assert max(seconds for seconds, _ in away) < min(made)
        assert all(after is not None and int(after) >= 1 for _, after in away)


def test_what_a_crowd_asks_is_understood_only_where_there_is_a_place_for_it(model_folder, tmp_path, monkeypatch):
    understood: list[str] = []
    order = Service.order
    monkeypatch.setattr(Service, "order", lambda self, *a, **k: understood.append("") or order(self, *a, **k))
    body = json.dumps({"input": LONG[:126], "response_format": "pcm"}).encode()
    with serving(model_folder, tmp_path, most_waiting=2) as served:
        crowd = [connected(served) for _ in range(40)]
        for one in crowd:
            one.sendall(post(len(body)) + body)
        statuses = [one.recv(12).decode() for one in crowd[::-1]]
        for one in crowd:
            one.close()
    spoken, away = statuses.count("HTTP/1.1 200"), statuses.count("HTTP/1.1 429")
    assert len(understood) == spoken >= 3 and away == 40 - spoken > 30


def test_a_body_that_is_still_on_its_way_takes_no_place(model_folder, tmp_path):
    with serving(model_folder, tmp_path, most_waiting=0) as served, served.client() as client:
        half = [connected(served) for _ in range(3)]
        for one in half:
            one.sendall(post(100) + b"{")
        assert speak(client).status_code == 200
        half[0].sendall(b"x" * 99)
        assert half[0].recv(12) == b"HTTP/1.1 400"
        assert speak(client).status_code == 200 and not served.service.queue.kept
        for one in half:
            one.close()


def connected(served: Served) -> socket.socket:
    host, port = served.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def post(length: int) -> bytes:
    """The head of a request for speech."""
    head = "POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {length}\r\n\r\n".encode()


def test_a_client_that_leaves_frees_its_place(server):
    asked = {"input": LONG, "response_format": "wav", "steps": 64}
    with server.client() as client, pytest.raises(httpx.ReadTimeout):
        client.post("/v1/audio/speech", json=asked, timeout=0.5)
    assert server.wait_until_idle() < 5
    for _ in range(100):
        if server.lines()[-1]["outcome"] == "left":
            break
        time.sleep(0.02)
    assert server.lines()[-1]["outcome"] == "left" and not server.service.queue.held


def test_a_client_that_leaves_in_the_middle_of_the_sound_frees_its_place(server, client, caplog):
    asked = {"input": LONG, "response_format": "pcm", "steps": 64}
    with client.stream("POST", "/v1/audio/speech", json=asked) as answer:
        next(answer.iter_bytes())
    assert server.wait_until_idle() < 5
    assert not server.service.queue.held and caplog.text == ""


def test_the_audit_tells_what_was_said_by_its_hash_only(server, client):
    speak(client, input="Nobody must read this.", seed=7)
    line = server.lines()[-1]
    assert set(line) == {"time", "request", "key", "voice", "text_sha256", "seed", "seconds", "outcome"}
    assert line["text_sha256"] == hashlib.sha256(b"Nobody must read this.").hexdigest()
    assert (line["seed"], line["voice"], line["outcome"], line["key"]) == (7, "default", "done", "-")
    assert line["seconds"] > 0.3 and "Nobody" not in server.audit.read_text()
    assert speak(client).headers["x-request-id"] == server.lines()[-1]["request"]


def test_nothing_stays_in_the_folder_of_temporary_files(server, client, voice_file, tmp_path, monkeypatch):
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    large = voice_file.read_bytes() + bytes(3_000_000)
    names = {"name": "A", "language": "en"}
    client.post("/v1/audio/voice_consents", data=names, files={"recording": large})
    speak(client, input=TEXT)
    assert list(tmp_path.iterdir()) == []


# ---- mark-up


def longest_silence(sound: bytes) -> float:
    """The seconds in which nothing at all is heard."""
    heard = np.flatnonzero(decoded(sound, "pcm"))
    return float(np.diff(heard).max()) / RATE


def test_mark_up_is_read_only_where_it_is_asked_for(client):
    asked = {"input": "Hello. [pause 2s]There.", "response_format": "pcm"}
    assert longest_silence(speak(client, **asked).content) < 1.5
    told = speak(client, **asked, markup=True)
    assert longest_silence(told.content) == pytest.approx(2, abs=0.3)
    document = '<speak>Hello. <break time="2s"/>There.</speak>'
    assert speak(client, input=document, response_format="pcm", markup=True).content == told.content
    batch = {"items": [{"input": asked["input"]}], "markup": True, "seed": 1, "response_format": "pcm"}
    (item,) = client.post("/v1/audio/speech/batch", json=batch).json()["results"]
    assert longest_silence(base64.b64decode(item["audio_data"])) == pytest.approx(2, abs=0.3)


def test_a_tag_gives_the_word_to_a_voice_of_the_server(server, client, voice_file):
    server.service.voices.library.add("zoe", Prompt(io.read(voice_file), TRANSCRIPT), "consent")
    told = speak(client, input="Hello. [voice zoe]Good day. [voice nova]Hello. [voice main]Bye.", markup=True)
    assert told.headers["x-voice"] == "default, zoe" == server.lines()[-1]["voice"]
    alone = speak(client, input="[voice zoe]Good day.", markup=True, word_timestamps=True)
    assert alone.headers["x-voice"] == "zoe"
    unknown = speak(client, input="[voice nobody]Hello.", markup=True)
    assert (
        unknown.status_code == 404
        and "there is no voice 'nobody'; choose one of default" in error_of(unknown)["message"]
    )
    server.service.voices.library.remove("zoe")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Hello. " + "[pause 0.1s]" * 300 + "There.", "line 1, column 776: the text has more than 64 tags"),
        ("<speak>" + "<s>A.</s>" * 64 + "</speak>", "the text has more than 64 tags"),
        ("Hello. [pause 20s]There. [pause 11s]Bye.", "the pauses of the text last more than 30 s together"),
        ("A.\n\n" * 65, "65 stretches, of which 64 are the most"),
        ("Hello. [paus 1s] There.", "line 1, column 8: the tag [paus 1s] is not understood"),
    ],
)
def test_mark_up_asks_for_no_more_than_a_request_may_have(client, text, why):
    answer = speak(client, input=text, markup=True)
    assert answer.status_code == 400 and why in error_of(answer)["message"]


def test_as_many_tags_and_pauses_as_there_may_be_are_spoken(client):
    text = "".join(f"[spell]{c}[/spell], " for c in "abcdefgh" * 7) + "so. [pause 15s]And [pause 15s]so."
    sound = speak(client, input=text, markup=True, response_format="pcm").content
    assert longest_silence(sound) == pytest.approx(15, abs=0.3)


# ---- what it says of itself


def test_models_health_numbers_and_page(server, client):
    names = [model["id"] for model in client.get("/v1/models").json()["data"]]
    assert names[0] == server.service.synthesizer.config.name and "tts-1" in names
    assert client.get("/v1/models/tts-1").json()["id"] == "tts-1"
    assert client.get("/v1/models/other").status_code == 404
    assert client.get("/health").json() == {"status": "ok", "running": 0, "waiting": 0}
    before = number(client, "tts_fm_spoken_characters_total")
    speak(client, input="Count me.")
    assert number(client, "tts_fm_spoken_characters_total") == before + len("Count me.")
    assert number(client, 'tts_fm_requests_total{route="/v1/audio/speech",status="200"}') >= 1
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html") and f"{server.url}/v1" in page.text
    assert "src=" not in page.text and "https://" not in page.text  # it needs nothing from elsewhere


def number(client: httpx.Client, name: str) -> float:
    (line,) = [line for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(line.rsplit(" ", 1)[1])


def test_the_openapi_page_tells_of_no_422(client):
    page = client.get("/openapi.json").json()
    speech = page["paths"]["/v1/audio/speech"]["post"]["responses"]
    assert {"200", "400", "401", "404", "413", "429", "503"} <= set(speech) and "422" not in json.dumps(page)
    assert set(formats.MEDIA_TYPES.values()) < set(speech["200"]["content"])


# ---- the stream of texts


def session(server: Served, *messages: dict, until: str = "session.done") -> tuple[list[dict], list[bytes]]:
    """Send messages, and return what comes up to the first message of kind ``until``, texts and sounds."""
    from websockets.sync.client import connect

    told: list[dict] = []
    sounds: list[bytes] = []
    with connect(server.url.replace("http", "ws") + "/v1/audio/speech/stream") as ws:
        for message in messages:
            ws.send(json.dumps(message))
        while not told or told[-1]["type"] != until:
            got = ws.recv(timeout=20)
            if isinstance(got, bytes):
                sounds.append(got)
            else:
                told.append(json.loads(got))
    return told, sounds


def test_a_stream_speaks_sentences_as_they_come(server, client):
    config = {"type": "session.config", "response_format": "pcm", "split_granularity": "sentence", "seed": 1}
    texts = [{"type": "input.text", "text": text} for text in ("Some wo", "rds to say. And ", "Mr. Smith. Then")]
    told, sounds = session(server, config, *texts, {"type": "input.done"})
    starts = [message["sentence_text"] for message in told if message["type"] == "audio.start"]
    assert starts == ["Some words to say.", "And Mr. Smith.", "Then"]
    whole = decoded(speak(client, response_format="wav").content, "wav")
    assert np.abs(decoded(sounds[0], "pcm") - whole).max() < 2 / 32_768
    done = [message for message in told if message["type"] == "audio.done"]
    assert [message["total_bytes"] for message in done] == [len(sound) for sound in sounds]
    assert told[-1] == {"type": "session.done", "utterance_index": 0, "total_sentences": 3}


def test_a_stream_says_what_is_wrong_and_goes_on(server):
    config = {"type": "session.config", "response_format": "wav", "voice": "nova"}
    messages = [config, {"type": "nonsense"}, {"type": "input.text", "text": "Hello."}, {"type": "input.done"}]
    told, sounds = session(server, *messages)
    assert [message["type"] for message in told] == ["error", "audio.start", "audio.done", "session.done"]
    assert len(sounds) == 1 and len(decoded(sounds[0], "wav")) > RATE / 4
    told, _ = session(server, {"type": "session.config", "voice": "nobody"}, until="error")
    assert "there is no voice 'nobody'" in told[-1]["message"]
    told, _ = session(server, {"type": "input.text", "text": "Hello."}, until="error")
    assert "session.config" in told[-1]["message"]


def test_a_stream_flows_where_it_is_asked_and_ends_when_its_client_leaves(server):
    config = {"type": "session.config", "response_format": "pcm", "stream_audio": True, "steps": 64}
    messages = [config, {"type": "input.text", "text": LONG[:2500]}, {"type": "input.done"}]
    told, _ = session(server, *messages, until="audio.start")
    assert told[-1]["sample_rate"] == RATE
    assert server.wait_until_idle() < 5 and not server.service.queue.held


def test_a_stream_tells_words_behind_the_sound_in_json(server):
    config = {"type": "session.config", "response_format": "pcm", "stream_audio": True, "word_timestamps": True}
    told, sounds = session(server, config, {"type": "input.text", "text": "Hello."}, {"type": "input.done"})
    start, sound, words, done, _ = told
    assert (start["type"], sound["type"], words["type"], done["type"]) == (
        *("audio.start", "audio.chunk", "audio.chunk"),
        "audio.done",
    )
    assert sounds == [] and len(base64.b64decode(sound["audio_b64"])) == done["total_bytes"] > 0
    assert words["audio_b64"] == "" and [word["word"] for word in words["timestamps"]] == ["Hello."]


def test_a_stream_reads_mark_up_of_a_whole_text_only(server):
    config = {"type": "session.config", "response_format": "pcm", "markup": True}
    told, _ = session(server, {**config, "split_granularity": "sentence"}, until="error")
    assert "markup needs split_granularity none" in told[-1]["message"]
    texts = [{"type": "input.text", "text": text} for text in ("Hello. [pau", "se 2s]There.")]
    _, (sound,) = session(server, config, *texts, {"type": "input.done"})
    assert longest_silence(sound) == pytest.approx(2, abs=0.3)


def test_a_stream_needs_the_key_too(keyed):
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    address = keyed.url.replace("http", "ws") + "/v1/audio/speech/stream"
    with pytest.raises(InvalidStatus):
        connect(address)
    with connect(address, additional_headers={"Authorization": f"Bearer {KEY}"}) as ws:
        ws.send(json.dumps({"type": "session.close"}))


def test_the_splitter_gives_what_is_complete():
    splitter = stream_routes.Splitter("clause")
    given = [*splitter.add("First, sec"), *splitter.add("ond; third. "), *splitter.add("Last"), *splitter.end()]
    assert given == ["First,", "second;", "third.", "Last"]
    whole = stream_routes.Splitter("none")
    assert [*whole.add("One. Two. "), *whole.add("Three.")] == [] and whole.end() == ["One. Two. Three."]


# ---- the command


def test_the_command_refuses_what_is_not_safe_or_not_there(tts_fm_command, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("TTS_FM_VOICES", str(tmp_path))
    refused = tts_fm_command("serve", "--host", "0.0.0.0")
    assert refused.code == 2 and "--api-key" in refused.line
    assert "a key has 8 or more letters" in tts_fm_command("serve", "--api-key", "short").line
    (tmp_path / "keys").write_text("\n \n")
    assert "has no key in it" in tts_fm_command("serve", "--api-key-file", tmp_path / "keys").line
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "cannot be listened on" in tts_fm_command("serve", "--port", port).line
    assert "write NAME=VOICE" in tts_fm_command("serve", "--voice-alias", "alloy").line
    assert "give --ray auto" in tts_fm_command("serve", "--replicas", "2", "--port", "0").line
    assert "name it" in tts_fm_command("serve", "--ray", "auto", "--port", "0").line
    assert "write 4, or 1:4" in tts_fm_command("serve", "--ray", "auto", "--replicas", "4:1").line


def test_a_number_of_replicas_or_two():
    assert [Size.of("3"), Size.of("1:8")] == [Size(3, 3), Size(1, 8)]
    for wrong in ("0", "2:1", "1:", "-1", "many", ""):
        with pytest.raises(ValueError, match="1:4 for one to four"):
            Size.of(wrong)


_START = {"type": "http.response.start", "status": 200, "headers": []}


@pytest.mark.parametrize("kind", ["http", "websocket"])
@pytest.mark.parametrize("said", [[], [_START], [_START, {"type": "http.response.body", "body": b"sound"}]])
def test_a_client_is_told_that_its_replica_has_died(kind: str, said: list[Message]) -> None:
    """Ray's proxy ends without a word then; what has begun is left to break off."""
    sent: list[Message] = []

    async def keep(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def dies(scope: Scope, receive: Receive, send: Send) -> None:
        for message in said:
            await send(message)

    path, _, name = proxy.ENVIRONMENT["RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"].rpartition(".")
    (before,) = getattr(import_module(path), name)()  # as Ray finds it
    asyncio.run(before.cls(dies, *before.args, **before.kwargs)({"type": kind}, receive, keep))
    if said or kind == "websocket":
        assert sent == said
    else:
        start, body = sent
        assert start["status"] == 503 and (b"retry-after", b"1") in start["headers"]
        assert json.loads(body["body"])["error"]["code"] == "died"


def test_a_request_keeps_the_id_that_it_was_given_where_a_proxy_gives_them(model_folder, tmp_path):
    with serving(model_folder, tmp_path, rules=Rules(is_named=True)) as served, served.client() as client:
        named = client.get("/v1/models", headers={"X-Request-ID": "b6e2-11"})
        assert "x-request-id" not in named.headers  # the proxy tells it
        assert speak(client, input="Hello.").status_code == 200
        client.post("/v1/audio/speech", json={"input": "Hello."}, headers={"X-Request-ID": "b6e2-12"})
        served.wait_until_idle()
        first, second = served.lines()
        assert first["request"].startswith("req_") and second["request"] == "b6e2-12"
