"""The tab Edit: other words in a recording, of which only the changed ones are spoken anew."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Generator
from html import escape
from typing import Any

import gradio as gr
import torch

from tts_fm.audio.io import Waveform
from tts_fm.demo import results, safety
from tts_fm.demo.settings import FlowControls, SeedControls, sampling
from tts_fm.demo.studio import QUIET, Studio, connect, pick_seed
from tts_fm.demo.voice_choice import recording_input, transcript_input
from tts_fm.editing import Edit as Edited
from tts_fm.text.normalize import written_words

_OUTPUTS = 8


class Edit:
    """The handlers and the elements of the tab."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def edit(
        self,
        recording: str | None,
        transcript: str,
        new_text: str,
        consent: bool,
        solver: str,
        grid: str,
        steps: int,
        guidance: float,
        sway: float,
        seed: int | None,
        is_seed_locked: bool,
    ) -> Generator[tuple[Any, ...], None, None]:
        """Change words of a recording; what is not changed stays, bit for bit.

        ``transcript`` holds the words in the ``recording``, ``new_text`` those that shall be in it; ``consent`` must be true,
        except for the recording of the model's own voice. Returns the sound before and after (WAV files), their mels, the
        changed words, the spans and facts as HTML, the seed, and a line of HTML about the state.
        """
        prompt = safety.prompt(recording, transcript)
        safety.check_length(new_text)
        if not self._is_bundled(prompt.waveform):
            safety.check_consent(consent)
        synthesizer = self.studio.synthesizer
        options = sampling(synthesizer, solver, grid, steps, guidance, sway)
        chosen = pick_seed(seed, is_seed_locked)
        made = yield from self.studio.generate(
            lambda on_step: synthesizer.edit(
                prompt.waveform, transcript, new_text, seed=chosen, sampling=options, on_step=on_step
            ),
            outputs=_OUTPUTS,
            steps=options.steps,
        )
        before, after, spec = prompt.waveform, made.waveform, synthesizer.config.mel
        with results.shelf() as folder:
            yield (
                results.save(before, folder, "before", {}),
                self.studio.save(after, folder, f"edited-{chosen}", chosen, options, new_text),
                results.sound_figure(before, spec, "Before", [change.old_span for change in made.changes]),
                results.sound_figure(after, spec, "After", [change.new_span for change in made.changes]),
                changed_words(transcript, new_text, [i for i, word in enumerate(made.words) if word.is_doubtful]),
                results.facts_list(
                    {
                        "Length": f"{before.seconds:.2f} s, now {after.seconds:.2f} s",
                        "Made anew": f"{sum(change.new_span.seconds for change in made.changes):.2f} s",
                        "Made in": f"{made.seconds:.2f} s",
                        "Seed": chosen,
                    }
                ),
                chosen,
                self._verdict(made),
            )

    def sample(self) -> Generator[tuple[str, str, str], None, None]:
        """Put the model's own voice into the fields."""
        with safety.mistakes_as_sentences(), results.shelf() as folder:
            own = self.studio.synthesizer.default_prompt
            assert own is not None, "the button is shown only where there is one"
            yield results.save(own.waveform, folder, "voice", {}), own.transcript, own.transcript

    @staticmethod
    def follow(transcript: str, new_text: str, last: str) -> tuple[Any, str, str]:
        """Let the new text follow the transcript until it is changed; return both, and the words as they differ."""
        new_text = transcript if new_text in ("", last) else new_text
        return new_text, transcript, changed_words(transcript, new_text)

    def build(self) -> list[gr.Dropdown]:
        """Lay out the tab and connect it; no voice is chosen here."""
        gr.HTML(
            "<p>Give a recording and its words, then change some of them. Only these are spoken anew, in the same voice; "
            "all else stays as it is, bit for bit.</p>",
            elem_classes="lead",
        )
        with gr.Row():
            with gr.Column():
                recording = recording_input("edit", "Recording, up to 30 seconds of one person")
                if self.studio.synthesizer.default_prompt is not None:
                    sample = gr.Button("Try it with the model's own voice", size="sm", elem_id="edit-sample")
                consent = gr.Checkbox(label=safety.CONSENT, elem_id="edit-consent")
            with gr.Column():
                transcript = transcript_input("edit", recording, self.studio)
                new_text = gr.Textbox(
                    label="Words that shall be in it",
                    info="Change, add or delete words here.",
                    lines=4,
                    max_length=safety.MAX_TEXT,
                    elem_id="edit-new-text",
                )
                words = gr.HTML(elem_id="edit-words")
        with gr.Accordion("Settings", open=False, elem_id="edit-settings"):
            controls = FlowControls("edit", self.studio.synthesizer)
            with gr.Row():
                seeds = SeedControls("edit")
        with gr.Row():
            cancel = gr.Button("Cancel", elem_id="edit-cancel", scale=1)
            generate = gr.Button("Make the change", variant="primary", elem_id="edit-generate", scale=3)
        status = gr.HTML(results.note("Before and after will be here."), elem_id="edit-status")
        with gr.Row():
            with gr.Column():
                before = gr.Audio(label="Before", interactive=False, buttons=["download"], elem_id="edit-before")
                before_mel = gr.HTML(elem_id="edit-before-mel")
            with gr.Column():
                after = gr.Audio(label="After", interactive=False, buttons=["download"], elem_id="edit-after")
                after_mel = gr.HTML(elem_id="edit-after-mel")
        facts = gr.HTML(elem_id="edit-facts")
        connect(
            generate,
            cancel,
            self.edit,
            [recording, transcript, new_text, consent, *controls.inputs, *seeds.inputs],
            [before, after, before_mel, after_mel, words, facts, seeds.seed, status],
            "edit",
        )
        last = gr.State("")
        transcript.change(self.follow, [transcript, new_text, last], [new_text, last, words], **QUIET)
        new_text.change(changed_words, [transcript, new_text], words, **QUIET)
        if self.studio.synthesizer.default_prompt is not None:
            sample.click(self.sample, None, [recording, transcript, new_text], api_visibility="private")
        return []

    def _is_bundled(self, waveform: Waveform) -> bool:
        """Whether this is the recording of the model's own voice."""
        own = self.studio.synthesizer.default_prompt
        return own is not None and torch.equal(own.waveform.samples, waveform.samples)

    def _verdict(self, made: Edited) -> str:
        if not made.changes:
            return results.note("The texts say the same; the recording stays as it is.")
        if made.doubtful:
            shown = ", ".join(f"“{word.word.text}” at {word.start:.1f} s" for word in made.doubtful[:8])
            return results.note(
                f"The recording may not say {shown}. Check its words, and listen to the changes near to that.",
                kind="warning",
            )
        return results.note("Done." if not self.studio.is_marked else "Done. The watermark is in the whole recording.")


def changed_words(transcript: str, new_text: str, doubtful: Collection[int] = ()) -> str:
    """Return the words of both texts as HTML: what goes struck out, what comes marked, ``doubtful`` ones underlined."""
    old = written_words(transcript) if transcript.strip() else []
    new = written_words(new_text) if new_text.strip() else []
    shown = [
        f'<span class="doubtful" title="The recording may not say this here">{escape(each.text)}</span>'
        if i in doubtful
        else escape(each.text)
        for i, each in enumerate(old)
    ]
    matcher = difflib.SequenceMatcher(None, [each.sound for each in old], [each.sound for each in new], autojunk=False)
    pieces: list[str] = []
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag == "equal":
            pieces.append(" ".join(shown[i:j]))
            continue
        if i < j:
            pieces.append(f"<del>{' '.join(shown[i:j])}</del>")
        if k < m:
            pieces.append(f"<ins>{' '.join(escape(each.text) for each in new[k:m])}</ins>")
    return f'<p class="words">{" ".join(pieces)}</p>'
