"""The tab Voices: keep a voice under a name, look at those that are kept, and take them along."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from tts_fm.audio import library
from tts_fm.audio.library import KeptVoice
from tts_fm.demo import results, safety
from tts_fm.demo.studio import Studio
from tts_fm.demo.voice_choice import recording_input, transcript_input


class Voices:
    """The handlers and the elements of the tab; ``choices`` are the fields of the other tabs in which voices are chosen."""

    def __init__(self, studio: Studio, choices: Sequence[gr.Dropdown] = ()) -> None:
        self.studio, self.choices = studio, choices

    def keep(self, name: str, recording: str | None, transcript: str, note: str, consent: bool) -> str:
        """Keep a voice under a name: a recording of 1 to 30 s, its words, and a note of who allowed that, and how.

        Returns a line of HTML.
        """
        safety.check_consent(consent)
        self._check_free(name)
        voice = self.studio.library.add(name, safety.prompt(recording, transcript), note)
        return results.note(f"Kept as {voice.name}, {voice.seconds:.1f} s. Choose it under Speak and Story.")

    def bring(self, file: str | None) -> str:
        """Take over a voice's file from another machine, under the name that it has. Returns a line of HTML."""
        if file is None:
            raise ValueError("choose a voice's file first; it ends in .flac")
        self._check_free(library.read_voice(Path(file)).name)
        voice = self.studio.library.add_file(Path(file))
        return results.note(f"{voice.name} is here now.")

    def show(self, name: str | None) -> Generator[tuple[Any, ...], None, None]:
        """Return the sound of a kept voice, what is known about it as HTML, and its file, to be taken to another machine."""
        if not name or name not in self.studio.library.names():
            yield None, "", None
            return
        voice = self.studio.library.load(name)
        with results.shelf() as folder:
            file = folder / f"{name}.flac"
            shutil.copyfile(self.studio.library.path(name), file)
            yield results.save(voice.prompt.waveform, folder, name, {}), _facts(voice), str(file)

    def delete(self, name: str, is_sure: bool) -> str:
        """Delete a kept voice for good. Returns a line of HTML."""
        if not is_sure:
            raise ValueError("tick the box beside Delete first; a deleted voice does not come back")
        self.studio.library.remove(name)
        return results.note(f"{name} is deleted.")

    def names(self) -> list[str]:
        """Return the names of the voices that can be chosen, the model's own as "default"."""
        return self.studio.voices()

    def refresh(self) -> list[Any]:
        """Return the fields in which voices are chosen, with those that are there now: this tab's first."""
        there = self.studio.voices()
        return [gr.update(choices=self.studio.library.names()), *[gr.update(choices=there) for _ in self.choices]]

    def build(self, page: gr.Blocks) -> None:
        """Lay out the tab and connect it."""
        gr.HTML(
            "<p>Keep a voice here, and it can be chosen under Speak and Story, and on the command line. "
            "Its file goes to other machines, with its words and its note of consent.</p>",
            elem_classes="lead",
        )
        with gr.Row():
            with gr.Column():
                gr.HTML("<h3>Keep a voice</h3>", elem_classes="side")
                recording = recording_input("voices", "Recording: 3 to 10 seconds of one person")
                transcript = transcript_input("voices", recording, self.studio)
                name = gr.Textbox(
                    label="Name",
                    info="a-z, 0-9, '.', '_' and '-'.",
                    placeholder="anna",
                    max_length=64,
                    elem_id="voices-name",
                )
                note = gr.Textbox(
                    label="Note of consent",
                    info="Who allowed it, when, and how.",
                    placeholder="Anna Example, by e-mail, 3 May 2026",
                    max_length=1_000,
                    elem_id="voices-note",
                )
                consent = gr.Checkbox(label=safety.CONSENT, elem_id="voices-consent")
                keep = gr.Button("Keep this voice", variant="primary", elem_id="voices-keep")
            with gr.Column():
                gr.HTML("<h3>Voices that are here</h3>", elem_classes="side")
                chosen = gr.Dropdown(
                    self.studio.library.names(),
                    value=None,
                    label="Voice",
                    allow_custom_value=True,
                    elem_id="voices-chosen",
                )
                sound = gr.Audio(label="Recording", interactive=False, buttons=[], elem_id="voices-audio")
                facts = gr.HTML(elem_id="voices-facts")
                with gr.Row():
                    download = gr.DownloadButton("Download its file", elem_id="voices-download")
                    is_sure = gr.Checkbox(label="Really delete it", elem_id="voices-sure", min_width=120)
                    delete = gr.Button("Delete", variant="stop", elem_id="voices-delete")
                with gr.Accordion("Bring a voice from another machine", open=False):
                    file = gr.File(label="A voice's file (.flac)", file_types=[".flac"], elem_id="voices-file")
                    bring = gr.Button("Take it over", elem_id="voices-bring")
        status = gr.HTML(elem_id="voices-status")
        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        kept = keep.click(
            safety.kindly(self.keep), [name, recording, transcript, note, consent], status, api_name="keep_voice"
        )
        brought = bring.click(safety.kindly(self.bring), file, status, api_name="bring_voice")
        deleted = delete.click(safety.kindly(self.delete), [chosen, is_sure], status, api_name="delete_voice")
        deleted.success(lambda: (None, False), None, [chosen, is_sure], **quiet)
        for event in (kept, brought, deleted):
            event.success(self.refresh, None, [chosen, *self.choices], **quiet)
        page.load(self.refresh, None, [chosen, *self.choices], **quiet)
        chosen.change(
            safety.kindly_stepwise(self.show, outputs=3), chosen, [sound, facts, download], api_name="show_voice"
        )
        gr.api(self.names, api_name="list_voices")

    def _check_free(self, name: str) -> None:
        if name in self.studio.library.names():
            raise ValueError(f"there is a voice {name!r} already; take another name, or delete that one first")


def _facts(voice: KeptVoice) -> str:
    return results.facts_list(
        {
            "Words": voice.prompt.transcript,
            "Consent": voice.consent,
            "Kept since": voice.added,
            "Length": f"{voice.seconds:.1f} s at {voice.prompt.waveform.sample_rate:,} Hz",
            "SHA-256": voice.sha256,
        }
    )
