"""How long speech is: the interface; each other file here is one rule, which trims the prompt, cuts the text and measures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor

from tts_fm import plugins
from tts_fm.audio.prompt import PreparedPrompt
from tts_fm.backbones import Backbone
from tts_fm.frontends import Frontend
from tts_fm.plugins import Options, Plugin
from tts_fm.text.chunk import chunk
from tts_fm.types import MelSpec

_LEAST_CHUNK = 30  # characters: a long prompt must not cut the text into single words
_LONGEST_CHUNK = 300  # characters


class DurationOptions(Options):
    """Which rule sets the length of the speech.

    ``speech_rate``: phoneme-like units of the text at the rate of the speech in the prompt, silence not counted.
    ``f5_bytes``: F5-TTS's ratio of UTF-8 bytes, exactly. ``predicted``: the backbone's own token durations, scaled to
    the prompt's rate. ``floor_seconds`` is the least that any text gets.
    """

    rule: str = "speech_rate"
    floor_seconds: float = Field(default=0.5, ge=0, le=60)

    @field_validator("rule")
    @classmethod
    def _known(cls, name: str) -> str:
        plugins.load(DurationRule, name)
        return name


@dataclass(frozen=True, eq=False)
class Voice:
    """A prompt as a model hears it.

    Attributes:
        prompt: the recording and its words.
        mel: the frames that the model is given, scaled.
        words: what the rule needs of the prompt's words for every piece.
        heard: whose voice it is, where the backbone hears that.
    """

    prompt: PreparedPrompt
    mel: Float[Tensor, "n c"]
    words: Any
    heard: Float[Tensor, "1 v"] | None = None


@dataclass(frozen=True)
class Measured:
    """What is said in prompt and piece together: its tokens, its frames, and each token's where the backbone is told."""

    token_ids: list[int]
    n_frames: int
    token_frames: list[int] | None = None


class DurationRule(Plugin, ABC):
    """One way to tell how long speech is.

    Args:
        options: the configuration's block.
        mel: what a frame is.
        frontend: text to token ids.
        backbone: which may predict the frames of its tokens.
    """

    reads_on: ClassVar[bool] = False
    """Whether a paragraph is read into the next one, where both fit into a piece."""

    def __init__(self, options: DurationOptions, mel: MelSpec, frontend: Frontend, backbone: Backbone) -> None:
        self.options, self.mel, self.frontend, self.backbone = options, mel, frontend, backbone

    def n_given(self, n_samples: int) -> int:
        """Return how many frames of a prompt are given: the last ones see the cut edge, and speech would go on from it."""
        return n_samples // self.mel.hop_length - self.mel.n_fft // (2 * self.mel.hop_length)

    def pieces(self, text: str, prompt: PreparedPrompt, seconds: float) -> list[str]:
        """Return ``text`` in pieces that take ``seconds`` at most, at the prompt's own rate."""
        return chunk(text, self.longest_piece(prompt, seconds))

    def longest_piece(self, prompt: PreparedPrompt, seconds: float) -> int:
        """Return how many characters take ``seconds`` at most, at the prompt's own rate."""
        rate = len(prompt.transcript) / max(prompt.speech_seconds, 0.5)
        slowest_fair = min(max(rate, 8.0), 20.0)  # characters per second
        return int(min(max(slowest_fair * seconds * 0.8, _LEAST_CHUNK), _LONGEST_CHUNK))

    @abstractmethod
    def words(self, transcript: str) -> Any:
        """Return what :meth:`measure` needs of the prompt's words for every piece."""

    @abstractmethod
    def measure(
        self, voice: Voice, text: str, tokens: Sequence[str], *, speed: float, n_frames: int | None
    ) -> Measured:
        """Return what is said where ``text``, whose own tokens are ``tokens``, goes on from the prompt.

        ``n_frames`` is its length where it is fixed, whatever the ``speed``.
        """
