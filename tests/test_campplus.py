"""CAM++: the published network to the last digit, and mels in place of Kaldi's energies."""

import pytest
import torch

from tts_fm.audio import kaldi
from tts_fm.audio.mel import filter_edges
from tts_fm.errors import ModelError
from tts_fm.interop import campplus
from tts_fm.nn.campplus import N_BANDS, CAMPPlus, SpeakerEncoder
from tts_fm.types import MelSpec

MEL = MelSpec(sample_rate=22_050, n_mels=80, flavour="hifigan")
PUBLISHED = [
    [-1.1449, 0.6040, 0.5901, -1.1978, 0.1104, -0.2031],
    [-1.0926, 0.5025, 0.6529, -1.2590, 0.0283, -0.2981],
]
"""What ``CAMPPlus(80, 192)`` of 3D-Speaker (package speakerlab 0.0.6) makes of the same weights and energies."""


def filled(network: torch.nn.Module) -> torch.nn.Module:
    """Weights that follow from the names of the tensors in their order, and from nothing else."""
    rng = torch.Generator().manual_seed(0)
    for name, value in sorted(network.state_dict().items()):
        if value.is_floating_point():
            drawn = torch.randn(value.shape, generator=rng)
            if name.endswith("running_var"):
                value.copy_(1 + 0.2 * drawn.abs())
            elif value.dim() == 1:
                value.copy_(0.1 * drawn + name.endswith("weight"))
            else:
                value.copy_(drawn * (2 / value[0].numel()) ** 0.5)
    return network.eval()


@torch.no_grad()
def encoder() -> SpeakerEncoder:
    made = SpeakerEncoder(MEL.n_mels, campplus.rate(MEL)).eval()
    filled(made.network)
    made.bands.weight.copy_(kaldi.energies_of(MEL, N_BANDS))
    return made


@torch.no_grad()
def test_the_network_is_the_published_one():
    energies = 3 * torch.randn(2, 80, 230, generator=torch.Generator().manual_seed(1))
    voices = filled(CAMPPlus())(energies)
    assert voices.shape == (2, 192)
    torch.testing.assert_close(voices[:, :6], torch.tensor(PUBLISHED), atol=1e-4, rtol=0)
    torch.testing.assert_close(voices.norm(dim=1), torch.tensor([14.0873, 13.9741]), atol=1e-3, rtol=0)


def test_a_mel_is_read_at_the_centres_of_kaldis_bands():
    heard, centres = kaldi.energies_of(MEL, N_BANDS) / 2, filter_edges(MEL)[1:-1]
    theirs = torch.linspace(31.748578, 2840.037662, 82, dtype=torch.float64)[1:-1]  # of 20 and of 8000 Hz
    wanted = 700 * ((theirs / 1127).exp() - 1)
    inside = (wanted > centres[0]) & (wanted < centres[-1])
    assert int(inside.sum()) >= 78
    torch.testing.assert_close((heard.double() @ centres)[inside], wanted[inside], rtol=1e-5, atol=0)
    torch.testing.assert_close(heard.sum(dim=1), torch.ones(80))


@torch.no_grad()
def test_neither_level_nor_response_is_a_voice():
    mel = torch.randn(2, 120, 80, generator=torch.Generator().manual_seed(2)) - 5
    hears = encoder()
    voices = hears(mel)
    torch.testing.assert_close(voices.norm(dim=1), torch.ones(2))
    response = torch.linspace(-1, 1, 80)
    torch.testing.assert_close(hears(mel + 3 + response), voices, atol=1e-4, rtol=0)
    assert float((voices[0] * voices[1]).sum()) < 0.999


def test_a_mel_must_reach_to_8_khz():
    with pytest.raises(ValueError, match="hears up to 8000 Hz, this mel ends at 5512.5 Hz"):
        kaldi.energies_of(MelSpec(sample_rate=11_025, n_mels=80, flavour="vocos"), N_BANDS)


def test_another_network_or_no_file_is_one_line(tmp_path):
    torch.save({"head.conv1.weight": torch.zeros(1)}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="other.pt does not hold CAM"):
        campplus.load(tmp_path / "other.pt", MEL)
    with pytest.raises(ModelError, match="No such file"):
        campplus.load(tmp_path / "none.pt", MEL)
