"""What all tests share: shapes checked at run time, no network, a tiny model and a tiny voice."""

from __future__ import annotations

import os
import pkgutil
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

os.environ["HF_HUB_OFFLINE"] = "1"

import pytest
from jaxtyping import install_import_hook

_ROOT = Path(__file__).parents[1]
_UNCHECKED = {"commands", "cli"}  # they import what they are annotated with only for the type checker
install_import_hook(
    [f"tts_fm.{m.name}" for m in pkgutil.iter_modules([str(_ROOT / "tts_fm")]) if m.name not in _UNCHECKED],
    "beartype.beartype",
)

import torch  # noqa: E402

torch.set_num_threads(1)  # the models are tiny

pytest_plugins = ["browser_page"]

TRANSCRIPT = "Some words that nobody has ever said."
SKIPPED = pytest.StashKey[bool]()
"""Whether a test has skipped itself, for the fixtures that look at what it did."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what became of a test with it."""
    report = yield
    if report.when == "call":
        item.stash[SKIPPED] = report.skipped
    return report


class Finished(NamedTuple):
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def line(self) -> str:
        """The only line on stderr."""
        (line,) = self.stderr.splitlines()
        return line


@pytest.fixture(autouse=True)
def float32_on_every_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute as a CPU without instructions for bfloat16 does, whatever this one has; tests of them say so."""
    from tts_fm.nn import precision

    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda device: False)


@pytest.fixture
def tts_fm_command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """Return a function that runs ``tts-fm`` with its arguments in this process."""
    from tts_fm.commands import main

    def run(*arguments: object) -> Finished:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Finished(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def voice_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of 3 s in which a buzz comes and goes four times a second, as syllables do."""
    from tts_fm.audio.io import Waveform

    path = tmp_path_factory.mktemp("voice") / "voice.wav"
    Waveform(buzz(3.0, 24_000), 24_000).save(path)
    return path


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of random weights, with a voice of its own: it speaks noise, at once."""
    from tts_fm import checkpoint, config
    from tts_fm.audio.io import Waveform
    from tts_fm.backbones import Backbone

    folder = tmp_path_factory.mktemp("model") / "tiny"
    model = config.parse(config.ModelConfig, TINY, "conftest")
    frontend = model.frontend.build(config.Frontend)
    torch.manual_seed(0)
    backbone = model.backbone.build(Backbone, model.mel.n_mels, frontend.vocab_size)
    checkpoint.save_model(folder, model, backbone.state_dict())
    Waveform(buzz(2.0, 24_000), 24_000).save(folder / "voice.flac")
    (folder / "voice.txt").write_text(TRANSCRIPT, encoding="utf-8")
    return folder


def bent_model(model_folder: Path, folder: Path) -> Path:
    """Make ``folder`` a copy of the tiny model whose last layer is not zero, so that its flow bends, and return it."""
    from tts_fm import checkpoint

    shutil.copytree(model_folder, folder)
    config, backbone = checkpoint.load_model(folder)
    generator = torch.Generator().manual_seed(0)
    state = {
        name: value + 0.05 * torch.randn(value.shape, generator=generator)
        for name, value in backbone.state_dict().items()
    }
    checkpoint.save_model(folder, config, state)
    return folder


TINY = {
    "name": "tiny",
    "frontend": "utf8",
    "backbone": {"name": "dit", "dim": 64, "depth": 1, "heads": 1, "text_dim": 32, "conv_layers": 1},
    "mel_scale": {"mean": -2.0, "std": 2.0},
    "sampling": {"solver": "euler", "grid": "uniform", "steps": 2, "guidance": 1.0, "sway": -1.0},
    "vocoder": {"name": "griffin_lim", "iterations": 2},
}
"""The configuration of the tiny model."""


def buzz(seconds: float, sample_rate: int) -> torch.Tensor:
    """Return a harmonic tone of 120 Hz whose level rises and falls four times a second."""
    t = torch.arange(round(seconds * sample_rate)) / sample_rate
    tone = sum(torch.sin(2 * torch.pi * 120 * k * t) / k for k in range(1, 20))
    return 0.2 * tone * (0.55 - 0.45 * torch.cos(2 * torch.pi * 4 * t))


@pytest.fixture(scope="session")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a checkpoint as F5-TTS publishes them, its vocabulary of 27 tokens and our file of its architecture."""
    from tts_fm import config, strict
    from tts_fm.backbones import Backbone
    from tts_fm.interop import f5_tts

    folder = tmp_path_factory.mktemp("foreign")
    (folder / "vocab.txt").write_text(" \n" + "\n".join("abcdefghijklmnopqrstuvwxyz") + "\n", encoding="utf-8")
    model = config.parse(config.ModelConfig, {**TINY, "name": "foreign", "frontend": "vocab"}, "conftest")
    (folder / "tiny.yaml").write_text(strict.dump(model), encoding="utf-8")
    torch.manual_seed(0)
    backbone = model.backbone.build(Backbone, model.mel.n_mels, 27)
    torch.save({"ema_model_state_dict": f5_tts.to_f5(backbone)}, folder / "model.pt")
    return folder
