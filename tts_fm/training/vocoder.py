"""GAN training of a small Vocos: ``python -m tts_fm.training.vocoder CONFIG``; running it again resumes."""

from __future__ import annotations

import argparse
import json
import math
import signal
import sys
import time
from copy import deepcopy
from pathlib import Path
from typing import Literal

import torch
import yaml
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import l1_loss

from tts_fm import checkpoint, config
from tts_fm.audio.mel import log_mel
from tts_fm.interop import vocos as published
from tts_fm.plugins import Options
from tts_fm.training.discriminators import DiscriminatorOptions, Discriminators
from tts_fm.training.recordings import RecordingOptions, Recordings
from tts_fm.training.vocoder_losses import feature_distance, judging, pleasing, stft_distance
from tts_fm.types import MelSpec
from tts_fm.vocoders.vocos import Vocos


class LossOptions(Options):
    """Weights of the generator's losses."""

    mel: float = Field(default=45.0, ge=0)
    stft: float = Field(default=1.0, ge=0)
    adversarial: float = Field(default=1.0, ge=0)
    feature_matching: float = Field(default=1.0, ge=0)
    stft_sizes: tuple[int, ...] = (512, 1024, 2048)


class VocoderTrainingOptions(Options):
    """Length, rates and book-keeping. The learning rates fall along a cosine to ``final_lr_ratio`` at ``updates``."""

    updates: int = Field(gt=0)
    warm_updates: int = Field(default=0, ge=0, description="updates before the discriminators join")
    discriminator_every: int = Field(default=1, ge=1)
    batch_size: int = Field(default=16, gt=0)
    judged_batch_size: int = Field(default=16, gt=0, description="crops per update once the discriminators have joined")
    lr: float = Field(default=5e-4, gt=0)
    discriminator_lr: float = Field(default=5e-4, gt=0)
    betas: tuple[float, float] = (0.8, 0.9)
    lr_warmup: int = Field(default=100, ge=0)
    final_lr_ratio: float = Field(default=0.01, ge=0, le=1)
    max_grad_norm: float = Field(default=50.0, gt=0)
    ema_decay: float = Field(default=0.999, ge=0, lt=1)
    precision: Literal["float32", "bfloat16"] = "float32"
    device: str = "cpu"
    threads: int = Field(default=0, ge=0, description="0: as many as torch likes")
    seed: int = 0
    max_minutes: float = Field(default=0.0, ge=0, description="stop after so many minutes, to go on later; 0: never")
    log_every: int = Field(default=20, ge=1)
    save_every: int = Field(default=500, ge=1)
    validate_every: int = Field(default=500, ge=1, description="a multiple of log_every")


class VocoderRun(Options):
    """A whole run, as one YAML file holds it."""

    name: str
    license: str = ""
    out: str
    mel: MelSpec = MelSpec()
    vocos: Vocos.Options = Vocos.Options()
    discriminators: DiscriminatorOptions = DiscriminatorOptions()
    data: RecordingOptions
    loss: LossOptions = LossOptions()
    training: VocoderTrainingOptions


