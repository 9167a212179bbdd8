"""What a process that only speaks does not load: a word takes as long as its imports."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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
