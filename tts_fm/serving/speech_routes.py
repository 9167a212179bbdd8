"""``/v1/audio/speech``: a text becomes a file that flows, server-sent events, or one of a batch."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import ValidationError

from tts_fm.serving import formats, wire
from tts_fm.serving.errors import ApiError, body_of, documented, understood
from tts_fm.serving.queue import Check, Left
from tts_fm.serving.service import Caller, Chunk, Delivery, Order, Service, watch
from tts_fm.timing import SpokenWord

router = APIRouter(tags=["speech"])
_ERRORS = documented(400, 401, 403, 404, 408, 413, 429, 500, 503)
_SOUND = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in formats.MEDIA_TYPES.values()}
_MAX_HEADER = 4_096  # bytes: servers and clients refuse longer headers
_EVENTS = {"text/event-stream": {"schema": {"type": "string"}}}


async def service_of(request: Request) -> Service:
    """Return what the server has; a plain function would be sent through a thread for each request."""
    return request.app.state.service


Ours = Annotated[Service, Depends(service_of)]


@router.post(
    "/v1/audio/speech",
    response_class=Response,
    responses={200: {"description": "The sound.", "content": {**_SOUND, **_EVENTS}}, **_ERRORS},
)
async def create_speech(body: wire.SpeechRequest, request: Request, service: Ours) -> Response:
    """Speak a text; mp3, opus, aac and pcm begin to arrive when the first piece is made."""
    order = service.order(body, body.input, flows=True)
    delivery = service.begin(order, Caller.of(request))
    delivery.watch(request.receive)
    try:
        return await _answer(body, order, delivery)
    except BaseException as error:
        delivery.close("left" if isinstance(error, Left) else "failed")
        raise


async def _answer(body: wire.SpeechRequest, order: Order, delivery: Delivery) -> Response:
    first = await anext(delivery)
    headers = _headers(body, order, first)
    if body.stream_format == "sse":
        return StreamingResponse(_events(first, delivery), media_type="text/event-stream", headers=headers)
    media_type = formats.MEDIA_TYPES[order.format]
    if order.flows:
        return StreamingResponse(_flow(first, delivery), media_type=media_type, headers=headers)
    data = first.data + b"".join([chunk.data async for chunk in delivery])
    delivery.close("done")
    return Response(data, media_type=media_type, headers=headers)


@router.post(
    "/v1/audio/speech/batch", response_model=wire.BatchResponse, response_model_exclude_none=True, responses=_ERRORS
)
async def create_batch(body: wire.BatchRequest, request: Request, service: Ours) -> wire.BatchResponse:
    """Speak up to 32 texts in one place of the queue; an item that cannot be spoken hinders no other."""
    if sum(len(item.input) for item in body.items) > wire.MAX_BATCH_CHARACTERS:
        raise ApiError(400, f"a batch has up to {wire.MAX_BATCH_CHARACTERS:,} characters; send several", param="items")
    orders = [_order_of(item, service) for item in body.requests()]
    caller = Caller.of(request)

    def work(check: Check) -> Iterator[wire.BatchResult]:
        for i, order in enumerate(orders):
            yield _spoken(i, order, service, caller, check)

    job = service.queue.begin(work, caller.place)
    watcher = watch(request.receive, job.leave)
    try:
        results = [result async for result in job]
    finally:
        watcher.cancel()
        job.leave()
    succeeded = sum(result.status == "success" for result in results)
    return wire.BatchResponse(
        id=f"speech-batch-{secrets.token_hex(12)}",
        results=results,
        total=len(results),
        succeeded=succeeded,
        failed=len(results) - succeeded,
    )


async def _flow(first: Chunk, delivery: Delivery) -> AsyncIterator[bytes]:
    """Yield a file's bytes; where something fails the connection breaks, so that nobody takes a part for the whole."""
    try:
        yield first.data
        async for chunk in delivery:
            yield chunk.data
    except Exception:
        delivery.close("failed")
        raise
    finally:
        delivery.close("done" if delivery.is_whole else "left")


