"""What every worker of a batch has to know: the model, how it speaks, what is kept and how it is checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tts_fm import loading
from tts_fm.batch.listing import Line
from tts_fm.origin import Origin
from tts_fm.synthesizer import Synthesizer


@dataclass(frozen=True)
class Check:
    """Who listens to what was said, and when it is said again.

    Attributes:
        listener: ``aligner``, or a recogniser that may hear any word.
        model: which model it hears with; its own default if None.
        allowed: the share of words that may be wrong.
        tries: how often a line is said at most, each time with another seed.
    """

    listener: str
    model: str | None = None
    allowed: float = 0.1
    tries: int = 3


@dataclass(frozen=True)
class Job:
    """A batch, but for its lines.

    Attributes:
        out: the folder that gets everything.
        origin: where the model comes from.
        store: the name of a :class:`~tts_fm.batch.stores.Store`.
        suffix: the format of the sound.
        seed: of the run.
        sampling: what is changed in the model's own way to sample.
        is_normalized: whether the texts spell out their numbers already.
        check: None where nobody listens.
    """

    out: Path
    origin: Origin
    store: str = "files"
    suffix: str = "flac"
    seed: int = 0
    sampling: dict[str, Any] = field(default_factory=dict)
    is_normalized: bool = False
    check: Check | None = None

    def identity(self, synthesizer: Synthesizer) -> dict[str, Any]:
        """Return all that the sound of a line depends on beside the line, as JSON has it."""
        voice = synthesizer.default_prompt
        return {
            "model": synthesizer.config.name,
            "weights": loading.digest(synthesizer.backbone, synthesizer.vocoder),
            "voice": None
            if voice is None
            else hashlib.sha256(voice.waveform.samples.numpy().tobytes()).hexdigest()[:16],
            "sampling": synthesizer.config.sampling_as(self.sampling).model_dump(mode="json"),
            "precision": synthesizer.precision,
            "seed": self.seed,
            "is_normalized": self.is_normalized,
            "store": self.store,
            "format": self.suffix,
            "check": None if self.check is None else vars(self.check),
        }

    def seed_of(self, line: Line, attempt: int) -> int:
        """Return the seed of ``line`` the first time (0) it is said, or again: it depends on nothing else."""
        if attempt == 0 and line.seed is not None:
            return line.seed
        name = f"{self.seed} {attempt} {line.id}"
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 1
