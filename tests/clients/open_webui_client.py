"""Open WebUI, started with the variables of docs/serving.md, and asked for speech through its own API."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

url, key = sys.argv[1:]
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
home = f"http://127.0.0.1:{port}"


def ask(path: str, body: dict | None = None, token: str = "") -> tuple[int, bytes]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(home + path, data, headers), timeout=120) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


with tempfile.TemporaryDirectory() as folder:
    settings = {
        "AUDIO_TTS_ENGINE": "openai",
        "AUDIO_TTS_OPENAI_API_BASE_URL": url,
        "AUDIO_TTS_OPENAI_API_KEY": key,
        "AUDIO_TTS_MODEL": "tts-1",
        "AUDIO_TTS_VOICE": "alloy",
        "ENABLE_PERSISTENT_CONFIG": "False",
    }
    alone = {"DATA_DIR": folder, "OFFLINE_MODE": "True", "HF_HUB_OFFLINE": "1", "WEBUI_SECRET_KEY": "of-a-test"}
    alone |= {"RAG_EMBEDDING_ENGINE": "openai", "ENABLE_OLLAMA_API": "False", "ENABLE_OPENAI_API": "False"}
    program = str(Path(sys.executable).with_name("open-webui"))
    with open(Path(folder) / "log", "w") as log:
        web = subprocess.Popen(
            [program, "serve", "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, **settings, **alone},
            stdout=log,
            stderr=log,
            cwd=folder,
        )
    try:
        for _ in range(900):
            try:
                if ask("/health")[0] == 200:
                    break
            except OSError:
                assert web.poll() is None, Path(folder, "log").read_text()[-3000:]
                time.sleep(1)
        person = {"name": "A", "email": "a@example.com", "password": "Of-a-test-1"}
        token = json.loads(ask("/api/v1/auths/signup", person)[1])["token"]
        voices = json.loads(ask("/api/v1/audio/voices", token=token)[1])
        models = json.loads(ask("/api/v1/audio/models", token=token)[1])
        status, sound = ask("/api/v1/audio/speech", {"input": "Hello there.", "voice": "nova", "model": "tts-1"}, token)
        wrong = ask("/api/v1/audio/speech", {"input": "Hello there.", "voice": "nobody", "model": "tts-1"}, token)
        told = {"voices": voices["voices"], "models": models["models"], "status": status, "beginning": sound[:3].hex()}
        print(json.dumps({**told, "bytes": len(sound), "wrong": [wrong[0], wrong[1].decode()]}))
    finally:
        web.terminate()
        web.wait(60)
