"""The tab Dub: subtitles spoken in their own time."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import gradio as gr

from tts_fm import dubbing, small_file, subtitles
from tts_fm.audio.library import BUNDLED
from tts_fm.demo import casting, results, safety
from tts_fm.demo.settings import FlowControls, SeedControls, sampling
from tts_fm.demo.studio import QUIET, Studio, connect, pick_seed
from tts_fm.dubbing import FASTEST, SpokenCue
from tts_fm.errors import InputError
from tts_fm.story import MAIN, Role
from tts_fm.subtitles import Cue

MAX_SECONDS = 600.0
"""At which the last cue ends, at the latest."""
MAX_CUES = 200
_MAX_TEXT = 40_000  # characters, those of numbers and times too
_OUTPUTS = 6
_TEXT = """1
00:00:00,500 --> 00:00:03,000
You are early, said the town mouse.

2
00:00:03,400 --> 00:00:06,000
[country] The train was early. I only sat in it.

3
00:00:06,100 --> 00:00:06,800
And that was all that they said to each other.
"""


class Dub:
    """The handlers and the elements of the tab."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def dub(
        self,
        text: str,
        voice_1: str | None,
        voice_2: str | None,
        voice_3: str | None,
        voice_4: str | None,
        voice_5: str | None,
        voice_6: str | None,
        consent: bool,
        fastest: float,
        solver: str,
        grid: str,
        steps: int,
        guidance: float,
        sway: float,
        seed: int | None,
        is_seed_locked: bool,
    ) -> Generator[tuple[Any, ...], None, None]:
        """Speak subtitles, every cue in its own time.

        ``text`` is what stands in a SubRip or WebVTT file. ``[name]`` before the words of a cue, ``<v name>``, or ``name:``
        for a kept voice, say who speaks it, else "main" does. ``voice_1`` is the voice of the first of these names,
        ``voice_2`` that of the second, and so on; for any voice but the model's own, "default", ``consent`` must be true.
        What is too long is said up to ``fastest`` times as fast. Returns the dub (a WAV file), a table of its cues as HTML
        (what each needed and had, and how it fits), its mel and facts as HTML, the seed, and a line of HTML about the state.
        """
        cues = self._cues(text)
        voices = (voice_1, voice_2, voice_3, voice_4, voice_5, voice_6)
        cast = casting.cast(_names(cues), voices, consent)
        roles = {name: Role(self.studio.voice(voice)) for name, voice in cast.items()}
        synthesizer = self.studio.synthesizer
        options = sampling(synthesizer, solver, grid, steps, guidance, sway)
        chosen = pick_seed(seed, is_seed_locked)
        made = yield from self.studio.generate(
            lambda on_step: dubbing.dub(
                synthesizer, cues, roles, seed=chosen, fastest=fastest, sampling=options, on_step=on_step
            ),
            outputs=_OUTPUTS,
        )
        is_inside = [spoken.is_inside for spoken in made.cues]
        with results.shelf() as folder:
            said = "\n".join(cue.text for cue in cues)
            yield (
                self.studio.save(made.waveform, folder, f"dub-{chosen}", chosen, options, said),
                results.table(_HEADS, [_row(i, spoken) for i, spoken in enumerate(made.cues, 1)]),
                results.sound_figure(made.waveform, synthesizer.config.mel, "Mel spectrogram of the dub"),
                results.facts_list(
                    {
                        "Length": f"{made.waveform.seconds:.2f} s",
                        "In time": f"{sum(is_inside)} of {len(is_inside)} cues",
                        "Seed": chosen,
                    }
                ),
                chosen,
                results.verdict([_misfit(i, spoken) for i, spoken in enumerate(made.cues, 1) if not spoken.is_inside]),
            )

    def rows(self, text: str, *voices: str | None) -> list[Any]:
        """Return a field for each name in ``text``, with the kept voice of that name where nothing else was chosen."""
        try:
            names = _names(self._cues(text))
        except ValueError:  # not finished yet; the button says what is wrong
            return [gr.skip()] * casting.MAX_ROLES
        return casting.rows(self.studio, names, voices)

    def from_file(self, file: str | None) -> Any:
        """Return the text of a file of subtitles."""
        if file is None:
            return gr.skip()
        with safety.mistakes_as_sentences():
            return small_file.read_text(Path(file), _MAX_TEXT)

    def _cues(self, text: str) -> list[Cue]:
        """Return the cues of ``text``, with who speaks. Raises InputError for those that would keep the others waiting."""
        safety.check_length(text, _MAX_TEXT)
        cues = subtitles.parse(text)
        if len(cues) > MAX_CUES or cues[-1].end > MAX_SECONDS:
            raise InputError(
                f"there are {len(cues)} cues, the last one up to {cues[-1].end:.0f} s; this page takes at most {MAX_CUES}, and "
                f"{MAX_SECONDS:.0f} s, so give a part of them"
            )
        safety.check_length("".join(cue.text for cue in cues))
        return subtitles.with_speakers(cues, {MAIN, BUNDLED, *self.studio.library.names(), *subtitles.speakers(cues)})

    def build(self) -> list[gr.Dropdown]:
        """Lay out the tab and connect it; return the fields in which voices are chosen."""
        gr.HTML(
            "<p>Subtitles are spoken in their own time: each cue begins when it is shown, and its length is an input of the "
            "model. [name] before the words gives them to another voice.</p>",
            elem_classes="lead",
        )
        with gr.Row():
            with gr.Column(scale=5):
                text = gr.Textbox(
                    _TEXT, label="Subtitles (SRT or VTT)", lines=11, max_length=_MAX_TEXT, elem_id="dub-text"
                )
                file = gr.File(
                    label="Or a file (.srt, .vtt)", file_types=[".srt", ".vtt"], height=140, elem_id="dub-file"
                )
                voices = casting.fields("dub", self.studio, _names(self._cues(_TEXT)))
                consent = casting.consent_box("dub")
                fastest = gr.Slider(
                    1,
                    3,
                    value=FASTEST,
                    step=0.05,
                    label="Hurry at most",
                    info="Times the voice's own rate; 1 is not at all.",
                    elem_id="dub-fastest",
                )
                with gr.Accordion("Settings", open=False, elem_id="dub-settings"):
                    controls = FlowControls("dub", self.studio.synthesizer)
                    seeds = SeedControls("dub")
                with gr.Row():
                    cancel = gr.Button("Cancel", elem_id="dub-cancel", scale=1)
                    generate = gr.Button("Dub it", variant="primary", elem_id="dub-generate", scale=3)
            with gr.Column(scale=6):
                status = gr.HTML(results.note("The dub will be here."), elem_id="dub-status")
                sound = gr.Audio(label="Dub", interactive=False, buttons=["download"], elem_id="dub-audio")
                facts = gr.HTML(elem_id="dub-facts")
                table = gr.HTML(elem_id="dub-cues")
                mel = gr.HTML(elem_id="dub-mel")
        connect(
            generate,
            cancel,
            self.dub,
            [text, *voices, consent, fastest, *controls.inputs, *seeds.inputs],
            [sound, table, mel, facts, seeds.seed, status],
            "dub",
        )
        text.change(self.rows, [text, *voices], voices, **QUIET)
        file.upload(self.from_file, file, text, **QUIET)
        return voices


_HEADS = ("Cue", "Fits", "Shown", "Needed", "Had", "Speed", "Words")


def _names(cues: list[Cue]) -> list[str]:
    """Return who speaks, in the order of their first cues."""
    return list(dict.fromkeys(MAIN if cue.speaker is None else cue.speaker for cue in cues))


def _row(number: int, spoken: SpokenCue) -> tuple[str, ...]:
    cue = spoken.cue
    who = "" if cue.speaker is None else f"[{cue.speaker}] "
    return (
        str(number),
        "yes" if spoken.is_inside else f"{spoken.end - spoken.start - spoken.had:.2f} s over",
        f"{cue.start:.2f}–{cue.end:.2f} s",
        f"{spoken.needed:.2f} s",
        f"{spoken.had:.2f} s",
        f"{spoken.speed:.2f}×",
        f"{who}{cue.text}",
    )


def _misfit(number: int, spoken: SpokenCue) -> str:
    return (
        f"cue {number} needs {spoken.needed:.2f} s and had {spoken.had:.2f} s, even {spoken.speed:.2f} times as fast; shorten "
        f"it, or let it be hurried more"
    )
