"""The command line: what it prints, writes and returns."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile
import torch
from conftest import TINY, TRANSCRIPT, Finished, buzz
from typer.main import get_command

import tts_fm
from tts_fm.audio import io
from tts_fm.audio.io import Waveform
from tts_fm.cli.options import sampling_options
from tts_fm.commands import app, explain, main
from tts_fm.errors import InputError, ModelError

Command = Callable[..., Finished]
HEAVY = {"torch", "torchaudio", "numpy", "scipy", "librosa", "soundfile", "yaml", "huggingface_hub", "phonemizer"}
SUBCOMMANDS = [
    "",
    "synthesize",
    "synth",
    "models",
    "models list",
    "models info",
    "models download",
    "convert",
    "convert f5",
]
SUBCOMMANDS += ["compare"]
SUBCOMMANDS += ["train", "prepare", "data", "data check", "plot", "convert lora", "evaluate", "score", "optimize-steps"]
SUBCOMMANDS += ["edit", "demo"]
SUBCOMMANDS += ["voices", "voices add", "voices list", "voices show", "voices rm", "watermark"]


@pytest.mark.parametrize("arguments", ["--help", "synthesize --help"])
def test_help_is_fast_for_it_imports_little(arguments: str) -> None:
    script = (
        f"import sys; from tts_fm.commands import main; code = main({arguments.split()!r}); "
        "print(*{name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names), file=sys.stderr); "
        "print(len(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    packages, modules = done.stderr.splitlines()
    assert done.returncode == 0 and not set(packages.split()) & HEAVY
    assert int(modules) < 450


@pytest.mark.parametrize("subcommand", SUBCOMMANDS)
def test_help_ends_with_a_command_that_is_understood(tts_fm_command: Command, subcommand: str) -> None:
    done = tts_fm_command(*subcommand.split(), "--help")
    assert (done.code, done.stderr) == (0, "")
    program, *words = shlex.split(done.stdout.strip().splitlines()[-1])
    assert program == "tts-fm"
    command, context = get_command(app), None
    while hasattr(command, "resolve_command"):
        context = command.make_context("tts-fm", list(words), parent=context)
        _, command, words = command.resolve_command(context, words)
    command.make_context("tts-fm", list(words), parent=context, obj=types.SimpleNamespace())


@pytest.mark.parametrize("group", ["", "models", "convert"])
def test_a_group_alone_shows_its_help(tts_fm_command: Command, group: str) -> None:
    assert tts_fm_command(*group.split()) == tts_fm_command(*group.split(), "--help")


def test_version(tts_fm_command: Command) -> None:
    done = tts_fm_command("--version")
    assert (done.code, done.stdout) == (0, f"tts-fm {tts_fm.__version__}\n")


def test_synthesize_writes_speech_and_tells_how(tts_fm_command: Command, model_folder: Path, tmp_path: Path) -> None:
    out, picture = tmp_path / "hello.wav", tmp_path / "mel.png"
    done = tts_fm_command(
        "synthesize",
        "--text",
        "It costs $5.",
        "-m",
        model_folder,
        "-o",
        out,
        "--save-mel",
        picture,
        "--seed",
        7,
        "--json",
    )
    assert done.code == 0
    record = json.loads(done.stdout)
    sound = io.read(out)
    assert record["text"] == "It costs five dollars." and record["chunks"] == ["It costs five dollars."]
    assert (record["seed"], record["model"], record["steps"], record["output"]) == (7, "tiny", 2, str(out))
    assert record["sample_rate"] == sound.sample_rate == 24_000
    assert record["seconds"] == pytest.approx(sound.seconds, abs=1e-3) and record["real_time_factor"] > 0
    tags = io.read_metadata(out)
    assert (tags["seed"], tags["model"], tags["text"]) == ("7", "tiny", record["text"])
    assert picture.read_bytes().startswith(b"\x89PNG\r\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hello.wav", "mel.png"]


def test_a_seed_that_is_not_given_is_shown_and_gives_the_same_speech(
    tts_fm_command: Command, model_folder: Path, tmp_path: Path
) -> None:
    words = ["synthesize", "Hello there.", "-m", model_folder]
    first = tts_fm_command(*words, "-o", tmp_path / "a.wav")
    seed = io.read_metadata(tmp_path / "a.wav")["seed"]
    assert f"seed {seed}" in first.stderr.splitlines()
    tts_fm_command(*words, "-o", tmp_path / "b.wav", "--seed", seed)
    tts_fm_command(*words, "-o", tmp_path / "c.wav", "--seed", (int(seed) + 1) % 2**31)
    a, b, c = (io.read(tmp_path / f"{name}.wav").samples for name in "abc")
    assert torch.equal(a, b) and not torch.equal(a, c)


def test_zero_is_a_value(tts_fm_command: Command, model_folder: Path, tmp_path: Path) -> None:
    done = tts_fm_command(
        *("synthesize", "Hello.", "-m", model_folder, "-o", tmp_path / "a.flac", "--json"),
        *("--guidance", 0, "--sway", 0, "--seed", 0),
    )
    record = json.loads(done.stdout)
    assert (record["guidance"], record["sway"], record["seed"]) == (0, 0, 0)


def test_the_spellings_of_f5_mean_the_same(
    tts_fm_command: Command, model_folder: Path, voice_file: Path, tmp_path: Path
) -> None:
    ours, theirs, text = tmp_path / "ours.wav", tmp_path / "theirs.wav", tmp_path / "text.txt"
    text.write_text("Hello there, and good-bye.")
    shared = ["--seed", 3, "--speed", 1.5]
    a = tts_fm_command(
        *("synthesize", "--model", model_folder, "--ref-audio", voice_file, "--ref-text", TRANSCRIPT),
        *("--text", text.read_text(), "--steps", 3, "--guidance", 0.5, "--sway", -0.5, "--output", ours, *shared),
    )
    b = tts_fm_command(
        *("synth", "--model", model_folder, "--ref_audio", voice_file, "--ref_text", TRANSCRIPT),
        *("--gen_file", text, "--nfe_step", 3, "--cfg_strength", 0.5, "--sway_sampling_coef", -0.5),
        *("--output_dir", tmp_path, "--output_file", theirs.name, *shared),
    )
    assert (a.code, b.code) == (0, 0)
    assert torch.equal(io.read(ours).samples, io.read(theirs).samples)


@pytest.mark.parametrize("option", [("--duration", 2.5), ("--fix_duration", 5.5)])
def test_the_length_can_be_fixed(
    tts_fm_command: Command, model_folder: Path, voice_file: Path, tmp_path: Path, option: tuple[str, float]
) -> None:
    """F5-TTS's ``--fix_duration`` counts the recording's 3 s, less its trimmed edges."""
    done = tts_fm_command(
        *("synthesize", "Hello there.", "-m", model_folder, "-r", voice_file, "-s", TRANSCRIPT, *option),
        *("-o", tmp_path, "-w", "a.wav"),
    )
    assert done.code == 0 and io.read(tmp_path / "a.wav").seconds == pytest.approx(2.5, abs=0.15)


def test_text_comes_from_stdin_and_sound_goes_to_stdout(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = types.SimpleNamespace(buffer=__import__("io").BytesIO("\ufeffGrüße.".encode()))
    monkeypatch.setattr(sys, "stdin", text)
    assert main(["synthesize", "-", "--model", str(model_folder), "--output", "-", "--quiet"]) == 0
    captured = capsysbinary.readouterr()
    sound = io.read(__import__("io").BytesIO(captured.out))
    assert captured.err == b"" and sound.sample_rate == 24_000 and sound.seconds > 0.3


def test_a_recording_without_words_needs_the_extra(
    tts_fm_command: Command, voice_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    done = tts_fm_command("synthesize", "Hello.", "--ref-audio", voice_file, "-o", tmp_path / "a.wav")
    assert done.code == 2
    assert done.line == (
        "tts-fm: a recording needs exactly the words in it; to have it transcribed: pip install 'tts-fm[asr]' (--ref-text)"
    )


def test_a_recording_without_words_is_transcribed(
    tts_fm_command: Command, model_folder: Path, voice_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class WhisperModel:
        def __init__(self, name: str, **options: object) -> None:
            assert (name, options) == (str(tmp_path), {"device": "cpu", "compute_type": "int8"})

        def transcribe(self, samples: object, beam_size: int) -> tuple[list[types.SimpleNamespace], None]:
            assert len(samples) == pytest.approx(3 * 16_000, abs=2)  # type: ignore[arg-type]
            return [types.SimpleNamespace(text=" Some words"), types.SimpleNamespace(text=" said.")], None

    monkeypatch.setattr("tts_fm.whisper_files.folder", lambda size: tmp_path if size == "small" else None)
    module = types.ModuleType("faster_whisper")
    module.WhisperModel, module.__spec__ = WhisperModel, types.SimpleNamespace()  # type: ignore[attr-defined,assignment]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    done = tts_fm_command("synthesize", "Hello.", "-r", voice_file, "-m", model_folder, "-o", tmp_path / "a.wav")
    assert done.code == 0 and "the recording says: Some words said." in done.stderr


def test_a_transcriber_that_is_not_there_is_exit_4(
    tts_fm_command: Command, voice_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    module = types.ModuleType("faster_whisper")
    module.WhisperModel, module.__spec__ = None, types.SimpleNamespace()  # type: ignore[attr-defined,assignment]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    done = tts_fm_command("synthesize", "Hello.", "-r", voice_file, "-o", tmp_path / "a.wav")
    assert done.code == 4 and "tts-fm models download hf://Systran/faster-whisper-small" in done.line


def test_models_list_and_info(tts_fm_command: Command, model_folder: Path, tmp_path: Path) -> None:
    listed = tts_fm_command("models", "list")
    assert [line.split()[0] for line in listed.stdout.splitlines()][:2] == ["default", "F5TTS_v1_Base"]
    published = tts_fm_command("models", "info", "e2tts_base")
    assert published.code == 0 and "name: E2TTS_Base" in published.stdout and "name: unet_t" in published.stdout
    own = tts_fm_command("models", "info", model_folder)
    assert own.code == 0 and "name: tiny" in own.stdout and "parameters" in own.stdout


def test_a_model_that_is_not_here_says_how_to_fetch_it(
    tts_fm_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    for words in (["models", "download"], ["synthesize", "Hello.", "-o", tmp_path / "a.wav", "--model"]):
        done = tts_fm_command(*words, "F5TTS_v1_Base")
        assert done.code == 4 and done.line.endswith("run: tts-fm models download F5TTS_v1_Base")


def test_convert_f5_makes_a_folder_that_speaks_the_same(
    tts_fm_command: Command, foreign: Path, voice_file: Path, tmp_path: Path
) -> None:
    source = ["--vocab", foreign / "vocab.txt", "--architecture", foreign / "tiny.yaml"]
    done = tts_fm_command("convert", "f5", foreign / "model.pt", tmp_path / "ours", *source)
    assert done.code == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "ours").iterdir()) == [
        "README.md",
        "config.yaml",
        "model.safetensors",
        "vocab.txt",
    ]
    speak = ["synthesize", "hello there", "-r", voice_file, "-s", "some words", "--seed", 1]
    a = tts_fm_command(*speak, "-o", tmp_path / "a.wav", "--model", tmp_path / "ours")
    b = tts_fm_command(*speak, "-o", tmp_path / "b.wav", "--ckpt_file", foreign / "model.pt", *source)
    assert (a.code, b.code) == (0, 0), a.stderr + b.stderr
    assert torch.equal(io.read(tmp_path / "a.wav").samples, io.read(tmp_path / "b.wav").samples)
    again = tts_fm_command("convert", "f5", foreign / "model.pt", tmp_path / "ours", *source)
    assert again.code == 2 and again.line.endswith("exists already; name a new folder")


def test_unknown_characters_are_listed_in_one_line(
    tts_fm_command: Command, foreign: Path, voice_file: Path, tmp_path: Path
) -> None:
    done = tts_fm_command(
        *("synthesize", "hello ж and я, ж", "-r", voice_file, "-s", "some words", "-o", tmp_path / "a.wav"),
        *("-m", foreign / "model.pt", "--vocab", foreign / "vocab.txt", "--architecture", foreign / "tiny.yaml"),
    )
    warned = [line for line in done.stderr.splitlines() if line.startswith("tts-fm: warning: ")]
    (line,) = [line for line in warned if "know" in line]
    assert done.code == 0 and "'ж', 'я'" in line


def test_train_stops_resumes_and_leaves_a_model(tts_fm_command: Command, run_file: Path, tmp_path: Path) -> None:
    words = ["train", run_file, "--output", tmp_path / "run", "--device", "cpu"]
    first = tts_fm_command(*words, "--max-minutes", 0)
    assert first.code == 0 and first.stderr.splitlines()[-1].startswith("0 of 2 updates")
    second = tts_fm_command(*words)
    assert second.code == 0 and second.stderr.splitlines()[-1].startswith("2 of 2 updates")
    assert tts_fm_command("models", "info", tmp_path / "run" / "model").code == 0


@pytest.mark.parametrize(("signal", "code"), [(2, 130), (15, 143), (0, 0)])
def test_train_tells_which_signal_stopped_it(
    tts_fm_command: Command, run_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal: int, code: int
) -> None:
    monkeypatch.setattr("tts_fm.training.loop.Loop.run", lambda *_: signal)
    assert tts_fm_command("train", run_file, "--output", tmp_path / "run", "--device", "cpu").code == code


@pytest.mark.parametrize(
    ("error", "code"),
    [(InputError("a"), 3), (ModelError("a"), 4), (ValueError("a"), 2), (RuntimeError("a\nb"), 1), (MemoryError(), 1)],
)
def test_every_failure_has_a_code_and_one_line(error: Exception, code: int) -> None:
    line, got = explain(error)
    assert got == code and "\n" not in line


def test_verbose_shows_the_traceback(tts_fm_command: Command, tmp_path: Path) -> None:
    words = ["models", "info", tmp_path / "none"]
    assert tts_fm_command(*words).line == f"tts-fm: there is no file or folder {tmp_path / 'none'}; check its name"
    assert "Traceback" in tts_fm_command(*words, "-v").stderr


def test_a_reader_that_has_gone_is_no_news() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "tts_fm.commands", "models", "info", "F5TTS_v1_Base"],
        stdout=write,
        stderr=subprocess.PIPE,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    """A training run of two updates on six utterances."""
    from tts_fm import config, strict

    rows = []
    for i in range(6):
        Waveform(buzz(1.0 + 0.1 * i, 24_000), 24_000).save(tmp_path / f"{i}.flac")
        info = soundfile.info(tmp_path / f"{i}.flac")
        row = {"id": f"u{i}", "audio": f"{i}.flac", "text": "some words", "seconds": info.duration}
        rows.append(json.dumps({**row, "split": "heldout" if i == 0 else "train"}))
    (tmp_path / "manifest.jsonl").write_text("\n".join(rows))
    run = {
        "model": TINY,
        "data": {"manifests": [str(tmp_path / "manifest.jsonl")], "frames_per_batch": 300},
        "training": {"updates": 2},
    }
    path = tmp_path / "run.yaml"
    path.write_text(strict.dump(config.parse(config.RunConfig, run, "test")))
    return path


def test_no_leaps_are_the_flow_itself() -> None:
    assert sampling_options(0, steps=None) == {"leap": False}
    assert sampling_options(0, steps=7, guidance=1.0) == {"leap": False, "steps": 7, "guidance": 1.0}
    assert sampling_options(3, steps=None) == {"leap": True, "steps": 3}
    assert sampling_options(None, steps=7) == {"steps": 7}
