"""What all tabs share: the models, the voices, and the device, on which one thing is generated at a time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from tts_fm.audio import watermark
from tts_fm.audio.io import Waveform
from tts_fm.audio.library import BUNDLED, VoiceLibrary
from tts_fm.audio.prompt import Prompt
from tts_fm.demo import results, safety
from tts_fm.demo.generation import Device
from tts_fm.sampler import OnStep, SamplingOptions
from tts_fm.speech import provenance
from tts_fm.synthesizer import Synthesizer

T = TypeVar("T")
QUEUE = "generation"
"""Gradio's name of the queue in which all that generates waits."""
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""How an event runs that only changes what is shown."""


@dataclass(frozen=True, eq=False)
class Studio:
    """The models that the page speaks with, loaded once (the first is the page's own), and the kept voices."""

    synthesizers: Sequence[Synthesizer]
    library: VoiceLibrary = field(default_factory=VoiceLibrary)
    is_marked: bool = False
    device: Device = field(default_factory=Device)

    @property
    def synthesizer(self) -> Synthesizer:
        """The page's own model."""
        return self.synthesizers[0]

    def model(self, name: str) -> Synthesizer:
        """Return the model called ``name``. Raises ValueError where there is none."""
        for synthesizer in self.synthesizers:
            if synthesizer.config.name == name:
                return synthesizer
        there = ", ".join(synthesizer.config.name for synthesizer in self.synthesizers)
        raise ValueError(f"there is no model {name!r} here; choose one of {there}")

    def voices(self) -> list[str]:
        """Return the names of the voices that can be chosen, the model's own first."""
        own = [] if self.synthesizer.default_prompt is None else [BUNDLED]
        return own + self.library.names()

    def voice(self, name: str) -> Prompt | None:
        """Return the kept voice ``name``; None is the model's own. Raises ValueError where there is none."""
        return None if name == BUNDLED else self.library.recording(name)

    def generate(
        self, work: Callable[[OnStep], T], outputs: int, steps: int | None = None, what: str = ""
    ) -> Generator[tuple[Any, ...], None, T]:
        """Do ``work`` on the device and return its result; meanwhile yield progress as the last of ``outputs`` values.

        ``steps`` are those of each part of it, ``what`` is said before them.
        """
        running = self.device.run(work)
        try:
            while True:
                progress = next(running)
                yield (*[gr.skip()] * (outputs - 1), results.progress_bar(progress, steps, what))
        except StopIteration as finished:
            return finished.value
        finally:
            running.close()

    def save(
        self,
        waveform: Waveform,
        folder: Path,
        name: str,
        seed: int,
        sampling: SamplingOptions,
        text: str,
        model: str | None = None,
    ) -> str:
        """Write generated speech with the facts of its making, marked where that was asked for; return its path."""
        own = self.synthesizer.config.name
        facts = provenance(
            own if model is None else model, seed, sampling, text, **({"watermark": "perth"} if self.is_marked else {})
        )
        return results.save(watermark.mark(waveform) if self.is_marked else waveform, folder, name, facts)


def connect(
    generate: gr.Button,
    cancel: gr.Button,
    handler: Callable[..., Generator[tuple[Any, ...], None, None]],
    inputs: list[Any],
    outputs: list[Any],
    name: str,
) -> None:
    """Let ``generate`` run ``handler``, called ``name`` by programs, in the queue, and ``cancel`` stop it and say so.

    The last of ``outputs`` tells the state.
    """
    status = outputs[-1]
    running = gr.on(
        [generate.click],
        safety.kindly_stepwise(handler, outputs=len(outputs)),
        inputs,
        outputs,
        api_name=name,
        concurrency_id=QUEUE,
        concurrency_limit=1,
        show_progress="minimal",
        show_progress_on=status,
    )
    stopped = cancel.click(None, cancels=running, **QUIET)
    stopped.then(lambda: results.note("Cancelled."), None, status, **QUIET)


def pick_seed(seed: int | None, is_locked: bool) -> int:
    """Return the visitor's seed where it is locked, else one by chance."""
    return secrets.randbelow(2**31) if seed is None or not is_locked else seed
