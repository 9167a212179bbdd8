"""The inaudible mark: put in and heard, also by the command, and nothing is written where it cannot be put in."""

from __future__ import annotations

import importlib.machinery
import io as streams
import json
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Finished, buzz

from tts_fm.audio import io, watermark
from tts_fm.audio.io import Waveform
from tts_fm.errors import ModelError
from tts_fm.evaluation.pairs import BUNDLED

Command = Callable[..., Finished]
HAS_PERTH = watermark.is_available()
TONE = 0.01 * np.sin(np.arange(200_000))


class StandIn:
    """Marks with a tone and hears it; as Perth, it prints when it is made and returns a few samples less."""

    def __init__(self) -> None:
        print("loaded")

    def apply_watermark(self, signal: np.ndarray, sample_rate: int) -> np.ndarray:
        return (signal + TONE[: len(signal)].astype(np.float32))[:-7]

    def get_watermark(self, wm_signal: np.ndarray, sample_rate: int, round: bool) -> float:
        return float(min(1.0, abs(wm_signal @ TONE[: len(wm_signal)]) / (TONE[: len(wm_signal)] ** 2).sum()))


@pytest.fixture
def perth(monkeypatch: pytest.MonkeyPatch) -> Iterator[types.ModuleType]:
    """A module in Perth's place."""
    watermark._perth.cache_clear()
    for name in ("perth", "pkg_resources"):
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        monkeypatch.setitem(sys.modules, name, module)
    module = sys.modules["perth"]
    module.PerthImplicitWatermarker = StandIn
    yield module
    watermark._perth.cache_clear()


@pytest.fixture
def no_perth(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    watermark._perth.cache_clear()
    monkeypatch.setattr(watermark, "find_spec", lambda name: None)
    yield
    watermark._perth.cache_clear()


def test_a_marked_sound_has_the_same_length_and_rate(perth):
    sound = Waveform(buzz(2.0, 24_000), 24_000)
    marked = watermark.mark(sound)
    assert (len(marked.samples), marked.sample_rate) == (48_000, 24_000)
    assert watermark.detect(sound) < 0.1 and watermark.detect(marked) > 0.9


def test_it_is_loaded_once_and_prints_nothing(perth, capsys):
    for _ in range(3):
        watermark.detect(Waveform(buzz(1.0, 24_000), 24_000))
    assert capsys.readouterr() == ("", "")
    assert watermark._perth.cache_info().misses == 1


def test_without_the_extra_nothing_is_returned(no_perth):
    sound = Waveform(buzz(1.0, 24_000), 24_000)
    for call in (watermark.mark, watermark.detect):
        with pytest.raises(ModelError, match=r"pip install 'tts-fm\[watermark\]'"):
            call(sound)


@pytest.mark.parametrize("broken", [None, Path("/nowhere/at/all").read_bytes])
def test_a_marker_that_can_not_be_loaded_is_no_mark(perth, broken):
    perth.PerthImplicitWatermarker = broken  # None: what the module has where its own imports fail
    with pytest.raises(ModelError, match="the watermark cannot be loaded"):
        watermark.check_available()


def test_the_command_marks_what_it_writes(perth, tts_fm_command: Command, model_folder: Path, tmp_path: Path) -> None:
    say = ("synthesize", "--model", model_folder, "--text", "Two words.", "--seed", 1, "-q", "--json", "-o")
    assert json.loads(tts_fm_command(*say, tmp_path / "plain.wav").stdout).get("watermark") is None
    assert json.loads(tts_fm_command(*say, tmp_path / "marked.wav", "--watermark").stdout)["watermark"] == "perth"
    facts = io.read_metadata(tmp_path / "marked.wav")
    assert (facts["watermark"], facts["is_generated"], facts["seed"]) == ("perth", "True", "1")
    plain, marked = (io.read(tmp_path / f"{name}.wav") for name in ("plain", "marked"))
    assert len(plain.samples) == len(marked.samples)
    assert watermark.detect(marked) - watermark.detect(plain) > 0.5


def test_asked_for_and_not_there_writes_nothing(
    no_perth, tts_fm_command: Command, model_folder: Path, tmp_path: Path
) -> None:
    done = tts_fm_command(
        "synthesize", "--model", model_folder, "--text", "Hi.", "--watermark", "-o", tmp_path / "a.wav"
    )
    assert (done.code, "tts-fm[watermark]" in done.line) == (4, True)
    assert list(tmp_path.iterdir()) == []


def test_the_command_tells_what_is_marked(perth, tts_fm_command: Command, tmp_path: Path) -> None:
    sound = Waveform(buzz(2.0, 24_000), 24_000)
    sound.save(tmp_path / "plain.wav")
    watermark.mark(sound).save(tmp_path / "marked.wav")
    done = tts_fm_command("watermark", tmp_path / "plain.wav", tmp_path / "marked.wav")
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["no", "marked"]
    record = json.loads(tts_fm_command("watermark", tmp_path / "marked.wav", "--json").stdout)
    assert (record["is_marked"], record["surety"] > 0.9) == (True, True)


def test_hearing_a_mark_needs_the_extra(no_perth, tts_fm_command: Command, voice_file: Path) -> None:
    done = tts_fm_command("watermark", voice_file)
    assert (done.code, "tts-fm[watermark]" in done.line) == (4, True)


@pytest.mark.skipif(not HAS_PERTH, reason="the extra watermark is not installed")
def test_perth_hears_its_mark_after_mp3_and_none_in_a_recording():
    recording = io.read(sorted((BUNDLED.parent / "audio").glob("84-*.ogg"))[0])
    marked = watermark.mark(recording)
    difference = marked.samples - recording.samples
    assert 10 * torch.log10(recording.samples.square().sum() / difference.square().sum()) > 10
    assert watermark.detect(recording) < watermark.THRESHOLD
    for format in ("wav", "mp3", "ogg"):
        assert watermark.detect(io.read(streams.BytesIO(io.encode(marked, format)))) >= watermark.THRESHOLD
