"""How clean every utterance of a part is (DNSMOS, bandwidth), and a manifest of those that are clean enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from scripts.corpus import sound
from scripts.corpus.parts import json_line, json_lines
from tts_fm.atomic import replacing

_RATE = 16_000
_WINDOW, _HOP = 1024, 512
_LOUDEST = 95  # percentile of the frames, for the high sounds of speech are rare
_BELOW_DB = 60.0
Judge = Callable[[np.ndarray], dict[str, float]]
"""From samples at 16 kHz to DNSMOS's overall, signal, background and p808."""


@dataclass(frozen=True)
class Quality:
    """Opinions from 1 to 5, and the highest frequency that is heard, in hertz."""

    id: str
    overall: float
    signal: float
    background: float
    p808: float
    bandwidth: int


def measure(out: Path, part: str, workers: int, judge: Judge | None = None) -> None:
    """Write a line of ``quality-PART.jsonl`` for every utterance that has none; ``judge``: DNSMOS."""
    table = out / f"quality-{part}.jsonl"
    measured = {line["id"] for line in json_lines(table)}
    todo = [line for line in json_lines(out / f"manifest-{part}.jsonl") if line["id"] not in measured]
    work = partial(_quality, out=out, judge=judge)
    with get_context("spawn").Pool(workers) as pool, table.open("a", encoding="utf-8") as file:
        for i, quality in enumerate(pool.imap(work, todo), 1):
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


def bandwidth(audio: np.ndarray, rate: int) -> int:
    """The highest frequency that the loud moments have, at most 60 dB below their strongest one."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, _WINDOW)[::_HOP] * np.hanning(_WINDOW)
    power = np.percentile(np.abs(np.fft.rfft(frames)) ** 2, _LOUDEST, axis=0)
    heard = np.flatnonzero(power > power.max() * 10 ** (-_BELOW_DB / 10))
    return round(float(heard[-1]) * rate / _WINDOW)


def _quality(line: dict, out: Path, judge: Judge | None) -> Quality:
    audio, rate = sound.read(out / line["audio"])
    heard = np.clip(sound.resample(audio, rate, _RATE), -1, 1)
    opinions = (_dnsmos() if judge is None else judge)(heard)
    return Quality(
        line["id"], **{name: round(value, 3) for name, value in opinions.items()}, bandwidth=bandwidth(audio, rate)
    )


@cache
def _dnsmos() -> Judge:
    """The package speechmos, with one thread."""
    try:
        import onnxruntime
        from speechmos import dnsmos  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ValueError("judging recordings needs DNSMOS; pip install speechmos onnxruntime requests") from None

    folder, options = Path(dnsmos.__file__).parent / "dnsmos_models", onnxruntime.SessionOptions()
    networks = [str(folder / name) for name in ("sig_bak_ovr.onnx", "model_v8.onnx")]
    judge = dnsmos.DNSMOS(*networks)
    options.intra_op_num_threads = 1
    judge.onnx_sess, judge.p808_onnx_sess = (onnxruntime.InferenceSession(network, options) for network in networks)
    names = {"overall": "ovrl_mos", "signal": "sig_mos", "background": "bak_mos", "p808": "p808_mos"}

    def opinions(samples: np.ndarray) -> dict[str, float]:
        found = judge(samples, _RATE, False)
        return {ours: float(found[theirs]) for ours, theirs in names.items()}

    return opinions
