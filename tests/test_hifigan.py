"""HiFi-GAN computes what its reference computes, and its files are read safely."""

from __future__ import annotations

import json
import math
import resource
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tts_fm import vocoder_folder
from tts_fm.audio.io import Waveform
from tts_fm.audio.mel import log_mel
from tts_fm.errors import ModelError
from tts_fm.interop import hifigan as published
from tts_fm.nn import int8, precision
from tts_fm.types import MelSpec
from tts_fm.vocoders import hifigan
from tts_fm.vocoders.hifigan import HiFiGAN

FOLDER = Path(__file__).parent / "data" / "goldens" / "hifigan"
GOLDEN = load_file(FOLDER / "golden.safetensors")
LAYOUTS = ("v1", "v2", "v3")
CHECKPOINT = "g_00000001"
MEL = MelSpec(22_050, 1024, 256, 1024, 80, "hifigan")


def state(layout: str = "v3") -> dict[str, torch.Tensor]:
    return torch.load(FOLDER / layout / CHECKPOINT, weights_only=True)["generator"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The small V3, to be changed."""
    shutil.copytree(FOLDER / "v3", tmp_path / "v3")
    return tmp_path / "v3"


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_published_generator_makes_what_its_reference_makes(layout):
    vocoder = published.load(FOLDER / layout / CHECKPOINT)
    assert vocoder.mel == MEL
    expected = GOLDEN[f"{layout}.samples"]
    assert 0.2 < float(expected.std()) < 0.6
    torch.testing.assert_close(vocoder.decode(GOLDEN["mel"]), expected, rtol=0, atol=1e-5)


def test_the_defaults_are_v1_of_the_paper():
    vocoder = HiFiGAN(HiFiGAN.Options(), MEL)
    assert sum(p.numel() for p in vocoder.parameters()) == 13_926_017  # 13.94 M with the gains of its weight norm
    v2 = HiFiGAN.Options(upsample_initial_channel=128)
    assert sum(p.numel() for p in HiFiGAN(v2, MEL).parameters()) == pytest.approx(0.92e6, rel=0.01)


def plain(layout: str) -> dict[str, torch.Tensor]:
    return published.folded(state(layout), Path("here"))


def parametrized(layout: str) -> dict[str, torch.Tensor]:
    names = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
    return {
        f"{layer}.{names.get(kind, kind)}": value
        for name, value in state(layout).items()
        for layer, _, kind in [name.rpartition(".")]
    }


@pytest.mark.parametrize("kind", [plain, parametrized])
def test_every_form_of_weight_norm_is_folded_alike(folder, kind):
    expected = published.load(folder / CHECKPOINT)
    torch.save(kind("v3"), folder / "generator.pth.tar")
    loaded = published.load(folder / "generator.pth.tar")
    for name, value in expected.state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name


def test_a_checkpoint_of_an_old_pytorch_is_read(folder):
    torch.save({"generator": state()}, folder / "old", _use_new_zipfile_serialization=False)
    assert torch.equal(
        published.load(folder / "old").decode(GOLDEN["mel"]), published.load(folder / CHECKPOINT).decode(GOLDEN["mel"])
    )


class Canary:
    """Unpickled by an ordinary loader, it touches a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("is_archive", [True, False])
def test_a_checkpoint_runs_nothing(folder, is_archive):
    content = {"generator": state() | {"evil": Canary(folder / "canary")}}
    torch.save(content, folder / "evil", _use_new_zipfile_serialization=is_archive)
    with pytest.raises(ModelError, match="evil holds more than weights"):
        published.load(folder / "evil")
    assert not (folder / "canary").exists()


@pytest.mark.parametrize("keep", [0, 100, 5000, 50_000])
def test_a_truncated_checkpoint_is_a_model_error(folder, keep):
    (folder / CHECKPOINT).write_bytes((folder / CHECKPOINT).read_bytes()[:keep])
    with pytest.raises(ModelError, match=CHECKPOINT):
        published.load(folder / CHECKPOINT)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"generator": [1, 2]}, "holds no HiFi-GAN generator; expected"),
        ({"epoch": 3}, "holds no HiFi-GAN generator; expected"),
        ({"generator": {"head.out.weight": torch.zeros(1)}}, "'head.out.weight' is unknown"),
        ({"generator": {"conv_pre.weight_g": torch.zeros(16, 1, 1)}}, "weight norm of 'conv_pre' is not whole"),
        ({"generator": {"conv_pre.bias": torch.zeros(16)}}, "lacks .* weights"),
    ],
)
def test_what_is_no_generator_is_named(folder, content, message):
    torch.save(content, folder / "other")
    with pytest.raises(ModelError, match=message):
        published.load(folder / "other")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fmax": 7600}, "fmin and fmax are 0.0 and 7600"),
        ({"hop_size": 300}, r"hop_length 256 .*hop_length=300"),
        ({"resblock": "3"}, "resblock is '3'"),
        ({"upsample_kernel_sizes": [16, 16, 7]}, "upsample_kernel_sizes are"),
        ({"upsample_kernel_sizes": [16, 16]}, "upsample_kernel_sizes are"),
        ({"upsample_initial_channel": 20}, "divisible by 8"),
        ({"resblock_kernel_sizes": [3, 5, 8]}, "must be odd"),
        ({"resblock_dilation_sizes": [[1, 2]]}, "a list of dilations for each"),
        ({"upsample_initial_channel": 0}, "upsample_initial_channel is 0"),
        ({"num_mels": "many"}, "num_mels is 'many'"),
    ],
)
def test_a_config_that_is_not_understood_is_refused(folder, change, message):
    value = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(value | change))
    with pytest.raises(ModelError, match=message) as caught:
        published.load(folder / CHECKPOINT)
    assert "\n" not in str(caught.value)


