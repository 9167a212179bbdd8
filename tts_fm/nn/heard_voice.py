"""What a frozen encoder of speakers hears in a prompt, for a network that learns to use it."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from tts_fm.nn.campplus import CAMPPlus, SpeakerEncoder

LEAST_FRAMES = 64
"""Of a prompt; in fewer nobody hears a voice."""
WINDOW = 300  # frames of the prompt that are heard in training, the same of every prompt in a batch
NOISE = 0.3  # deviation of what is added in training, where the numbers of a voice have 1


class HeardVoice(nn.Module):
    """A voice as CAM++ hears it (:meth:`hear`), and what the network is told of it.

    What it hears is so fine that a network would know the voices of its corpus by it; so in training noise is added.
    """

    def __init__(self, n_mels: int, rate: float, dim: int) -> None:
        super().__init__()
        self.encoder = SpeakerEncoder(n_mels, rate).requires_grad_(False)
        self.out = nn.Linear(CAMPPlus.DIM, 2 * dim)
        for parameter in self.out.parameters():
            nn.init.zeros_(parameter)

    def train(self, mode: bool = True) -> HeardVoice:
        """See :class:`nn.Module`; the encoder is as it was published, its averages too."""
        super().train(mode)
        self.encoder.eval()
        return self

    @torch.no_grad()
    def hear(self, prompt: Float[Tensor, "b n c"], is_shown: Bool[Tensor, "b n"]) -> Float[Tensor, "b v"]:
        """Return the voice of the frames that are shown, of deviation 1, zero where they are too few."""
        heard = prompt.new_zeros(len(prompt), CAMPPlus.DIM, dtype=torch.float32)
        rows = (is_shown.sum(dim=1) >= LEAST_FRAMES).nonzero()[:, 0].tolist()
        shown = [prompt[row, is_shown[row]].float() for row in rows]
        if self.training and rows:
            heard[rows] = self.encoder(torch.stack([_window(mel) for mel in shown])).float()
        else:
            with torch.autocast(prompt.device.type, enabled=False):
                for row, mel in zip(rows, shown, strict=True):
                    heard[row] = self.encoder(mel[None])[0]
        heard *= CAMPPlus.DIM**0.5
        return heard + NOISE * torch.randn_like(heard) * heard.any(dim=1, keepdim=True) if self.training else heard

    def forward(self, heard: Float[Tensor, "b v"]) -> Float[Tensor, "b _"]:
        """Return what is told of a voice, twice as many numbers as the network is wide; zero where none was heard."""
        return self.out(heard) * heard.any(dim=1, keepdim=True)


def _window(mel: Float[Tensor, "n c"]) -> Float[Tensor, "w c"]:
    """Return frames from somewhere on; behind the last one follows the first."""
    start = torch.randint(len(mel), ())
    return mel[(start + torch.arange(WINDOW)).to(mel.device) % len(mel)]
