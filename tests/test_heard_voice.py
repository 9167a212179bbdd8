"""What an encoder of speakers hears in a prompt: only what is shown, nothing in too little, in training with noise."""

import pytest
import torch
from test_campplus import filled

from tts_fm.nn import heard_voice
from tts_fm.nn.campplus import CAMPPlus
from tts_fm.nn.heard_voice import LEAST_FRAMES, HeardVoice

N_MELS, FRAMES = 20, 400


@pytest.fixture(scope="module")
def voice() -> HeardVoice:
    torch.manual_seed(0)
    made = HeardVoice(N_MELS, 1.2, 16)
    with torch.no_grad():
        filled(made.encoder)
        made.out.weight.normal_()
        made.out.bias.fill_(1.0)
    return made.eval()


def prompts(*frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    mel = torch.randn(len(frames), FRAMES, N_MELS, generator=torch.Generator().manual_seed(1))
    return mel, torch.arange(FRAMES) < torch.tensor(frames)[:, None]


@torch.no_grad()
def test_what_is_not_shown_is_not_heard(voice: HeardVoice) -> None:
    mel, shown = prompts(350, 70)
    heard = voice.hear(mel, shown)
    torch.testing.assert_close(heard.norm(dim=1), torch.full((2,), CAMPPlus.DIM**0.5))
    torch.testing.assert_close(voice.hear(mel.masked_fill(~shown[..., None], 9.0), shown), heard)
    torch.testing.assert_close(heard[1], CAMPPlus.DIM**0.5 * voice.encoder(mel[1:, :70])[0])


@torch.no_grad()
def test_too_short_a_prompt_is_no_voice(voice: HeardVoice) -> None:
    heard = voice.hear(*prompts(LEAST_FRAMES, LEAST_FRAMES - 1, 0))
    assert heard[0].any() and not heard[1:].any()
    told = voice(heard)
    assert told.shape == (3, 32) and told[0].any() and not told[1:].any()
    assert not voice.hear(*prompts(0)).any()


@torch.no_grad()
def test_in_training_a_voice_is_blurred_and_its_encoder_learns_nothing(voice: HeardVoice) -> None:
    voice.train()
    try:
        before = {name: value.clone() for name, value in voice.encoder.state_dict().items()}
        torch.manual_seed(2)
        mel, shown = prompts(350, 0, 80)
        heard = torch.stack([voice.hear(mel, shown) for _ in range(40)])
        after = voice.encoder.state_dict()
    finally:
        voice.eval()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not any(parameter.requires_grad for parameter in voice.encoder.parameters())
    assert not heard[:, 1].any()
    blur = heard[:, [0, 2]].std(dim=0).square().mean().sqrt()
    assert float(blur) == pytest.approx(heard_voice.NOISE, rel=0.05)


def test_a_window_of_training_goes_round() -> None:
    mel = torch.arange(80.0)[:, None]
    starts = set()
    for seed in range(5):
        torch.manual_seed(seed)
        window = heard_voice._window(mel)[:, 0]
        assert len(window) == heard_voice.WINDOW and set(window.diff().tolist()) == {1.0, -79.0}
        starts.add(float(window[0]))
    assert len(starts) > 1
