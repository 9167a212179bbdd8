"""LiveKit's plugin: it asks for events, and decodes mp3."""

import asyncio
import json
import sys

from livekit.plugins import openai

url, key = sys.argv[1:]


async def main() -> None:
    told = {}
    for model in ("gpt-4o-mini-tts", "tts-1"):  # asks for events, and for a plain sound
        tts = openai.TTS(base_url=url, api_key=key, model=model, voice="nova")
        tts.prewarm()
        frames = [spoken.frame async for spoken in tts.synthesize("Hello there. And this is one more sentence.")]
        seconds = sum(frame.samples_per_channel / frame.sample_rate for frame in frames)
        told[model] = {"seconds": seconds, "rate": frames[0].sample_rate, "channels": frames[0].num_channels}
        await tts.aclose()
    print(json.dumps(told))


asyncio.run(main())