def test_a_missing_or_broken_config_is_a_model_error(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match="no HiFi-GAN configuration"):
        published.load(folder / CHECKPOINT)
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"config\.json cannot be read"):
        published.load(folder / CHECKPOINT)


def test_mels_up_to_the_nyquist_frequency_are_bigvgan_s(folder):
    value = json.loads((folder / "config.json").read_text())
    for fmax in (None, 11_025):
        (folder / "config.json").write_text(json.dumps(value | {"fmax": fmax}))
        assert published.load(folder / CHECKPOINT).mel.flavour == "bigvgan"


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 0), ("float16", 2e-3), ("bfloat16", 2e-2), ("int8", 3e-2)]
)
def test_convert_makes_a_vocoder_folder(tmp_path, tts_fm_command, dtype, tolerance):
    done = tts_fm_command(
        "convert", "hifigan", FOLDER / "v1" / CHECKPOINT, tmp_path / "out", "--dtype", dtype, "--license", "MIT"
    )
    assert done.code == 0, done.stderr
    config, vocoder = vocoder_folder.read(tmp_path / "out")
    assert (config.vocoder.name, config.license, config.mel) == ("hifigan", "MIT", MEL)
    torch.testing.assert_close(vocoder.decode(GOLDEN["mel"]), GOLDEN["v1.samples"], rtol=0, atol=tolerance + 1e-5)


def test_a_published_folder_given_as_a_vocoder_says_how_to_convert_it():
    with pytest.raises(ModelError, match="tts-fm convert hifigan"):
        vocoder_folder.load(FOLDER / "v1")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("n_windows", [0.4, 1, 3.3])
def test_windows_make_what_the_whole_makes_but_at_the_ends(layout, n_windows):
    vocoder = published.load(FOLDER / layout / CHECKPOINT)
    for stage in vocoder.stages:
        longest = 4 * 3 * stage.reach
        x = torch.randn(2, 2 * stage.reach + int(n_windows * longest), 2 * stage.width)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(hifigan, "WINDOW", longest * stage.width * stage.rate)
            windowed = stage.in_windows(x)
        whole, ends = stage(x), stage.reach * stage.rate
        assert windowed.shape == whole.shape
        torch.testing.assert_close(windowed[:, ends:-ends], whole[:, ends:-ends], rtol=0, atol=1e-5)
        assert not windowed[:, :ends].any() and not windowed[:, -ends:].any()


