"""Text and a voice in, speech out: the whole inference story in one short function."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import checkpoint, duration, hub, infill, plugins
from tts_fm.audio import prompt as prompts
from tts_fm.audio.io import Waveform
from tts_fm.audio.join import join
from tts_fm.audio.mel import log_mel
from tts_fm.audio.prompt import PreparedPrompt, Prompt
from tts_fm.backbones import Backbone
from tts_fm.config import Choice, ModelConfig
from tts_fm.errors import InputError
from tts_fm.frontends import Frontend
from tts_fm.interop import f5_tts, vocos
from tts_fm.sampler import OnStep, Sampler, SamplingOptions
from tts_fm.text.chunk import chunk, f5_chunks
from tts_fm.text.clean import check, clean
from tts_fm.text.normalize import normalize
from tts_fm.types import FILLER, Condition
from tts_fm.vocoders import Vocoder

_LEAST_CHUNK = 30  # characters: a long prompt must not cut the text into single words
_LONGEST_CHUNK = 300  # characters


@dataclass(frozen=True)
class Voice:
    """A prompt as the model hears it: ``mel`` is scaled, and has ``samples // hop_length`` frames."""

    prompt: PreparedPrompt
    mel: Float[Tensor, "n c"]


@dataclass(frozen=True, eq=False)
class Speech:
    """What was said, and how.

    Attributes:
        waveform: the sound.
        mel: the generated log-mel, without the prompt.
        text: the text as it was read, normalised.
        chunks: the pieces it was spoken in.
        unknown: tokens of the text that the model does not know.
        seconds: computing time.
    """

    waveform: Waveform
    mel: Float[Tensor, "n c"]
    text: str
    chunks: tuple[str, ...]
    unknown: tuple[str, ...]
    seconds: float

    @property
    def real_time_factor(self) -> float:
        """Computing time over the length of the speech."""
        return self.seconds / self.waveform.seconds