class VocoderTrainer:
    """A generator, its running average, and the judges it learns to please."""

    def __init__(self, run: VocoderRun) -> None:
        self.run, self.options, self.out = run, run.training, Path(run.out)
        self.device = torch.device(self.options.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.options.seed)
            self.generator = Vocos(run.vocos, run.mel).to(self.device)
            self.judges = Discriminators(run.discriminators).to(self.device)
        self.average = deepcopy(self.generator).requires_grad_(False).eval()
        betas = self.options.betas
        self.generator_optimizer = torch.optim.AdamW(self.generator.parameters(), self.options.lr, betas)
        self.judge_optimizer = torch.optim.AdamW(self.judges.parameters(), self.options.discriminator_lr, betas)
        self.step, self.seconds = 0, 0.0

    @property
    def has_judges(self) -> bool:
        """Whether the discriminators have joined."""
        return self.step >= self.options.warm_updates

    def update(self, real: Float[Tensor, "b s"]) -> dict[str, float]:
        """Learn from one batch of crops, and return the losses."""
        self._set_learning_rates()
        with self._autocast():
            fake = self.generator.decode(log_mel(real, self.run.mel))
        real = real[:, : fake.shape[-1]]
        losses: dict[str, Tensor] = {}
        if self.has_judges and self.step % self.options.discriminator_every == 0:
            losses["judges"] = self._update_judges(real, fake.detach())
        terms = self.reconstruction(real, fake)
        if self.has_judges:
            terms |= self._adversarial(real, fake)
        total = torch.stack([getattr(self.run.loss, name) * value for name, value in terms.items()]).sum()
        self.generator_optimizer.zero_grad(set_to_none=True)
        total.backward()
        losses["grad_norm"] = nn.utils.clip_grad_norm_(self.generator.parameters(), self.options.max_grad_norm)
        self.generator_optimizer.step()
        self._update_average()
        self.step += 1
        return {name: float(value.detach()) for name, value in (terms | losses).items()}

    def reconstruction(self, real: Float[Tensor, "b s"], fake: Float[Tensor, "b s"]) -> dict[str, Tensor]:
        """Return the distance of the log-mels, and of the spectra at several resolutions."""
        mel = l1_loss(log_mel(fake, self.run.mel), log_mel(real, self.run.mel))
        return {"mel": mel, "stft": stft_distance(real, fake, self.run.loss.stft_sizes)}

    def _adversarial(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        self.judges.requires_grad_(False)
        with self._autocast():
            with torch.no_grad():
                on_real = self.judges(real)
            on_fake = self.judges(fake)
        self.judges.requires_grad_(True)
        return {"adversarial": pleasing(on_fake), "feature_matching": feature_distance(on_real, on_fake)}

    def _update_judges(self, real: Tensor, fake: Tensor) -> Tensor:
        with self._autocast():
            verdicts = self.judges(torch.cat([real, fake]))
        loss = judging(verdicts)
        self.judge_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.judges.parameters(), self.options.max_grad_norm)
        self.judge_optimizer.step()
        return loss.detach()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.options.precision == "bfloat16")

    def _set_learning_rates(self) -> None:
        o = self.options
        progress = min(1.0, self.step / o.updates)
        ratio = o.final_lr_ratio + (1 - o.final_lr_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
        ratio *= min(1.0, (self.step + 1) / (o.lr_warmup + 1))
        self.generator_optimizer.param_groups[0]["lr"] = o.lr * ratio
        since = self.step - o.warm_updates
        judge_ratio = ratio * min(1.0, (since + 1) / (o.lr_warmup + 1)) if since >= 0 else 0.0
        self.judge_optimizer.param_groups[0]["lr"] = o.discriminator_lr * judge_ratio

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.options.ema_decay, (1 + self.step) / (10 + self.step))
        for average, value in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(value, 1 - decay)

    @torch.no_grad()
    def validate(self, recordings: Recordings) -> dict[str, float]:
        """Return the mean distances of held-out recordings from the averaged generator's copies of them."""
        sums: dict[str, float] = {}
        for samples in recordings.samples:
            real = samples[None].to(self.device)
            fake = self.average.decode(log_mel(real, self.run.mel))
            for name, value in self.reconstruction(real[:, : fake.shape[-1]], fake).items():
                sums[name] = sums.get(name, 0.0) + float(value) / len(recordings.samples)
        return {f"heldout_{name}": round(value, 5) for name, value in sums.items()}

    def save(self) -> None:
        """Write everything that resuming needs; a reader never sees half of it."""
        modules = {name: getattr(self, name).state_dict() for name in self._resumed()}
        checkpoint.save_state(self.out / "state.pt", {"step": self.step, "seconds": self.seconds, **modules})

    def resume(self) -> bool:
        """Load what :meth:`save` wrote; False where there is nothing.

        Raises:
            ValueError: the state belongs to another architecture.
        """
        path = self.out / "state.pt"
        if not path.exists():
            return False
        state = checkpoint.load_state(path, self.device)
        try:
            for name in self._resumed():
                getattr(self, name).load_state_dict(state[name])
        except (RuntimeError, KeyError, ValueError) as error:
            first = str(error).splitlines()[0]
            raise ValueError(f"{path} does not fit this configuration ({first}); choose another 'out'") from None
        self.step, self.seconds = state["step"], state["seconds"]
        return True

    @staticmethod
    def _resumed() -> tuple[str, ...]:
        return "generator", "average", "judges", "generator_optimizer", "judge_optimizer"


