"""A corpus: utterances as mels and token ids, in batches."""

from __future__ import annotations

import hashlib
import math
import signal
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from tts_fm import atomic
from tts_fm.alignment import phones
from tts_fm.audio import io
from tts_fm.audio import prompt as prompts
from tts_fm.audio.mel import log_mel
from tts_fm.config import DataOptions, ModelConfig
from tts_fm.data import check
from tts_fm.data.batching import Place
from tts_fm.data.utterances import Utterance
from tts_fm.errors import InputError
from tts_fm.frontends import Frontend
from tts_fm.types import FILLER, Batch, Fault

_FRAMES_OF_NOTHING = 16  # what stands in for a batch whose utterances are all broken


class Corpus:
    """Utterances within the length limits, their mels computed when needed and kept as ``data.cache`` says.

    Mels are scaled by the model's ``mel_scale``. Order: by id, so that it does not depend on how a manifest was written.
    ``too_short`` and ``too_long`` are the utterances left out.
    """

    def __init__(
        self,
        utterances: Iterable[Utterance],
        model: ModelConfig,
        data: DataOptions,
        frontend: Frontend,
        cache: Path | None = None,
    ) -> None:
        given = sorted(utterances, key=lambda u: u.id)
        self.utterances = [u for u in given if data.min_seconds <= u.seconds <= data.max_seconds]
        self.too_short = [u for u in given if u.seconds < data.min_seconds]
        self.too_long = [u for u in given if u.seconds > data.max_seconds]
        self.model, self.data, self.frontend, self.cache = model, data, frontend, cache
        self._mels: dict[Path, Tensor] = {}
        self._ids: dict[int, list[int]] = {}

    def __len__(self) -> int:
        return len(self.utterances)

    @cached_property
    def recordings(self) -> list[Utterance]:
        """Each recording once, however many prompts take turns before it."""
        return list({utterance.audio: utterance for utterance in self.utterances}.values())

    @property
    def seconds(self) -> float:
        """How long all recordings last together."""
        return sum(utterance.seconds for utterance in self.recordings)

    @cached_property
    def fingerprint(self) -> dict[str, int | str]:
        """How many utterances there are, and a hash of what they say and how long they are."""
        rows = [(u.id, u.text, n) for u, n in zip(self.utterances, self.lengths(), strict=True)]
        return {"utterances": len(rows), "sha256": hashlib.sha256(repr(rows).encode()).hexdigest()}

    def lengths(self) -> list[int]:
        """Frames of each utterance, as the mel has them, its prompt's too."""
        return [self._length(u) + (0 if u.prompt is None else self._length(u.prompt)) for u in self.utterances]

    def _length(self, utterance: Utterance) -> int:
        spec = self.model.mel
        if utterance.token_frames is not None and phones.is_grid_of(spec):
            return sum(utterance.token_frames)
        return spec.n_frames(int(utterance.seconds * spec.sample_rate + 1e-3))

    def mel(self, index: int) -> Float[Tensor, "n c"]:
        """Return the scaled mel of one utterance, without its prompt.

        Raises:
            InputError: the file is broken, or is not what the manifest says.
        """
        return self._mel(self.utterances[index])

    def _mel(self, utterance: Utterance) -> Float[Tensor, "n c"]:
        if self.data.cache == "none":
            return self._computed(utterance).float()
        if self.data.cache == "disk" and self.cache is not None:
            return self._on_disk(utterance, self.cache).float()
        if utterance.audio not in self._mels:
            self._mels[utterance.audio] = self._computed(utterance)
        return self._mels[utterance.audio].float()

    def token_ids(self, index: int) -> list[int]:
        """Return the token ids of one utterance. Raises InputError where there is nothing to say."""
        if index not in self._ids:
            ids = self.frontend.encode(self.utterances[index].text)
            if not ids or not self.utterances[index].text.strip():
                raise InputError("no text")
            self._ids[index] = ids
        return self._ids[index]

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return the utterances at ``indices`` as one padded batch; broken ones are left out and named in ``faults``."""
        whole, faults = [], []
        for i in indices:
            try:
                whole.append((self.utterances[i].id, *self._prompted(i)))
            except InputError as error:
                faults.append(Fault(self.utterances[i].id, str(self.utterances[i].audio), str(error)))
        if not whole:
            return replace(_nothing(self.model.mel.n_mels), faults=tuple(faults))
        names, given, mels, ids, frames = zip(*whole, strict=True)
        n, m = max(map(len, mels)), max(map(len, ids))
        is_aligned = all(f is not None for f in frames)
        return Batch(
            mel=torch.stack([F.pad(mel, (0, 0, 0, n - len(mel))) for mel in mels]),
            is_valid=torch.arange(n) < torch.tensor([len(mel) for mel in mels])[:, None],
            token_ids=torch.tensor([t + [FILLER] * (m - len(t)) for t in ids]),
            token_frames=torch.tensor([[*f, *[0] * (m - len(f))] for f in frames if f]) if is_aligned else None,
            given=torch.tensor(given),
            ids=tuple(names),
            faults=tuple(faults),
        )

    def _prompted(self, index: int) -> tuple[int, Tensor, list[int], list[int] | None]:
        """Return how many frames are the prompt, and mel, token ids and token frames of it all; a filler is its text."""
        utterance = self.utterances[index]
        mel, frames = self._checked(utterance, ids := self.token_ids(index))
        if utterance.prompt is None:
            return 0, mel, ids, frames
        said = self.frontend.encode(utterance.prompt.text)
        before, its_frames = self._checked(utterance.prompt, said)
        assert its_frames is not None and frames is not None
        kept = math.ceil(prompts.KEPT_SECONDS * self.model.mel.frame_rate)
        before = before[max(0, its_frames[0] - kept) : len(before) - max(0, its_frames[-1] - kept)]
        return len(before), torch.cat([before, mel]), [FILLER, *ids], [len(before), *frames]

    def _checked(self, utterance: Utterance, ids: Sequence[int]) -> tuple[Tensor, list[int] | None]:
        """Return mel and token frames of an utterance with such tokens."""
        mel, spec = self._mel(utterance), self.model.mel
        if utterance.token_frames is None:
            return mel, None
        is_same = phones.is_grid_of(spec)
        n = len(mel) if is_same else phones.GRID.n_frames(round(utterance.seconds * phones.SAMPLE_RATE))
        frames = list(utterance.token_frames)
        if len(frames) != len(ids) or abs(sum(frames) - n) > (0 if is_same else 1):  # seconds are rounded
            raise InputError(
                f"{len(frames)} token durations of {sum(frames)} frames, but {len(ids)} tokens and {n} frames; "
                f"prepare the corpus again"
            )
        return mel, frames if is_same else phones.on_grid(frames, spec, len(mel))

    def _computed(self, utterance: Utterance) -> Float[Tensor, "n c"]:
        spec = self.model.mel
        waveform = io.read(utterance.audio)
        if (fault := check.other_length(waveform, utterance.seconds)) is not None:
            raise InputError(fault)
        mel = log_mel(waveform.resampled(spec.sample_rate).samples, spec)
        return self.model.mel_scale.scaled(mel).half()

    def _on_disk(self, utterance: Utterance, folder: Path) -> Float[Tensor, "n c"]:
        """Read the mel kept for this very file, or compute and keep it."""
        audio = utterance.audio
        try:
            there = audio.stat()
        except OSError as error:
            raise InputError(f"{audio} cannot be read: {error.strerror}") from None
        facts = (str(audio), there.st_size, there.st_mtime_ns, self.model.mel, self.model.mel_scale)
        path = folder / f"{hashlib.sha256(repr(facts).encode()).hexdigest()[:32]}.npy"
        try:
            return torch.from_numpy(np.load(path))
        except (OSError, ValueError, EOFError):  # not there yet, or a run was killed while writing it
            pass
        mel = self._computed(utterance)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as beside, beside.open("wb") as file:
            np.save(file, mel.numpy())
        return mel


def _nothing(n_mels: int) -> Batch:
    """A batch without utterances: silence that is computed on every process, and counts on none."""
    n = _FRAMES_OF_NOTHING
    return Batch(
        mel=torch.zeros(1, n, n_mels),
        is_valid=torch.ones(1, n, dtype=torch.bool),
        token_ids=torch.full((1, 1), FILLER),
        token_frames=torch.full((1, 1), n),
        given=torch.zeros(1, dtype=torch.long),
        ids=(),
    )


class _Batches(Dataset):
    """What a worker process does: the batch at a place."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus

    def __getitem__(self, item: tuple[Place, list[int]]) -> tuple[Place, Batch]:
        place, indices = item
        return place, self.corpus.batch(indices)


def load(corpus: Corpus, places: Iterator[tuple[Place, list[int]]], workers: int) -> Iterator[tuple[Place, Batch]]:
    """Yield the batches at ``places``, read ahead by ``workers`` processes (0: by this one, when asked)."""
    if workers == 0:
        return ((place, corpus.batch(indices)) for place, indices in places)
    loader = DataLoader(
        _Batches(corpus),
        sampler=places,  # type: ignore[arg-type]
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,  # type: ignore[arg-type]
        worker_init_fn=_leave_signals_to_the_trainer,
        prefetch_factor=4,
    )
    return iter(loader)


def _leave_signals_to_the_trainer(_: int) -> None:
    """Ctrl-C reaches every process of a terminal; the trainer finishes its step, and then ends its workers."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)


def _as_it_is(value: tuple[Place, Batch]) -> tuple[Place, Batch]:
    return value
