"""Judges of mels: speech made in leaps is to be taken for recorded speech, which a mean of many possible mels is not."""

from __future__ import annotations

from pathlib import Path as FilePath
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.parametrizations import weight_norm

from tts_fm.backbones import Backbone
from tts_fm.config import AdversaryOptions, ModelConfig
from tts_fm.flow.paths import Path
from tts_fm.interop import campplus
from tts_fm.sampler import Sampler
from tts_fm.training.discriminators import Verdict, judge
from tts_fm.training.vocoder_losses import feature_distance, judging, pleasing
from tts_fm.types import Condition


class Pressure(NamedTuple):
    """What one batch of speech made in leaps costs.

    Attributes:
        total: what the network minimises, weighted.
        pleasing: what the judges hold against it, a hinge.
        features: how far it is from the recordings in the judges' hidden layers.
        judges: what the judges themselves minimised.
        speaker: how far its voices are from the recordings', 1 less the cosine; None where nobody hears voices.
    """

    total: Float[Tensor, ""]
    pleasing: Float[Tensor, ""]
    features: Float[Tensor, ""]
    judges: Float[Tensor, ""]
    speaker: Float[Tensor, ""] | None = None

    def facts(self) -> dict[str, Float[Tensor, ""]]:
        """Return all but the total, by name."""
        return {name: value for name, value in self._asdict().items() if name != "total" and value is not None}


