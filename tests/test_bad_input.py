"""Bad input: each kind is one line on stderr and the right exit code, and leaves no file behind."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from conftest import TRANSCRIPT, Finished, buzz
from safetensors.torch import save_file

from tts_fm.audio.io import Waveform

Command = Callable[..., Finished]


@pytest.fixture
def speak(tts_fm_command: Command, model_folder: Path, tmp_path: Path) -> Command:
    """Return a function that runs ``tts-fm synthesize`` with more arguments, and checks that there is no output file."""
    out = tmp_path / "out" / "speech.wav"
    out.parent.mkdir()

    def run(*arguments: object, text: str | None = "Hello there.") -> Finished:
        given = [] if text is None else ["--text", text]
        done = tts_fm_command("synthesize", *given, "--model", model_folder, "--output", out, "--seed", 0, *arguments)
        assert list(out.parent.iterdir()) == []
        return done

    return run


def wav(seconds: float, rate: int, header_rate: int | None = None) -> bytes:
    """Return a 16-bit WAV file, whose header may lie about the rate."""
    data = (buzz(seconds, rate) * 32767).to(torch.int16).numpy().tobytes()
    shown = rate if header_rate is None else header_rate
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, 1, shown, 0, 2, 16, b"data", len(data)
    )
    return head + data


AUDIO = {
    "empty": (lambda path: path.write_bytes(b""), "is empty (0 bytes); record or copy it again"),
    "truncated": (lambda path: path.write_bytes(wav(3, 24_000)[:60_000]), "is truncated: it promises"),
    "header only": (lambda path: path.write_bytes(wav(3, 24_000)[:20]), "is no audio that can be read"),
    "silent": (lambda path: soundfile.write(path, np.zeros(48_000), 16_000), "is silent (peak digital silence"),
    "0.1 s": (lambda path: path.write_bytes(wav(0.1, 24_000)), "lasts 0.10 s; at least 1 s are needed"),
    "40 s": (lambda path: path.write_bytes(wav(40, 8_000)), "the reference lasts 40.0 s; 1 to 30 s will do"),
    "10 min": (lambda path: path.write_bytes(wav(600, 8_000)), "lasts more than 120 s, the most that is read"),
    "1 Hz": (
        lambda path: path.write_bytes(wav(3, 24_000, 1)),
        "has a sample rate of 1 Hz; 8000 to 192000 Hz are accepted",
    ),
    "2^31-1 Hz": (lambda path: path.write_bytes(wav(3, 24_000, 2**31 - 1)), "has a sample rate of 2147483647 Hz"),
    "text": (lambda path: path.write_text("This is a text.\n" * 50), "is no audio that can be read"),
    "noise": (lambda path: path.write_bytes(np.random.default_rng(0).bytes(5_000)), "is no audio that can be read"),
    "folder": (lambda path: path.mkdir(), "is a folder; name an audio file in it"),
    "missing": (lambda path: None, "there is no file"),
}


@pytest.mark.parametrize("kind", AUDIO)
def test_bad_audio(speak: Command, tmp_path: Path, kind: str) -> None:
    make, message = AUDIO[kind]
    make(tmp_path / "voice.wav")
    done = speak("--ref-audio", tmp_path / "voice.wav", "--ref-text", TRANSCRIPT)
    assert done.code == 3
    assert done.line.startswith("tts-fm: ") and message in done.line


def test_a_small_file_of_600_s_is_not_decoded(speak: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "silence.flac"
    soundfile.write(path, np.zeros(600 * 16_000, np.int16), 16_000)
    assert path.stat().st_size < 200_000
    decoded: list[object] = []
    monkeypatch.setattr(soundfile.SoundFile, "read", lambda self, *arguments, **options: decoded.append(arguments))
    done = speak("--ref-audio", path, "--ref-text", TRANSCRIPT)
    assert (
        done.code == 3
        and done.line == f"tts-fm: {path} lasts more than 120 s, the most that is read; give a shorter recording"
    )
    assert decoded == []


def test_an_empty_transcript(speak: Command, voice_file: Path) -> None:
    done = speak("--ref-audio", voice_file, "--ref-text", " ")
    assert done.code == 3 and "the transcript is empty" in done.line


def test_a_transcript_without_a_recording(speak: Command) -> None:
    done = speak("--ref-text", TRANSCRIPT)
    assert done.code == 2
    assert done.line == "tts-fm: --ref-text holds the words of a recording; give that too, with --ref-audio"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty; give at least one word to speak"),
        (" \n\t ", "the text is empty; give at least one word to speak"),
        ("?!... --", "there is nothing to speak in '?!... --'; give at least one letter or digit"),
        ("😀🎉👍", "there is nothing to speak in '😀🎉👍'; give at least one letter or digit"),
        ("word " * 40_000, "the text has 200,000 characters; at most"),
        ("\0\x01\x1b\x7f", "the text is empty; give at least one word to speak"),
        ("\ud800\udfff", "the text is empty; give at least one word to speak"),
    ],
    ids=["empty", "blank", "punctuation", "emoji", "200,000 characters", "control characters", "lone surrogates"],
)
def test_bad_text(speak: Command, text: str, message: str) -> None:
    done = speak(text=text)
    assert done.code == 3
    assert done.line.startswith(f"tts-fm: {message}")


@pytest.mark.parametrize("noise", ["\0", "\x1b[31m", "\ud800", "\u202e", "😀"], ids=ascii)
def test_what_can_not_be_spoken_between_words_does_no_harm(
    tts_fm_command: Command, model_folder: Path, tmp_path: Path, noise: str
) -> None:
    done = tts_fm_command("synthesize", f"Hello{noise} there.", "-m", model_folder, "-o", tmp_path / "a.wav", "--json")
    assert done.code == 0 and '"text": "Hello' in done.stdout


def test_bad_text_files(speak: Command, tmp_path: Path) -> None:
    latin, missing = tmp_path / "latin.txt", tmp_path / "missing.txt"
    latin.write_bytes("Grüße".encode("latin-1"))
    done = speak("--text-file", latin, text=None)
    assert done.code == 3 and done.line == f"tts-fm: {latin} is no UTF-8 text (byte 2 is 0xfc); save it as UTF-8"
    done = speak("--text-file", missing, text=None)
    assert (
        done.code == 3
        and done.line == f"tts-fm: the text file {str(missing)!r} cannot be read: No such file or directory"
    )
    long = tmp_path / "long.txt"
    long.write_text("ж" * 2_000_000, encoding="utf-8")
    done = speak("--text-file", long, text=None)
    assert done.code == 3 and "the text has " in done.line


@pytest.mark.parametrize("text", [None, "twice"])
def test_the_text_is_given_once(speak: Command, text: str | None) -> None:
    done = speak(*([] if text is None else [text]), text=text)
    assert done.code == 2 and done.line.startswith("tts-fm: give the text once")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--steps 0", "sampling: steps is 0: Input should be greater than or equal to 1"),
        ("--steps 1.5", "Invalid value for '--steps'"),
        ("--guidance nan", "sampling: guidance is nan: Input should be a finite number"),
        ("--guidance -1", "sampling: guidance is -1.0: Input should be greater than or equal to 0"),
        ("--sway inf", "sampling: sway is inf: Input should be a finite number"),
        ("--solver rk9", "sampling: solver: there is no Solver called 'rk9'; choose one of "),
        ("--grid spiral", "sampling: grid is 'spiral': Input should be "),
        ("--speed 0", "Invalid value for '--speed'"),
        ("--speed nan", "Invalid value for '--speed'"),
        ("--duration nan", "Invalid value for '--duration'"),
        ("--duration -1", "Invalid value for '--duration'"),
        ("--seed -1", "Invalid value for '--seed'"),
        ("--seed x", "Invalid value for '--seed'"),
        ("--device tpu", "there is no device 'tpu'; choose one of auto, cpu, cuda, mps"),
        ("--precision float8", "there is no precision 'float8'; choose one of auto, float32, bfloat16, float16"),
        ("--stepz 3", "No such option: --stepz"),
        ("--json --output -", "--json and --output - both write to stdout"),
    ],
)
def test_bad_options(speak: Command, options: str, message: str) -> None:
    done = speak(*options.split())
    assert done.code == 2
    assert done.line.startswith(f"tts-fm: {message}")


def test_bad_outputs(speak: Command, tmp_path: Path) -> None:
    for output, message in [
        (tmp_path / "none" / "a.wav", f"cannot be written: there is no folder {tmp_path / 'none'}; make it first"),
        (tmp_path / "a.xyz", "suffix '.xyz' is none of wav, flac, ogg, mp3"),
        ("/proc/speech.wav", "/proc/speech.wav cannot be written"),
    ]:
        done = speak("--output", output)
        assert done.code == 2 and message in done.line
    done = speak("--save-mel", tmp_path / "mel.jpg")
    assert done.code == 2 and done.line.endswith("use the suffix .png")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unwritable for root")
def test_an_unwritable_folder(speak: Command, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    done = speak("--output", tmp_path / "locked" / "a.wav")
    assert done.code == 2 and "no permission" in done.line


def test_models_that_are_not_there(speak: Command, tmp_path: Path) -> None:
    for name, message in [
        ("defualt", "there is no model 'defualt'; did you mean default?"),
        (tmp_path / "none", "there is no file or folder"),
        (tmp_path, "is no model folder (config.yaml, model.safetensors): it has no config.yaml"),
        (
            "hf://nobody/nothing",
            "HF_HUB_OFFLINE is set; with a network, run: tts-fm models download hf://nobody/nothing",
        ),
    ]:
        done = speak("--model", name)
        assert done.code == 4 and message in done.line


def test_a_truncated_model(speak: Command, model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cut"
    folder.mkdir()
    (folder / "config.yaml").write_bytes((model_folder / "config.yaml").read_bytes())
    weights = (model_folder / "model.safetensors").read_bytes()
    for kept in (0, 4, 100, len(weights) // 2, len(weights) - 1):
        (folder / "model.safetensors").write_bytes(weights[:kept])
        done = speak("--model", folder)
        assert done.code == 4 and "is no whole safetensors file" in done.line


def test_a_config_with_a_wrong_field(speak: Command, model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "wrong"
    folder.mkdir()
    (folder / "config.yaml").write_text((model_folder / "config.yaml").read_text().replace("steps:", "stepz:"))
    (folder / "model.safetensors").write_bytes((model_folder / "model.safetensors").read_bytes())
    done = speak("--model", folder)
    assert done.code == 4 and done.line.endswith("sampling has no field 'stepz'; did you mean 'steps'?")


def test_a_vocabulary_of_the_wrong_size(speak: Command, foreign: Path, voice_file: Path, tmp_path: Path) -> None:
    vocab = tmp_path / "vocab.txt"
    vocab.write_text((foreign / "vocab.txt").read_text() + "ж\n")
    words = ["--vocab", vocab, "--architecture", foreign / "tiny.yaml", "-r", voice_file, "-s", TRANSCRIPT]
    done = speak("--model", foreign / "model.pt", *words)
    assert done.code == 4
    assert "has a vocabulary of 27 tokens, the one given has 28; give the vocab.txt it was trained with" in done.line


def test_truncated_checkpoints(speak: Command, foreign: Path, voice_file: Path, tmp_path: Path) -> None:
    tensors = torch.load(foreign / "model.pt", weights_only=True)["ema_model_state_dict"]
    save_file({name: value for name, value in tensors.items() if value.dim()}, tmp_path / "whole.safetensors")
    words = [
        "--vocab",
        foreign / "vocab.txt",
        "--architecture",
        foreign / "tiny.yaml",
        "-r",
        voice_file,
        "-s",
        TRANSCRIPT,
    ]
    wholes = {
        foreign / "model.pt": "is truncated or no checkpoint",
        tmp_path / "whole.safetensors": "is no whole safetensors file",
    }
    for whole, message in wholes.items():
        cut = tmp_path / f"cut{whole.suffix}"
        for kept in (0, 100, whole.stat().st_size // 2):
            cut.write_bytes(whole.read_bytes()[:kept])
            done = speak("--model", cut, *words)
            assert done.code == 4 and message in done.line


class Evil:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".ckpt"])
def test_code_in_a_checkpoint_is_not_run(
    speak: Command, foreign: Path, voice_file: Path, tmp_path: Path, suffix: str
) -> None:
    trace = tmp_path / "trace"
    path = tmp_path / f"evil{suffix}"
    torch.save({"ema_model_state_dict": {"a": torch.zeros(1)}, "evil": Evil(trace)}, path)
    done = speak(
        *("--model", path, "--vocab", foreign / "vocab.txt", "--architecture", foreign / "tiny.yaml"),
        *("-r", voice_file, "-s", TRANSCRIPT),
    )
    assert done.code == 4 and "holds more than tensors; it was not loaded" in done.line
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists()  # it would have been


def test_ctrl_c_leaves_130_and_no_file(model_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "speech.wav"
    words = [
        "synthesize",
        "A long sentence. " * 100,
        "--model",
        str(model_folder),
        "--output",
        str(out),
        "--steps",
        "1000",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "tts_fm.commands", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("seed ")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "tts-fm: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_writing_keeps_the_old_file(
    tts_fm_command: Command, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "speech.wav"
    Waveform(buzz(1.0, 8_000), 8_000).save(out)
    before = out.read_bytes()

    def interrupted(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:100])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    done = tts_fm_command("synthesize", "Hello.", "-m", model_folder, "-o", out, "--seed", 0)
    assert done == Finished(130, "", "tts-fm: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == ["speech.wav"]
    monkeypatch.undo()
    assert out.read_bytes() == before
