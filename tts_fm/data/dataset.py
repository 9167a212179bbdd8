"""Utterances from JSON-lines manifests, as mels and token ids."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from tts_fm.audio import io
from tts_fm.audio.mel import log_mel
from tts_fm.config import DataOptions, ModelConfig
from tts_fm.frontends import Frontend
from tts_fm.types import FILLER, Batch


@dataclass(frozen=True)
class Utterance:
    """One line of a manifest; ``token_frames`` is None where the corpus has no alignment."""

    id: str
    audio: Path
    text: str
    seconds: float
    token_frames: tuple[int, ...] | None = None


def read_manifest(path: Path, split: str | None = None) -> list[Utterance]:
    """Return the utterances of ``path``, of one ``split`` if given; audio paths are relative to the manifest.

    Raises:
        ValueError: the file is missing, or a line is no utterance.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ValueError(f"{path} can not be read: {error.strerror}") from None
    utterances = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            frames = row.get("token_frames")
            if split is None or row.get("split", split) == split:
                utterances.append(
                    Utterance(
                        id=str(row["id"]),
                        audio=path.parent / row["audio"],
                        text=row["text"],
                        seconds=float(row["seconds"]),
                        token_frames=None if frames is None else tuple(frames),
                    )
                )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}, line {number} is no utterance (id, audio, text, seconds): {error}") from None
    return utterances


class Corpus:
    """Utterances within the length limits, their mels computed on first use and kept as float16.

    Mels are scaled by the model's ``mel_scale``. Order: by id, so that it does not depend on how a manifest was written.
    """

    def __init__(
        self, utterances: Iterable[Utterance], model: ModelConfig, data: DataOptions, frontend: Frontend
    ) -> None:
        self.utterances = sorted(
            (u for u in utterances if data.min_seconds <= u.seconds <= data.max_seconds), key=lambda u: u.id
        )
        self.model, self.frontend = model, frontend
        self._mels: list[Tensor | None] = [None] * len(self.utterances)
        self._ids: list[list[int] | None] = [None] * len(self.utterances)

    def __len__(self) -> int:
        return len(self.utterances)

    def lengths(self) -> list[int]:
        """Frames of each utterance, as the mel has them."""
        rate = self.model.mel.frame_rate
        return [
            int(u.seconds * rate + 1e-6) + 1 if u.token_frames is None else sum(u.token_frames) for u in self.utterances
        ]

    def mel(self, index: int) -> Float[Tensor, "n c"]:
        """Return the scaled mel of one utterance."""
        cached = self._mels[index]
        if cached is None:
            spec, scale = self.model.mel, self.model.mel_scale
            waveform = io.read(self.utterances[index].audio).resampled(spec.sample_rate)
            cached = ((log_mel(waveform.samples, spec) - scale.mean) / scale.std).half()
            self._mels[index] = cached
        return cached.float()

    def token_ids(self, index: int) -> list[int]:
        """Return the token ids of one utterance."""
        cached = self._ids[index]
        if cached is None:
            cached = self._ids[index] = self.frontend.encode(self.utterances[index].text)
        return cached

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the utterances at ``indices`` as one padded batch."""
        mels = [self.mel(i) for i in indices]
        ids = [self.token_ids(i) for i in indices]
        n, m = max(map(len, mels)), max(map(len, ids))
        frames = [self.utterances[i].token_frames for i in indices]
        for i, mel, tokens, f in zip(indices, mels, ids, frames, strict=True):
            if f is not None and (len(f) != len(tokens) or sum(f) != len(mel)):
                raise ValueError(
                    f"{self.utterances[i].id}: {len(f)} token durations of {sum(f)} frames, "
                    f"but {len(tokens)} tokens and {len(mel)} frames; build the corpus again"
                )
        is_aligned = all(f is not None for f in frames)
        return Batch(
            mel=torch.stack([F.pad(mel, (0, 0, 0, n - len(mel))) for mel in mels]),
            is_valid=torch.tensor([[True] * len(mel) + [False] * (n - len(mel)) for mel in mels]),
            token_ids=torch.tensor([t + [FILLER] * (m - len(t)) for t in ids]),
            token_frames=torch.tensor([[*f, *[0] * (m - len(f))] for f in frames if f]) if is_aligned else None,
            ids=tuple(self.utterances[i].id for i in indices),
        )
