"""The tab Speak: a text in a voice."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from tts_fm import subtitles
from tts_fm.demo import results, safety
from tts_fm.demo.settings import FlowControls, SeedControls, sampling
from tts_fm.demo.studio import Studio, connect, pick_seed
from tts_fm.demo.voice_choice import VoiceChoice
from tts_fm.sampler import OnStep
from tts_fm.speech import Speech
from tts_fm.timing import SpokenWord

_OUTPUTS = 8
_TEXT = "Flow matching turns noise into speech, step by step. It took 3 minutes to write this page's first line."


class Speak:
    """The handler and the elements of the tab."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def speak(
        self,
        text: str,
        source: str,
        voice: str | None,
        recording: str | None,
        transcript: str | None,
        consent: bool,
        solver: str,
        grid: str,
        steps: int,
        guidance: float,
        sway: float,
        speed: float,
        seed: int | None,
        is_seed_locked: bool,
    ) -> Generator[tuple[Any, ...], None, None]:
        """Speak a text in a voice.

        ``source`` is "kept" (``voice`` is the name of a voice that is here, "default" the model's own) or "new" (a
        ``recording`` of 1 to 30 s and its ``transcript``); for any voice but the model's own ``consent`` must be true. The
        seed is used where ``is_seed_locked``, and returned. Returns the speech (a WAV file), its mel as HTML, the text as
        it was read, facts as HTML, the seed, its words with their times as HTML, a SubRip file of them, and a line of HTML
        about the state.
        """
        safety.check_length(text)
        synthesizer = self.studio.synthesizer
        options = sampling(synthesizer, solver, grid, steps, guidance, sway)
        prompt = VoiceChoice.prompt(self.studio, source, voice, recording, transcript, consent)
        chosen = pick_seed(seed, is_seed_locked)

        def work(on_step: OnStep) -> tuple[Speech, tuple[SpokenWord, ...]]:
            made = synthesizer.speak(text, prompt, seed=chosen, speed=speed, sampling=options, on_step=on_step)
            try:
                return made, made.words
            except ValueError:  # nobody knows when they are heard: a language without an aligner, or none installed
                return made, ()

        speech, words = yield from self.studio.generate(work, outputs=_OUTPUTS, steps=options.steps)
        with results.shelf() as folder:
            yield (
                self.studio.save(speech.waveform, folder, f"speech-{chosen}", chosen, options, speech.text),
                results.mel_figure(speech.mel, speech.waveform.seconds, "Mel spectrogram of the speech"),
                speech.text,
                results.facts_list({**results.timing(speech), "Seed": chosen, "Model": synthesizer.config.name}),
                chosen,
                results.words_with_times(words),
                _subtitles(words, folder / f"speech-{chosen}.srt"),
                results.verdict(speech),
            )

    def build(self) -> list[gr.Dropdown]:
        """Lay out the tab and connect it; return the fields in which voices are chosen."""
        gr.HTML("<p>Type a text, choose a voice, and listen.</p>", elem_classes="lead")
        with gr.Row():
            with gr.Column(scale=5):
                text = gr.Textbox(
                    _TEXT,
                    label="Text",
                    info="As you write it: numbers, dates and abbreviations are read out in words.",
                    lines=4,
                    max_length=safety.MAX_TEXT,
                    elem_id="speak-text",
                )
                choice = VoiceChoice("speak", self.studio)
                with gr.Accordion("Settings", open=False, elem_id="speak-settings"):
                    controls = FlowControls("speak", self.studio.synthesizer)
                    with gr.Row():
                        speed = gr.Slider(
                            0.5, 2, value=1, step=0.05, label="Speed", info="2 is twice as fast.", elem_id="speak-speed"
                        )
                        seeds = SeedControls("speak")
                with gr.Row():
                    cancel = gr.Button("Cancel", elem_id="speak-cancel", scale=1)
                    generate = gr.Button("Generate", variant="primary", elem_id="speak-generate", scale=3)
            with gr.Column(scale=6):
                status = gr.HTML(results.note("The speech will be here."), elem_id="speak-status")
                speech = gr.Audio(label="Speech", interactive=False, buttons=["download"], elem_id="speak-audio")
                words = gr.HTML(elem_id="speak-words")
                srt = gr.DownloadButton("Subtitles (SRT)", visible=False, size="sm", elem_id="speak-srt")
                facts = gr.HTML(elem_id="speak-facts")
                mel = gr.HTML(elem_id="speak-mel")
                read = gr.Textbox(label="Text as it was read", lines=2, interactive=False, elem_id="speak-read")
        connect(
            generate,
            cancel,
            self.speak,
            [text, *choice.inputs, *controls.inputs, speed, *seeds.inputs],
            [speech, mel, read, facts, seeds.seed, words, srt, status],
            "speak",
        )
        return [choice.voice]


def _subtitles(words: Sequence[SpokenWord], path: Path) -> Any:
    """Write ``words`` as subtitles and offer them; offer none where there are no words."""
    if not words:
        return gr.update(value=None, visible=False)
    subtitles.save(subtitles.to_srt(subtitles.cues(words)), path)
    return gr.update(value=str(path), visible=True)
