"""What clients send, checked: speech, batches of it, and the settings of a stream."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from tts_fm.text.directions import Bounds
from tts_fm.timing import SpokenWord

MAX_CHARACTERS = 4_096
"""Of one text, as OpenAI's."""

MAX_ITEMS, MAX_BATCH_CHARACTERS = 32, 4 * MAX_CHARACTERS
BOUNDS = Bounds(directions=64, silence=30.0)
"""Of one text with mark-up: a few characters can ask for a minute of silence, and a few others for a run of the solver."""

MAX_BYTES = 10_000_000
"""Of a recording."""

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
SampleRate = Literal[8_000, 16_000, 22_050, 24_000, 44_100, 48_000]
Text = Annotated[str, Field(min_length=1, max_length=MAX_CHARACTERS)]
Speed = Annotated[float, Field(ge=0.25, le=4.0)]


class VoiceId(BaseModel):
    """A voice that was made here."""

    model_config = ConfigDict(strict=True)

    id: str


class Manner(BaseModel):
    """How a text is spoken; what else a client sends is taken and has no effect, which a header says."""

    model_config = ConfigDict(strict=True, extra="allow")

    model: str = "default"
    voice: str | VoiceId = Field(default="default", description="A name of /v1/audio/voices, or one of OpenAI's.")
    response_format: Format = "mp3"
    speed: Speed = 1.0
    instructions: Annotated[str | None, Field(max_length=MAX_CHARACTERS, description="Has no effect here.")] = None
    seed: Annotated[int | None, Field(ge=0, lt=2**32, description="The same seed, the same speech.")] = None
    steps: Annotated[int | None, Field(ge=1, le=64, description="Steps of the solver; else the model's own.")] = None
    guidance: Annotated[float | None, Field(ge=0, le=20, description="0 is none; else the model's own.")] = None
    ref_audio: Annotated[
        str | None, Field(max_length=MAX_BYTES * 4 // 3 + 64, description="A recording to speak like, in base64.")
    ] = None
    ref_text: Annotated[str | None, Field(max_length=MAX_CHARACTERS, description="The words in it.")] = None
    sample_rate: SampleRate = 24_000
    markup: Annotated[bool, Field(description="Whether tags as [pause 0.5s], or SSML, in the text are directions.")] = (
        False
    )
    word_timestamps: Annotated[bool, Field(description="Say in X-Word-Timestamps when each word is heard.")] = False

    @property
    def voice_name(self) -> str:
        """What the voice is called."""
        return self.voice.id if isinstance(self.voice, VoiceId) else self.voice

    @property
    def without_effect(self) -> list[str]:
        """The fields that were sent for nothing."""
        unknown = [name for name in self.model_extra or {} if name.isidentifier() and name.isascii()]
        return [*([] if self.instructions is None else ["instructions"]), *unknown[:16]]


class SpeechRequest(Manner):
    """A text to speak."""

    input: Text
    stream_format: Literal["audio", "sse"] = "audio"


class BatchItem(BaseModel):
    """A text of a batch, and what is different about it."""

    model_config = ConfigDict(strict=True, extra="allow")

    input: Annotated[str, Field(max_length=MAX_CHARACTERS)]


class BatchRequest(Manner):
    """Several texts; what an item says of its manner goes before what is said for all."""

    items: Annotated[list[BatchItem], Field(min_length=1, max_length=MAX_ITEMS)]

    def requests(self) -> list[dict[str, Any]]:
        """Return each item as the body of a single request, not yet checked."""
        common = self.model_dump(exclude={"items"}, exclude_unset=True)
        return [common | {k: v for k, v in item.model_dump().items() if v is not None} for item in self.items]


class StreamSettings(Manner):
    """The first message of a stream of texts."""

    type: Literal["session.config"] = "session.config"
    response_format: Format = "wav"
    stream_audio: bool = False
    split_granularity: Literal["none", "sentence", "clause"] = "none"


def times(words: Iterable[SpokenWord]) -> list[dict[str, Any]]:
    """Return when each word is heard, as vLLM-Omni tells it."""
    return [
        {"word": word.text, "start_ms": round(1000 * word.start), "end_ms": round(1000 * word.end)} for word in words
    ]


class Usage(BaseModel):
    """Characters of the text, and twentieths of a second of sound: OpenAI counts tokens of sound so."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class BatchResult(BaseModel):
    """What became of an item; ``audio_data`` is base64, ``remarks`` say what may be wrong with it."""

    index: int
    status: Literal["success", "error"]
    audio_data: str | None = None
    media_type: str | None = None
    error: str | None = None
    usage: Usage | None = None
    remarks: list[str] | None = None


class BatchResponse(BaseModel):
    """What became of a batch."""

    id: str
    results: list[BatchResult]
    total: int
    succeeded: int
    failed: int


class Model(BaseModel):
    """A name under which the model answers."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "tts-fm"


class Models(BaseModel):
    """All names of models."""

    object: Literal["list"] = "list"
    data: list[Model]


class VoiceName(BaseModel):
    """A voice to choose."""

    id: str
    name: str


class VoiceNames(BaseModel):
    """All voices to choose from."""

    voices: list[VoiceName]


class Voice(BaseModel):
    """A voice that was made here."""

    id: str
    object: Literal["audio.voice"] = "audio.voice"
    created_at: int
    name: str
    type: Literal["audio_sample"] = "audio_sample"


class Consent(BaseModel):
    """Somebody's recorded consent to having their voice cloned."""

    id: str
    object: Literal["audio.voice_consent"] = "audio.voice_consent"
    created_at: int
    language: str
    name: str


class Consents(BaseModel):
    """All consents."""

    object: Literal["list"] = "list"
    data: list[Consent]
    has_more: bool = False


class Deleted(BaseModel):
    """A thing that is no more."""

    id: str
    object: Literal["audio.voice.deleted", "audio.voice_consent"]
    deleted: bool = True


class Health(BaseModel):
    """Whether the server speaks, and how many are before you."""

    status: Literal["ok", "stopping"]
    running: int
    waiting: int
