"""Home Assistant's way: wyoming-openai between a Wyoming client and the server."""

import asyncio
import json
import socket
import subprocess
import sys

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.info import Describe, Info
from wyoming.tts import Synthesize, SynthesizeVoice

url, key = sys.argv[1:]
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]


async def connected() -> AsyncTcpClient:
    for _ in range(600):
        client = AsyncTcpClient("127.0.0.1", port)
        try:
            await client.connect()
            return client
        except OSError:
            await asyncio.sleep(0.2)
    raise TimeoutError("wyoming-openai did not start")


async def main() -> None:
    client = await connected()
    await client.write_event(Describe().event())
    info = Info.from_event(await client.read_event())
    voices = [voice.name for program in info.tts for voice in program.voices]
    text = "Hello there. And this is one more sentence."
    await client.write_event(Synthesize(text=text, voice=SynthesizeVoice(name=voices[0])).event())
    rate, sound = 0, b""
    while (event := await client.read_event()) is not None:
        if AudioStart.is_type(event.type):
            rate = AudioStart.from_event(event).rate
        elif AudioChunk.is_type(event.type):
            sound += AudioChunk.from_event(event).audio
        elif Error.is_type(event.type):
            raise RuntimeError(Error.from_event(event).text)
        elif AudioStop.is_type(event.type):
            break
    await client.disconnect()
    print(json.dumps({"voices": voices, "rate": rate, "seconds": len(sound) / 2 / max(rate, 1)}))


arguments = ["--uri", f"tcp://127.0.0.1:{port}", "--tts-openai-url", url, "--tts-openai-key", key]
arguments += ["--tts-models", "tts-1", "--tts-voices", "alloy", "nova"]
bridge = subprocess.Popen(
    [sys.executable, "-m", "wyoming_openai", *arguments],
    stdout=subprocess.DEVNULL,
)
try:
    asyncio.run(main())
finally:
    bridge.terminate()
    bridge.wait(20)
