"""Choosing whose voice speaks: one of the kept voices, or a recording that the visitor gives."""

from __future__ import annotations

import gradio as gr

from tts_fm import transcribe
from tts_fm.audio.library import BUNDLED
from tts_fm.audio.prompt import Prompt
from tts_fm.demo import safety
from tts_fm.demo.generation import Device
from tts_fm.demo.studio import QUEUE, QUIET, Studio

KEPT, NEW = "kept", "new"
_TRANSCRIPT_INFO = "Exactly what is said in it, with punctuation."


def recording_input(name: str, label: str) -> gr.Audio:
    """Return the place for a recording, by upload or microphone; ``name`` begins its id."""
    return gr.Audio(
        sources=["upload", "microphone"], type="filepath", label=label, buttons=[], elem_id=f"{name}-recording"
    )


def transcript_input(name: str, recording: gr.Audio, studio: Studio) -> gr.Textbox:
    """Return the field for the words of ``recording``; where the extra ``asr`` is there, a button fills it."""
    is_heard = transcribe.is_available()
    info = _TRANSCRIPT_INFO if is_heard else f"{_TRANSCRIPT_INFO} Listen to it, and type the words."
    transcript = gr.Textbox(
        value="",
        label="Words in the recording",
        info=info,
        placeholder="The words that I say in this recording.",
        lines=2,
        max_length=safety.MAX_TEXT,
        elem_id=f"{name}-transcript",
    )
    if is_heard:
        gr.Button("Transcribe", size="sm", elem_id=f"{name}-transcribe").click(
            Transcriber(studio.device).transcribe,
            recording,
            transcript,
            concurrency_id=QUEUE,
            api_visibility="private",
        )
    return transcript


class Transcriber:
    """Writes down the words of a recording."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def transcribe(self, recording: str | None) -> str:
        """Return the words in ``recording``."""
        with safety.mistakes_as_sentences():
            waveform = safety.recording(recording)
            running = self.device.run(lambda _: transcribe.transcribe(waveform))
            while True:
                try:
                    next(running)
                except StopIteration as finished:
                    return finished.value


class VoiceChoice:
    """The controls; ``inputs`` are what :meth:`prompt` takes, in this order.

    Where ``may_name_others`` is ticked, the text may name other voices, and consent is asked for, too.
    """

    def __init__(self, name: str, studio: Studio, may_name_others: gr.Checkbox | None = None) -> None:
        voices = studio.voices()
        has_voice = bool(voices)
        self.source = gr.Radio(
            [("A voice that is here", KEPT), ("A new recording", NEW)],
            value=KEPT if has_voice else NEW,
            label="Whose voice?",
            elem_id=f"{name}-source",
        )
        self.voice = gr.Dropdown(
            voices,
            value=voices[0] if has_voice else None,
            label="Voice",
            info=f"{BUNDLED} is the model's own. Keep more of them under Voices.",
            allow_custom_value=True,
            visible=has_voice,
            elem_id=f"{name}-voice",
        )
        with gr.Group(visible=not has_voice) as new:
            self.recording = recording_input(name, "Recording of the voice: 3 to 10 seconds of one person")
            self.transcript = transcript_input(name, self.recording, studio)
        self.consent = gr.Checkbox(label=safety.CONSENT, visible=not has_voice, elem_id=f"{name}-consent")
        self.inputs = [self.source, self.voice, self.recording, self.transcript, self.consent]
        seen = [self.source, self.voice, *([] if may_name_others is None else [may_name_others])]
        gr.on(
            [each.change for each in seen],
            lambda source, voice, names_others=False: [
                gr.update(visible=source == KEPT),
                gr.update(visible=source == NEW),
                gr.update(visible=source == NEW or voice != BUNDLED or names_others),
            ],
            seen,
            [self.voice, new, self.consent],
            **QUIET,
        )

    @staticmethod
    def prompt(
        studio: Studio, source: str, voice: str | None, recording: str | None, transcript: str | None, consent: bool
    ) -> Prompt | None:
        """Return the voice that was chosen, None for the model's own.

        Raises:
            ValueError: no consent, no such voice, or a recording that cannot be used.
        """
        if source == KEPT and voice == BUNDLED and studio.synthesizer.default_prompt is not None:
            return None
        safety.check_consent(consent)
        if source == NEW:
            return safety.prompt(recording, transcript)
        if voice is None:
            raise ValueError("choose a voice first, or give a new recording")
        return studio.voice(voice)