def parts(vocoder: HiFiGAN, mel: torch.Tensor) -> torch.Tensor:
    """Return the sound of ``mel``, made in four parts."""
    borders = [0, 1, 20, 33, mel.shape[1]]
    return torch.cat([vocoder.decode_part(mel, *place) for place in pairwise(borders)], dim=1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_part_sounds_as_it_does_in_the_whole(layout):
    vocoder, mel = published.load(FOLDER / layout / CHECKPOINT), GOLDEN["mel"].repeat(1, 3, 1)
    torch.testing.assert_close(parts(vocoder, mel), vocoder.decode(mel), rtol=0, atol=1e-5)


def test_a_part_costs_no_more_than_what_is_heard_around_it():
    vocoder, mel, made = published.load(FOLDER / "v1" / CHECKPOINT), torch.zeros(1, 200, 80), []
    for layer in (vocoder.conv_in, *(stage.upsample for stage in vocoder.stages), vocoder.conv_out):
        layer.register_forward_hook(lambda layer, given, result: made.append(given[0].shape[1]))
    vocoder.decode_part(mel, 100, 120)
    rates = (1, 1, 8, 64, 128, 256)
    assert made == [20 * rate + 2 * reach for rate, reach in zip(rates, (vocoder.reach, *vocoder.reaches), strict=True)]


needs_bytes = pytest.mark.skipif(not int8.is_fast(torch.device("cpu")), reason="this CPU multiplies no bytes")


def between_silences(vocoder: HiFiGAN, mel: torch.Tensor) -> torch.Tensor:
    """Return the sound of ``mel`` as it is where silence lies around it."""
    around = vocoder.reach
    padded = nn.functional.pad(mel, (0, 0, around, around), value=math.log(1e-5))
    return vocoder.decode(padded)[:, 256 * around : -256 * around]


def decibels(samples: torch.Tensor, expected: torch.Tensor) -> float:
    return 10 * float((expected.square().sum() / (samples - expected).square().sum()).log10())


@pytest.mark.skipif(not torch.cpu._is_avx512_bf16_supported(), reason="this CPU has no bfloat16")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_bfloat16_is_near_float32_between_silences_and_training_is_not_touched(layout, monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: True)
    monkeypatch.setattr(hifigan, "WINDOW", 2**12)
    exact, mel = published.load(FOLDER / layout / CHECKPOINT), GOLDEN["mel"].repeat(1, 4, 1)
    fast = published.load(FOLDER / layout / CHECKPOINT, precision="bfloat16")
    expected = between_silences(exact, mel)
    samples = fast.decode(mel)
    assert samples.dtype == torch.float32
    assert 20 < decibels(samples, expected) < 60
    assert torch.equal(fast.train().decode(mel), exact.decode(mel))
    fast.eval().hold_weights()
    assert fast.conv_in.weight.dtype == torch.bfloat16
    assert fast.conv_out.weight.dtype == torch.float32
    torch.testing.assert_close(fast.decode(mel), samples, rtol=0, atol=1e-6)
    assert decibels(parts(fast, mel), samples) > 20  # bfloat16 rounds each window in its own way


@needs_bytes
@pytest.mark.parametrize("layout", LAYOUTS)
def test_int8_is_near_float32_wherever_a_part_is_cut(layout, monkeypatch):
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: False)
    monkeypatch.setattr(hifigan, "WINDOW", 2**12)
    exact, mel = published.load(FOLDER / layout / CHECKPOINT), GOLDEN["mel"].repeat(1, 4, 1)
    fast = published.load(FOLDER / layout / CHECKPOINT, precision="int8")
    assert torch.equal(fast.decode(mel), exact.decode(mel))  # not measured, not held
    assert fast.bounded() == exact.bounded() == []
    fast.measure(mel)
    assert [layer for layer, *_ in fast.bounded()] == fast.in_bytes()
    assert all(low < 0 < high and made > 0 for _, low, high, made in fast.bounded())
    fast.hold_weights()
    assert fast.is_in_bytes and fast.stages[-1].blocks[0].dilated[0].in_bytes is None
    expected = between_silences(exact, mel)
    samples = fast.decode(mel)
    assert samples.dtype == torch.float32
    assert 20 < decibels(samples, expected) < 60
    assert decibels(parts(fast, mel), samples) > 30  # last bits of what lies before turn a step here and there


@needs_bytes
def test_int8_measures_in_a_folder_and_comes_back_from_one(tmp_path, tts_fm_command):
    speech, out = tmp_path / "speech", tmp_path / "out"
    convert = ("convert", "hifigan", FOLDER / "v1" / CHECKPOINT, out, "--precision", "int8")
    assert "need each other" in tts_fm_command(*convert).stderr
    speech.mkdir()
    assert "no recording is in it" in tts_fm_command(*convert, "--speech", speech).stderr
    for i in range(2):
        Waveform(0.3 * torch.randn(22_050, generator=torch.Generator().manual_seed(i)), 22_050).save(
            speech / f"{i}.wav"
        )
    assert tts_fm_command(*convert, "--speech", speech).code == 0
    vocoder = vocoder_folder.load(out)
    assert bool((vocoder.lowest < 0).all()) and bool((vocoder.highest > 0).all())
    exact = published.load(FOLDER / "v1" / CHECKPOINT, precision="int8")
    exact.measure(log_mel(Waveform.load(speech / f"{i}.wav").samples, MEL) for i in range(2))
    torch.testing.assert_close(vocoder.highest, exact.highest, rtol=1e-3, atol=0)


def test_each_utterance_is_n_hops_long():
    vocoder = published.load(FOLDER / "v3" / CHECKPOINT)
    for n in (0, 1, 2, 17):
        assert vocoder.decode(GOLDEN["mel"][:, :n]).shape == (2, 256 * n)


def test_sizes_take_no_memory_before_the_weights_are_seen_to_have_them(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"upsample_initial_channel": 16_384}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match="does not belong to this configuration"):
        published.load(folder / CHECKPOINT)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB; it would be gigabytes


def test_a_weight_that_is_larger_than_what_is_stored_of_it_is_refused(folder):
    weights = state()
    weights["conv_post.bias"] = torch.zeros(1).expand(10**10)
    torch.save({"generator": weights}, folder / CHECKPOINT)
    with pytest.raises(ModelError, match="'conv_post.bias' is larger than what is stored of it"):
        published.load(folder / CHECKPOINT)
