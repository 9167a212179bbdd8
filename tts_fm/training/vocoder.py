"""Training of a vocoder, by recordings and judges or by a teacher, with the same loop as an acoustic model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from tts_fm import hub, plugins, strict, vocoder_folder
from tts_fm.audio.mel import log_mel
from tts_fm.training.discriminators import Discriminators
from tts_fm.training.learner import Learner, Step
from tts_fm.training.recordings import Recordings
from tts_fm.training.team import Team
from tts_fm.training.vocoder_losses import feature_distance, judging, pleasing, stft_distance
from tts_fm.training.vocoder_run import VocoderRun
from tts_fm.vocoders import Vocoder

BOOK_KEEPING = {
    "log_every",
    "save_every",
    "keep",
    "validate_every",
    "sample_every",
    "sample_pairs",
    "loggers",
    "max_skipped",
}
"""Fields of ``training`` with which a run may go on when they are changed."""


@dataclass
class _Gradient:
    """The losses of one part of an update, and the norm of their gradient."""

    values: dict[str, Tensor]
    norm: float

    @property
    def is_number(self) -> bool:
        return math.isfinite(self.norm) and all(bool(value.isfinite()) for value in self.values.values())


class VocoderLearner(Learner):
    """A generator, its running average, and the judges it learns to please; one process trains it.

    Args:
        run: the configuration.
        team: the process and its device.
        say: is told how much sound was read.

    Raises:
        ValueError: there is nothing to learn from, or more than one process.
    """

    def __init__(self, run: VocoderRun, team: Team, say: Callable[[str], None] = lambda _: None) -> None:
        if team.world > 1:
            raise ValueError(f"a vocoder is trained by one process, here are {team.world}; start it without torchrun")
        self.run, self.options, self.team, self.device = run, run.training, team, team.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.options.seed)
            self.generator = generator(run).to(self.device)
            self.judges = Discriminators(run.discriminators).to(self.device)
        self.average = deepcopy(self.generator).requires_grad_(False).eval()
        betas = self.options.betas
        self.generator_optimizer = torch.optim.AdamW(self.generator.parameters(), self.options.lr, betas)
        self.judge_optimizer = torch.optim.AdamW(self.judges.parameters(), self.options.discriminator_lr, betas)
        self.recordings = Recordings.read(run.data, run.mel.sample_rate, is_heldout=False, log=say)
        self.heldout = Recordings.read(run.data, run.mel.sample_rate, is_heldout=True, log=say)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The configuration without book-keeping, and how much sound there is."""
        settings = strict.plain(self.run)
        settings["training"] = {k: v for k, v in settings["training"].items() if k not in BOOK_KEEPING}
        settings["data"] = {k: v for k, v in settings["data"].items() if k not in ("manifests", "globs")}
        return {**settings, "recordings": {"samples": int(self.recordings.starts[-1])}}

    def learn(self, update: int) -> Step:
        """See :class:`Learner`."""
        rng = torch.Generator().manual_seed(self.options.seed * 1_000_003 + update)
        has_judges = update >= self.options.warm_updates
        size = self.options.judged_batch_size if has_judges else self.options.batch_size
        lr = self._set_learning_rates(update)
        real, fake = self._speak(update, size, rng)
        values: dict[str, Tensor] = {}
        if has_judges and update % self.options.discriminator_every == 0:
            judged = self._teach_judges(real, fake.detach())
            values |= judged.values
            if not judged.is_number:
                return Step(_numbers(values), size, is_skipped=True)
        made = self._teach_generator(real, fake, has_judges)
        values |= made.values
        if made.is_number:
            self.generator_optimizer.step()
            self._update_average(update)
        frames = real.numel() // self.run.mel.hop_length
        return Step({**_numbers(values), "grad_norm": made.norm, "lr": lr}, frames, is_skipped=not made.is_number)

    def _speak(self, update: int, size: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return ``size`` pieces of sound as they should be, and as the generator makes them."""
        real = self.recordings.crops(size, rng).to(self.device)
        with self.team.autocast():
            fake = self.generator.decode(log_mel(real, self.run.mel))
        return real[:, : fake.shape[-1]], fake

    def _teach_generator(self, real: Tensor, fake: Tensor, has_judges: bool) -> _Gradient:
        terms = self.reconstruction(real, fake) | (self._adversarial(real, fake) if has_judges else {})
        total = torch.stack([getattr(self.run.loss, name) * value for name, value in terms.items()]).sum()
        self.generator_optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(self.generator.parameters(), self.options.max_grad_norm)
        return _Gradient({name: value.detach() for name, value in terms.items()}, float(norm))

    def _teach_judges(self, real: Tensor, fake: Tensor) -> _Gradient:
        with self.team.autocast():
            verdicts = self.judges(torch.cat([real, fake]))
        loss = judging(verdicts)
        self.judge_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self.judges.parameters(), self.options.max_grad_norm)
        gradient = _Gradient({"judges": loss.detach()}, float(norm))
        if gradient.is_number:
            self.judge_optimizer.step()
        return gradient

    def reconstruction(self, real: Float[Tensor, "b s"], fake: Float[Tensor, "b s"]) -> dict[str, Tensor]:
        """Return the distance of the log-mels, of the spectra at several resolutions, and of the samples beside their size."""
        spec = self.run.mel
        if spec.flavour == "hifigan":  # what is above 8 kHz must be learned as well
            spec = replace(spec, flavour="bigvgan")
        mel = l1_loss(log_mel(fake, spec), log_mel(real, spec))
        wave = l1_loss(fake, real) / real.abs().mean().clamp(min=1e-4)
        return {"mel": mel, "stft": stft_distance(real, fake, self.run.loss.stft_sizes), "wave": wave}

    def _adversarial(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        self.judges.requires_grad_(False)
        with self.team.autocast():
            with torch.no_grad():
                on_real = self.judges(real)
            on_fake = self.judges(fake)
        self.judges.requires_grad_(True)
        return {"adversarial": pleasing(on_fake), "feature_matching": feature_distance(on_real, on_fake)}

    def _set_learning_rates(self, update: int) -> float:
        """Set both rates, and return the generator's."""
        o = self.options
        progress = min(1.0, update / o.updates)
        ratio = o.final_lr_ratio + (1 - o.final_lr_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
        ratio *= min(1.0, (update + 1) / (o.lr_warmup + 1))
        self.generator_optimizer.param_groups[0]["lr"] = o.lr * ratio
        since = update - o.warm_updates
        judge_ratio = ratio * min(1.0, (since + 1) / (o.lr_warmup + 1)) if since >= 0 else 0.0
        self.judge_optimizer.param_groups[0]["lr"] = o.discriminator_lr * judge_ratio
        return o.lr * ratio

    @torch.no_grad()
    def _update_average(self, update: int) -> None:
        decay = min(self.options.ema_decay, (1 + update) / (10 + update))
        for average, value in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(value, 1 - decay)

    @torch.no_grad()
    def validate(self) -> Mapping[str, float]:
        """Return the mean distances of held-out recordings from the averaged generator's copies of them."""
        sums: dict[str, float] = {}
        for samples in self.heldout.samples:
            real = samples[None].to(self.device)
            mel = log_mel(real, self.run.mel)
            fake = self.average.decode(mel)
            real = self._as_it_should_be(real, mel)
            for name, value in self.reconstruction(real[:, : fake.shape[-1]], fake).items():
                sums[name] = sums.get(name, 0.0) + float(value) / len(self.heldout.samples)
        return {f"heldout_{name}": value for name, value in sums.items()}

    def _as_it_should_be(self, samples: Tensor, mel: Tensor) -> Tensor:
        """Return what a copy of ``samples`` is compared with."""
        return samples

    def state(self) -> dict[str, Any]:
        """See :class:`Learner`."""
        return {name: getattr(self, name).state_dict() for name in self._resumed()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """See :class:`Learner`."""
        for name in self._resumed():
            getattr(self, name).load_state_dict(state[name])

    def publisher(self) -> Callable[[Path], None]:
        """See :class:`Learner`; a vocoder's folder is written."""
        run = self.run
        return lambda folder: vocoder_folder.save(folder, self.average, name=run.name, license=run.license)

    @staticmethod
    def _resumed() -> tuple[str, ...]:
        return "generator", "average", "judges", "generator_optimizer", "judge_optimizer"


def generator(run: VocoderRun) -> Vocoder:
    """Return what ``run`` begins with: random weights, or those of ``run.start``.

    Raises:
        ValueError: this vocoder has no weights, or another one is in ``run.start``.
        ModelError: ``run.start`` is no vocoder folder.
    """
    fresh: Vocoder = run.vocoder.build(Vocoder, run.mel)
    if next(fresh.parameters(), None) is None:
        kinds = ", ".join(name for name in plugins.names(Vocoder) if name != run.vocoder.name)
        raise ValueError(f"the vocoder {run.vocoder.name} has nothing to learn; choose one of {kinds}")
    if not run.start:
        return fresh
    about, published = vocoder_folder.read(hub.vocoder_folder(run.start))
    theirs, ours = strict.plain(about), strict.plain(run)
    if changed := [line for key in ("mel", "vocoder") for line in strict.differences(theirs[key], ours[key], key)]:
        raise ValueError(
            f"the vocoder in {run.start} is another one than this run's: {changed[0]}; take over what it is"
        )
    fresh.load_state_dict(published.state_dict())
    return fresh


def learner(run: VocoderRun, team: Team, say: Callable[[str], None] = lambda _: None) -> VocoderLearner:
    """Return who learns what ``run`` says: from recordings, or from a teacher."""
    if run.teacher is None:
        return VocoderLearner(run, team, say)
    from tts_fm.training.vocoder_student import VocoderStudent

    return VocoderStudent(run, team, say)


def _numbers(values: Mapping[str, Tensor]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}
