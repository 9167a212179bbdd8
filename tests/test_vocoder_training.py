"""The vocoder's trainer learns, resumes bit for bit, and its losses are what their formulas say."""

from __future__ import annotations

import math
import os
import signal
import sys
from pathlib import Path

import pytest
import soundfile
import torch
import yaml
from test_nothing_is_lost import assert_same
from tiny_run import metrics
from tiny_vocoder import made, write_chirps

from tts_fm import torch_files, vocoder_folder
from tts_fm.training import vocoder, vocoder_run
from tts_fm.training.discriminators import DiscriminatorOptions, Discriminators, Verdict
from tts_fm.training.loop import CHECKPOINTS
from tts_fm.training.recordings import RecordingOptions, Recordings
from tts_fm.training.vocoder_losses import feature_distance, judging, pleasing, stft_distance
from tts_fm.types import MelSpec

MEL = {"sample_rate": 8000, "n_fft": 256, "hop_length": 64, "win_length": 256, "n_mels": 20, "flavour": "vocos"}
JUDGES = DiscriminatorOptions(periods=(2, 3), period_widths=(4, 8), resolutions=(64, 128), resolution_widths=(4, 8))


def verdict(scores: list[float], *features: list[float]) -> Verdict:
    return Verdict(torch.tensor(scores), tuple(torch.tensor(feature) for feature in features))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two chirps to train on, one held out, and a run of a few updates."""
    manifest = write_chirps(tmp_path)
    run = {
        "name": "tiny",
        "mel": MEL,
        "vocoder": {"name": "vocos", "dim": 16, "intermediate_dim": 32, "layers": 1},
        "discriminators": JUDGES.model_dump(mode="json"),
        "data": {"manifests": [str(manifest)], "crop": 1024, "heldout_seconds": 0.5},
        "loss": {"stft_sizes": [64, 128], "stft": 5.0},
        "training": {
            "updates": 6,
            "warm_updates": 2,
            "discriminator_every": 2,
            "batch_size": 4,
            "judged_batch_size": 2,
            "lr": 0.003,
            "lr_warmup": 0,
            "log_every": 1,
            "save_every": 3,
            "validate_every": 3,
            "loggers": [],
        },
    }
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(run))
    return path


def change(path: Path, **training: object) -> None:
    value = yaml.safe_load(path.read_text())
    value["training"] |= training
    path.write_text(yaml.safe_dump(value))


def test_hinges_have_their_closed_forms():
    assert float(judging([verdict([2.0, 0.5, -3.0, 0.5])])) == pytest.approx((0 + 0.5) / 2 + (0 + 1.5) / 2)
    assert float(pleasing([verdict([2.0, 0.5]), verdict([-1.0, -1.0])])) == pytest.approx((0.25 + 2.0) / 2)


def test_feature_distance_is_summed_over_layers_and_averaged_over_judges():
    real = [verdict([0.0], [1.0, 2.0], [0.0]), verdict([0.0], [0.0, 0.0], [1.0])]
    fake = [verdict([0.0], [1.0, 4.0], [3.0]), verdict([0.0], [0.0, 0.0], [1.0])]
    assert float(feature_distance(real, fake)) == pytest.approx((1 + 3) / 2)


def test_losses_are_those_of_the_vocos_package_by_its_sums_but_in_float32():
    losses = pytest.importorskip("vocos.loss")
    real, fake = (
        [verdict(torch.randn(6, generator=rng).tolist(), *torch.randn(3, 50, generator=rng).tolist()) for _ in range(5)]
        for rng in (torch.Generator().manual_seed(0), torch.Generator().manual_seed(1))
    )
    scores = [[one.scores for one in verdicts] for verdicts in (real, fake)]
    features = [[[*one.features] for one in verdicts] for verdicts in (real, fake)]
    both = [Verdict(torch.cat([a, b]), ()) for a, b in zip(*scores, strict=True)]
    assert float(judging(both)) == pytest.approx(float(losses.DiscriminatorLoss()(*scores)[0]) / 5, rel=1e-6)
    assert float(pleasing(fake)) == pytest.approx(float(losses.GeneratorLoss()(scores[1])[0]) / 5, rel=1e-6)
    exact = float(losses.FeatureMatchingLoss()(*features)) / 5
    assert float(feature_distance(real, fake)) == pytest.approx(exact, rel=1e-6)

    halves = [[[layer.bfloat16() for layer in layers] for layers in each] for each in features]
    ours = feature_distance(*([Verdict(torch.zeros(1), tuple(layers)) for layers in each] for each in halves))
    theirs = float(losses.FeatureMatchingLoss()(*halves)) / 5
    assert abs(float(ours) / exact - 1) < 1e-3 < abs(theirs / exact - 1)


def test_a_mel_loss_of_the_vocos_package_is_ours_for_its_mel(config, tmp_path):
    losses = pytest.importorskip("vocos.loss")
    learner = made(config, tmp_path / "run").learner
    real, fake = (torch.randn(2, 2048, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    theirs = losses.MelSpecReconstructionLoss(8000, 256, 64, 20)(fake, real)
    torch.testing.assert_close(learner.reconstruction(real, fake)["mel"], theirs, rtol=1e-4, atol=1e-5)


def test_judges_of_the_vocos_package_teach_as_ours_do(config, tmp_path):
    discriminators = pytest.importorskip("vocos.discriminators")
    value = yaml.safe_load(config.read_text())
    value["discriminators"] = {"published": True, "periods": [3], "resolutions": [64]}
    config.write_text(yaml.safe_dump(value))
    learner = made(config, tmp_path / "run").learner
    period, resolution = learner.judges.judges
    real, fake = (torch.randn(2, 1024, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    with torch.no_grad():
        theirs = discriminators.MultiPeriodDiscriminator((3,))
        theirs.load_state_dict({f"discriminators.0.{name}": value for name, value in period.judge.state_dict().items()})
        (on_real,), (on_fake,), (seen,), _ = theirs(real, fake)
    verdict_on_real = period(real)
    assert torch.equal(verdict_on_real.scores, on_real) and torch.equal(period(fake).scores, on_fake)
    assert all(torch.equal(a, b) for a, b in zip(verdict_on_real.features, seen, strict=True))
    before = [next(judge.parameters()).detach().clone() for judge in (period, resolution)]
    step = learner.learn(2)
    assert not step.is_skipped and {"judges", "adversarial", "feature_matching"} < set(step.values)
    for judge, old in zip((period, resolution), before, strict=True):
        assert not torch.equal(next(judge.parameters()), old)


def test_judges_of_a_package_that_is_not_installed_are_refused_with_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "vocos", None)
    monkeypatch.setitem(sys.modules, "vocos.discriminators", None)
    with pytest.raises(ValueError, match=r"pip install 'tts-fm\[vocos\]'"):
        Discriminators(DiscriminatorOptions(published=True))


def test_stft_distance_of_a_scaled_signal_is_known():
    samples = torch.randn(2, 4096, generator=torch.Generator().manual_seed(0))
    assert float(stft_distance(samples, samples, (256, 512))) == 0
    assert float(stft_distance(samples, 0.5 * samples, (256, 512))) == pytest.approx(0.5 + math.log(2), rel=1e-3)


@pytest.mark.parametrize("n_samples", [1024, 1025, 1031])
def test_every_discriminator_gives_scores_and_features_that_have_gradients(n_samples):
    judges = Discriminators(JUDGES)
    samples = torch.randn(2, n_samples, generator=torch.Generator().manual_seed(0)).requires_grad_()
    verdicts = judges(samples)
    assert len(verdicts) == 4
    feature_distance(verdicts, judges(samples.detach() * 0.5)).backward()
    assert samples.grad is not None and samples.grad.isfinite().all()
    assert all(parameter.grad is not None for judge in judges.judges for parameter in judge.layers.parameters())


def test_crops_have_the_given_length_and_levels_and_depend_on_the_seed_alone(config):
    run = vocoder_run.read(config)
    recordings = Recordings.read(run.data, 8000, is_heldout=False, log=lambda line: None)
    crops = recordings.crops(64, torch.Generator().manual_seed(3))
    assert crops.shape == (64, 1024)
    assert torch.equal(crops, recordings.crops(64, torch.Generator().manual_seed(3)))
    peaks = crops.abs().amax(dim=1)
    assert float(peaks.min()) >= 0.25 * 0.4 * 0.9 and float(peaks.max()) <= 1.2 * 0.4 + 1e-3


def test_heldout_recordings_are_not_trained_on(config):
    options = vocoder_run.read(config).data
    train, heldout = (
        Recordings.read(options, 8000, is_heldout=value, log=lambda line: None) for value in (False, True)
    )
    assert [len(samples) for samples in train.samples] == [8000, 8000]
    assert [len(samples) for samples in heldout.samples] == [4000]


def test_a_short_recording_is_padded_and_another_rate_resampled(tmp_path):
    soundfile.write(tmp_path / "short.wav", 0.5 * torch.ones(1600).numpy(), 16_000)
    options = RecordingOptions(globs=(str(tmp_path / "*.wav"),), crop=1024, min_gain=1.0, max_gain=1.0)
    crop = Recordings.read(options, 8000, is_heldout=False, log=lambda line: None).crops(1, torch.Generator())[0]
    assert crop[800:].eq(0).all() and float(crop[300:500].mean()) == pytest.approx(0.5, abs=1e-3)


def test_no_recordings_is_an_error_that_says_where_it_looked(tmp_path):
    with pytest.raises(ValueError, match=r"no recordings in .*nothing"):
        Recordings.read(RecordingOptions(globs=(str(tmp_path / "nothing"),)), 8000, is_heldout=False, log=print)


def test_training_in_pieces_equals_training_in_one(config, tmp_path):
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    made(config, whole).run()
    for update in range(1, 7):  # each run does one update
        piece = made(config, pieces)
        piece.watch = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
        assert piece.run() == (signal.SIGTERM if update < 6 else 0)
        assert metrics(pieces, "mel").keys() == set(range(1, update + 1))
    states = [torch_files.load_state(torch_files.states(folder / CHECKPOINTS)[-1]) for folder in (whole, pieces)]
    assert_same(states[0]["learner"], states[1]["learner"])
    assert metrics(whole, "mel") == metrics(pieces, "mel") and metrics(whole, "judges") == metrics(pieces, "judges")
    assert sorted(metrics(whole, "judges")) == [3, 5] and sorted(metrics(whole, "adversarial")) == [3, 4, 5, 6]
    assert sorted(metrics(whole, "heldout_mel")) == [3, 6]


def test_the_loss_falls(config, tmp_path):
    change(config, updates=60, warm_updates=50, judged_batch_size=4)
    made(config, tmp_path / "run").run()
    mel = list(metrics(tmp_path / "run", "mel").values())
    assert sum(mel[-10:]) < 0.7 * sum(mel[:10])


def test_what_is_published_is_the_average_and_loads(config, tmp_path, tts_fm_command):
    done = tts_fm_command("train", config, "--output", tmp_path / "run", "--device", "cpu")
    assert done.code == 0, done.stderr
    loaded = vocoder_folder.load(tmp_path / "run" / "model", MelSpec(**MEL))  # type: ignore[arg-type]
    average = torch_files.load_state(torch_files.states(tmp_path / "run" / CHECKPOINTS)[-1])["learner"]["average"]
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, average[name].half().float()), name
    weights = tmp_path / "run" / "model" / "model.safetensors"
    assert weights.stat().st_size < 2.5 * sum(p.numel() for p in loaded.parameters()) + 8000


HIFIGAN = {
    "name": "hifigan",
    "upsample_rates": [8, 8],
    "upsample_kernel_sizes": [16, 16],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3]],
}


@pytest.fixture
def hifigan_config(config: Path) -> Path:
    """The same run with a small HiFi-GAN."""
    value = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump(value | {"mel": MEL | {"flavour": "hifigan"}, "vocoder": HIFIGAN}))
    return config


def test_a_hifigan_learns_and_its_folder_is_the_start_of_another_run(hifigan_config, tmp_path, tts_fm_command):
    first, second = tmp_path / "first", tmp_path / "second"
    change(hifigan_config, updates=40, warm_updates=36, judged_batch_size=4)
    loop = made(hifigan_config, first)
    loop.run()
    mel = list(metrics(first, "mel").values())
    assert sum(mel[-5:]) < 0.7 * sum(mel[:5])
    loop.learner.publisher()(first / "model")
    arguments = ["--device", "cpu", "--set", f"start={first / 'model'}", "--set", "training.lr=0.0001"]
    done = tts_fm_command("train", hifigan_config, "--output", second, *arguments)
    assert done.code == 0, done.stderr
    assert next(iter(metrics(second, "mel").values())) < 0.7 * mel[0]
    assert vocoder_folder.read(second / "model")[0].vocoder.name == "hifigan"


def test_a_start_of_other_sizes_and_a_vocoder_without_weights_are_refused_in_one_line(hifigan_config, tmp_path):
    made(hifigan_config, tmp_path / "run").learner.publisher()(tmp_path / "model")
    start = f"start={tmp_path / 'model'}"
    for changes, message in (
        (["vocoder.resblock_dilation_sizes=[[1, 5]]"], r"vocoder\.resblock_dilation_sizes was .* and is "),
        (["mel.n_mels=30"], r"mel\.n_mels was 20 and is 30"),
        (
            ["mel.flavour=vocos", "vocoder={name: griffin_lim}"],
            "griffin_lim has nothing to learn; choose one of hifigan, vocos",
        ),
        (["mel.hop_length=32"], "hop_length 64"),
        (["start=nowhere"], "no vocoder folder nowhere"),
    ):
        run = vocoder_run.read(hifigan_config, [start, *changes])
        with pytest.raises(ValueError, match=message) as caught:
            vocoder.generator(run)
        assert "\n" not in str(caught.value)


def test_what_a_narrow_mel_does_not_show_is_learned_too(hifigan_config, tmp_path):
    """At 22.05 kHz a mel up to 8 kHz is deaf to a tone at 10 kHz, the loss is not."""
    learner = made(hifigan_config, tmp_path / "run").learner
    learner.run = learner.run.model_copy(update={"mel": MelSpec(22_050, 1024, 256, 1024, 80, "hifigan")})
    silence = torch.zeros(1, 8192)
    tone = 0.1 * torch.sin(2 * math.pi * 10_000 * torch.arange(8192) / 22_050)[None]
    assert float(learner.reconstruction(silence, tone)["mel"]) > 0.3


@pytest.mark.parametrize("path", sorted(Path("configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_vocoder_config_is_read_and_fits(path):
    value = yaml.safe_load(path.read_text())
    if "model" not in value and "vocoder" in value and "discriminators" in value:
        run = vocoder_run.read(path, ['start=""'])
        assert vocoder.generator(run).mel == run.mel


def test_a_judge_or_a_generator_without_numbers_changes_nothing(config, tmp_path):
    learner = made(config, tmp_path / "run").learner
    before = learner.state()
    before = {name: {k: v.clone() for k, v in before[name].items()} for name in ("generator", "average", "judges")}
    for update, judge in ((0, False), (2, True)):
        broken = learner.judges.judges[0].score.bias if judge else learner.generator.to_spectrum.bias
        whole = broken.detach().clone()
        with torch.no_grad():
            broken.fill_(float("nan"))
        assert learner.learn(update).is_skipped
        with torch.no_grad():
            broken.copy_(whole)
        for name, expected in before.items():
            assert_same(dict(learner.state()[name]), expected, name)


def test_mistakes_are_one_line_and_exit_code_2(config, tmp_path, tts_fm_command):
    def refused(*changes: str) -> str:
        arguments = [word for change_ in changes for word in ("--set", change_)]
        done = tts_fm_command("train", config, "--output", tmp_path / "run", "--device", "cpu", *arguments)
        assert done.code == 2, done.stderr
        return done.stderr.splitlines()[-1]

    assert tts_fm_command("train", tmp_path / "no.yaml").line.endswith(
        "cannot be read: there is no such file; check its name"
    )
    assert tts_fm_command("train", config, "--output", tmp_path / "run", "--device", "cpu").code == 0
    assert "vocoder.dim was 16 and is 24" in refused("vocoder.dim=24")
    assert "training has no field 'stepz'" in refused("training.stepz=3")
    assert "--dry-run is for acoustic models" in tts_fm_command("train", config, "--dry-run").line


def test_a_broken_recording_is_left_out_and_named(config, tmp_path):
    (tmp_path / "a.flac").write_bytes(b"no sound")
    said: list[str] = []
    found = Recordings.read(vocoder_run.read(config).data, 8000, is_heldout=False, log=said.append)
    assert len(found.decoded) == 1 and "a.flac is left out" in said[0]
