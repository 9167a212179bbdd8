"""The tab Story: a text in which several voices take turns, as one sound."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from tts_fm import story
from tts_fm.audio.library import BUNDLED
from tts_fm.demo import casting, results, safety
from tts_fm.demo.settings import FlowControls, SeedControls, sampling
from tts_fm.demo.studio import QUIET, Studio, connect, pick_seed
from tts_fm.errors import InputError
from tts_fm.story import Role, Turn

_MAX_TOML = 100_000  # bytes
_OUTPUTS = 6
_AT_A_LINE = re.compile(r"^[ \t]*\[([\w.-]+)\]", re.MULTILINE)
_TEXT = """[main] It was late when the two of them met at the station.
[town] You are early, said the town mouse.
[country] The train was early, said the country mouse. I only sat in it."""


class Story:
    """The handlers and the elements of the tab."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def story(
        self,
        text: str,
        voice_1: str | None,
        voice_2: str | None,
        voice_3: str | None,
        voice_4: str | None,
        voice_5: str | None,
        voice_6: str | None,
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
        """Speak a text in which ``[name]`` before a passage says whose turn it is: a kept voice, or who begins a line somewhere.

        Other words in brackets are notes and stage directions, which nobody says. ``voice_1`` is the voice of the
        first name in the text, ``voice_2`` that of the second, and so on; for any voice but the model's own,
        "default", ``consent`` must be true. Returns the story (a WAV file), who speaks when as HTML, its mel and
        facts as HTML, the seed, and a line of HTML about the state.
        """
        safety.check_length(text)
        turns, remarks = self._turns(text)
        voices = (voice_1, voice_2, voice_3, voice_4, voice_5, voice_6)
        cast = casting.cast(_names(turns), voices, consent)
        roles = {name: Role(self.studio.voice(voice)) for name, voice in cast.items()}
        synthesizer = self.studio.synthesizer
        options = sampling(synthesizer, solver, grid, steps, guidance, sway)
        chosen = pick_seed(seed, is_seed_locked)
        spoken = yield from self.studio.generate(
            lambda on_step: story.speak(
                synthesizer, turns, roles, seed=chosen, speed=speed, sampling=options, on_step=on_step
            ),
            outputs=_OUTPUTS,
        )
        speech = replace(spoken.speech, remarks=(*remarks, *spoken.speech.remarks))
        with results.shelf() as folder:
            yield (
                self.studio.save(speech.waveform, folder, f"story-{chosen}", chosen, options, speech.text),
                _who_speaks_when(spoken, cast),
                results.mel_figure(speech.mel, speech.waveform.seconds, "Mel spectrogram of the story"),
                results.facts_list(
                    {
                        **results.timing(speech.waveform.seconds, speech.seconds),
                        "Turns": len(spoken.turns),
                        "Seed": chosen,
                    }
                ),
                chosen,
                results.verdict(speech.remarks, speech.unknown),
            )

    def rows(self, text: str, *voices: str | None) -> list[Any]:
        """Return a field for each name in ``text``, with the kept voice of that name where nothing else was chosen."""
        try:
            turns, _ = self._turns(text)
        except InputError:  # not finished yet; Generate says what is wrong
            return [gr.skip()] * casting.MAX_ROLES
        return casting.rows(self.studio, _names(turns), voices)

    def _turns(self, text: str) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
        """Return the turns of ``text``, and remarks on what was left out. Raises InputError."""
        names = {story.MAIN, BUNDLED, *self.studio.library.names(), *_AT_A_LINE.findall(text)}
        text, remarks = story.without_directions(text, names)
        return story.parse(text), remarks

    def from_toml(self, file: str | None) -> Any:
        """Return the story's text in a TOML file of F5-TTS; recordings that it names stay where they are."""
        if file is None:
            return gr.skip()
        with safety.mistakes_as_sentences():
            return story_in_toml(Path(file))

    def build(self) -> list[gr.Dropdown]:
        """Lay out the tab and connect it; return the fields in which voices are chosen."""
        gr.HTML(
            "<p>Write who speaks in brackets, [name], where a line begins, and choose a voice for each name. "
            "Other words in brackets are notes, which nobody says.</p>",
            elem_classes="lead",
        )
        with gr.Row():
            with gr.Column(scale=5):
                text = gr.Textbox(_TEXT, label="Story", lines=7, max_length=safety.MAX_TEXT, elem_id="story-text")
                voices = casting.fields("story", self.studio, _names(story.parse(_TEXT)))
                consent = casting.consent_box("story")
                with gr.Accordion("Settings", open=False, elem_id="story-settings"):
                    controls = FlowControls("story", self.studio.synthesizer)
                    with gr.Row():
                        speed = gr.Slider(0.5, 2, value=1, step=0.05, label="Speed", elem_id="story-speed")
                        seeds = SeedControls("story")
                with gr.Accordion("From a file", open=False):
                    file = gr.File(
                        label="A story of F5-TTS (.toml): its text is taken; keep its recordings under Voices first",
                        file_types=[".toml"],
                        elem_id="story-toml",
                    )
                with gr.Row():
                    cancel = gr.Button("Cancel", elem_id="story-cancel", scale=1)
                    generate = gr.Button("Tell it", variant="primary", elem_id="story-generate", scale=3)
            with gr.Column(scale=6):
                status = gr.HTML(results.note("The story will be here."), elem_id="story-status")
                sound = gr.Audio(label="Story", interactive=False, buttons=["download"], elem_id="story-audio")
                facts = gr.HTML(elem_id="story-facts")
                mel = gr.HTML(elem_id="story-mel")
                when = gr.HTML(elem_id="story-turns")
        connect(
            generate,
            cancel,
            self.story,
            [text, *voices, consent, *controls.inputs, speed, *seeds.inputs],
            [sound, when, mel, facts, seeds.seed, status],
            "story",
        )
        text.change(self.rows, [text, *voices], voices, **QUIET)
        file.upload(self.from_toml, file, text, **QUIET)
        return voices


def story_in_toml(file: Path) -> str:
    """Return the text of a story, a line for each turn of a voice that it casts. Raises InputError where there is none."""
    data = file.read_bytes()[: _MAX_TOML + 1]
    try:
        if len(data) > _MAX_TOML:
            raise InputError(f"the file has more than {_MAX_TOML:,} bytes; no story is so long")
        value = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"the file is no TOML: {error}") from None
    text = value.get("gen_text", value.get("text"))
    if not isinstance(text, str) or not text.strip():
        raise InputError('the file holds no text; it needs a line such as gen_text = "[main] Hello."')
    cast = value.get("voices")
    for name in cast if isinstance(cast, dict) else ():
        text = text.replace(f"[{name}]", f"\n[{name}]")
    return text.lstrip("\n")


def _names(turns: Sequence[Turn]) -> list[str]:
    """Return who speaks, in the order of their first words."""
    return list(dict.fromkeys(turn.voice for turn in turns))


def _who_speaks_when(spoken: story.Story, cast: dict[str, str]) -> str:
    """Return the turns as a table in HTML."""
    return results.table(
        ("When", "Who", "Voice", "Words"),
        (
            (f"{each.start:.1f}–{each.end:.1f} s", each.turn.voice, cast[each.turn.voice], each.turn.text)
            for each in spoken.turns
        ),
    )
