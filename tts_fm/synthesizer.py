"""Text and a voice in, speech out: the whole inference story in one short function."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from tts_fm import doubts, loading, memory, threads
from tts_fm.audio.io import Waveform
from tts_fm.audio.join import join, places
from tts_fm.audio.mel import log_mel
from tts_fm.audio.prompt import Prompt
from tts_fm.backbones import Backbone
from tts_fm.config import ModelConfig
from tts_fm.editing import Edit, Editor
from tts_fm.flow.paths import Path
from tts_fm.frontends import Frontend
from tts_fm.model import Model
from tts_fm.pacing import Voice
from tts_fm.plan import Plan
from tts_fm.rendering import Renderer
from tts_fm.sampler import OnState, OnStep, SamplingOptions
from tts_fm.speech import Speech
from tts_fm.stream import Piece, Streamer
from tts_fm.telling import Teller
from tts_fm.text.lexicon import Lexicon, shown
from tts_fm.text.normalize import Reading
from tts_fm.utterances import read, tell
from tts_fm.vocoders import Vocoder


class Synthesizer:
    """Speaks text in the voice of a prompt. Safe to call from several threads.

    Args:
        config: the model's configuration.
        backbone: the velocity network, in evaluation mode.
        frontend: text to token ids.
        vocoder: mel to waveform, in evaluation mode.
        dtype: what matrix products are computed in.
        default_prompt: the voice used when none is given.
        weak: a weaker model of the same frontend and mel, for the guidance mode ``auto``.
        grids: the model's own time grids by their number of steps, see ``tts-fm optimize-steps``.
    """

    def __init__(
        self,
        config: ModelConfig,
        backbone: Backbone,
        frontend: Frontend,
        vocoder: Vocoder,
        dtype: torch.dtype = torch.float32,
        default_prompt: Prompt | None = None,
        weak: Backbone | None = None,
        grids: dict[int, list[float]] | None = None,
    ) -> None:
        grids = {} if grids is None else grids
        self.model = Model(config, backbone, frontend, vocoder, dtype, default_prompt, weak, grids)
        self.config, self.backbone, self.frontend, self.vocoder = config, backbone, frontend, vocoder
        self.dtype, self.default_prompt, self.grids = dtype, default_prompt, grids
        self.path: Path = config.flow.path.build(Path)
        self.teller, self.renderer = Teller(config, frontend, backbone), Renderer(config, vocoder)

    @classmethod
    def load(
        cls,
        model: str = "default",
        *,
        vocab: str | None = None,
        architecture: str | None = None,
        vocoder: str | None = None,
        device: str = "auto",
        precision: str = "auto",
        weak_model: str | None = None,
    ) -> Synthesizer:
        """Load a model and its vocoder.

        Args:
            model: ``default`` (bundled), a model folder, a checkpoint of F5-TTS or E2-TTS, ``hf://OWNER/REPO[@REVISION]``,
                or the name of a published model.
            vocab: the vocabulary of a foreign checkpoint.
            architecture: the configuration of a foreign checkpoint, such as ``F5TTS_v1_Base`` or a YAML file.
            vocoder: a vocoder folder, ``hf://OWNER/REPO`` or ``griffin_lim``; the model's own if None.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            precision: ``auto`` (``float16``, ``bfloat16`` or ``float32``, what the device multiplies fastest of them), one of
                these, or ``int8`` in attention and feed-forward, on a CPU that multiplies bytes.
            weak_model: where a weaker model of the same frontend and mel is, for the guidance mode ``auto``.

        Raises:
            ModelError: the model is not there, or does not fit its configuration.
            ValueError: a device that this machine has not, or an option that means nothing.
        """
        threads.bound()
        return cls(**vars(loading.load(model, vocab, architecture, vocoder, device, precision, weak_model)))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.device

    @property
    def precision(self) -> str:
        """What its products are computed in: ``int8``, ``bfloat16``, ``float16`` or ``float32``."""
        return self.model.precision

    def with_config(self, config: ModelConfig) -> Synthesizer:
        """Return a synthesizer with the same weights that speaks as ``config`` says; this one stays as it is.

        Raises:
            ValueError: the weights were made for another value of what ``config`` changes.
        """
        return type(self)(**vars(self.model.with_config(config)))

    def synthesize(
        self,
        text: str,
        prompt: Prompt | None = None,
        *,
        seed: int = 0,
        speed: float = 1.0,
        seconds: float | None = None,
        sampling: SamplingOptions | None = None,
        normalized: bool = False,
        lexicon: Lexicon | None = None,
        on_step: OnStep | None = None,
        on_state: OnState | None = None,
    ) -> Waveform:
        """Return the sound alone of what :meth:`speak` returns for the same arguments."""
        return self.speak(
            text,
            prompt,
            seed=seed,
            speed=speed,
            seconds=seconds,
            sampling=sampling,
            normalized=normalized,
            lexicon=lexicon,
            on_step=on_step,
            on_state=on_state,
        ).waveform

    @torch.inference_mode()
    def speak(
        self,
        text: str,
        prompt: Prompt | None = None,
        *,
        seed: int = 0,
        speed: float = 1.0,
        seconds: float | None = None,
        sampling: SamplingOptions | None = None,
        normalized: bool = False,
        lexicon: Lexicon | None = None,
        on_step: OnStep | None = None,
        on_state: OnState | None = None,
    ) -> Speech:
        """Speak ``text`` in the voice of ``prompt``, and tell how.

        Args:
            text: what to say, as a person writes it.
            prompt: the voice; the model's own reference if None.
            seed: sentence ``i`` starts from the noise of ``seed + i``.
            speed: 2 is twice as fast as the prompt, if that can be said; else as fast as can be, and a remark says so.
            seconds: the length of the speech, where it is fixed; shared between sentences by their length.
            sampling: steps, guidance and so on; the model's defaults if None.
            normalized: whether ``text`` already spells out its numbers and abbreviations.
            lexicon: words of one's own and how they are read, before every other rule.
            on_step: called with (steps done, steps in all).
            on_state: called with the time ``t`` and the log-mel (n c) of a sentence on its way, at each evaluation.

        Raises:
            InputError: a text or a recording that nothing can be done with.
            ValueError: a speed or duration out of range.
        """
        began = time.perf_counter()
        own = self.model.voice(prompt)
        told = tell(self.teller, text, own, speed=speed, seconds=seconds, normalized=normalized, lexicon=lexicon)
        voice = told.voice
        conditions, pauses = zip(*((each.condition, each.pause) for each in told.utterances), strict=True)
        given = len(voice.mel)
        sampler = self.model.sampler(sampling, on_state, given)
        mels = sampler.sample(conditions, [seed + i for i in range(len(conditions))], on_step)
        log_mels = [self.renderer.log_mel(mel[given:]) for mel in mels]
        pieces = [self.renderer.sound(log_mel, voice.prompt.output_gain) for log_mel in log_mels]
        memory.give_back()
        waveform, seconds_taken = join(pieces, pauses), time.perf_counter() - began
        of_voice = doubts.of_reference(own, voice.prompt, self.model.checks(own))
        return Speech(
            waveform=waveform,
            mel=torch.cat(log_mels).cpu(),
            text=shown(told.reading.text),
            passages=told.passages(places(pieces, pauses)),
            unknown=told.unknown,
            seconds=seconds_taken,
            remarks=(*of_voice, *told.remarks, *doubts.of_speech(waveform)),
        )

    def stream(
        self,
        text: str,
        prompt: Prompt | None = None,
        *,
        seed: int = 0,
        speed: float = 1.0,
        sampling: SamplingOptions | None = None,
        normalized: bool = False,
        lexicon: Lexicon | None = None,
        on_step: OnStep | None = None,
    ) -> Iterator[Piece]:
        """Speak ``text`` piece by piece: the first is ready soon, and all of them one after the other are the speech.

        It is the same sound for the same seed, however it is consumed, and lasts as long as that of :meth:`speak`; the
        sound is another one, as each phrase is made alone, told the end of what was said before it. A model that places
        the words itself is told a sentence, or several, at once, and its pieces know no words.

        Args:
            text: as for :meth:`speak`, and so is what is not named here.
            seed: phrase ``i`` starts from the noise of ``seed + i``.
            on_step: called with (steps done, steps in all) of each phrase; what it raises ends the speech.

        Raises:
            InputError: a text or a recording that nothing can be done with.
            ValueError: a speed out of range.
        """
        own = self.model.voice(prompt)
        told = tell(self.teller, text, own, speed=speed, normalized=normalized, lexicon=lexicon)
        voice = told.voice
        sampler, gain = self.model.sampler(sampling), voice.prompt.output_gain
        streamer = Streamer(self.config, self.frontend, self.renderer, sampler, voice.mel, gain)
        at_once = (*doubts.of_recording(own), *told.remarks)

        def at_last() -> tuple[str, ...]:
            return doubts.of_transcript(own, voice.prompt, self.model.checks(own))

        return streamer.stream(told.utterances, seed, on_step, at_once, at_last)

    @torch.inference_mode()
    def plan(
        self,
        text: str,
        prompt: Prompt | None = None,
        *,
        speed: float = 1.0,
        seconds: float | None = None,
        normalized: bool = False,
        lexicon: Lexicon | None = None,
    ) -> Plan:
        """Return how :meth:`speak` would speak ``text`` with the same arguments, without speaking it."""
        own = self.model.voice(prompt)
        told = tell(self.teller, text, own, speed=speed, seconds=seconds, normalized=normalized, lexicon=lexicon)
        return told.plan()

    def read(self, text: str, *, normalized: bool = False, lexicon: Lexicon | None = None) -> Reading:
        """Return how ``text`` is read, with ``normalized`` and ``lexicon`` as in :meth:`speak`.

        Raises:
            InputError: nothing in it can be spoken by this model.
            ValueError: a lexicon whose sounds this model does not know.
        """
        return read(self.teller, text, normalized, lexicon)

    def edit(
        self,
        recording: Waveform,
        transcript: str,
        new_text: str,
        *,
        seed: int = 0,
        sampling: SamplingOptions | None = None,
        on_step: OnStep | None = None,
    ) -> Edit:
        """Change words of a recording: what differs between the texts is generated anew, all else stays, bit for bit.

        Args:
            recording: speech of one person, in English.
            transcript: the words in it.
            new_text: the words that shall be in it.
            seed: change ``i`` starts from the noise of ``seed + i``.
            sampling: as in :meth:`speak`.
            on_step: as in :meth:`speak`.

        Raises:
            InputError: words that are not in the recording, or hardly any that stay.
            ValueError: the extra ``edit``, which finds the words in the recording, is not installed.
        """
        return self.editor(sampling).edit(recording, transcript, new_text, seed, on_step)

    def editor(self, sampling: SamplingOptions | None = None) -> Editor:
        """Return what edits recordings with this model, by ``sampling``, the model's defaults if None."""
        return Editor(self.teller, self.vocoder, self.model.sampler(sampling))

    @torch.inference_mode()
    def copy(self, waveform: Waveform) -> Waveform:
        """Return ``waveform`` through mel and vocoder: what the vocoder alone loses."""
        samples = waveform.resampled(self.config.mel.sample_rate).samples
        return self.renderer.sound(log_mel(samples.to(self.device), self.config.mel))

    def listen(self, prompt: Prompt | None) -> Voice:
        """Return ``prompt``, or the model's own voice where it is None, as the model hears it. Raises InputError."""
        return self.teller.listen(self.model.voice(prompt))
