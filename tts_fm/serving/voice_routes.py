"""``/v1/audio/voices`` and ``/v1/audio/voice_consents``: list, make and delete voices, each with a recorded consent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import APIRouter, File, Form, Request, UploadFile

from tts_fm.serving import wire
from tts_fm.serving.errors import ApiError, documented
from tts_fm.serving.service import Service
from tts_fm.serving.speech_routes import Ours

router = APIRouter(tags=["voices"])
T = TypeVar("T")
_ERRORS = documented(400, 401, 403, 408, 413, 429, 500)
_MISSING = documented(404)
Name = Annotated[str, Form(max_length=200)]


@router.get("/v1/audio/voices", response_model=wire.VoiceNames, responses=documented(403))
async def list_voices(service: Ours) -> wire.VoiceNames:
    """Tell every voice that can be asked for."""
    return wire.VoiceNames(voices=[wire.VoiceName(id=name, name=name) for name in service.voices.names()])


@router.post("/v1/audio/voice_consents", response_model=wire.Consent, responses=_ERRORS)
async def create_consent(
    name: Name, language: Annotated[str, Form(max_length=40)], recording: UploadFile, request: Request, service: Ours
) -> wire.Consent:
    """Keep a recording in which a person allows that their voice be cloned."""
    data = await _recording(recording, service)
    return await _aside(lambda: service.consents.add(name, language, data, request.state.key))


@router.get("/v1/audio/voice_consents", response_model=wire.Consents, responses=_ERRORS)
async def list_consents(service: Ours) -> wire.Consents:
    """Tell all consents."""
    return wire.Consents(data=await _aside(service.consents.all))


@router.get("/v1/audio/voice_consents/{consent}", response_model=wire.Consent, responses=_ERRORS | _MISSING)
async def get_consent(consent: str, service: Ours) -> wire.Consent:
    """Tell of a consent."""
    return await _aside(lambda: service.consents.get(consent))


@router.delete("/v1/audio/voice_consents/{consent}", response_model=wire.Deleted, responses=_ERRORS | _MISSING)
async def delete_consent(consent: str, service: Ours) -> wire.Deleted:
    """Delete a consent; voices that were made with it keep their note of it."""
    _check_changes(service)
    await _aside(lambda: service.consents.remove(consent))
    return wire.Deleted(id=consent, object="audio.voice_consent")


@router.post("/v1/audio/voices", response_model=wire.Voice, responses=_ERRORS | _MISSING)
async def create_voice(
    name: Name,
    consent: Annotated[str, Form(max_length=80, description="The id of a consent.")],
    audio_sample: Annotated[UploadFile, File(description="1 to 30 s of one speaker.")],
    service: Ours,
    ref_text: Annotated[str | None, Form(max_length=5_000, description="The words in it; else they are heard.")] = None,
) -> wire.Voice:
    """Keep a voice, under a name, with its consent."""
    data = await _recording(audio_sample, service)
    return await _aside(lambda: service.voices.add(name, data, ref_text, service.consents.note(consent)))


@router.delete("/v1/audio/voices/{voice}", response_model=wire.Deleted, responses=_ERRORS | _MISSING)
async def delete_voice(voice: str, service: Ours) -> wire.Deleted:
    """Delete a kept voice."""
    _check_changes(service)
    await _aside(lambda: service.voices.remove(voice))
    return wire.Deleted(id=voice, object="audio.voice.deleted")


def _check_changes(service: Service) -> None:
    if not service.can_change_voices:
        message = "voices cannot be changed here, for everybody may ask this server; start it with --api-key"
        raise ApiError(403, message, code="not_allowed")


async def _recording(file: UploadFile, service: Service) -> bytes:
    """Return an upload, where voices may be made; what lay on the disk of it is gone then."""
    _check_changes(service)
    data = await file.read(wire.MAX_BYTES + 1)
    await file.close()
    return data


async def _aside(work: Callable[[], T]) -> T:
    """Return what ``work`` returns, which reads files, without holding up everybody else."""
    return await asyncio.to_thread(work)
