"""One recording as many speakers, microphones and rooms would have made it: each utterance of a batch is changed as a whole."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from tts_fm.audio.mel import FLOOR, MelScale, between, filter_edges
from tts_fm.infill import Probability
from tts_fm.plugins import Options
from tts_fm.types import DECIBELS, Batch, MelSpec

_FLOOR = math.log(FLOOR)
_WAVES = 4  # a random response is a sum of so many cosines over the mel axis
_LOWEST_CUT = 3400.0  # Hz, a telephone
_SILENT = _FLOOR + 2  # nothing to reshape, as above what a recording's band holds
_ENVELOPE = 13  # cepstral coefficients of formants; the harmonics of voices are in those above

Decibels = Annotated[float, Field(ge=0, le=30)]


class AugmentOptions(Options):
    """How training changes an utterance, prompt and target alike, so that a voice has to be heard in its prompt.

    With ``probability``, each drawn anew: all frequencies are multiplied by a factor between ``1 / warp`` and ``warp``
    (pitch and formants of another speaker, at the same tempo; VTLP, Jaitly and Hinton 2013), the frequencies of formants
    alone are by factors up to ``formants``, drawn apart for the lowest and the highest (another throat at the same pitch),
    a smooth frequency response of deviation ``response_db`` is added (a microphone, a room), and the level is moved by up
    to ``level_db``. With ``cut``, nothing is left above a random frequency from 3.4 kHz on.
    """

    probability: Probability = 0.0
    warp: float = Field(default=1.0, ge=1, le=1.5)
    formants: float = Field(default=1.0, ge=1, le=1.5)
    response_db: Decibels = 0.0
    level_db: Decibels = 0.0
    cut: Probability = 0.0


def vary(batch: Batch, options: AugmentOptions, mel: MelSpec, scale: MelScale, generator: torch.Generator) -> Batch:
    """Return ``batch`` with its mels, which are scaled, changed as ``options`` say."""
    if options.probability == 0 and options.cut == 0:
        return batch
    b, device = len(batch), batch.mel.device
    coin, factor, loudness, cuts, cut_at = torch.rand(5, b, generator=generator)
    waves = torch.randn(b, _WAVES, generator=generator)
    is_changed = (coin < options.probability).float()
    centres = mel_centres(mel)  # c
    log_mel = scale.unscaled(batch.mel)
    log_mel = warped(log_mel, options.warp ** ((2 * factor - 1) * is_changed), centres)
    if options.formants > 1:
        log_mel = reshaped(log_mel, options.formants ** formant_curves(is_changed, len(centres), generator), centres)
    added = is_changed[:, None] * (
        response(waves, len(centres)) * options.response_db + (2 * loudness - 1)[:, None] * options.level_db
    )  # b c
    log_mel = log_mel + (added / DECIBELS)[:, None].to(device)
    highest = _LOWEST_CUT * (mel.highest_hz / _LOWEST_CUT) ** cut_at  # b
    is_gone = (cuts < options.cut)[:, None] & (centres > highest[:, None])  # b c
    log_mel = log_mel.masked_fill(is_gone[:, None].to(device), _FLOOR).clamp(min=_FLOOR)
    return replace(batch, mel=scale.scaled(log_mel) * batch.is_valid[..., None])


def mel_centres(mel: MelSpec) -> Float[Tensor, " c"]:
    """Return where each mel channel is most sensitive, in Hz."""
    return filter_edges(mel)[1:-1].float()


def warped(
    log_mel: Float[Tensor, "b n c"], factors: Float[Tensor, " b"], centres: Float[Tensor, " c"]
) -> Float[Tensor, "b n c"]:
    """Return the mels with every frequency multiplied by its utterance's factor; what comes from above the top is silent."""
    wanted = centres / factors[:, None]  # b c, where each channel's sound lay before
    spacing = centres[-1] - centres[-2]
    is_above = (wanted > centres[-1] + spacing / 2)[:, None].to(log_mel.device)
    return _taken_from(log_mel, wanted, centres).masked_fill(is_above, _FLOOR)


def reshaped(
    log_mel: Float[Tensor, "b n c"], factors: Float[Tensor, "b c"], centres: Float[Tensor, " c"]
) -> Float[Tensor, "b n c"]:
    """Return the mels with the frequencies of their envelopes multiplied by ``factors``; harmonics stay where they are."""
    basis = _cosines(len(centres), _ENVELOPE).to(log_mel)  # k c
    basis = basis / basis.norm(dim=1, keepdim=True)
    envelope = log_mel @ basis.T @ basis
    moved = _taken_from(envelope, centres / factors, centres) - envelope
    return log_mel + moved * (log_mel > _SILENT)


def formant_curves(is_changed: Float[Tensor, " b"], n_mels: int, generator: torch.Generator) -> Float[Tensor, "b c"]:
    """Return lines over the mel axis from one random number in -1 to 1 to another, 0 where nothing is changed."""
    lowest, highest = (2 * torch.rand(2, len(is_changed), 1, generator=generator) - 1) * is_changed[:, None]
    return torch.lerp(lowest, highest, torch.linspace(0, 1, n_mels))


def _taken_from(
    log_mel: Float[Tensor, "b n c"], wanted: Float[Tensor, "b c"], centres: Float[Tensor, " c"]
) -> Float[Tensor, "b n c"]:
    """Return in each channel what the mel has at the frequency ``wanted``."""
    upper, share = between(centres, wanted)
    share = share[:, None].to(log_mel.device)  # b 1 c
    upper = upper.to(log_mel.device)[:, None].expand_as(log_mel)
    return log_mel.gather(2, upper - 1) * (1 - share) + log_mel.gather(2, upper) * share


def response(waves: Float[Tensor, "b w"], n_mels: int) -> Float[Tensor, "b c"]:
    """Return smooth curves over the mel axis of mean 0 and deviation 1 where ``waves`` are standard normal."""
    return waves @ _cosines(n_mels, 1 + waves.shape[1])[1:] * math.sqrt(2 / waves.shape[1])


def _cosines(n_mels: int, count: int) -> Float[Tensor, "k c"]:
    """Return the first ``count`` cosines over the mel axis, the constant before them all: a DCT's rows, not normalised."""
    place = (torch.arange(n_mels) + 0.5) / n_mels  # c
    return torch.cos(math.pi * torch.arange(count)[:, None] * place)
