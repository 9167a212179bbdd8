"""What an exported model says of itself: ``model.json`` beside its graphs, and the voices that it can speak in."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from tts_fm import atomic
from tts_fm.errors import ModelError
from tts_fm.runtime.windows import Windows

FORMAT = 6
NAME = "model.json"
GRAPHS = ("raised", "velocity", "sound", "prepared", "text")
"""The files ``NAME.onnx``: the vocoder's first stage, a step, the rest of the vocoder, what stays between steps, tokens.

The largest come first: what loading one leaves free has room for the next.
"""


@dataclass(frozen=True)
class VoiceEntry:
    """A voice: its prompt, and how it speaks.

    Attributes:
        mel: the file of the scaled prompt, little-endian float32, frame by frame.
        pace: how many times as long as an average voice it takes for its words.
        gain: what the speech is multiplied by, to be as loud as the recording was.
        longest_piece: characters of a text that are spoken at once.
        heard: what the model's encoder of speakers hears in the prompt; empty where the model has none.
    """

    mel: str
    pace: float
    gain: float
    longest_piece: int
    heard: tuple[float, ...]


@dataclass(frozen=True)
class Manifest:
    """All that is needed beside the graphs; ``times`` are where the solver steps from 0 on, ``settling`` where it goes on from
    what was moved towards the prompt, 1 alone where it does not: then ``times`` end with 1.

    ``filler`` is the token that says nothing and stands for the prompt; ``floor_frames`` and ``leading_frames`` are the least
    that a text gets, and the most that the silence before it gets;
    ``pause`` and ``paragraph_pause`` are seconds of silence between pieces, ``mark_pauses`` the least and the most that marks
    inside of one are told to last. ``raising`` are windows of frames for the vocoder's first stage,
    ``sounding`` windows of what that makes.
    """

    name: str
    license: str
    language: str
    filler: int
    symbols: tuple[str, ...]
    sample_rate: int
    hop_length: int
    n_mels: int
    patch: int
    mel_mean: float
    mel_std: float
    match_prompt: float
    times: tuple[float, ...]
    settling: tuple[float, ...]
    guidance: float
    temperature: float
    is_leaping: bool
    follows_prompt: bool
    sigma_min: float
    floor_frames: int
    leading_frames: int
    pause: float
    paragraph_pause: float
    mark_pauses: dict[str, tuple[float, float]]
    raising: Windows
    sounding: Windows
    voices: dict[str, VoiceEntry]
    format: int = FORMAT

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop_length


def write(folder: Path, manifest: Manifest, mels: dict[str, Float[ndarray, "p c"]]) -> None:
    """Write ``model.json`` and the mels of the voices."""
    for name, mel in mels.items():
        with atomic.replacing(folder / manifest.voices[name].mel) as beside:
            beside.write_bytes(mel.astype("<f4").tobytes())
    with atomic.replacing(folder / NAME) as beside:
        beside.write_text(json.dumps(asdict(manifest), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read(folder: Path) -> Manifest:
    """Return what ``folder`` says.

    Raises:
        ModelError: it is no exported model, or one of another version.
    """
    try:
        value: dict[str, Any] = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if value.get("format") != FORMAT:
            raise ModelError(
                f"{folder / NAME} has format {value.get('format')!r}, this version reads {FORMAT}; "
                f"export it anew: tts-fm export onnx"
            )
        lists = {"symbols": tuple(value["symbols"]), "times": tuple(value["times"])}
        lists["settling"] = tuple(value["settling"])
        voices = {
            name: VoiceEntry(**entry | {"heard": tuple(entry["heard"])}) for name, entry in value["voices"].items()
        }
        marks = {these: (float(least), float(most)) for these, (least, most) in value["mark_pauses"].items()}
        windows = {name: Windows(**value[name]) for name in ("raising", "sounding")}
        return Manifest(**{**value, **lists, **windows, "mark_pauses": marks, "voices": voices})
    except OSError:
        raise ModelError(f"{folder} has no {NAME}; write it by: tts-fm export onnx default {folder}") from None
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(f"{folder / NAME} is damaged ({error}); export it anew: tts-fm export onnx") from None


def read_mel(folder: Path, manifest: Manifest, voice: str) -> Float[ndarray, "p c"]:
    """Return the scaled prompt of ``voice``.

    Raises:
        ValueError: there is no such voice.
        ModelError: its file is missing or damaged.
    """
    if voice not in manifest.voices:
        raise ValueError(f"there is no voice {voice!r}; choose one of {', '.join(manifest.voices)}")
    path = folder / manifest.voices[voice].mel
    try:
        return np.fromfile(path, "<f4").reshape(-1, manifest.n_mels)
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read ({error}); export the model anew: tts-fm export onnx") from None
