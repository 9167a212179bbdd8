"""OpenAI's own client for Python: every format, flowing, events, mistakes, and a voice of one's own."""

import base64
import json
import sys

from openai import AuthenticationError, BadRequestError, NotFoundError, OpenAI

url, key, recording, words = sys.argv[1:]
client = OpenAI(base_url=url, api_key=key, max_retries=0, timeout=120)
asked = {
    "model": "gpt-4o-mini-tts",
    "voice": "alloy",
    "input": "Hello there. And this is one more sentence, which is longer.",
}
told: dict = {"models": [model.id for model in client.models.list()]}

told["formats"] = {}
for format in ("mp3", "opus", "aac", "flac", "wav", "pcm"):
    answer = client.audio.speech.create(**asked, response_format=format, extra_body={"seed": 1})
    told["formats"][format] = base64.b64encode(answer.content).decode()
with client.audio.speech.with_streaming_response.create(
    **asked, response_format="pcm", extra_body={"seed": 1}
) as answer:
    told["flow"] = base64.b64encode(b"".join(answer.iter_bytes(4096))).decode()

told["events"], told["usage"] = "", None
with client.audio.speech.with_streaming_response.create(
    **asked, response_format="pcm", stream_format="sse", extra_body={"seed": 1}
) as answer:
    lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: ")]
sound = b""
for event in map(json.loads, lines):
    if event["type"] == "speech.audio.delta":
        sound += base64.b64decode(event["audio"])
    else:
        told["usage"] = event["usage"]
told["events"] = base64.b64encode(sound).decode()

told["errors"] = {}
for name, kind, wrong in (
    ("voice", NotFoundError, {"voice": "nobody"}),
    ("model", NotFoundError, {"model": "gpt-9"}),
    ("speed", BadRequestError, {"speed": 9.0}),
):
    try:
        client.audio.speech.create(**{**asked, **wrong})
    except kind as error:
        told["errors"][name] = [error.status_code, error.body["message"]]
try:
    OpenAI(base_url=url, api_key="wrong", max_retries=0).audio.speech.create(**asked)
except AuthenticationError as error:
    told["errors"]["key"] = [error.status_code, error.body["message"]]

with open(recording, "rb") as file:
    consent = client.audio.voice_consents.create(name="Anna", language="en", recording=file)
with open(recording, "rb") as file:
    voice = client.audio.voices.create(
        name="anna", audio_sample=file, consent=consent.id, extra_body={"ref_text": words}
    )
spoken = client.audio.speech.create(**{**asked, "voice": {"id": voice.id}}, response_format="wav")
told["voice"] = {
    "id": voice.id,
    "bytes": len(spoken.content),
    "consents": [one.id for one in client.audio.voice_consents.list()],
}
told["deleted"] = [client.audio.voices.delete(voice.id).deleted, client.audio.voice_consents.delete(consent.id).deleted]
print(json.dumps(told))
