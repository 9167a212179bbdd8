"""The few types that travel, and the dimension key.

Dimensions: ``b`` batch; ``n`` frames, ``p`` and ``q`` of some of them (what is given on either side, patches), ``j`` of
what attention looks at, ``w`` of a window or of waves; ``c`` mel channels; ``m`` tokens; ``d`` model width, ``e`` another
width (of text, of a voice), ``r`` the refiner's; ``h`` heads, ``k`` head width (in ``flow/``: the times of a grid), ``half``
of that; ``l`` rows of a modulation; ``v`` rows of a table; ``f`` frequencies, or samples of a fade; ``s`` samples.
A mel is always ``(b n c)`` or ``(n c)`` and always logarithmic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Annotated, Any, Literal

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

VelocityField = Callable[[Tensor, Tensor], Tensor]
"""``v(x_t, t)``: takes ``x_t`` of shape ``(b n c)`` and ``t`` of shape ``()``, returns ``(b n c)``."""

DECIBELS = 20 / math.log(10)
"""In one unit of a log-mel, which is a natural logarithm of a magnitude."""

FILLER = -1
"""The token id that means "nothing": it pads batches, and a backbone embeds it as its row 0."""


SampleRate = Annotated[int, Field(ge=1_000, le=192_000)]  # Hz
FftSize = Annotated[int, Field(ge=16, le=16_384)]
HopLength = Annotated[int, Field(ge=8, le=8_192)]
MelCount = Annotated[int, Field(ge=2, le=1_024)]


@dataclass(frozen=True)
class MelSpec:
    """How a mel was computed; a vocoder that expects another one is refused.

    ``flavour`` is ``"vocos"`` (torchaudio: HTK scale, centred frames), ``"bigvgan"`` (librosa: Slaney scale,
    reflect padding) or ``"hifigan"`` (as BigVGAN's, up to 8 kHz). All are ``log(max(mel, 1e-5))`` of the magnitude
    spectrum.
    """

    sample_rate: SampleRate = 24_000
    n_fft: FftSize = 1024
    hop_length: HopLength = 256
    win_length: FftSize = 1024
    n_mels: MelCount = 100
    flavour: Literal["vocos", "bigvgan", "hifigan"] = "vocos"

    def __post_init__(self) -> None:
        if not self.hop_length <= self.win_length <= self.n_fft:
            raise ValueError(
                f"hop_length {self.hop_length}, win_length {self.win_length} and n_fft {self.n_fft} must not become smaller"
            )

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length

    @property
    def is_centred(self) -> bool:
        """Whether frame ``i`` is centred on sample ``i * hop_length``; else it is half a hop later."""
        return self.flavour == "vocos"

    @property
    def highest_hz(self) -> float:
        """Where the topmost filter ends."""
        return min(8000.0, self.sample_rate / 2) if self.flavour == "hifigan" else self.sample_rate / 2

    def n_frames(self, n_samples: int) -> int:
        """How many frames so many samples have."""
        return n_samples // self.hop_length + (1 if self.is_centred else 0)


@dataclass(frozen=True)
class Condition:
    """All that a backbone is told about a batch of utterances.

    Attributes:
        prompt_mel: the given frames, zero elsewhere.
        is_prompt: which frames are given.
        is_valid: which frames belong to the utterance (the others pad the batch).
        token_ids: the text of prompt and target; ``FILLER`` pads.
        token_frames: how many frames each token lasts (rows sum to the utterance's length), or None where the
            backbone places the tokens itself.
        has_text: per utterance, whether the text may be used (False: dropped for guidance).
        has_prompt: per utterance, whether the prompt's audio may be used.
        heard: what the backbone's encoder of speakers hears in the prompt; None: it has none, or has yet to hear it.
    """

    prompt_mel: Float[Tensor, "b n c"]
    is_prompt: Bool[Tensor, "b n"]
    is_valid: Bool[Tensor, "b n"]
    token_ids: Int[Tensor, "b m"]
    token_frames: Int[Tensor, "b m"] | None
    has_text: Bool[Tensor, " b"]
    has_prompt: Bool[Tensor, " b"]
    heard: Float[Tensor, "b v"] | None = None

    def __len__(self) -> int:
        return self.prompt_mel.shape[0]

    @property
    def lengths(self) -> Int[Tensor, " b"]:
        """Frames of each utterance."""
        return self.is_valid.sum(dim=1)

    def empty(self) -> Condition:
        """The same utterances with neither text nor prompt: what guidance extrapolates from."""
        nothing = torch.zeros_like(self.has_text)
        return replace(self, has_text=nothing, has_prompt=nothing)

    def to(self, device: torch.device | str) -> Condition:
        """The same condition on ``device``."""
        return self._map(lambda tensors: tensors[0].to(device), [self])

    @staticmethod
    def stack(conditions: Sequence[Condition]) -> Condition:
        """Concatenate along the batch; lengths must agree (see ``infill.collate`` for ones that do not)."""
        return Condition._map(torch.cat, conditions)

    @staticmethod
    def _map(change: Callable[[list[Tensor]], Tensor], conditions: Sequence[Condition]) -> Condition:
        """Apply ``change`` to each field's tensors; a field that is None stays so."""
        values: dict[str, Any] = {}
        for field in fields(Condition):
            parts = [getattr(condition, field.name) for condition in conditions]
            values[field.name] = None if parts[0] is None else change(parts)
        return Condition(**values)


@dataclass(frozen=True)
class Fault:
    """An utterance that cannot be learned from, and why."""

    id: str
    audio: str
    reason: str


@dataclass(frozen=True)
class Batch:
    """Utterances to learn from, padded to one length.

    Attributes:
        mel: speech, ``x_1``.
        is_valid: which frames are speech and not padding.
        token_ids: ``FILLER`` pads.
        token_frames: frames of each token, or None where the corpus has no alignment.
        given: how many frames at the beginning are a prompt of its own; 0 where a prompt is to be drawn. None: 0 for all.
        ids: the utterances' names; empty where all of them were broken, and then nothing in the batch counts.
        faults: the broken utterances, left out.
    """

    mel: Float[Tensor, "b n c"]
    is_valid: Bool[Tensor, "b n"]
    token_ids: Int[Tensor, "b m"]
    token_frames: Int[Tensor, "b m"] | None
    given: Int[Tensor, " b"] | None = None
    ids: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()

    def __len__(self) -> int:
        return self.mel.shape[0]

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on ``device``."""
        return replace(
            self,
            mel=self.mel.to(device),
            is_valid=self.is_valid.to(device),
            token_ids=self.token_ids.to(device),
            token_frames=None if self.token_frames is None else self.token_frames.to(device),
            given=None if self.given is None else self.given.to(device),
        )


@dataclass(frozen=True)
class PathSample:
    """A point on a probability path, and the velocity of the path there."""

    x_t: Float[Tensor, "b n c"]
    velocity: Float[Tensor, "b n c"]
