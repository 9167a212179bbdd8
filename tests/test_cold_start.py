"""What a process that only speaks does not load: a word takes as long as its imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOT_NEEDED = {
    *{
        "accelerate",
        "av",
        "distillmos",
        "faster_whisper",
        "gradio",
        "jiwer",
        "lhotse",
        "librosa",
        "matplotlib",
        "numba",
    },
    *{"onnx", "onnxruntime", "pandas", "peft", "pocketsphinx", "ray", "scipy", "sklearn", "tensorboard", "torchaudio"},
    *{"torchdiffeq", "transformers", "uvicorn", "fastapi", "huggingface_hub", "PIL"},
}
"""Packages that other commands need."""

SPEAK = """
import json, sys
from tts_fm.commands import main
code = main(["synthesize", "--text", "Hello.", "--seed", "0", "--output", sys.argv[1], "--device", "cpu"])
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""


def test_speaking_loads_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SPEAK, str(tmp_path / "hello.wav")]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    code, loaded = json.loads(ran.stdout)
    assert code == 0 and (tmp_path / "hello.wav").is_file()
    assert {"torch", "phonemizer", "soundfile"} <= set(loaded)
    assert NOT_NEEDED & set(loaded) == set()


LEAVE = """
import atexit, os, sys
from tts_fm.commands import main

class Kept:
    def __del__(self):
        os.write(1, b"taken apart\\n")

kept = Kept()
kept.itself = kept
print("said")
code = main()
atexit.register(lambda: print("after all"))
sys.exit(code)
"""


@pytest.mark.parametrize(("arguments", "code"), [(["--version"], 0), (["synthesize", "--steps", "many"], 2)])
def test_a_process_that_is_over_does_what_waits_for_its_end_and_is_not_taken_apart(
    arguments: list[str], code: int
) -> None:
    ran = subprocess.run([sys.executable, "-c", LEAVE, *arguments], capture_output=True, text=True, check=False)
    lines = ran.stdout.splitlines()
    assert ran.returncode == code
    assert lines[0] == "said" and lines[-1] == "after all" and "taken apart" not in lines