class Adversary:
    """Judges that learn beside the network, and what they say of its leaps.

    As in adversarial distillation (Sauer et al., arXiv 2311.17042; DMD2, arXiv 2405.14867). It is no module, so that the
    network's optimizer does not see the judges.

    Args:
        options: how often and how strictly they judge.
        model: how the network leaps.
        backbone: the network.
        dtype: what its matrix products are computed in.
        device: where.
    """

    def __init__(
        self,
        options: AdversaryOptions,
        model: ModelConfig,
        backbone: Backbone,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self.options, self.mel_scale = options, model.mel_scale
        self.sampler = Sampler(
            backbone,
            model.sampling.leaping(options.leaps),
            dtype,
            path=model.flow.path.build(Path),
            match_prompt=model.match_prompt,
            settle_from=model.settle_from,
        )
        self.grid = self.sampler.options.times()
        self.judges = MelJudges(options.windows, options.widths).to(device)
        self.optimizer = torch.optim.AdamW(self.judges.parameters(), options.lr, (0.5, 0.9))
        self.encoder = None
        if options.speaker is not None:
            self.encoder = campplus.load(FilePath(options.speaker.encoder), model.mel).to(device)

    def has_turn(self, generator: torch.Generator) -> bool:
        """Draw whether a batch is judged."""
        return bool(torch.rand((), generator=generator) < self.options.share)

    def press(
        self,
        condition: Condition,
        x_0: Float[Tensor, "b n c"],
        x_1: Float[Tensor, "b n c"],
        is_target: Bool[Tensor, "b n"],
        generator: torch.Generator,
    ) -> Pressure:
        """Teach the judges, and return what they then say of the speech that ``x_0`` becomes."""
        speech = self.settled_speech if torch.rand((), generator=generator) < self.options.settled else self.speech
        x_1, made = x_1.float(), speech(condition, x_0).float()
        for _ in range(self.options.lessons):
            crops = [draw_crops(is_target, window, generator) for window in self.options.windows]
            real, fake = (
                [cut(mel, start, window) for start, window in zip(crops, self.options.windows, strict=True)]
                for mel in (x_1, made)
            )
            taught = self._teach([torch.cat([a, b.detach()]) for a, b in zip(real, fake, strict=True)])
        self.judges.requires_grad_(False)
        with torch.no_grad():
            on_real = self.judges(real)
        on_fake = self.judges(fake)
        self.judges.requires_grad_(True)
        pleased, features = pleasing(on_fake), feature_distance(on_real, on_fake)
        total = self.options.weight * (pleased + self.options.feature_matching * features)
        pressure = Pressure(total, pleased.detach(), features.detach(), taught.detach())
        if self.options.speaker is None:
            return pressure
        distance = self.speaker_distance(x_1, made, draw_crops(is_target, self.options.speaker.frames, generator))
        return pressure._replace(total=total + self.options.speaker.weight * distance, speaker=distance.detach())

    def _teach(self, crops: list[Float[Tensor, "b _ c"]]) -> Float[Tensor, ""]:
        """Let the judges learn one step from crops whose first half is recorded; return their loss before."""
        loss = judging(self.judges(crops))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss

    def speech(self, condition: Condition, x_0: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """Return what all leaps make of ``x_0``; gradients go through the last of them."""
        first = max(0, len(self.grid) - 1 - self.options.through)
        with torch.no_grad():
            x_t = x_0 if first == 0 else self.sampler.integrate(condition, x_0, x_0, self.grid[: first + 1])
        return self.sampler.integrate(condition, x_t, x_0, self.grid[first:])

    def settled_speech(self, condition: Condition, x_0: Float[Tensor, "b n c"]) -> Float[Tensor, "b n c"]:
        """Return what the leaps make of ``x_0``, moved to the prompt and settled; gradients go through the settling alone."""
        with torch.no_grad():
            walk = self.sampler.walk(condition, x_0, self.sampler.made_in)
            x_1 = self.sampler.matched(self.sampler.pointed(walk, x_0), condition)
        return self.sampler.settled(self.sampler.walk(condition, x_0, [self.sampler.settling]), x_1, x_0)

    def speaker_distance(
        self, x_1: Float[Tensor, "b n c"], made: Float[Tensor, "b n c"], start: Int[Tensor, " b"]
    ) -> Float[Tensor, ""]:
        """Return 1 less the cosine of the voices of recordings and speech, in windows from ``start`` on, on the average.

        The same frames are compared, so that they differ in the voice and not in what is said.
        """
        assert self.encoder is not None and self.options.speaker is not None
        real, fake = (self.mel_scale.unscaled(cut(mel, start, self.options.speaker.frames)) for mel in (x_1, made))
        with torch.no_grad():
            wanted = self.encoder(real)
        return 1 - (self.encoder(fake) * wanted).sum(dim=-1).float().mean()

    def state_dict(self) -> dict[str, Any]:
        """Return what going on needs."""
        return {"judges": self.judges.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` returned."""
        self.judges.load_state_dict(state["judges"])
        self.optimizer.load_state_dict(state["optimizer"])


class MelJudges(nn.Module):
    """One judge for each length of window (as in HiFiSinger, arXiv 2009.01776)."""

    def __init__(self, windows: tuple[int, ...], widths: tuple[int, ...]) -> None:
        super().__init__()
        self.judges = nn.ModuleList(MelJudge(widths) for _ in windows)

    def forward(self, crops: list[Float[Tensor, "b _ c"]]) -> list[Verdict]:
        """Return each judge's verdict on the crops of its own length."""
        return [judge(mels) for judge, mels in zip(self.judges, crops, strict=True)]


class MelJudge(nn.Module):
    """Sees a mel as an image of two channels, the second of which tells the height."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        pairs = zip((2, *widths[:-1]), widths, strict=True)
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, (3, 5), 2 if i else (1, 2), (1, 2))) for i, (a, b) in enumerate(pairs)
        )
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, 3, padding=1))

    def forward(self, mel: Float[Tensor, "b w c"]) -> Verdict:
        """Return the verdict on ``mel``."""
        height = torch.linspace(-1, 1, mel.shape[-1], device=mel.device).expand_as(mel)
        return judge(torch.stack([mel, height], dim=1), self.layers, self.score)


def draw_crops(is_target: Bool[Tensor, "b n"], window: int, generator: torch.Generator) -> Int[Tensor, " b"]:
    """Return where a window inside each target begins; it ends with the utterances' frames where a target is shorter."""
    n = is_target.shape[1]
    first, length = is_target.int().argmax(dim=1), is_target.sum(dim=1)
    place = torch.rand(len(is_target), generator=generator).to(is_target.device)
    start = first + (place * (length - window + 1).clamp(min=1)).long()
    return start.clamp(max=max(0, n - window))


def cut(mel: Float[Tensor, "b n c"], start: Int[Tensor, " b"], window: int) -> Float[Tensor, "b w c"]:
    """Return ``window`` frames of each mel from ``start`` on."""
    mel = pad(mel, (0, 0, 0, max(0, window - mel.shape[1])))
    frames = start[:, None] + torch.arange(window, device=mel.device)
    return mel.gather(1, frames[..., None].expand(-1, -1, mel.shape[-1]))