async def _events(first: Chunk, delivery: Delivery) -> AsyncIterator[str]:
    """Yield server-sent events: the sound in base64, then what it counts; or an error, for the answer has begun."""
    try:
        yield _delta(first)
        async for chunk in delivery:
            yield _delta(chunk)
        usage = delivery.order.usage(delivery.seconds).model_dump()
        yield _event("speech.audio.done", usage=usage, **_remarks(delivery.remarks))
    except Exception as error:
        delivery.close("failed")
        yield _event("speech.audio.error", **body_of(understood(error)))
    finally:
        delivery.close("done" if delivery.is_whole else "left")


def _delta(chunk: Chunk) -> str:
    return _event("speech.audio.delta", audio=base64.b64encode(chunk.data).decode()) if chunk.data else ""


def _remarks(remarks: tuple[str, ...]) -> dict[str, list[str]]:
    return {"remarks": list(remarks)} if remarks else {}


def _event(kind: str, **what: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **what}, separators=(',', ':'))}\n\n"


def _headers(asked: wire.Manner, order: Order, first: Chunk) -> dict[str, str]:
    """Return what is said about a sound beside its type and length."""
    headers = {"X-Seed": str(order.seed), "X-Voice": order.voice, "X-Sample-Rate": str(order.sample_rate)}
    if asked.without_effect:
        headers["X-Without-Effect"] = ", ".join(asked.without_effect)
    if first.remarks:
        remarks = json.dumps(first.remarks)  # in ASCII
        headers["X-Remarks"] = remarks if len(remarks) <= _MAX_HEADER else json.dumps([first.remarks[0][:500]])
    if order.wants_words:
        headers |= _word_header(first.words)
    return headers


def _word_header(words: tuple[SpokenWord, ...] | str) -> dict[str, str]:
    """Return the header that says when each word is heard, or that it does not, and why; as vLLM-Omni's."""
    if isinstance(words, str):
        return {"X-Word-Timestamps-Omitted": json.dumps(words)[1:-1]}  # in ASCII
    timings = json.dumps(wire.times(words))
    if len(timings) > _MAX_HEADER:
        return {"X-Word-Timestamps-Omitted": f"oversize; bytes={len(timings)}; limit={_MAX_HEADER}"}
    return {"X-Word-Timestamps": timings}


def _order_of(item: dict[str, Any], service: Service) -> Order | ApiError:
    """Return what an item of a batch asks for, or why it cannot be spoken."""
    try:
        asked = wire.SpeechRequest.model_validate(item)
        return service.order(asked, asked.input, flows=False)
    except ValidationError as error:
        first = error.errors()[0]
        return ApiError(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    except (ApiError, ValueError) as error:
        return understood(error)


def _spoken(index: int, order: Order | ApiError, service: Service, caller: Caller, check: Check) -> wire.BatchResult:
    """Speak an item of a batch."""
    if isinstance(order, ApiError):
        return wire.BatchResult(index=index, status="error", error=order.detail)
    try:
        chunks = list(order.make(service.synthesizer, check))
    except (Left, ValueError) as error:
        service.note(order, caller, 0.0, "left" if isinstance(error, Left) else "failed")
        if isinstance(error, Left):
            raise
        return wire.BatchResult(index=index, status="error", error=understood(error).detail)
    seconds = sum(chunk.seconds for chunk in chunks)
    service.note(order, caller, seconds, "done")
    return wire.BatchResult(
        index=index,
        status="success",
        audio_data=base64.b64encode(b"".join(chunk.data for chunk in chunks)).decode(),
        media_type=formats.MEDIA_TYPES[order.format],
        usage=order.usage(seconds),
        remarks=list(dict.fromkeys(remark for chunk in chunks for remark in chunk.remarks)) or None,
    )
