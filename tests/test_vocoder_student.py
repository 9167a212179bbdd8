"""A light HiFi-GAN is a whole one less some blocks, learns its waveforms, and goes on bit for bit."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch
import yaml
from test_nothing_is_lost import assert_same
from tiny_run import metrics
from tiny_vocoder import made, write_chirps

from tts_fm import torch_files, vocoder_folder
from tts_fm.training.loop import CHECKPOINTS
from tts_fm.training.vocoder_student import VocoderStudent, inherit
from tts_fm.types import MelSpec
from tts_fm.vocoders.hifigan import HiFiGAN

MEL = {"sample_rate": 8000, "n_fft": 256, "hop_length": 16, "win_length": 256, "n_mels": 20, "flavour": "hifigan"}
SIZES = {
    "upsample_rates": [4, 4],
    "upsample_kernel_sizes": [8, 8],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 7],
    "resblock_dilation_sizes": [[1, 3], [1, 2]],
}


def hifigan(*stage_kernel_sizes: tuple[int, ...], seed: int = 0) -> HiFiGAN:
    """A small one whose weights are large enough to be heard."""
    torch.manual_seed(seed)
    options = HiFiGAN.Options.model_validate(SIZES | {"stage_kernel_sizes": stage_kernel_sizes})
    made = HiFiGAN(options, MelSpec(**MEL)).eval().requires_grad_(False)  # type: ignore[arg-type]
    for parameter in made.parameters():
        parameter.mul_(1.5)
    return made


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Two chirps to train on, one held out, a teacher, and a run of a few updates."""
    manifest = write_chirps(tmp_path)
    vocoder_folder.save(tmp_path / "teacher", hifigan(), dtype=torch.float32)
    run = {
        "name": "tiny",
        "mel": MEL,
        "vocoder": {"name": "hifigan", **SIZES, "stage_kernel_sizes": [[3, 7], [3]]},
        "teacher": {"vocoder": str(tmp_path / "teacher"), "lessons": 12, "fresh": 2},
        "data": {"manifests": [str(manifest)], "crop": 1024, "heldout_seconds": 0.5},
        "loss": {"stft_sizes": [32, 64], "mel": 0.0, "wave": 1.0},
        "training": {
            "updates": 6,
            "warm_updates": 6,
            "batch_size": 4,
            "lr": 0.003,
            "lr_warmup": 0,
            "ema_decay": 0.9,
            "log_every": 1,
            "save_every": 3,
            "validate_every": 3,
            "loggers": [],
        },
    }
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(run))
    return path


@pytest.mark.parametrize("stages", [0, 1, 2])
def test_what_is_begun_and_finished_is_what_is_decoded(stages):
    whole, mel = hifigan(), torch.randn(2, 30, 20, generator=torch.Generator().manual_seed(1))
    assert torch.equal(whole.finish(whole.begin(mel, stages), stages), whole.decode(mel))


