"""The samples of a run in one page: each text as every checkpoint spoke it, beside its prompt and the real recording.

``samples/prompts.json`` holds what is to be spoken, ``samples/update-00001000/report.json`` what was spoken after 1000
updates; sounds and mels lie beside them, and ``samples/index.html`` shows all of it.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from tts_fm import atomic
from tts_fm.audio import exhibit
from tts_fm.audio.io import Waveform
from tts_fm.training import gallery_page

SAMPLES, PROMPTS, REPORT, PAGE = "samples", "prompts.json", "report.json", "index.html"


@dataclass(frozen=True)
class Wanted:
    """A text that is spoken, the voice it is spoken in, and how the speaker says it; the paths are of recordings."""

    id: str
    speaker: str
    text: str
    prompt_text: str
    prompt_audio: Path
    target_audio: Path


@dataclass(frozen=True, eq=False)
class Sample:
    """What a checkpoint made of a text.

    Attributes:
        id: that of a :class:`Wanted`.
        waveform: the speech.
        mel: the speech, as a log-mel.
        heard: what the recogniser understood.
        errors: how many words of the text it did not.
        words: how many the text has.
        similarity: the cosine of its voice and the prompt's.
        naturalness: how natural it sounds, from 1 to 5, by the names of the scores.
    """

    id: str
    waveform: Waveform
    mel: Float[Tensor, "n c"]
    heard: str
    errors: int
    words: int
    similarity: float
    naturalness: Mapping[str, float] = field(default_factory=dict)


def figures(samples: Sequence[Sample]) -> dict[str, float]:
    """Return the word error rate over all words, and the means of what else was found."""
    n = max(1, len(samples))
    names = dict.fromkeys(name for sample in samples for name in sample.naturalness)
    return {
        "wer": sum(sample.errors for sample in samples) / max(1, sum(sample.words for sample in samples)),
        "similarity": sum(sample.similarity for sample in samples) / n,
        **{name: sum(sample.naturalness[name] for sample in samples) / n for name in names},
    }


def add_prompts(run: Path, wanted: Sequence[Wanted]) -> None:
    """Begin the gallery of a run; what cannot be written is warned of."""
    with _going_on():
        folder = run / SAMPLES / "prompts"
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for i, one in enumerate(wanted):
            row = {"id": one.id, "speaker": one.speaker, "text": one.text, "prompt_text": one.prompt_text}
            for role, audio in (("prompt", one.prompt_audio), ("target", one.target_audio)):
                shown = exhibit.save(folder.parent, f"{folder.name}/{i:02d}-{role}", Waveform.load(audio))
                row |= {f"{role}_{k}": v for k, v in asdict(shown).items()}
            rows.append(row)
        _write(folder.parent / PROMPTS, rows)
        write(run)


def add_samples(run: Path, update: int, samples: Sequence[Sample], judges: Mapping[str, Any] | None = None) -> None:
    """Add what was spoken after ``update`` updates, and who judged; what cannot be written is warned of."""
    with _going_on():
        folder = run / SAMPLES / f"update-{update:08d}"
        folder.mkdir(parents=True, exist_ok=True)
        rows = [
            {
                "id": sample.id,
                **asdict(exhibit.save(folder.parent, f"{folder.name}/{i:02d}", sample.waveform, sample.mel)),
                "heard": sample.heard,
                "errors": sample.errors,
                "words": sample.words,
                "similarity": round(sample.similarity, 4),
                "naturalness": {name: round(score, 3) for name, score in sample.naturalness.items()},
            }
            for i, sample in enumerate(samples)
        ]
        report = {
            "update": update,
            **{name: round(value, 4) for name, value in figures(samples).items()},
            "judges": judges,
            "seconds": round(sum(row["seconds"] for row in rows), 2),
            "samples": rows,
        }
        _write(folder / REPORT, report)
        write(run)


def write(run: Path) -> Path:
    """Write the page of a run anew from what lies in its folder ``samples``, and return the page's path.

    Raises:
        ValueError: the run has no samples, or a file is no JSON.
    """
    folder = run / SAMPLES
    if not (folder / PROMPTS).is_file():
        raise ValueError(f"{run} holds no {SAMPLES}/{PROMPTS}; give the folder of a run that has spoken samples")
    reports = [_read(path) for path in sorted(folder.glob(f"update-*/{REPORT}"), reverse=True)]
    page = gallery_page.render(run.resolve().name, _read(folder / PROMPTS), reports)
    with atomic.replacing(folder / PAGE) as beside:
        beside.write_text(page, encoding="utf-8")
    return folder / PAGE


def _write(path: Path, value: Any) -> None:
    with atomic.replacing(path) as beside:
        beside.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise ValueError(f"{path} is no JSON; remove it, or the folder it is in") from None


@contextmanager
def _going_on() -> Iterator[None]:
    """Let a gallery that cannot be written be no reason to stop."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        warnings.warn(f"the gallery of samples could not be written ({reason}); training goes on", stacklevel=1)