class Synthesizer:
    """Speaks text in the voice of a prompt. Safe to call from several threads.

    Args:
        config: the model's configuration.
        backbone: the velocity network, in evaluation mode.
        frontend: text to token ids.
        vocoder: mel to waveform, in evaluation mode.
        dtype: what matrix products are computed in.
        default_prompt: the voice used when none is given.
    """

    def __init__(
        self,
        config: ModelConfig,
        backbone: Backbone,
        frontend: Frontend,
        vocoder: Vocoder,
        dtype: torch.dtype = torch.float32,
        default_prompt: Prompt | None = None,
    ) -> None:
        if vocoder.mel != config.mel:
            raise ValueError(f"the vocoder was made for {vocoder.mel}, the model for {config.mel}; choose a matching vocoder")
        self.config, self.backbone, self.frontend, self.vocoder = config, backbone, frontend, vocoder
        self.dtype, self.default_prompt = dtype, default_prompt

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
    ) -> Synthesizer:
        """Load a model and its vocoder.

        Args:
            model: ``default`` (bundled), a model folder, a checkpoint of F5-TTS or E2-TTS, ``hf://OWNER/REPO[@REVISION]``,
                or the name of a published model.
            vocab: the vocabulary of a foreign checkpoint.
            architecture: the configuration of a foreign checkpoint, such as ``F5TTS_v1_Base`` or a YAML file.
            vocoder: a vocoder folder, ``hf://OWNER/REPO`` or ``griffin_lim``; the model's own if None.
            device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
            precision: ``auto`` (float16 on a GPU, else float32), ``float32``, ``bfloat16`` or ``float16``.

        Raises:
            ModelError: the model is not there, or does not fit its configuration.
            ValueError: a device that this machine has not, or an option that means nothing.
        """
        where = pick_device(device)
        dtype = pick_dtype(precision, where)
        source = hub.resolve(model, vocab=vocab, architecture=architecture)
        if source.folder is not None:
            config, backbone = checkpoint.load_model(source.folder, where)
            frontend = checkpoint.load_frontend(config, source.folder)
        else:
            config, backbone, frontend = f5_tts.load(source.checkpoint, source.vocab, source.architecture, where)
        made = load_vocoder(config, source.folder, vocoder).to(where).eval()
        return cls(config, backbone, frontend, made, dtype, _own_voice(source.folder))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.backbone.parameters()).device

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
        on_step: OnStep | None = None,
    ) -> Waveform:
        """Speak ``text`` in the voice of ``prompt``; :meth:`speak` tells more about it."""
        return self.speak(
            text, prompt, seed=seed, speed=speed, seconds=seconds, sampling=sampling, normalized=normalized, on_step=on_step
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
        on_step: OnStep | None = None,
    ) -> Speech:
        """Speak ``text`` in the voice of ``prompt``, and tell how.

        Args:
            text: what to say, as a person writes it.
            prompt: the voice; the model's own reference if None.
            seed: sentence ``i`` starts from the noise of ``seed + i``.
            speed: 2 is twice as fast as the prompt.
            seconds: the length of the speech, where it is fixed; shared between sentences by their length.
            sampling: steps, guidance and so on; the model's defaults if None.
            normalized: whether ``text`` already spells out its numbers and abbreviations.
            on_step: called with (steps done, steps in all).

        Raises:
            InputError: a text or a recording that nothing can be done with.
            ValueError: a speed or duration out of range.
        """
        began = time.perf_counter()
        check(text)
        read = clean(text) if normalized else normalize(text)
        voice = self._listen(self._voice_or_default(prompt))
        chunks = self._chunks(read, voice)
        conditions = [self._condition(voice, piece, speed, share) for piece, share in zip(chunks, _shares(chunks, seconds), strict=True)]
        sampler = Sampler(self.backbone, self.config.sampling if sampling is None else sampling, self.dtype)
        mels = sampler.sample(conditions, [seed + i for i in range(len(conditions))], on_step)
        given = len(voice.mel)
        log_mels = [mel[given:] * self.config.mel_scale.std + self.config.mel_scale.mean for mel in mels]
        pieces = [self._vocode(mel, voice.prompt.output_gain) for mel in log_mels]
        unknown = [token for piece in chunks for token in self.frontend.unknown(self.frontend.tokens(piece))]
        return Speech(
            waveform=join(pieces),
            mel=torch.cat(log_mels).cpu(),
            text=read,
            chunks=tuple(chunks),
            unknown=tuple(dict.fromkeys(unknown)),
            seconds=time.perf_counter() - began,
        )

    @torch.inference_mode()
    def copy(self, waveform: Waveform) -> Waveform:
        """Return ``waveform`` through mel and vocoder: what the vocoder alone loses."""
        samples = waveform.resampled(self.config.mel.sample_rate).samples
        return self._vocode(log_mel(samples.to(self.device), self.config.mel), 1.0)

    def _voice_or_default(self, prompt: Prompt | None) -> Prompt:
        prompt = self.default_prompt if prompt is None else prompt
        if prompt is None:
            raise InputError(f"the model {self.config.name} has no voice of its own; give a reference recording and its transcript")
        return prompt

    def _listen(self, prompt: Prompt) -> Voice:
        """Level, trim and resample the prompt; return it with its mel."""
        mel, scale = self.config.mel, self.config.mel_scale
        prepared = prompts.prepare(prompt, mel.sample_rate, self.config.limits.max_prompt_seconds)
        samples = prepared.waveform.samples.to(self.device)
        frames = (log_mel(samples, mel) - scale.mean) / scale.std
        return Voice(prepared, frames[: len(samples) // mel.hop_length])

    def _chunks(self, text: str, voice: Voice) -> list[str]:
        """Cut ``text`` so that prompt and piece together fit the model, at the prompt's own rate."""
        budget = self.config.limits.max_total_seconds - voice.prompt.waveform.seconds
        if self.config.duration.rule == "f5_bytes":
            transcript = duration.f5_transcript(voice.prompt.transcript)
            return f5_chunks(text, int(len(transcript.encode()) / voice.prompt.waveform.seconds * budget))
        rate = len(voice.prompt.transcript) / max(voice.prompt.speech_seconds, 0.5)
        slowest_fair = min(max(rate, 8.0), 20.0)  # characters per second
        return chunk(text, int(min(max(slowest_fair * budget * 0.8, _LEAST_CHUNK), _LONGEST_CHUNK)))

    def _condition(self, voice: Voice, text: str, speed: float, seconds: float | None) -> Condition:
        """Tell the model what to say: the tokens, and how many frames they get."""
        given, rate = len(voice.mel), self.config.mel.frame_rate
        fixed = None if seconds is None else duration.to_frames(seconds, rate)
        rule, floor = self.config.duration.rule, self.config.duration.floor_seconds
        if rule == "predicted":
            return self._condition_with_durations(voice, text, speed, fixed)
        transcript = duration.f5_transcript(voice.prompt.transcript)
        ids = self.frontend.encode(transcript + text)
        if fixed is not None:
            total = given + fixed
        elif rule == "f5_bytes":
            total = duration.f5_bytes(given, transcript, text, speed=speed, n_tokens=len(ids))
        else:
            spoken = duration.speech_rate(
                transcript, voice.prompt.speech_seconds, text, speed=speed, floor_seconds=floor
            )
            total = given + duration.to_frames(spoken, rate)
        return infill.continue_prompt(voice.mel, ids, total)

    def _condition_with_durations(self, voice: Voice, text: str, speed: float, fixed: int | None) -> Condition:
        """As :meth:`_condition`, for a backbone that is told the frames of each token; the prompt's text is hidden."""
        given, rate = len(voice.mel), self.config.mel.frame_rate
        said = self.frontend.tokens(voice.prompt.transcript)
        prompt_frames = self._predicted_frames(said)
        ids = self.frontend.encode(text)
        frames = duration.predicted(
            [f if token.isalpha() else 0.0 for token, f in zip(said, prompt_frames, strict=True)],
            self.backbone.predict_token_frames(torch.tensor(ids, device=self.device)).tolist(),
            prompt_frames=given,
            prompt_speech_frames=voice.prompt.speech_seconds * rate,
            target_frames=fixed,
            speed=speed,
            floor_frames=duration.to_frames(max(self.config.duration.floor_seconds, 1 / rate), rate),
        )
        target = frames[len(said) :]
        return infill.continue_prompt(voice.mel, [FILLER, *ids], given + sum(target), [given, *target])

    def _predicted_frames(self, tokens: Sequence[str]) -> list[float]:
        ids = torch.tensor(self.frontend.ids(tokens), device=self.device)
        return self.backbone.predict_token_frames(ids).tolist()

    def _vocode(self, log_mel_: Float[Tensor, "n c"], gain: float) -> Waveform:
        samples = self.vocoder.decode(log_mel_[None])[0].float().cpu() * gain
        return Waveform(samples, self.config.mel.sample_rate)


def _shares(chunks: Sequence[str], seconds: float | None) -> list[float | None]:
    """Share ``seconds`` between the chunks by their characters."""
    whole = sum(map(len, chunks))
    return [None if seconds is None else seconds * len(piece) / whole for piece in chunks]


def pick_device(name: str) -> torch.device:
    """Return the device called ``name``; ``auto`` is the best one there is. Raises ValueError where it is not there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(device for device in ("cuda", "mps", "cpu") if there[device]))
    if name.partition(":")[0] not in there:
        raise ValueError(f"there is no device {name!r}; choose one of auto, {', '.join(there)}")
    if not there[name.partition(":")[0]]:
        raise ValueError(f"this machine has no {name} device; use --device auto or cpu")
    return torch.device(name)


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the type called ``precision``; ``auto`` is float16 on a GPU and float32 elsewhere."""
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if precision not in known:
        raise ValueError(f"there is no precision {precision!r}; choose one of auto, {', '.join(known)}")
    return known[precision]


def load_vocoder(config: ModelConfig, folder: Path | None, source: str | None = None) -> Vocoder:
    """Return the vocoder of a model, or the one at ``source``: a folder, ``hf://OWNER/REPO`` or ``griffin_lim``.

    ``config.vocoder_source`` may name a folder inside the model's own ``folder``.
    """
    source = config.vocoder_source if source is None else source
    if source in plugins.names(Vocoder) or not source:
        choice = config.vocoder if not source else Choice(name=source, options=plugins.load(Vocoder, source).Options())
        return choice.build(Vocoder, config.mel)
    inside = None if folder is None else folder / source
    found = inside if inside is not None and inside.is_dir() else hub.vocoder_folder(source)
    return vocos.load(found, config.mel)


def _own_voice(folder: Path | None) -> Prompt | None:
    """Return the reference voice in a model folder: ``voice.flac`` and its words in ``voice.txt``."""
    if folder is None or not (folder / "voice.flac").is_file():
        return None
    return Prompt.load(folder / "voice.flac", (folder / "voice.txt").read_text(encoding="utf-8").strip())
