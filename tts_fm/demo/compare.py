"""The tab Compare: the same text and noise with two settings, side by side, and their ways from noise to mel."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr
import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm.audio.library import BUNDLED
from tts_fm.audio.prompt import Prompt
from tts_fm.demo import results, safety
from tts_fm.demo.settings import FlowControls, SeedControls, sampling
from tts_fm.demo.studio import QUIET, Studio, connect, pick_seed
from tts_fm.demo.voice_choice import KEPT, VoiceChoice
from tts_fm.sampler import SamplingOptions
from tts_fm.synthesizer import Speech, Synthesizer
from tts_fm.types import DECIBELS

TIMES = 8
"""At how many times the way is shown."""
MAX_TEXT = 200  # characters: one sentence
_FEW = 4  # steps of B at first where A does not leap, so that there is something to hear
_OUTPUTS = 10
_TEXT = "The same words, by two ways from noise to speech."


class Trajectory:
    """The states of one sentence (the last one of a longer text), from noise on."""

    def __init__(self) -> None:
        self.states: dict[float, Float[Tensor, "n c"]] = {}
        self.evaluations = 0

    def __call__(self, t: float, state: Float[Tensor, "n c"]) -> None:
        """Keep ``state``."""
        if self.states and next(iter(self.states.values())).shape != state.shape:  # the next sentence
            self.states.clear()
        self.states[t] = state.cpu()
        self.evaluations += 1

    def at(self, t: float, end: Float[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """Return the state at ``t``: on the straight line between the two that are known around it; ``end`` is at 1."""
        states = {**self.states, 1.0: end[-len(next(iter(self.states.values()))) :]}
        before = max(time for time in states if time <= t)
        after = min(time for time in states if time >= t)
        share = 0.0 if after == before else (t - before) / (after - before)
        return torch.lerp(states[before], states[after], share)


@dataclass(frozen=True, eq=False)
class Take:
    """One side of the comparison."""

    name: str
    model: str
    options: SamplingOptions
    speech: Speech
    trajectory: Trajectory

    @property
    def facts(self) -> dict[str, str]:
        """What is shown about it."""
        return {
            "Evaluations (NFE)": str(self.trajectory.evaluations),
            "Made in": f"{self.speech.seconds:.2f} s",
            "Real-time factor": f"{self.speech.real_time_factor:.2f}",
            "Length": f"{self.speech.waveform.seconds:.2f} s",
            "Model": self.model,
        }

    def row(self, loudest: float) -> str:
        """Return the way from noise to mel as a row of pictures, in which ``loudest`` is the brightest."""
        mel = self.speech.mel
        times = [i / (TIMES - 1) for i in range(TIMES)]
        pictures = [
            results.mel_figure(
                self.trajectory.at(t, mel),
                self.speech.waveform.seconds,
                f"t = {t:.2f}",
                is_small=True,
                loudest=loudest,
            )
            for t in times
        ]
        about = f"{self.name}: from noise (t = 0) to the mel (t = 1)"
        return f'{results.note(about)}<div class="row-of-mels">{"".join(pictures)}</div>'


class Compare:
    """The handler and the elements of the tab."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def compare(
        self,
        text: str,
        voice: str,
        consent: bool,
        model_a: str,
        solver_a: str,
        grid_a: str,
        steps_a: int,
        guidance_a: float,
        sway_a: float,
        modes_a: str,
        model_b: str,
        solver_b: str,
        grid_b: str,
        steps_b: int,
        guidance_b: float,
        sway_b: float,
        modes_b: str,
        seed: int | None,
        is_seed_locked: bool,
    ) -> Generator[tuple[Any, ...], None, None]:
        """Speak a text twice from the same noise, with the settings A and B.

        ``modes_a`` and ``modes_b`` name what guides, such as "apg" or "interval.end=0.7,rescale"; empty is plain guidance.
        Returns for A and then B the speech (a WAV file), its mel and facts as HTML; then the difference and both ways from
        noise to mel as HTML, the seed, and a line of HTML about the state.
        """
        safety.check_length(text, MAX_TEXT)
        prompt = VoiceChoice.prompt(self.studio, KEPT, voice, None, None, consent)
        sides = [
            ("A", self.studio.model(model_a), (solver_a, grid_a, steps_a, guidance_a, sway_a, modes_a)),
            ("B", self.studio.model(model_b), (solver_b, grid_b, steps_b, guidance_b, sway_b, modes_b)),
        ]
        asked = [(name, synthesizer, sampling(synthesizer, *given)) for name, synthesizer, given in sides]
        chosen = pick_seed(seed, is_seed_locked)
        takes: list[Take] = []
        for name, synthesizer, options in asked:
            take = yield from self._take(name, synthesizer, options, text, prompt, chosen)
            takes.append(take)
        loudest = max(take.speech.mel.max().item() for take in takes)  # so that the same noise looks the same
        with results.shelf() as folder:
            yield (
                *(output for take in takes for output in self._shown(take, folder, chosen)),
                _difference(takes[0].speech, takes[1].speech),
                "".join(take.row(loudest) for take in takes),
                chosen,
                results.note("Done."),
            )

    def _take(
        self, name: str, synthesizer: Synthesizer, options: SamplingOptions, text: str, prompt: Prompt | None, seed: int
    ) -> Generator[tuple[Any, ...], None, Take]:
        trajectory = Trajectory()
        speech = yield from self.studio.generate(
            lambda on_step: synthesizer.speak(
                text, prompt, seed=seed, sampling=options, on_step=on_step, on_state=trajectory
            ),
            outputs=_OUTPUTS,
            steps=options.steps,
            what=f"{name}: ",
        )
        return Take(name, synthesizer.config.name, options, speech, trajectory)

    def _shown(self, take: Take, folder: Path, seed: int) -> tuple[str, str, str]:
        speech = take.speech
        return (
            self.studio.save(
                speech.waveform, folder, f"{take.name.lower()}-{seed}", seed, take.options, speech.text, take.model
            ),
            results.mel_figure(speech.mel, speech.waveform.seconds, f"Mel of {take.name}"),
            results.facts_list(take.facts),
        )

    def build(self) -> list[gr.Dropdown]:
        """Lay out the tab and connect it; return the fields in which voices are chosen."""
        gr.HTML(
            "<p>The same text from the same noise, with two settings: what do steps, solver and guidance change?</p>",
            elem_classes="lead",
        )
        with gr.Row():
            with gr.Column(scale=3):
                text = gr.Textbox(
                    _TEXT, label="Text", info="One sentence.", max_length=MAX_TEXT, lines=2, elem_id="compare-text"
                )
            with gr.Column(scale=2):
                voices = self.studio.voices()
                voice = gr.Dropdown(
                    voices,
                    value=voices[0] if voices else None,
                    label="Voice",
                    allow_custom_value=True,
                    elem_id="compare-voice",
                )
                consent = gr.Checkbox(label=safety.CONSENT, visible=False, elem_id="compare-consent")
                voice.change(
                    lambda name: gr.update(visible=name != BUNDLED),
                    voice,
                    consent,
                    **QUIET,
                )
        with gr.Row():
            own = self.studio.synthesizer.config
            sides = [self._side("A"), self._side("B", steps=own.sampling.steps if own.default_leaps else _FEW)]
        with gr.Row():
            seeds = SeedControls("compare")
            cancel = gr.Button("Cancel", elem_id="compare-cancel")
            generate = gr.Button("Compare", variant="primary", elem_id="compare-generate")
        status = gr.HTML(results.note("Both will be here."), elem_id="compare-status")
        with gr.Row():
            shown = [self._result(name) for name in ("A", "B")]
        difference = gr.HTML(elem_id="compare-difference")
        way = gr.HTML(elem_id="compare-trajectory")
        connect(
            generate,
            cancel,
            self.compare,
            [text, voice, consent, *sides[0], *sides[1], *seeds.inputs],
            [*shown[0], *shown[1], difference, way, seeds.seed, status],
            "compare",
        )
        return [voice]

    def _side(self, name: str, steps: int | None = None) -> list[Any]:
        """Lay out the settings of one side, and return them."""
        label, models = f"compare-{name.lower()}", [each.config.name for each in self.studio.synthesizers]
        with gr.Column(), gr.Group():
            gr.HTML(f"<h3>{name}</h3>", elem_classes="side")
            model = gr.Dropdown(
                models, value=models[0], label="Model", visible=len(models) > 1, elem_id=f"{label}-model"
            )
            controls = FlowControls(label, self.studio.synthesizer, steps, has_infos=False)
            modes = gr.Textbox(
                value="",
                label="Guidance modes",
                info="What guides, with commas: cfg, apg, cfg_zero, interval.end=0.7, rescale, split.text=3; empty is cfg.",
                elem_id=f"{label}-modes",
            )
        return [model, *controls.inputs, modes]

    def _result(self, name: str) -> list[Any]:
        """Lay out what is heard and seen of one side, and return it."""
        label = f"compare-{name.lower()}"
        with gr.Column():
            speech = gr.Audio(label=name, interactive=False, buttons=["download"], elem_id=f"{label}-audio")
            mel = gr.HTML(elem_id=f"{label}-mel")
            facts = gr.HTML(elem_id=f"{label}-facts")
        return [speech, mel, facts]


def _difference(a: Speech, b: Speech) -> str:
    """Return how far apart the two mels are, as HTML."""
    if a.mel.shape != b.mel.shape:
        words = "lengths differ, so there is no difference frame by frame"
    else:
        words = f"{(a.mel - b.mel).square().mean().sqrt().item() * DECIBELS:.2f} dB"
    return results.facts_list({"Difference of the mels (root mean square)": words})
