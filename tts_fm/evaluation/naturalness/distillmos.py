"""DistillMOS (Stahl and Gamper 2025, arXiv 2502.05356): a small network taught by a judge on wav2vec 2.0 XLS-R."""

from __future__ import annotations

from contextlib import redirect_stdout
from importlib.metadata import version
from importlib.util import find_spec
from io import StringIO
from typing import ClassVar

import torch
from torch.nn.functional import pad

from tts_fm.audio.io import Waveform
from tts_fm.evaluation.naturalness import Naturalness

RATE = 16_000
"""What the network was trained on, in hertz."""


class DistillMOS(Naturalness):
    """One score, by the weights inside the package ``distillmos``."""

    headings: ClassVar = {"distillmos": "DistillMOS"}

    def __init__(self) -> None:
        if not self.is_ready():
            raise ValueError("the judge distillmos is not installed; run: pip install 'tts-fm[judges]'")
        from distillmos import ConvTransformerSQAModel  # pyright: ignore (an extra, and this file has its name)

        with redirect_stdout(StringIO()), torch.random.fork_rng(devices=[]):  # it prints, and draws what it replaces
            self._network = ConvTransformerSQAModel().eval().requires_grad_(False)
        self.about = f"distillmos {version('distillmos')}"

    @classmethod
    def is_ready(cls) -> bool:
        return find_spec("distillmos") is not None

    @torch.inference_mode()
    def score(self, waveform: Waveform) -> dict[str, float]:
        samples = waveform.resampled(RATE).samples.detach().float().cpu()
        samples = pad(samples, (0, max(0, RATE - len(samples))))
        return {"distillmos": float(self._network(samples[None]))}