def train(run: VocoderRun) -> None:
    """Train until ``updates`` or ``max_minutes``, whichever comes first; what was done stays in ``run.out``."""
    options = run.training
    if options.threads:
        torch.set_num_threads(options.threads)
    trainer = VocoderTrainer(run)
    _say(f"resumed at update {trainer.step}" if trainer.resume() else f"a new run in {run.out}")
    recordings = Recordings.read(run.data, run.mel.sample_rate, is_heldout=False, log=_say)
    heldout = Recordings.read(run.data, run.mel.sample_rate, is_heldout=True, log=_say)
    trainer.out.mkdir(parents=True, exist_ok=True)
    (trainer.out / "config.yaml").write_text(config.dump(run), encoding="utf-8")
    means, began = _Means(), time.monotonic()
    last = began
    with (trainer.out / "metrics.jsonl").open("a", encoding="utf-8", buffering=1) as log, _Interrupt() as interrupt:
        while trainer.step < options.updates:
            rng = torch.Generator().manual_seed(options.seed * 1_000_003 + trainer.step)
            size = options.judged_batch_size if trainer.has_judges else options.batch_size
            losses = trainer.update(recordings.crops(size, rng).to(trainer.device))
            now = time.monotonic()
            trainer.seconds, last = trainer.seconds + now - last, now
            is_over = interrupt.came or (options.max_minutes > 0 and now - began > 60 * options.max_minutes)
            is_last = is_over or trainer.step == options.updates
            means.add(losses)
            if is_last or trainer.step % options.log_every == 0:
                is_checked = is_last or trainer.step % options.validate_every == 0
                checked = trainer.validate(heldout) if is_checked and heldout.decoded else {}
                record = {"step": trainer.step, "seconds": round(trainer.seconds, 1), **means.take(), **checked}
                log.write(json.dumps(record) + "\n")
            if is_last or trainer.step % options.save_every == 0:
                trainer.save()
            if is_over:
                _say(f"stopped at update {trainer.step}; run it again to go on")
                return
    _say(f"done: {trainer.step} updates")


class _Means:
    """The mean of each loss since the last line of the log; some losses are not of every update."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, losses: dict[str, float]) -> None:
        for name, value in losses.items():
            self._values.setdefault(name, []).append(value)

    def take(self) -> dict[str, float]:
        means = {name: round(sum(values) / len(values), 5) for name, values in self._values.items()}
        self._values.clear()
        return means


class _Interrupt:
    """Turns Ctrl-C and a polite kill into a flag, so that the update under way is finished and kept."""

    def __enter__(self) -> _Interrupt:
        self.came = False
        self._before = {name: signal.signal(name, self._note) for name in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _note(self, *_: object) -> None:
        self.came = True

    def __exit__(self, *_: object) -> None:
        for name, handler in self._before.items():
            signal.signal(name, handler)


def export(run: VocoderRun, folder: Path) -> None:
    """Write the averaged generator as a vocoder's folder: ``config.yaml`` and ``model.safetensors``.

    Raises:
        ValueError: nothing was trained yet.
    """
    trainer = VocoderTrainer(run)
    if not trainer.resume():
        raise ValueError(f"{run.out} holds no state.pt; train first")
    published.save(folder, trainer.average)


def read(path: Path) -> VocoderRun:
    """Return the run that ``path`` describes. Raises ValueError as :func:`tts_fm.config.read_run` does."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} can not be read: {' '.join(str(error).split())}") from None
    return config.parse(VocoderRun, value, path)


def main(arguments: list[str] | None = None) -> int:
    """Train, or with ``--export`` write the vocoder's folder."""
    parser = argparse.ArgumentParser(prog="python -m tts_fm.training.vocoder", description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--export", type=Path, metavar="FOLDER", help="write config.yaml and model.safetensors there")
    given = parser.parse_args(arguments)
    try:
        run = read(given.config)
        if given.export is None:
            train(run)
        else:
            export(run, given.export)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _say(line: str) -> None:
    print(time.strftime("%H:%M:%S"), line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
