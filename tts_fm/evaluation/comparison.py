"""How near each setting comes to the fine solution of the same noise, how well it is understood, and what it costs."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import atomic, loading
from tts_fm.audio import exhibit
from tts_fm.audio.exhibit import Exhibit
from tts_fm.audio.prompt import Prompt
from tts_fm.backbones import Backbone
from tts_fm.evaluation import comparison_report, report
from tts_fm.evaluation.comparison_report import Figures, Spoken
from tts_fm.evaluation.judges import finite
from tts_fm.evaluation.pairs import Pair
from tts_fm.evaluation.report import Judgement
from tts_fm.evaluation.settings import Setting
from tts_fm.evaluation.suite import Suite
from tts_fm.synthesizer import Speech, Synthesizer

RESULTS, SOUNDS, REFERENCES = "results.jsonl", "sounds", "references"

OnSetting = Callable[[int, int, str], None]
"""Called with (settings done, settings in all, the next one's name)."""


class Comparison:
    """Measures settings, and keeps each result in ``folder`` as soon as it is there; what is kept is not done again.

    Args:
        synthesizer: the model.
        pairs: what is spoken, and in whose voice.
        folder: gets ``results.jsonl``, the fine solutions, and sounds.
        seed: the ``i``-th pair is spoken with ``seed + i``.
        page_pairs: of how many pairs the sounds are kept.
        suite: judges the speech; nothing is judged if None.

    Raises:
        ValueError: ``folder`` holds results of another model, seed or other pairs.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        pairs: Sequence[Pair],
        folder: Path,
        *,
        seed: int = 0,
        page_pairs: int = 3,
        suite: Suite | None = None,
    ) -> None:
        self.synthesizer, self.pairs, self.folder, self.suite = synthesizer, list(pairs), folder, suite
        self.seed, self.shown = seed, list(pairs)[:page_pairs]
        self.about = {
            "model": synthesizer.config.name,
            "weights": loading.digest(synthesizer.backbone),
            "seed": seed,
            "pairs": [pair.id for pair in pairs],
            "sounds": len(self.shown),
            "judges": None if suite is None else suite.judges.about(),
        }
        (folder / REFERENCES).mkdir(parents=True, exist_ok=True)
        self._prompts = [Prompt.load(pair.prompt_audio, pair.prompt_text) for pair in pairs]
        self._kept = self._read()
        self._is_warm = False

    def measure(
        self, settings: Sequence[Setting], is_judged: bool, on_setting: OnSetting | None = None
    ) -> list[Figures]:
        """Return the figures of each of ``settings``, judged too if ``is_judged``."""
        figures = []
        for i, setting in enumerate(settings):
            if on_setting is not None:
                on_setting(i, len(settings), setting.name)
            kept = self._kept.get(setting.key)
            if kept is None or (is_judged and kept[0].judgement is None):
                if not self._is_warm:  # the first call also allocates and compiles
                    self._speak(setting, 0)
                    self._is_warm = True
                kept = [self._spoken(setting, i, is_judged) for i in range(len(self.pairs))]
                self._keep(setting.key, kept)
            figures.append(comparison_report.figures(setting, kept))
        return figures

    def recordings(self) -> report.Scores:
        """Return what the real recordings score."""
        return report.scores([] if self.suite is None else [self.suite.recording(pair) for pair in self.pairs])

    def exhibit(self, setting: Setting, i: int, seconds: float) -> Exhibit:
        """Return where the sound of the ``i``-th pair is, which lasts ``seconds``."""
        name = self._sound(setting, i)
        return Exhibit(f"{name}.ogg", f"{name}.png", round(seconds, 2))

    def _spoken(self, setting: Setting, i: int, is_judged: bool) -> Spoken:
        pair, true = self.pairs[i], self._true(setting.reference, i)
        with counted_evaluations(self.synthesizer.backbone) as count:
            began = time.process_time()
            speech = self._speak(setting, i)
            processor_seconds = time.process_time() - began
        if i < len(self.shown):
            sound = finite(speech.waveform)  # a solver may diverge
            exhibit.save(self.folder, self._sound(setting, i), sound, speech.mel)
        assert speech.mel.shape == true.shape
        return Spoken(
            id=pair.id,
            squares=float((speech.mel - true).double().square().sum()),
            values=true.numel(),
            nfe=count.total(),
            computing_seconds=speech.seconds,
            processor_seconds=processor_seconds,
            seconds=speech.waveform.seconds,
            judgement=self.suite.judge(pair, speech.waveform) if is_judged and self.suite is not None else None,
        )

    def _speak(self, setting: Setting, i: int) -> Speech:
        text, prompt = self.pairs[i].target_text, self._prompts[i]
        return self.synthesizer.speak(text, prompt, seed=self.seed + i, sampling=setting.sampling)

    def _true(self, reference: Setting, i: int) -> Float[Tensor, "n c"]:
        """Return the fine solution of the ``i``-th pair."""
        name = _short(json.dumps([reference.key, self.about["weights"], self.seed, self.pairs[i].id]))
        path = self.folder / REFERENCES / f"{name}.npy"
        if not path.is_file():
            mel = self._speak(reference, i).mel
            with atomic.replacing(path) as beside, beside.open("wb") as file:
                np.save(file, mel.numpy())
        return torch.from_numpy(np.load(path))

    def _sound(self, setting: Setting, i: int) -> str:
        return f"{SOUNDS}/{_short(setting.key)}-{i:02d}"

    def _read(self) -> dict[str, list[Spoken]]:
        """Return what was measured before, by the settings' keys."""
        path = self.folder / RESULTS
        if not path.is_file():
            return {}
        about, *rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if self.suite is None:
            self.about["judges"] = about.get("judges")  # what was judged before stays so
        elif about.get("judges", ...) is None:
            about["judges"] = self.about["judges"]  # nobody has judged yet
        if different := [name for name in self.about if about.get(name) != self.about[name]]:
            raise ValueError(
                f"{path} was measured with other {', '.join(different)}; remove it, or choose another folder with --out"
            )
        return {row["key"]: [_to_spoken(spoken) for spoken in row["spoken"]] for row in rows}

    def _keep(self, key: str, spoken: list[Spoken]) -> None:
        self._kept[key] = spoken
        rows = [{"key": key, "spoken": [asdict(one) for one in spoken]} for key, spoken in self._kept.items()]
        with atomic.replacing(self.folder / RESULTS) as beside:
            lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in [self.about, *rows]]
            beside.write_text("".join(lines), encoding="utf-8")


@contextmanager
def counted_evaluations(backbone: Backbone) -> Iterator[Counter[str]]:
    """Count how often ``backbone`` is asked for velocities; what is asked at once counts once. For one thread."""
    count: Counter[str] = Counter()

    def counted(ask: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def velocity(*arguments: Any) -> Tensor:
            count["evaluations"] += 1
            return ask(*arguments)

        return velocity

    asked = ("velocity", "mean_velocity")
    vars(backbone).update({name: counted(getattr(backbone, name)) for name in asked})
    try:
        yield count
    finally:
        for name in asked:
            del vars(backbone)[name]


def _to_spoken(row: dict[str, Any]) -> Spoken:
    judged = row["judgement"]
    return Spoken(**{**row, "judgement": None if judged is None else Judgement(**judged)})


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]
