"""Every vocoder inverts a mel; Vocos equals the `vocos` package, and nothing in a published file is run."""

from __future__ import annotations

import math
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import nn

from tts_fm import plugins
from tts_fm.audio.mel import log_mel
from tts_fm.errors import ModelError
from tts_fm.interop import vocos as published
from tts_fm.types import MelSpec
from tts_fm.vocoders import Vocoder
from tts_fm.vocoders.griffin_lim import GriffinLim
from tts_fm.vocoders.hifigan import HiFiGAN
from tts_fm.vocoders.vocos import Vocos

SMALL = MelSpec(n_fft=256, hop_length=64, win_length=256, n_mels=20)
SIZES = {"dim": 16, "intermediate_dim": 32, "layers": 2}


def official(padding: str = "center") -> tuple[dict, torch.nn.ModuleList]:
    """Return the config and the modules of a small random model made by the `vocos` package."""
    heads, models = pytest.importorskip("vocos.heads"), pytest.importorskip("vocos.models")
    backbone = {"input_channels": 20, "dim": 16, "intermediate_dim": 32, "num_layers": 2}
    head = {"dim": 16, "n_fft": 256, "hop_length": 64, "padding": padding}
    features = {"sample_rate": 24_000, "n_fft": 256, "hop_length": 64, "n_mels": 20, "padding": "center"}
    config = {
        "feature_extractor": {"class_path": "vocos.feature_extractors.MelSpectrogramFeatures", "init_args": features},
        "backbone": {"class_path": "vocos.models.VocosBackbone", "init_args": backbone},
        "head": {"class_path": "vocos.heads.ISTFTHead", "init_args": head},
    }
    torch.manual_seed(0)
    modules = torch.nn.ModuleDict({"backbone": models.VocosBackbone(**backbone), "head": heads.ISTFTHead(**head)})
    for parameter in modules.parameters():  # biases and scales too
        torch.nn.init.normal_(parameter, std=0.1)
    return config, modules


def write(folder: Path, config: dict, weights: dict[str, torch.Tensor], is_safetensors: bool = False) -> None:
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    extra = {"feature_extractor.mel_spec.spectrogram.window": torch.hann_window(256)}
    if is_safetensors:
        save_file({**weights, **extra}, folder / "model.safetensors")
    else:
        torch.save({**weights, **extra}, folder / "pytorch_model.bin")


