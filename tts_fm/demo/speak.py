"""The tab Speak: a text in a voice, heard while it is spoken."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import torch

from tts_fm import story, subtitles, timing
from tts_fm.audio.io import Waveform
from tts_fm.audio.library import BUNDLED
from tts_fm.audio.prompt import Prompt
from tts_fm.demo import results, safety
from tts_fm.demo.player import Broadcast, player
from tts_fm.demo.settings import FlowControls, SeedControls, sampling
from tts_fm.demo.studio import QUIET, Studio, connect, pick_seed
from tts_fm.demo.voice_choice import VoiceChoice
from tts_fm.sampler import OnStep
from tts_fm.speech import provenance
from tts_fm.story import MAIN, Role, Turn
from tts_fm.stream import Piece
from tts_fm.text.directions import STRANGERS
from tts_fm.text.lexicon import shown
from tts_fm.timing import Passage, SpokenWord

_OUTPUTS = 9
_TEXT = "Flow matching turns noise into speech, step by step. It took 3 minutes to write this page's first line."
_TAGS = (
    ("[pause 0.5s]", "so much silence"),
    ("[say ɹˈɛd]read[/say]", "a word by the sounds of the International Phonetic Alphabet"),
    ("[spell]NASA[/spell]", "letter by letter"),
    ("[rate 0.8]...[/rate]", "slower below 1, faster above"),
    ("[voice anna]", f"a kept voice, or {BUNDLED}; [voice {MAIN}] is the one that is chosen below"),
    ("\\[ and \\]", "brackets of the text; a text that begins with <speak> is SSML"),
)


class Speak:
    """The handler and the elements of the tab."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def speak(
        self,
        text: str,
        is_marked_up: bool,
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

        Where ``is_marked_up``, tags in the text, or SSML, say how. ``source`` is "kept" (``voice`` is the name of a voice
        that is here, "default" the model's own) or "new" (a ``recording`` of 1 to 30 s and its ``transcript``); for any
        voice but the model's own ``consent`` must be true. The seed is used where ``is_seed_locked``, and returned. Yields
        its words and the sound so far while it speaks; returns the speech (a WAV file), its mel as HTML, the text as it was
        read, facts as HTML, the seed, its words with their times, a SubRip and a WebVTT file of them, and a line of HTML
        about the state.
        """
        safety.check_length(text)
        synthesizer = self.studio.synthesizer
        options = sampling(synthesizer, solver, grid, steps, guidance, sway)
        prompt = VoiceChoice.prompt(self.studio, source, voice, recording, transcript, consent)
        turns = story.directed(text, STRANGERS) if is_marked_up else (Turn(MAIN, text),)
        roles = self._roles(turns, prompt, consent)
        readings = [synthesizer.read(turn.text, lexicon=turn.lexicon).text for turn in turns]
        read = "\n".join(map(shown, readings))
        chosen = pick_seed(seed, is_seed_locked)
        times: list[float] = []

        def work(on_step: OnStep) -> Iterator[Piece]:
            pieces = story.stream(
                synthesizer, turns, roles, seed=chosen, speed=speed, sampling=options, on_step=on_step
            )
            return _timed(pieces, times)

        with results.shelf() as folder:
            facts = provenance(synthesizer.config.name, chosen, options, read)
            is_live = not self.studio.is_marked  # a mark is put into the whole
            broadcast = Broadcast(secrets.token_hex(4), folder, facts, synthesizer.config.mel.sample_rate, is_live)
            said = yield from self._play(work, broadcast, options.steps)
            waveform = Waveform(torch.cat([piece.waveform.samples for piece in said]), said[0].waveform.sample_rate)
            words = tuple(word for piece in said for word in piece.words)
            if not words:
                words = yield from self.studio.generate(lambda _: _heard(said, waveform), outputs=_OUTPUTS)
            remarks = dict.fromkeys(remark for piece in said for remark in piece.remarks)
            began, first, *_, ended = [*times, times[-1]]
            yield (
                self.studio.save(waveform, folder, f"speech-{chosen}", chosen, options, read),
                results.sound_figure(waveform, synthesizer.config.mel, "Mel spectrogram of the speech"),
                read,
                results.facts_list(
                    {
                        "First sound after": f"{first - began:.2f} s",
                        **results.timing(waveform.seconds, ended - began),
                        "Seed": chosen,
                        "Model": synthesizer.config.name,
                    }
                ),
                chosen,
                broadcast.end(words),
                *_subtitles(words, folder / f"speech-{chosen}"),
                results.verdict(list(remarks), self._unknown(readings)),
            )

    def _play(
        self, work: Callable[[OnStep], Iterator[Piece]], broadcast: Broadcast, steps: int
    ) -> Generator[tuple[Any, ...], None, list[Piece]]:
        """Hand each piece to the player as soon as it is there, and return them all; tell how far it is."""
        said: list[Piece] = []
        heard: Any = broadcast.begin()
        state: Any = gr.skip()
        for each in self.studio.device.stream(work):
            if isinstance(each, Piece):
                said.append(each)
                heard = broadcast.add(each)
            else:
                what = f"{said[-1].end:.1f} s are said. " if said else ""
                state = results.progress_bar(each, steps, what)
            yield (*[gr.skip()] * 5, heard, gr.skip(), gr.skip(), state)
            heard, state = gr.skip(), gr.skip()
        return said

    def _roles(self, turns: Sequence[Turn], prompt: Prompt | None, consent: bool) -> dict[str, Role]:
        """Return who speaks under the names of ``turns``. Raises ValueError for voices that are not here, or no consent."""
        names = {turn.voice for turn in turns} - {MAIN}
        story.check_roles(names, [MAIN, *self.studio.voices()])
        if names - {BUNDLED}:
            safety.check_consent(consent)
        return {MAIN: Role(prompt), **{name: Role(self.studio.voice(name)) for name in names}}

    def _unknown(self, readings: Sequence[str]) -> list[str]:
        """Return what the model does not know of what was read."""
        frontend = self.studio.synthesizer.frontend
        return list(dict.fromkeys(token for text in readings for token in frontend.unknown(frontend.tokens(text))))

    def build(self) -> list[gr.Dropdown]:
        """Lay out the tab and connect it; return the fields in which voices are chosen."""
        gr.HTML("<p>Type a text, choose a voice, and listen: it begins while it speaks.</p>", elem_classes="lead")
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
                markup = _markup()
                choice = VoiceChoice("speak", self.studio, may_name_others=markup)
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
                words = player("speak")
                speech = gr.Audio(
                    label="Speech",
                    interactive=False,
                    buttons=["download"],
                    waveform_options=gr.WaveformOptions(show_recording_waveform=False),  # which no script could follow
                    elem_id="speak-audio",
                )
                with gr.Row():
                    files = [
                        gr.DownloadButton(
                            f"Subtitles ({name})", visible=False, size="sm", elem_id=f"speak-{name.lower()}"
                        )
                        for name in ("SRT", "VTT")
                    ]
                facts = gr.HTML(elem_id="speak-facts")
                mel = gr.HTML(elem_id="speak-mel")
                read = gr.Textbox(label="Text as it was read", lines=2, interactive=False, elem_id="speak-read")
        connect(
            generate,
            cancel,
            self.speak,
            [text, markup, *choice.inputs, *controls.inputs, speed, *seeds.inputs],
            [speech, mel, read, facts, seeds.seed, words, *files, status],
            "speak",
        )
        return [choice.voice]


def _markup() -> gr.Checkbox:
    """Lay out the box that lets tags in the text say how, with their table, and return it."""
    markup = gr.Checkbox(
        False, label="Read mark-up", info="Tags in square brackets, or SSML, say how.", elem_id="speak-markup"
    )
    tags = gr.HTML(results.table(("Tag", "Meaning"), _TAGS), visible=False, elem_id="speak-tags")
    markup.change(lambda is_on: gr.update(visible=is_on), markup, tags, **QUIET)
    return markup


def _timed(pieces: Iterator[Piece], times: list[float]) -> Iterator[Piece]:
    """Yield ``pieces``; keep when it began, and when each was ready."""
    times.append(time.perf_counter())
    for piece in pieces:
        times.append(time.perf_counter())
        yield piece


def _heard(said: Sequence[Piece], waveform: Waveform) -> tuple[SpokenWord, ...]:
    """Return when an aligner hears each word in ``waveform``; nothing where it does not."""
    starts = [piece.start for piece in said if piece.text]
    texts = [piece.text for piece in said if piece.text]
    passages = [
        Passage(text, tuple(text.split()), start, end, None)
        for text, start, end in zip(texts, starts, [*starts[1:], waveform.seconds], strict=True)
    ]
    try:
        return timing.words(passages, waveform)
    except ValueError:  # a language that it does not know, or it is not installed
        return ()


def _subtitles(words: Sequence[SpokenWord], path: Path) -> list[Any]:
    """Write ``words`` as SubRip and WebVTT and offer both; offer none where there are no words."""
    if not words:
        return [gr.update(value=None, visible=False)] * 2
    cues = subtitles.cues(words)
    offered = []
    for suffix, written in ((".srt", subtitles.to_srt(cues)), (".vtt", subtitles.to_vtt(cues))):
        subtitles.save(written, path.with_suffix(suffix))
        offered.append(gr.update(value=str(path.with_suffix(suffix)), visible=True))
    return offered
