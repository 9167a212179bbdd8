"""What a visitor gets: files that say where they come from, mels as pictures, and facts about them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from jaxtyping import Float
from torch import Tensor

from tts_fm.audio import picture
from tts_fm.audio.io import Waveform
from tts_fm.audio.level import Span
from tts_fm.audio.mel import log_mel
from tts_fm.demo.generation import Progress
from tts_fm.types import MelSpec

_TICKS = 5


@contextmanager
def shelf() -> Iterator[Path]:
    """Yield a folder for a result's files; gradio has copied them by the time the handler goes on."""
    with TemporaryDirectory(prefix="tts-fm-") as folder:
        yield Path(folder)


def save(waveform: Waveform, folder: Path, name: str, facts: Mapping[str, Any]) -> str:
    """Write a 16-bit WAV with ``facts`` in its tags, and return its path."""
    path = folder / f"{name}.wav"
    waveform.save(path, facts)
    return str(path)


def mel_figure(
    mel: Float[Tensor, "n c"],
    seconds: float,
    caption: str,
    marks: Sequence[Span] = (),
    *,
    is_small: bool = False,
    loudest: float | None = None,
) -> str:
    """Return a mel as HTML: time to the right, pitch upwards, spans of time marked; ``loudest`` as for a picture."""
    data = base64.b64encode(picture.png(mel, loudest)).decode()
    shades = "".join(
        f'<i style="left:{100 * mark.start / seconds:.2f}%;width:{max(100 * mark.seconds / seconds, 0.4):.2f}%"></i>'
        for mark in marks
    )
    ticks = "" if is_small else "".join(f"<span>{seconds * i / _TICKS:.1f} s</span>" for i in range(_TICKS + 1))
    axis = f'<div class="ticks">{ticks}</div>' if ticks else ""
    return (
        f'<figure class="mel{" small" if is_small else ""}"><div class="sound">'
        f'<img alt="{escape(caption)}" src="data:image/png;base64,{data}">{shades}</div>{axis}'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def sound_figure(waveform: Waveform, spec: MelSpec, caption: str, marks: Sequence[Span] = ()) -> str:
    """Return the mel of a sound, as ``spec`` has it, as HTML."""
    mel = log_mel(waveform.resampled(spec.sample_rate).samples, spec)
    return mel_figure(mel, waveform.seconds, caption, marks)


def facts_list(facts: Mapping[str, object]) -> str:
    """Return facts as HTML: a name above each value."""
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(str(value))}</dd></div>" for name, value in facts.items())
    return f'<dl class="facts">{items}</dl>'


def timing(seconds: float, made_in: float) -> dict[str, object]:
    """Return how long speech is and how long it took, as facts."""
    return {
        "Length": f"{seconds:.2f} s",
        "Made in": f"{made_in:.2f} s",
        "Real-time factor": f"{made_in / seconds:.2f}",
    }


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table as HTML; of its cells only the last one breaks its line."""
    head = "".join(f"<th>{escape(name)}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table class="plain"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def progress_bar(progress: Progress, steps: int | None = None, what: str = "") -> str:
    """Return how far a generation is, as HTML; ``steps`` are those of each part that is spoken."""
    if progress.is_waiting:
        return note("Waiting for the others; your turn comes by itself.", kind="busy")
    if progress.total == 0:
        return note("Listening to the voice …", kind="busy")
    share = 100 * progress.done / progress.total
    if steps is None or progress.total % steps:
        words = f"{share:.0f} %"
    else:
        part = min(progress.done // steps + 1, progress.total // steps)
        words = f"Part {part} of {progress.total // steps}, step {progress.done - (part - 1) * steps} of {steps}"
    words = words if progress.done < progress.total else "Making the sound …"
    return (
        f'<div class="progress" role="progressbar" aria-valuenow="{share:.0f}"><span>{escape(what)}{words}</span>'
        f'<div><i style="width:{share:.1f}%"></i></div></div>'
    )


def note(words: str, *, kind: str = "quiet") -> str:
    """Return a line for the visitor as HTML."""
    return f'<p class="note {kind}" role="status">{escape(words)}</p>'


def verdict(remarks: Sequence[str], unknown: Sequence[str] = ()) -> str:
    """Return that speech is done, or what may be wrong with it."""
    lines = [f"The model does not know {', '.join(unknown[:20])}; the speech may lack them."] if unknown else []
    lines += [f"{remark[:1].upper()}{remark[1:]}." for remark in remarks]
    return note(" ".join(lines), kind="warning") if lines else note("Done.")
