"""DNSMOS (Reddy et al. 2022): how a listener rates speech, background and both (P.835), and the whole (P.808)."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import torch
from torch.nn.functional import pad

from tts_fm.audio.io import Waveform
from tts_fm.evaluation.naturalness import Naturalness

RATE = 16_000
"""What the networks were trained on, in hertz."""
_NAMES = {
    "ovrl_mos": "dnsmos_overall",
    "sig_mos": "dnsmos_signal",
    "bak_mos": "dnsmos_background",
    "p808_mos": "dnsmos_p808",
}


class DNSMOS(Naturalness):
    """The networks that the package ``speechmos`` holds, over every 9 s; what is shorter is said again to fill them.

    Its opinion depends on the level, so the sound is taken as it is.
    """

    headings: ClassVar = {
        "dnsmos_overall": "DNSMOS overall",
        "dnsmos_signal": "DNSMOS signal",
        "dnsmos_background": "DNSMOS background",
        "dnsmos_p808": "DNSMOS P.808",
    }

    def __init__(self) -> None:
        if not self.is_ready():
            raise ValueError("the judge dnsmos is not installed; run: pip install 'tts-fm[judges]'")
        import onnxruntime  # pyright: ignore[reportMissingImports]
        from speechmos import dnsmos  # pyright: ignore[reportMissingImports] (an extra)

        folder = Path(dnsmos.__file__).parent / "dnsmos_models"
        networks = [str(folder / name) for name in ("sig_bak_ovr.onnx", "model_v8.onnx")]
        self._judge = dnsmos.DNSMOS(*networks)
        options = onnxruntime.SessionOptions()  # the package leaves it to take every core
        options.intra_op_num_threads = torch.get_num_threads()
        self._judge.onnx_sess, self._judge.p808_onnx_sess = (
            onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"]) for network in networks
        )
        self.about = f"dnsmos (speechmos {version('speechmos')})"

    @classmethod
    def is_ready(cls) -> bool:
        return all(find_spec(name) is not None for name in ("speechmos", "onnxruntime", "requests"))

    def score(self, waveform: Waveform) -> dict[str, float]:
        samples = waveform.resampled(RATE).samples.detach().float().cpu().clamp(-1, 1)
        samples = pad(samples, (0, max(0, RATE - len(samples))))  # of no samples it would wait for ever
        scores = self._judge(samples.numpy(), RATE, False)
        return {ours: float(scores[theirs]) for theirs, ours in _NAMES.items()}