def test_a_stage_has_the_blocks_that_are_named_and_sees_less_with_fewer():
    light = hifigan((3, 7), (3,))
    assert [[block.dilated[0].kernel_size[0] for block in stage.blocks] for stage in light.stages] == [[3, 7], [3]]
    assert light.reach < hifigan().reach
    mel = torch.randn(1, 80, 20, generator=torch.Generator().manual_seed(1))
    part = light.decode(mel[:, 20 - light.reach : 40 + light.reach])[:, 16 * light.reach : -16 * light.reach]
    torch.testing.assert_close(part, light.decode(mel)[:, 320:640], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kernels", [[[3, 7]], [[3, 7], []], [[3, 7], [5]]])
def test_blocks_that_there_are_not_are_refused(kernels):
    with pytest.raises(ValueError, match=r"stage_kernel_sizes are .* each of the 2 upsample_rates"):
        HiFiGAN.Options.model_validate(SIZES | {"stage_kernel_sizes": kernels})


def test_a_student_inherits_what_it_has_of_its_teacher():
    teacher, twin, light = hifigan(), hifigan((7, 3), (3, 7), seed=1), hifigan((3, 7), (7,), seed=2)
    mel = torch.randn(1, 20, 20, generator=torch.Generator().manual_seed(1))
    inherit(twin, teacher)
    assert torch.equal(twin.decode(mel), teacher.decode(mel))
    inherit(light, teacher)
    assert torch.equal(light.begin(mel, 1), teacher.begin(mel, 1))
    x = torch.randn(1, 20, 4, generator=torch.Generator().manual_seed(2))
    assert torch.equal(light.stages[1].blocks[0](x), teacher.stages[1].blocks[1](x))
    with pytest.raises(ValueError, match="stage 2 .* kernel 3 and dilations .*, its teacher has none"):
        inherit(hifigan(), light)


def test_it_learns_the_waveform_and_leaves_what_it_shares(config, tmp_path):
    loop = made(
        config, tmp_path / "run", "training.updates=80", "training.warm_updates=80", "training.validate_every=80"
    )
    learner = loop.learner
    assert isinstance(learner, VocoderStudent)
    before = learner.validate()
    loop.run()
    wave = list(metrics(tmp_path / "run", "wave").values())
    assert sum(wave[-10:]) < 0.7 * sum(wave[:10])
    assert learner.validate()["heldout_wave"] < 0.7 * before["heldout_wave"]
    mel = torch.randn(1, 20, 20, generator=torch.Generator().manual_seed(1))
    assert torch.equal(learner.average.begin(mel, 1), learner.teacher.begin(mel, 1))


def test_what_is_compared_depends_on_nothing_beyond_the_crop(config, tmp_path):
    """The margins are as far as the rest sees: other features beyond them change no sample that is learned."""
    learner = made(config, tmp_path / "run").learner
    features = torch.randn(1, 256, 8, generator=torch.Generator().manual_seed(1))
    longer = torch.cat([torch.randn(1, 64, 8), features, torch.randn(1, 64, 8)], dim=1)
    inner = slice(learner.margin, 1024 - learner.margin)
    with torch.no_grad():
        a = learner.generator.finish(features, 1)[:, inner]
        b = learner.generator.finish(longer, 1)[:, 256:-256][:, inner]
    assert learner.margin == 16 and a.shape == (1, 992)
    torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_learning_in_pieces_equals_learning_in_one(config, tmp_path):
    whole, pieces = tmp_path / "whole", tmp_path / "pieces"
    made(config, whole).run()
    for update in range(1, 7):  # each run does one update
        piece = made(config, pieces)
        piece.watch = lambda *_: os.kill(os.getpid(), signal.SIGTERM)
        assert piece.run() == (signal.SIGTERM if update < 6 else 0)
    states = [torch_files.load_state(torch_files.states(folder / CHECKPOINTS)[-1]) for folder in (whole, pieces)]
    assert_same(states[0]["learner"], states[1]["learner"])
    assert metrics(whole, "wave") == metrics(pieces, "wave")


def test_each_update_brings_new_pieces_and_keeps_the_others(config, tmp_path):
    lessons = made(config, tmp_path / "run").learner.lessons
    lessons.draw(0, 4, torch.Generator().manual_seed(0))
    first = dict(lessons._held)
    lessons.draw(3, 4, torch.Generator().manual_seed(0))
    assert [*first] == [*range(12)] and [*lessons._held] == [*range(6, 18)]
    assert all(lessons._held[number] is first[number] for number in range(6, 12))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["vocoder.stage_kernel_sizes=[[3], [3]]"], "teacher.kept is 1, but the first stages are not the teacher's"),
        (["vocoder.upsample_initial_channel=32"], r"another vocoder .*upsample_initial_channel was 16 and is 32"),
        (["data.crop=32"], "data.crop is 32: 16 samples at either end"),
        (["teacher.vocoder=nowhere"], "no vocoder folder nowhere"),
        (["teacher.kept=2"], "teacher.kept is 2: of the teacher's 2 stages the last has to learn"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused_in_one_line(config, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        made(config, tmp_path / "run", *changes)
    assert "\n" not in str(caught.value)


def test_the_command_trains_one_and_its_folder_is_a_vocoder(config, tmp_path, tts_fm_command):
    done = tts_fm_command("train", config, "--output", tmp_path / "run", "--device", "cpu")
    assert done.code == 0, done.stderr
    about, light = vocoder_folder.read(tmp_path / "run" / "model")
    assert about.vocoder.options.stage_kernel_sizes == ((3, 7), (3,))
    assert isinstance(light, HiFiGAN) and len(light.stages[1].blocks) == 1
