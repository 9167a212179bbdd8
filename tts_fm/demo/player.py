"""A speech that is heard while it is made, and whose words light up: the one element of the page with a script of its own.

Gradio's own streamed sound needs the program ffmpeg, is compressed, and begins a second later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import FileData

from tts_fm.audio import io
from tts_fm.stream import Piece
from tts_fm.timing import SpokenWord

_TEMPLATE = """<div class="live" hidden><button type="button">Pause</button> <span class="clock"></span></div>
<div class="words timed"></div>"""


def player(name: str) -> gr.HTML:
    """Return the player of a tab; its words also follow the sound of the element ``NAME-audio``.

    What :class:`Broadcast` tells is its value. It is no class of its own: gradio writes a file beside each of those.
    """
    return gr.HTML(
        html_template=_TEMPLATE,
        js_on_load=files("tts_fm.demo").joinpath("player.js").read_text(encoding="utf-8"),
        elem_id=f"{name}-words",
        sound=f"{name}-audio",
        cancel=f"{name}-cancel",
    )


@dataclass(eq=False)
class Broadcast:
    """Pieces of a speech on their way to a :func:`player`; its files are copied by gradio before the handler goes on.

    Attributes:
        run: which speech it is.
        folder: where the pieces' files are written.
        facts: what stands in their tags.
        sample_rate: that of the pieces.
        is_live: whether they are heard at all, else only the words are told.
    """

    run: str
    folder: Path
    facts: Mapping[str, Any]
    sample_rate: int
    is_live: bool
    _pieces: list[dict[str, Any]] = field(default_factory=list)
    _words: list[SpokenWord] = field(default_factory=list)

    def begin(self) -> dict[str, Any]:
        """Return what the player is told before there is a sound: what it has played before is over."""
        return self._told((), is_whole=False)

    def add(self, piece: Piece) -> dict[str, Any]:
        """Return what the player is told when ``piece`` is there: all so far, as a busy browser may miss some calls."""
        if self.is_live:
            path = self.folder / f"piece-{len(self._pieces)}.wav"
            path.write_bytes(io.open_header(self.sample_rate, self.facts) + io.pcm(piece.waveform))
            self._pieces.append({"sound": FileData(path=str(path)).model_dump(), "start": piece.start})
        self._words += piece.words
        return self._told(self._words, is_whole=False)

    def end(self, words: Sequence[SpokenWord]) -> dict[str, Any]:
        """Return what the player is told when all has been said, and these were the ``words``."""
        return self._told(words, is_whole=True)

    def _told(self, words: Sequence[SpokenWord], is_whole: bool) -> dict[str, Any]:
        return {
            "run": self.run,
            "rate": self.sample_rate if self.is_live else 0,
            "pieces": list(self._pieces),
            "words": [[word.text, round(word.start, 3), round(word.end, 3)] for word in words],
            "is_whole": is_whole,
        }
