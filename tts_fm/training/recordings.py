"""Recordings held in memory as 16-bit samples, and random crops of them for a vocoder to learn from."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import soundfile
import soxr
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from tts_fm.plugins import Options


class RecordingOptions(Options):
    """Where audio comes from, and how it is cropped.

    A manifest is JSON lines with ``audio``, a path relative to the manifest; lines whose ``split`` is ``heldout`` are for
    validation only. A glob is one of files, all for training.
    """

    manifests: tuple[str, ...] = ()
    globs: tuple[str, ...] = ()
    max_hours: float = Field(default=24.0, gt=0)
    crop: int = Field(default=16_384, gt=0, description="samples")
    min_gain: float = Field(default=0.25, gt=0)
    max_gain: float = Field(default=1.2, gt=0)
    heldout_utterances: int = Field(default=12, ge=0)
    heldout_seconds: float = Field(default=4.0, gt=0)


@dataclass(frozen=True)
class Recordings:
    """Decoded audio at one sample rate; ``starts[i]`` is how many samples lie before recording ``i``."""

    options: RecordingOptions
    decoded: tuple[Tensor, ...]
    starts: Tensor

    @classmethod
    def read(
        cls, options: RecordingOptions, sample_rate: int, *, is_heldout: bool, log: Callable[[str], None]
    ) -> Recordings:
        """Decode all files (a random choice of them where they are more than ``max_hours``).

        Raises:
            ValueError: there is nothing to train on.
        """
        paths = sorted(set(_held_out(options) if is_heldout else _to_train(options)))
        random.Random(0).shuffle(paths)
        if is_heldout:
            paths = paths[: options.heldout_utterances]
        elif not paths:
            raise ValueError(
                f"no recordings in {options.manifests + options.globs}; check data.manifests and data.globs"
            )
        decoded: list[Tensor] = []
        n_samples, limit = 0, int(options.max_hours * 3600 * sample_rate)
        for path in paths:
            try:
                samples = _decode(path, sample_rate)
            except soundfile.LibsndfileError as error:
                log(f"{path} is left out: {error}")
                continue
            if is_heldout:
                samples = samples[: int(options.heldout_seconds * sample_rate)]
            decoded.append(samples)
            n_samples += len(samples)
            if n_samples >= limit:
                break
        log(
            f"{len(decoded)} {'held-out' if is_heldout else 'training'} recordings, {n_samples / sample_rate / 60:.1f} min"
        )
        lengths = torch.tensor([0] + [len(samples) for samples in decoded])
        return cls(options, tuple(decoded), lengths.cumsum(0))

    @property
    def samples(self) -> list[Float[Tensor, " s"]]:
        """All recordings, in [-1, 1]."""
        return [_to_float(samples) for samples in self.decoded]

    def crops(self, size: int, rng: torch.Generator) -> Float[Tensor, "b s"]:
        """Return random pieces of random level, every second of audio being as likely as any other."""
        places = torch.randint(int(self.starts[-1]), (size,), generator=rng)
        gains = torch.empty(size).uniform_(self.options.min_gain, self.options.max_gain, generator=rng)
        return torch.stack([self._crop(int(place)) for place in places]) * gains[:, None]

    def _crop(self, place: int) -> Float[Tensor, " s"]:
        index = int(torch.searchsorted(self.starts, place, right=True)) - 1
        samples, length = self.decoded[index], self.options.crop
        if len(samples) < length:  # silence around a short recording
            return torch.nn.functional.pad(_to_float(samples), (0, length - len(samples)))
        start = min(max(place - int(self.starts[index]) - length // 2, 0), len(samples) - length)
        return _to_float(samples[start : start + length])


def _to_train(options: RecordingOptions) -> Iterator[Path]:
    yield from (path for path, is_heldout in _listed(options) if not is_heldout)
    for pattern in options.globs:
        yield from Path().glob(pattern) if not pattern.startswith("/") else Path("/").glob(pattern[1:])


def _held_out(options: RecordingOptions) -> Iterator[Path]:
    yield from (path for path, is_heldout in _listed(options) if is_heldout)


def _listed(options: RecordingOptions) -> Iterator[tuple[Path, bool]]:
    for name in options.manifests:
        manifest = Path(name)
        if not manifest.exists():
            raise ValueError(f"{manifest} does not exist; check data.manifests")
        lines = manifest.read_text(encoding="utf-8").split("\n")[:-1]  # a last line without its end is being written
        for line in lines:
            entry = json.loads(line)
            yield manifest.parent / entry["audio"], entry.get("split") == "heldout"


def _decode(path: Path, sample_rate: int) -> Tensor:
    samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    mono = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1).astype("int16")
    return torch.from_numpy(mono if rate == sample_rate else soxr.resample(mono, rate, sample_rate)).contiguous()


def _to_float(samples: Tensor) -> Float[Tensor, " s"]:
    return samples.float() / 32768
