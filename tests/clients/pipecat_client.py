"""Pipecat's OpenAITTSService in a pipeline of its own."""

import asyncio
import json
import sys

from loguru import logger
from pipecat.frames.frames import EndFrame, ErrorFrame, Frame, TTSAudioRawFrame, TTSSpeakFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineTask
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.services.openai.tts import OpenAITTSService

logger.remove()
url, key = sys.argv[1:]


class Listener(FrameProcessor):
    """Gathers the sound that comes by."""

    def __init__(self) -> None:
        super().__init__()
        self.sound, self.rate, self.errors = b"", 0, []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self.sound, self.rate = self.sound + frame.audio, frame.sample_rate
        if isinstance(frame, ErrorFrame):
            self.errors.append(frame.error)
        await self.push_frame(frame, direction)


async def main() -> None:
    tts = OpenAITTSService(api_key=key, base_url=url, settings=OpenAITTSService.Settings(voice="marin"))
    listener = Listener()
    task = PipelineTask(Pipeline([tts, listener]))
    await task.queue_frames([TTSSpeakFrame("Hello there. And this is one more sentence."), EndFrame()])
    await PipelineRunner(handle_sigint=False).run(task)
    print(json.dumps({"seconds": len(listener.sound) / 2 / 24_000, "rate": listener.rate, "errors": listener.errors}))


asyncio.run(main())
