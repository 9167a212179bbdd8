"""The programs that read sentences, flite and festival, and what a synthetic voice is."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Voice:
    """A voice of an engine at one setting; ``warp`` is resampling afterwards."""

    engine: str
    base: str
    pitch: int
    """Mean in hertz (flite, festival) or espeak's 0 to 99; 0 leaves it as it is."""
    stretch: float
    """How many times as long as usual."""
    warp: float

    @property
    def id(self) -> str:
        """The same setting has the same name."""
        pitch = f"-p{self.pitch}" if self.pitch else ""
        return f"{self.engine}-{self.base.replace('_', '-')}{pitch}-s{self.stretch}~w{self.warp}"


def speak(voice: Voice, sentences: Sequence[str], folder: Path) -> list[Path]:
    """One WAV file per sentence from flite or festival; a file is missing where the engine failed."""
    paths = [folder / f"{i}.wav" for i in range(len(sentences))]
    engine = {"flite": _flite, "festival": _festival}[voice.engine]
    engine(voice, [sentence.replace('"', "") for sentence in sentences], paths)
    return paths


def _flite(voice: Voice, sentences: Sequence[str], paths: Sequence[Path]) -> None:
    settings = ["--setf", f"duration_stretch={voice.stretch}"]
    if voice.pitch:
        settings += ["--setf", f"int_f0_target_mean={voice.pitch}"]
    for sentence, path in zip(sentences, paths, strict=True):
        _run(["flite", "-voice", voice.base, *settings, "-t", sentence, "-o", str(path)])


def _festival(voice: Voice, sentences: Sequence[str], paths: Sequence[Path]) -> None:
    """All sentences in one process, for festival takes longer to start than to speak."""
    lines = [f"(voice_{voice.base})", f"(Parameter.set 'Duration_Stretch {voice.stretch})"]
    if voice.pitch:
        mean, spread = f"(target_f0_mean {voice.pitch})", f"(target_f0_std {round(voice.pitch * 0.13)})"
        lines.append(f"(set! int_lr_params '({mean} {spread} (model_f0_mean 170) (model_f0_std 34)))")
    for sentence, path in zip(sentences, paths, strict=True):
        text = sentence.replace("\\", "")
        lines.append(f'(unwind-protect (utt.save.wave (SynthText "{text}") "{path}" \'riff) nil)')
    script = paths[0].parent / "script.scm"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    _run(["festival", "--batch", str(script)])


def _run(command: list[str]) -> None:
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600)
