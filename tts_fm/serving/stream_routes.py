"""``WebSocket /v1/audio/speech/stream``, as vLLM-Omni speaks it: text comes in pieces, sound goes out."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, WebSocket
from pydantic import ValidationError
from starlette.websockets import WebSocketDisconnect

from tts_fm.serving import wire
from tts_fm.serving.errors import understood
from tts_fm.serving.queue import Left
from tts_fm.serving.service import Caller, Delivery, Service
from tts_fm.text.chunk import sentences

router = APIRouter()
_MOST_STREAMS = 64
_CONFIG_SECONDS, _IDLE_SECONDS = 10.0, 30.0
_MOST_TEXT = 131_072  # characters of a message of text
_MOST_QUEUED = 64  # messages
_CLAUSE = re.compile(r"(?<=[,;:，；：])\s+")


class _Closed(Exception):
    """The session is over."""


@dataclass
class Splitter:
    """Gathers text and gives out what is complete: nothing before the end, sentences, or clauses."""

    granularity: str
    _text: str = ""

    def add(self, text: str) -> list[str]:
        """Return what is complete with ``text``."""
        self._text += text
        if self.granularity == "none" or not self._text.strip():
            return []
        *complete, rest = sentences(self._text + "X")  # as if another one began: "Dr. X" does not end, "Hello. X" does
        self._text = rest[:-1] + (" " if self._text[-1].isspace() and len(rest) > 1 else "")
        return [part for sentence in complete for part in self._parts(sentence)]

    def end(self) -> list[str]:
        """Return what is left."""
        rest, self._text = self._text.strip(), ""
        return self._parts(rest) if rest else []

    def __len__(self) -> int:
        return len(self._text)

    def _parts(self, sentence: str) -> list[str]:
        return _CLAUSE.split(sentence) if self.granularity == "clause" else [sentence]


@dataclass
class Session:
    """One client: its settings, and where in its texts it is."""

    socket: WebSocket
    service: Service
    settings: wire.StreamSettings | None = None
    splitter: Splitter = field(default_factory=lambda: Splitter("none"))
    utterance: int = 0
    sentence: int = 0
    is_speaking: bool = False
    _messages: asyncio.Queue[str | None] = field(default_factory=lambda: asyncio.Queue(_MOST_QUEUED))
    _delivery: Delivery | None = None
    _sent: int = 0

    async def run(self) -> None:
        """Answer messages until somebody ends it."""
        listener = asyncio.create_task(self._listen())
        try:
            while True:
                await self._answer(await self._message())
        except (_Closed, WebSocketDisconnect, Left, RuntimeError):  # RuntimeError: sent to who is gone
            pass
        finally:
            listener.cancel()
            if self._delivery is not None:
                self._delivery.close("left")

    async def _listen(self) -> None:
        """Take messages in while a sentence is spoken, so that it ends with its step when the client leaves."""
        try:
            while True:
                await self._messages.put(await self.socket.receive_text())
        except (WebSocketDisconnect, KeyError, RuntimeError):  # KeyError: bytes instead of text
            if self._delivery is not None:
                self._delivery.close("left")
            await self._messages.put(None)

    async def _message(self) -> dict[str, Any]:
        """Return the next message. Raises _Closed where none comes, or none that can be read."""
        seconds = _CONFIG_SECONDS if self.settings is None else _IDLE_SECONDS
        try:
            text = await asyncio.wait_for(self._messages.get(), seconds)
        except TimeoutError:
            await self._fail("Idle timeout: no message received")
            await self.socket.close()
            raise _Closed from None
        if text is None:
            raise _Closed
        try:
            message = json.loads(text)
        except (json.JSONDecodeError, RecursionError):
            message = None
        return message if isinstance(message, dict) else {"type": None}

    async def _answer(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "session.config":
            await self._configure(message)
        elif kind == "session.close":
            await self.socket.close()
            raise _Closed
        elif self.settings is None:
            await self._fail("the first message is a session.config")
            await self.socket.close()
            raise _Closed
        elif kind == "input.text":
            await self._take(message.get("text"))
        elif kind == "input.done":
            await self._say(self.splitter.end())
            await self._send("session.done", utterance_index=self.utterance, total_sentences=self.sentence)
            self.utterance, self.sentence, self.is_speaking = self.utterance + 1, 0, False
        else:
            await self._fail(
                "a message is a JSON object of type session.config, input.text, input.done or session.close"
            )

    async def _configure(self, message: dict[str, Any]) -> None:
        if self.is_speaking:
            await self._fail("session.config has to wait until the utterance is over; send input.done first")
            return
        try:
            settings = wire.StreamSettings.model_validate(message)
            if settings.stream_audio and settings.response_format != "pcm":
                raise ValueError("stream_audio needs response_format pcm")
            if settings.word_timestamps and not settings.stream_audio:
                raise ValueError("word_timestamps needs stream_audio, and with it response_format pcm")
            if settings.markup and settings.split_granularity != "none":
                raise ValueError("markup needs split_granularity none: a tag must not be cut in two")
            self.service.order(settings, "ping", flows=False)  # a mistake is told now, not with the first sentence
        except ValidationError as error:
            first = error.errors()[0]
            return await self._refuse(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        except Exception as error:
            return await self._refuse(understood(error).detail)
        self.settings, self.splitter = settings, Splitter(settings.split_granularity)

    async def _refuse(self, why: str) -> None:
        """Tell what is wrong with the settings; without any the session is over."""
        await self._fail(why)
        if self.settings is None:
            await self.socket.close()
            raise _Closed

    async def _take(self, text: Any) -> None:
        if not isinstance(text, str) or len(text) > _MOST_TEXT:
            await self._fail(f"input.text has a text of up to {_MOST_TEXT:,} characters")
            return
        self.is_speaking = self.is_speaking or bool(text)
        await self._say(self.splitter.add(text))
        if len(self.splitter) > wire.MAX_CHARACTERS:
            self.splitter.end()
            await self._fail(f"more than {wire.MAX_CHARACTERS:,} characters wait for input.done; they are dropped")

    async def _say(self, texts: list[str]) -> None:
        for text in texts:
            await self._speak(text)
            self.sentence += 1

    async def _speak(self, text: str) -> None:
        """Speak one text: audio.start, its sound, audio.done."""
        assert self.settings is not None
        where = {"utterance_index": self.utterance, "sentence_index": self.sentence}
        rate = {"sample_rate": self.settings.sample_rate} if self.settings.stream_audio else {}
        await self._send("audio.start", **where, sentence_text=text, format=self.settings.response_format, **rate)
        self._sent, failed, remarks = 0, False, {}
        try:
            order = self.service.order(self.settings, text, flows=self.settings.stream_audio)
            self._delivery = self.service.begin(order, Caller.of(self.socket))
            await self._pass_on(self._delivery, where)
            remarks = {"remarks": list(self._delivery.remarks)} if self._delivery.remarks else {}
            self._delivery.close("done")
        except (Left, WebSocketDisconnect):
            raise
        except Exception as error:
            failed = True
            if self._delivery is not None:
                self._delivery.close("failed")
            partial = {"partial_audio": True, "action": "discard"} if self._sent else {}
            await self._fail(understood(error).detail, **partial)
        await self._send("audio.done", **where, total_bytes=self._sent, error=failed, **remarks)

    async def _pass_on(self, delivery: Delivery, where: dict[str, int]) -> None:
        """Send the sound: as it comes, whole, or in JSON with the times of its words at the end."""
        assert self.settings is not None
        pending, words = b"", None
        async for chunk in delivery:
            pending += chunk.data
            words = chunk.words if chunk.words else words
            if not pending or not (chunk.is_last or self.settings.stream_audio):
                continue
            if self.settings.word_timestamps:
                encoded = base64.b64encode(pending).decode()
                await self._send("audio.chunk", **where, chunk_id=0, audio_b64=encoded, timestamps=None)
            else:
                await asyncio.wait_for(self.socket.send_bytes(pending), _IDLE_SECONDS)
            self._sent, pending = self._sent + len(pending), b""
        if self.settings.word_timestamps:
            timings = wire.times(words) if isinstance(words, tuple) else None
            await self._send("audio.chunk", **where, chunk_id=1, audio_b64="", timestamps=timings)

    async def _send(self, kind: str, **what: Any) -> None:
        await asyncio.wait_for(self.socket.send_json({"type": kind, **what}), _IDLE_SECONDS)

    async def _fail(self, why: str, **what: Any) -> None:
        await self._send("error", message=why, **what)


@router.websocket("/v1/audio/speech/stream")
async def stream(socket: WebSocket) -> None:
    """Serve one client; see :class:`Session`."""
    state = socket.app.state
    if len(state.streams) >= _MOST_STREAMS or state.service.queue.is_stopping:
        await socket.close(1013)  # try again later
        return
    await socket.accept()
    session = Session(socket, state.service)
    state.streams.add(socket)
    try:
        await session.run()
    finally:
        state.streams.discard(socket)
