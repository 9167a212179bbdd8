"""A vocoder's folder says all that its sound depends on, whichever vocoder it is."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml

from tts_fm import hub, loading, plugins, vocoder_folder
from tts_fm.checkpoint import load_model
from tts_fm.errors import ModelError
from tts_fm.interop import vocos
from tts_fm.types import MelSpec
from tts_fm.vocoders import Vocoder
from tts_fm.vocoders.hifigan import HiFiGAN
from tts_fm.vocoders.vocos import Vocos

CENTRED = MelSpec(n_fft=256, hop_length=64, win_length=256, n_mels=20)
WHOLE = MelSpec(n_fft=256, hop_length=64, win_length=256, n_mels=20, flavour="bigvgan")


def small() -> dict[str, Vocoder]:
    """A random one of each vocoder that has weights."""
    torch.manual_seed(0)
    rates = {"upsample_rates": (8, 8), "upsample_kernel_sizes": (16, 16), "upsample_initial_channel": 16}
    made: dict[str, Vocoder] = {
        "vocos": Vocos(Vocos.Options(dim=16, intermediate_dim=32, layers=1, refinements=3), CENTRED),
        "hifigan": HiFiGAN(HiFiGAN.Options(**rates), WHOLE),  # type: ignore[arg-type]
    }
    for vocoder in made.values():
        for parameter in vocoder.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return made


def test_every_vocoder_with_weights_is_tried():
    assert {*small(), "griffin_lim"} == set(plugins.names(Vocoder))


@pytest.mark.parametrize("name", small())
def test_what_is_saved_sounds_the_same(tmp_path, name):
    vocoder, mel = small()[name], torch.randn(1, 31, 20, generator=torch.Generator().manual_seed(1))
    vocoder_folder.save(tmp_path, vocoder, name="mine", license="MIT", dtype=torch.float32)
    config, loaded = vocoder_folder.read(tmp_path)
    assert (config.name, config.license, config.vocoder.name, loaded.mel) == ("mine", "MIT", name, vocoder.mel)
    assert not loaded.training and torch.equal(loaded.decode(mel), vocoder.decode(mel))


def test_the_bundled_vocoder_by_its_folder_is_the_bundled_one():
    config, _ = load_model(hub.bundled())
    own = loading.load_vocoder(config, hub.bundled())
    mel = torch.randn(1, 40, config.mel.n_mels, generator=torch.Generator().manual_seed(0)) - 4
    for source in ("bundled", str(hub.bundled() / "vocoder")):
        given = loading.load_vocoder(config, hub.bundled(), source)
        assert given.options == own.options and torch.equal(given.decode(mel), own.decode(mel))


def test_a_folder_of_the_vocos_package_is_read_too(tmp_path):
    vocoder = small()["vocos"]
    assert isinstance(vocoder, Vocos)
    vocos.save(tmp_path, vocoder, dtype=torch.float32)
    config, loaded = vocoder_folder.read(tmp_path)
    assert config.vocoder.name == "vocos"
    spectrum = torch.randn(1, 9, 20, generator=torch.Generator().manual_seed(1))
    assert torch.equal(loaded.spectrum(spectrum), vocoder.spectrum(spectrum))  # type: ignore[operator]


def test_a_vocoder_of_another_mel_is_refused_in_one_line(tmp_path):
    vocoder_folder.save(tmp_path, small()["hifigan"])
    with pytest.raises(ValueError, match=r"was made for .*flavour='bigvgan'.*given .*flavour='vocos'") as caught:
        vocoder_folder.load(tmp_path, CENTRED)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocoder": {"name": "wavenet"}}, "no Vocoder called 'wavenet'"),
        ({"vocoder": {"name": "hifigan", "rates": [2]}}, "hifigan has no field 'rates'"),
        ({"vocoder": {"name": "hifigan"}}, "hop_length 256"),
        ({"vocoder": {"name": "vocos"}}, "vocos was made for"),
        ({"mel": {"n_bands": 3}}, "n_bands"),
        ({"evil": 1}, "no field 'evil'"),
    ],
)
def test_a_config_that_says_something_else_is_one_line(tmp_path, changes, message):
    vocoder_folder.save(tmp_path, small()["hifigan"])
    value = yaml.safe_load((tmp_path / "config.yaml").read_text())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(value | changes))
    with pytest.raises(ModelError, match=message) as caught:
        vocoder_folder.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[1, 2]", "name: other", "\x00", "a: [", "mel: 1\nfrontend: 2"])
def test_what_is_no_vocoder_s_config_is_one_line(tmp_path: Path, text):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ModelError, match=r"config\.yaml (must hold a mapping|is (no vocoder's|not YAML))") as caught:
        vocoder_folder.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_weights_of_another_size_are_named(tmp_path):
    vocoder_folder.save(tmp_path, small()["hifigan"])
    value = yaml.safe_load((tmp_path / "config.yaml").read_text())
    value["vocoder"]["upsample_initial_channel"] = 32
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(value))
    with pytest.raises(ModelError, match=r"conv_in\.\w+' is .* is needed"):
        vocoder_folder.load(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        vocoder_folder.load(tmp_path)
