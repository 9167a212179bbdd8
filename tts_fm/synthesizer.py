"""Text and a voice in, speech out: the whole inference story in one short function."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import checkpoint, doubts, hub, loading, threads, timing
from tts_fm.audio.equalize import like
from tts_fm.audio.io import Waveform
from tts_fm.audio.join import join, places
from tts_fm.audio.level import Span
from tts_fm.audio.mel import log_mel
from tts_fm.audio.prompt import Prompt
from tts_fm.backbones import Backbone
from tts_fm.config import ModelConfig
from tts_fm.editing import Edit, Editor
from tts_fm.errors import InputError
from tts_fm.flow.paths import Path
from tts_fm.frontends import Frontend
from tts_fm.nn.precision import hold
from tts_fm.pacing import Voice
from tts_fm.plan import Plan, PlannedPiece
from tts_fm.sampler import OnState, OnStep, Sampler, SamplingOptions
from tts_fm.speech import Speech
from tts_fm.stream import Piece, Streamer, Utterance, told_words
from tts_fm.telling import Teller
from tts_fm.text.clean import check
from tts_fm.text.lexicon import Lexicon, shown
from tts_fm.text.normalize import Reading, WrittenWord, read, written_words
from tts_fm.timing import Passage, SpokenWord
from tts_fm.vocoders import Vocoder

_MAX_FRAMES = {"cuda": 16_384}  # of a batch; elsewhere a sentence alone is as fast, and its progress can be told


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
        if vocoder.mel != config.mel:
            raise ValueError(
                f"the vocoder was made for {vocoder.mel}, the model for {config.mel}; choose a matching vocoder"
            )
        self.config, self.backbone, self.frontend, self.vocoder = config, backbone, frontend, vocoder
        self.dtype, self.default_prompt, self.weak = dtype, default_prompt, weak
        self.path: Path = config.flow.path.build(Path)
        self.grids = {} if grids is None else grids
        self.teller = Teller(config, frontend, backbone)

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
            precision: ``auto`` (what the device multiplies fastest), ``float32``, ``bfloat16`` or ``float16``.
            weak_model: where a weaker model of the same frontend and mel is, for the guidance mode ``auto``.

        Raises:
            ModelError: the model is not there, or does not fit its configuration.
            ValueError: a device that this machine has not, or an option that means nothing.
        """
        loading.bound_kernel_cache()
        threads.bound()
        where = loading.pick_device(device)
        dtype = loading.pick_dtype(precision, where)
        source = hub.resolve(model, vocab=vocab, architecture=architecture)
        config, backbone, frontend = loading.load_model(source, where)
        weak = None if weak_model is None else loading.load_weak(weak_model, config, backbone)
        for network in (backbone, weak):
            if network is not None and dtype != torch.float32:
                hold(network, dtype, network.float32_parts)
        grids = {} if source.folder is None else checkpoint.load_grids(source.folder)
        own_vocoder = loading.load_vocoder(config, source.folder, vocoder).settle(where)
        return cls(config, backbone, frontend, own_vocoder, dtype, loading.own_voice(source.folder), weak, grids)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.backbone.parameters()).device

    def with_config(self, config: ModelConfig) -> Synthesizer:
        """Return a synthesizer with the same weights that speaks as ``config`` says; this one stays as it is.

        Raises:
            ValueError: the weights were made for another value of what ``config`` changes.
        """
        for name in ("mel", "mel_scale", "frontend", "backbone", "flow"):
            ours, theirs = getattr(self.config, name), getattr(config, name)
            if ours != theirs:
                raise ValueError(f"{name} is {theirs}, the weights were made for {ours}; load another model for that")
        return type(self)(
            config,
            self.backbone,
            self.frontend,
            self.vocoder,
            self.dtype,
            self.default_prompt,
            self.weak,
            self.grids,
        )

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
        reading = self.read(text, normalized=normalized, lexicon=lexicon)
        own = self._voice_or_default(prompt)
        voice = self.teller.listen(own)
        speed, slowed = doubts.possible_speed(speed, voice.prompt) if seconds is None else (speed, ())
        written = written_words(text, lexicon, is_spelled_out=normalized)
        utterances = self._utterances(reading, written, voice, speed, seconds)
        conditions, pauses = [each.condition for each in utterances], [each.pause for each in utterances]
        sampler = self._sampler(sampling, None if on_state is None else self._showing(on_state, voice))
        mels = sampler.sample(conditions, [seed + i for i in range(len(conditions))], on_step)
        log_mels = [self._log_mel(mel, voice) for mel in mels]
        pieces = [self._vocode(mel, voice.prompt.output_gain) for mel in log_mels]
        unknown = [token for each in utterances for token in self.frontend.unknown(each.tokens)]
        waveform, seconds_taken = join(pieces, pauses), time.perf_counter() - began
        remarks = self._doubts_of(own, voice)
        return Speech(
            waveform=waveform,
            mel=torch.cat(log_mels).cpu(),
            text=shown(reading.text),
            passages=self._passages(utterances, places(pieces, pauses)),
            unknown=tuple(dict.fromkeys(unknown)),
            seconds=seconds_taken,
            remarks=(*remarks, *slowed, *doubts.of_speech(waveform)),
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
            text: as for :meth:`speak`, and so are ``prompt``, ``speed``, ``sampling``, ``normalized`` and ``lexicon``.
            prompt: the voice.
            seed: phrase ``i`` starts from the noise of ``seed + i``.
            speed: 2 is twice as fast as the prompt.
            sampling: steps, guidance and so on.
            normalized: whether ``text`` already spells out its numbers and abbreviations.
            lexicon: words of one's own and how they are read.
            on_step: called with (steps done, steps in all) of each phrase; what it raises ends the speech.

        Raises:
            InputError: a text or a recording that nothing can be done with.
            ValueError: a speed out of range.
        """
        reading = self.read(text, normalized=normalized, lexicon=lexicon)
        own = self._voice_or_default(prompt)
        voice = self.teller.listen(own)
        speed, slowed = doubts.possible_speed(speed, voice.prompt)
        remarks = (*self._doubts_of(own, voice), *slowed)
        utterances = self._utterances(reading, written_words(text, lexicon, is_spelled_out=normalized), voice, speed)
        streamer = Streamer(
            self.config, self.frontend, self.vocoder, self._sampler(sampling), voice.mel, voice.prompt.output_gain
        )
        return streamer.stream(utterances, seed, on_step, remarks)

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
        reading = self.read(text, normalized=normalized, lexicon=lexicon)
        voice = self.listen(prompt)
        speed, _ = doubts.possible_speed(speed, voice.prompt)
        written = written_words(text, lexicon, is_spelled_out=normalized)
        pieces: list[PlannedPiece] = []
        words: list[SpokenWord] = []
        unknown: list[str] = []
        start = 0.0
        for each in self._utterances(reading, written, voice, speed, seconds):
            n_frames = each.condition.is_valid.shape[1] - len(voice.mel)
            pieces.append(PlannedPiece(each.text, n_frames / self.config.mel.frame_rate, each.pause))
            words += told_words(each, self.frontend, self.config.mel, start)
            unknown += self.frontend.unknown(each.tokens)
            start += pieces[-1].seconds + each.pause
        return Plan(reading, tuple(pieces), tuple(words), tuple(dict.fromkeys(unknown)))

    def read(self, text: str, *, normalized: bool = False, lexicon: Lexicon | None = None) -> Reading:
        """Return how ``text`` is read, with ``normalized`` and ``lexicon`` as in :meth:`speak`.

        Raises:
            InputError: nothing in it can be spoken by this model.
            ValueError: a lexicon whose sounds this model does not know.
        """
        check(text)
        if lexicon is not None:
            self._check_sounds(lexicon)
        reading = read(text, lexicon, is_spelled_out=normalized)
        if not self.frontend.says_something(reading.text):
            shortened = text.strip()[:20] + ("..." if len(text.strip()) > 20 else "")
            raise InputError(
                f"there is nothing that the model {self.config.name} can read in {shortened!r}; "
                f"give words in the script of its language"
            )
        return reading

    def _check_sounds(self, lexicon: Lexicon) -> None:
        for entry in lexicon.entries:
            if entry.sounds is None:
                continue
            if not self.frontend.reads_sounds:
                raise ValueError(
                    f"{entry.where or entry.word}: the model {self.config.name} reads letters, not the International Phonetic "
                    f"Alphabet; write how {entry.word!r} is read in letters"
                )
            if unknown := self.frontend.unknown(list(entry.sounds)):
                raise ValueError(
                    f"{entry.where or entry.word}: the model {self.config.name} knows no sound {', '.join(unknown)}; "
                    f"use the symbols that espeak-ng writes"
                )

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
        return Editor(self.teller, self.vocoder, self._sampler(sampling))

    @torch.inference_mode()
    def copy(self, waveform: Waveform) -> Waveform:
        """Return ``waveform`` through mel and vocoder: what the vocoder alone loses."""
        samples = waveform.resampled(self.config.mel.sample_rate).samples
        return self._vocode(log_mel(samples.to(self.device), self.config.mel), 1.0)

    def _passages(self, utterances: Sequence[Utterance], spans: Sequence[Span]) -> tuple[Passage, ...]:
        """Return what is said where, at ``spans`` of the joined sound."""
        rate = self.config.mel.frame_rate
        return tuple(
            Passage(
                shown(each.text),
                each.written,
                span.start,
                span.end,
                timing.told_spans(each.condition, self.frontend, each.text, rate),
            )
            for each, span in zip(utterances, spans, strict=True)
        )

    def _sampler(self, sampling: SamplingOptions | None, on_state: OnState | None = None) -> Sampler:
        return Sampler(
            self.backbone,
            self.config.default_sampling if sampling is None else sampling,
            self.dtype,
            max_frames=_MAX_FRAMES.get(self.device.type, 1),
            path=self.path,
            weak=self.weak,
            grids=self.grids,
            on_state=on_state,
        )

    def _showing(self, on_state: OnState, voice: Voice) -> OnState:
        """Return a function that hands on the first utterance of each state, without scale and prompt."""
        scale, given = self.config.mel_scale, len(voice.mel)
        return lambda t, x_t: on_state(t, scale.unscaled(x_t[0, given:].float()))

    def _doubts_of(self, prompt: Prompt, voice: Voice) -> tuple[str, ...]:
        """Return what may be wrong with a prompt; the model's own one says its words."""
        return doubts.of_reference(prompt, voice.prompt, self._is_english() and prompt is not self.default_prompt)

    def _is_english(self) -> bool:
        """Whether the model speaks English, which is what the aligner knows."""
        return getattr(self.frontend.options, "language", "").startswith("en")

    def listen(self, prompt: Prompt | None) -> Voice:
        """Return ``prompt``, or the model's own voice where it is None, as the model hears it. Raises InputError."""
        return self.teller.listen(self._voice_or_default(prompt))

    def _utterances(
        self,
        reading: Reading,
        written: Sequence[WrittenWord],
        voice: Voice,
        speed: float,
        seconds: float | None = None,
    ) -> list[Utterance]:
        """Return what the model is told to say ``reading``, which is that of the ``written`` words."""
        chunks, pauses = self.teller.pieces(reading.paragraphs, voice)
        names = timing.as_written(written, chunks)
        tokens = [tuple(self.frontend.tokens(piece)) for piece in chunks]
        conditions = [
            self.teller.to_speak(voice, piece, its_tokens, speed, share)
            for piece, its_tokens, share in zip(chunks, tokens, _shares(chunks, seconds), strict=True)
        ]
        return [Utterance(*each) for each in zip(chunks, names, tokens, conditions, pauses, strict=True)]

    def _voice_or_default(self, prompt: Prompt | None) -> Prompt:
        prompt = self.default_prompt if prompt is None else prompt
        if prompt is None:
            raise InputError(
                f"the model {self.config.name} has no voice of its own; give a reference recording and its transcript"
            )
        return prompt

    def _log_mel(self, mel: Float[Tensor, "n c"], voice: Voice) -> Float[Tensor, "q c"]:
        """Undo the scale, leave the prompt away, and equalise what was generated."""
        both, given = self.config.mel_scale.unscaled(mel), len(voice.mel)
        return like(both[given:], both[:given], self.config.match_prompt)

    def _vocode(self, log_mel_: Float[Tensor, "n c"], gain: float) -> Waveform:
        samples = self.vocoder.decode(log_mel_[None])[0].float().cpu() * gain
        return Waveform(samples, self.config.mel.sample_rate)


def _shares(chunks: Sequence[str], seconds: float | None) -> list[float | None]:
    """Share ``seconds`` between the chunks by their characters."""
    whole = sum(map(len, chunks))
    return [None if seconds is None else seconds * len(piece) / whole for piece in chunks]