@pytest.mark.parametrize("is_safetensors", [False, True])
@pytest.mark.parametrize("padding", ["center", "same"])
def test_a_published_model_sounds_as_in_its_own_package(tmp_path, padding, is_safetensors):
    config, modules = official(padding)
    write(tmp_path, config, modules.state_dict(), is_safetensors)
    mel = torch.randn(2, 31, 20, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = modules["head"](modules["backbone"](mel.mT))
        samples = published.load(tmp_path, SMALL).decode(mel)
    assert samples.shape == (2, 64 * (30 if padding == "center" else 31))
    torch.testing.assert_close(samples, expected, rtol=1e-5, atol=1e-5)


def test_our_head_keeps_phases_that_the_package_s_rounds_in_bfloat16(tmp_path):
    """Why the architecture is written here: theirs rounds a phase of many turns to 8 bits, and gives no spectrum."""
    config, modules = official()
    weights = modules.state_dict()
    weights["head.out.weight"] *= 10  # angles of several turns, as trained models have them
    write(tmp_path, config, weights)
    ours = published.load(tmp_path, SMALL)
    hidden = torch.randn(1, 31, 16, generator=torch.Generator().manual_seed(1))
    ours.embed, ours.norm_in, ours.norm_out = nn.Identity(), nn.Identity(), nn.Identity()  # type: ignore[assignment]
    ours.blocks = nn.ModuleList()

    def error(head: Callable[[torch.Tensor], torch.Tensor]) -> float:
        with torch.no_grad():
            exact = head(hidden)
            with torch.autocast("cpu", torch.bfloat16):
                return float((head(hidden).float() - exact).norm() / exact.norm())

    assert error(modules["head"]) > 0.01
    assert error(lambda x: ours.to_samples(ours.spectrum(x))) == 0


def test_the_package_cannot_be_needed_by_everybody():
    """It asks for one release of encodec and imports it, and that one is not for commercial use."""
    pytest.importorskip("vocos")
    (encodec,) = (needed for needed in metadata.requires("vocos") if needed.startswith("encodec"))
    assert encodec.replace(" ", "") == "encodec==0.1.1" and "encodec" in sys.modules
    assert "NonCommercial" in metadata.metadata("encodec")["License"]


def test_a_single_frame_is_no_sound_here_and_an_error_there(tmp_path):
    config, modules = official()
    write(tmp_path, config, modules.state_dict())
    assert published.load(tmp_path, SMALL).decode(torch.zeros(1, 1, 20)).shape == (1, 0)
    with torch.no_grad(), pytest.raises(RuntimeError):
        modules["head"](modules["backbone"](torch.zeros(1, 20, 1)))


def test_another_mel_is_refused_naming_both(tmp_path):
    config, modules = official()
    write(tmp_path, config, modules.state_dict())
    with pytest.raises(ValueError, match=r"n_mels=20.*n_mels=100"):
        published.load(tmp_path, MelSpec())


@pytest.mark.parametrize(
    ("block", "field", "value", "message"),
    [
        ("backbone", "class_path", "os.system", "class_path"),
        ("backbone", "class_path", "vocos.models.VocosResNetBackbone", "VocosBackbone"),
        ("feature_extractor", "class_path", "vocos.feature_extractors.EncodecFeatures", "MelSpectrogramFeatures"),
        ("head", "class_path", "vocos.heads.IMDCTCosHead", "ISTFTHead"),
        ("backbone", "evil", 1, "evil"),
    ],
)
def test_an_unknown_class_or_field_is_refused(tmp_path, block, field, value, message):
    config, modules = official()
    config[block][field] = value
    write(tmp_path, config, modules.state_dict())
    with pytest.raises(ModelError, match=message):
        published.load(tmp_path, SMALL)


@pytest.mark.parametrize(
    ("block", "field", "value", "message"),
    [
        ("backbone", "adanorm_num_embeddings", 4, "adanorm_num_embeddings"),
        ("backbone", "dim", 32, "dim must agree"),
        ("head", "hop_length", 32, "hop_length must agree"),
        ("feature_extractor", "padding", "same", "padding"),
    ],
)
def test_an_argument_that_is_not_understood_is_refused(tmp_path, block, field, value, message):
    config, modules = official()
    config[block]["init_args"][field] = value
    write(tmp_path, config, modules.state_dict())
    with pytest.raises(ModelError, match=message):
        published.load(tmp_path, SMALL)


def test_what_is_saved_is_read_again_and_by_the_official_package(tmp_path):
    heads, models = pytest.importorskip("vocos.heads"), pytest.importorskip("vocos.models")
    vocoder = Vocos(Vocos.Options(**SIZES), SMALL)
    for parameter in vocoder.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    published.save(tmp_path, vocoder, dtype=torch.float32)
    mel = torch.randn(1, 31, 20, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        samples = vocoder.decode(mel)
    assert torch.equal(published.load(tmp_path, SMALL).decode(mel), samples)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    weights = load_file(tmp_path / "model.safetensors")
    modules = torch.nn.ModuleDict(
        {
            "backbone": models.VocosBackbone(**config["backbone"]["init_args"]),
            "head": heads.ISTFTHead(**config["head"]["init_args"]),
        }
    )
    missing, unexpected = modules.load_state_dict(weights, strict=False)
    assert missing == ["head.istft.window"] and not unexpected
    with torch.no_grad():
        theirs = modules["head"](modules["backbone"](mel.mT))
    torch.testing.assert_close(theirs, samples, rtol=1e-5, atol=1e-5)


def test_half_precision_weights_are_loaded_as_float32(tmp_path):
    published.save(tmp_path, Vocos(Vocos.Options(**SIZES), SMALL))
    assert load_file(tmp_path / "model.safetensors")["head.out.weight"].dtype == torch.float16
    assert published.load(tmp_path, SMALL).to_spectrum.weight.dtype == torch.float32


def test_missing_surplus_and_misshapen_weights_are_named(tmp_path):
    config, modules = official()
    weights = modules.state_dict()
    write(tmp_path, config, {name: value for name, value in weights.items() if name != "head.out.bias"})
    with pytest.raises(ModelError, match=r"lacks .*to_spectrum\.bias"):
        published.load(tmp_path, SMALL)
    write(tmp_path, config, {**weights, "backbone.other": torch.zeros(1)})
    with pytest.raises(ModelError, match=r"backbone\.other"):
        published.load(tmp_path, SMALL)
    write(tmp_path, config, {**weights, "head.out.bias": torch.zeros(3)})
    with pytest.raises(ModelError, match=r"to_spectrum\.bias.*\(3,\).*\(258,\)"):
        published.load(tmp_path, SMALL)


class Canary:
    """Unpickled by an ordinary loader, it touches a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_runs_nothing(tmp_path):
    config, _ = official()
    write(tmp_path, config, {})
    torch.save({"head.out.bias": Canary(tmp_path / "canary")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="not loaded"):
        published.load(tmp_path, SMALL)
    (tmp_path / "pytorch_model.bin").write_bytes(pickle.dumps(Canary(tmp_path / "canary")))
    with pytest.raises(ModelError, match="pytorch_model"):
        published.load(tmp_path, SMALL)
    assert not (tmp_path / "canary").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("keep", [0, 50, 1000])
def test_a_truncated_file_is_a_model_error(tmp_path, name, keep):
    config, modules = official()
    write(tmp_path, config, modules.state_dict(), is_safetensors=name == "model.safetensors")
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:keep])
    with pytest.raises(ModelError, match=name):
        published.load(tmp_path, SMALL)


def test_a_missing_file_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match=r"config\.yaml cannot be read"):
        published.load(tmp_path, SMALL)
    config, _ = official()
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ModelError, match="neither"):
        published.load(tmp_path, SMALL)


def made(name: str) -> Vocoder:
    """Return the vocoder called ``name`` with its defaults, for mels of the first flavour that it takes."""
    kind = plugins.load(Vocoder, name)
    for flavour in ("vocos", "bigvgan"):
        with suppress(ValueError):
            return kind(kind.Options(), MelSpec(flavour=flavour))  # type: ignore[call-arg]
    raise AssertionError(f"{name} takes no flavour of mel")


@pytest.mark.parametrize("name", plugins.names(Vocoder))
def test_decode_gives_about_n_hops_of_finite_samples(name):
    vocoder = made(name)
    mel = torch.randn(2, 12, 100, generator=torch.Generator().manual_seed(0)) - 4
    with torch.no_grad():
        samples = vocoder.decode(mel)
        assert torch.equal(samples, vocoder.decode(mel))
    assert samples.shape[0] == 2 and samples.shape[1] == pytest.approx(12 * 256, abs=256)
    assert samples.isfinite().all()


@pytest.mark.parametrize("name", plugins.names(Vocoder))
def test_an_utterance_does_not_depend_on_its_batch(name):
    vocoder = made(name)
    mel = torch.randn(2, 12, 100, generator=torch.Generator().manual_seed(0)) - 4
    with torch.no_grad():
        torch.testing.assert_close(vocoder.decode(mel)[1:], vocoder.decode(mel[1:]), rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", plugins.names(Vocoder))
def test_a_mel_of_another_width_is_refused(name):
    vocoder = made(name)
    with pytest.raises(ValueError, match="100 mel channels, it was given 80"):
        vocoder.decode(torch.zeros(1, 12, 80))


@pytest.mark.parametrize(
    ("kind", "mel"),
    [
        (Vocos, MelSpec(flavour="bigvgan")),
        (Vocos, MelSpec(win_length=512)),
        (GriffinLim, MelSpec(n_mels=600)),
        (GriffinLim, MelSpec(hop_length=1024)),
        (HiFiGAN, MelSpec()),
        (HiFiGAN, MelSpec(hop_length=300, flavour="hifigan")),
    ],
)
def test_a_mel_that_a_vocoder_was_not_made_for_is_refused(kind, mel):
    with pytest.raises(ValueError, match="was made for .* it was given MelSpec"):
        kind(kind.Options(), mel)


def test_same_padding_inverts_the_stft_of_its_frames():
    """A spectrum of frames that begin 96 samples before the signal gives the signal back."""
    vocoder = Vocos(Vocos.Options(**SIZES, padding="same"), SMALL)
    samples = torch.randn(1, 64 * 20, generator=torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(samples, (96, 96))
    spectrum = torch.stft(padded, 256, 64, window=torch.hann_window(256), center=False, return_complex=True)
    torch.testing.assert_close(vocoder.to_samples(spectrum)[:, 128:-128], samples[:, 128:-128], rtol=0, atol=1e-5)


def test_magnitudes_are_clipped():
    vocoder = Vocos(Vocos.Options(**SIZES), SMALL)
    torch.nn.init.constant_(vocoder.to_spectrum.bias, 50.0)
    spectrum = vocoder.spectrum(torch.zeros(1, 5, 20))
    torch.testing.assert_close(spectrum.abs(), torch.full((1, 129, 5), 100.0))


def test_a_vocoder_keeps_its_spectrum_in_float32_inside_autocast():
    vocoder = Vocos(Vocos.Options(**SIZES), SMALL)
    with torch.autocast("cpu", torch.bfloat16):
        assert vocoder.decode(torch.zeros(1, 5, 20)).dtype == torch.float32


@pytest.mark.parametrize("flavour", ["vocos", "bigvgan"])
def test_griffin_lim_gives_a_tone_back(flavour):
    spec = MelSpec(flavour=flavour)
    tone = 0.3 * torch.sin(2 * math.pi * 440 * torch.arange(24_000) / 24_000)
    mel = log_mel(tone, spec)
    samples = GriffinLim(GriffinLim.Options(), spec).decode(mel[None])[0]
    assert len(samples) == pytest.approx(24_000, abs=256)
    spectrum = torch.fft.rfft(samples[4000:20_000]).abs()
    assert int(spectrum.argmax()) * 1.5 == pytest.approx(440, abs=25)
    assert float(samples[4000:20_000].square().mean().sqrt()) == pytest.approx(0.3 / math.sqrt(2), rel=0.3)
