"""An inaudible mark in generated speech, and hearing whether it is there, by Perth (the extra ``watermark``)."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch

from tts_fm.audio.io import Waveform
from tts_fm.errors import ModelError

THRESHOLD = 0.5
"""A sound is taken for marked when :func:`detect` returns at least so much."""

_NEEDED = "pip install 'tts-fm[watermark]', or leave the watermark out"


def is_available() -> bool:
    """Return whether the extra is installed, as far as can be told without loading it."""
    return find_spec("perth") is not None and find_spec("pkg_resources") is not None


def check_available() -> None:
    """Load the marker, so that it is known to work. Raises ModelError where it does not."""
    _perth()


def mark(waveform: Waveform) -> Waveform:
    """Return ``waveform`` with the mark, at the same rate and of the same length.

    Raises:
        ModelError: the marker cannot be loaded. Nothing is ever returned unmarked.
    """
    samples = waveform.samples.detach().float().cpu()
    marked = torch.from_numpy(_perth().apply_watermark(samples.numpy(), waveform.sample_rate)).float()
    whole = torch.nn.functional.pad(marked, (0, max(0, len(samples) - len(marked))))
    return Waveform(whole[: len(samples)], waveform.sample_rate)


def detect(waveform: Waveform) -> float:
    """Return how surely ``waveform`` carries the mark, from 0 to 1. Raises ModelError as :func:`mark`."""
    samples = waveform.samples.detach().float().cpu().numpy()
    return float(_perth().get_watermark(samples, waveform.sample_rate, round=False))


@cache
def _perth() -> Any:
    """Return Perth's marker, loaded once; it prints, and where its own imports fail it is None."""
    if not is_available():
        raise ModelError(f"a watermark needs resemble-perth and setuptools before 82: {_NEEDED}")
    try:
        with redirect_stdout(io.StringIO()):
            import perth  # pyright: ignore[reportMissingImports] (an extra)

            return perth.PerthImplicitWatermarker()
    except (ImportError, TypeError, OSError, RuntimeError) as error:
        raise ModelError(f"the watermark cannot be loaded ({error}): {_NEEDED}") from None
