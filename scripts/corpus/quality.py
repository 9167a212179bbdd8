"""How clean every utterance of a part is (DNSMOS, bandwidth), and a manifest of those that are clean enough."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from scripts.corpus import sound
from scripts.corpus.parts import in_order, json_line, json_lines, without_half
from tts_fm.atomic import replacing
from tts_fm.audio.io import Waveform
from tts_fm.evaluation.naturalness.dnsmos import DNSMOS

_WINDOW, _HOP = 1024, 512
_LOUDEST = 95  # percentile of the frames, for the high sounds of speech are rare
_BELOW_DB = 60.0


@dataclass(frozen=True)
class Quality:
    """Opinions from 1 to 5, and the highest frequency that is heard, in hertz."""

    id: str
    overall: float
    signal: float
    background: float
    p808: float
    bandwidth: int


def measure(out: Path, part: str, workers: int) -> None:
    """Write a line of ``quality-PART.jsonl`` for every utterance that has none."""
    table = out / f"quality-{part}.jsonl"
    without_half(table)
    measured = {line["id"] for line in json_lines(table)}
    todo = [line for line in json_lines(out / f"manifest-{part}.jsonl") if line["id"] not in measured]
    with table.open("a", encoding="utf-8") as file:
        for i, quality in enumerate(in_order(partial(_quality, out=out), todo, workers), 1):
            file.write(json_line(asdict(quality)))
            file.flush()
            if i % 50 == 0 or i == len(todo):
                print(f"quality of {part}: {i} of {len(todo)}", flush=True)


def select(out: Path, part: str, overall: float, p808: float, bandwidth: int) -> Path:
    """Write and return ``manifest-PART-selected.jsonl``: what is measured and no worse; all that is held out stays."""
    measured = {line["id"]: Quality(**line) for line in json_lines(out / f"quality-{part}.jsonl")}

    def is_clean(id: str) -> bool:
        quality = measured.get(id)
        return quality is not None and (
            quality.overall >= overall and quality.p808 >= p808 and quality.bandwidth >= bandwidth
        )

    lines = json_lines(out / f"manifest-{part}.jsonl")
    selected = out / f"manifest-{part}-selected.jsonl"
    with replacing(selected) as new:
        kept = [line for line in lines if line["split"] != "train" or is_clean(line["id"])]
        new.write_text("".join(map(json_line, kept)), encoding="utf-8")
    return selected


def summary(out: Path, part: str) -> dict[str, list[float]]:
    """What 5, 25, 50, 75 and 95 % of the measured utterances do not exceed."""
    lines = json_lines(out / f"quality-{part}.jsonl")
    names = [field.name for field in fields(Quality) if field.name != "id"]
    shares = [5, 25, 50, 75, 95]
    return {
        name: [round(float(x), 2) for x in np.percentile([line[name] for line in lines], shares)]
        for name in names
        if lines
    }


def overall(audio: np.ndarray, rate: int) -> float:
    """The opinion of DNSMOS, from 1 to 5."""
    return _opinions(audio, rate)["overall"]


def bandwidth(audio: np.ndarray, rate: int) -> int:
    """The highest frequency that the loud moments have, at most 60 dB below their strongest one."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, _WINDOW)[::_HOP] * np.hanning(_WINDOW)
    power = np.percentile(np.abs(np.fft.rfft(frames)) ** 2, _LOUDEST, axis=0)
    heard = np.flatnonzero(power > power.max() * 10 ** (-_BELOW_DB / 10))
    return round(float(heard[-1]) * rate / _WINDOW)


def _quality(line: dict, out: Path) -> Quality:
    audio, rate = sound.read(out / line["audio"])
    opinions = {name: round(opinion, 3) for name, opinion in _opinions(audio, rate).items()}
    return Quality(line["id"], **opinions, bandwidth=bandwidth(audio, rate))


def _opinions(audio: np.ndarray, rate: int) -> dict[str, float]:
    scores = _judge().score(Waveform(torch.from_numpy(audio), rate))
    return {name: scores[f"dnsmos_{name}"] for name in ("overall", "signal", "background", "p808")}


@cache
def _judge() -> DNSMOS:
    torch.set_num_threads(1)
    return DNSMOS()
