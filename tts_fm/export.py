"""A model as files that speak without torch, and the check that they say what the model says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from tts_fm import duration
from tts_fm.audio.join import PARAGRAPH_PAUSE, PAUSE
from tts_fm.audio.mel import log_mel
from tts_fm.audio.prompt import Prompt
from tts_fm.backbones.aligned_dit import AlignedDiT
from tts_fm.errors import ArgumentError
from tts_fm.flow.paths.cond_ot import CondOT
from tts_fm.frontends.phonemes import Phonemes
from tts_fm.interop import onnx_graphs
from tts_fm.interop.onnx_graphs import Weights
from tts_fm.pacing import Voice
from tts_fm.pacing.predicted import LEADING_SILENCE, Predicted
from tts_fm.runtime import Speaker, manifest
from tts_fm.runtime.manifest import Manifest, VoiceEntry
from tts_fm.sampler import SamplingOptions
from tts_fm.synthesizer import Synthesizer
from tts_fm.text.pronunciation import SYMBOLS
from tts_fm.types import DECIBELS, FILLER

TEXTS = ("Hello.", "The old man, who was not in a hurry, walked down to the river at 6 o'clock. It was cold there.")
"""What is spoken by both to compare them."""
MOST_DECIBELS = 0.1
"""How far the mels may be apart, as the root of the mean square."""
LEAST_SNR = 40.0
"""How far below the speech, in dB, the difference of the vocoders must be."""
MOST_SOUND_DECIBELS = 3.0
"""How far the mels of their sounds may be apart instead, where one is computed in int8: the phases of harmonics are then others,
and the difference of the waveforms is 8 to 18 dB below the speech, where that of the mels is always about 2 dB."""


@dataclass(frozen=True)
class Distance:
    """How far an exported model is from its origin, in dB.

    Attributes:
        mel_decibels: between the mels that they make, as the root of the mean square.
        sound_snr: the vocoder's signal over its difference.
        sound_decibels: between the mels of the two sounds.
    """

    mel_decibels: float = 0.0
    sound_snr: float = math.inf
    sound_decibels: float = 0.0

    def worse(self, other: Distance) -> Distance:
        """Return the larger of each."""
        return Distance(
            max(self.mel_decibels, other.mel_decibels),
            min(self.sound_snr, other.sound_snr),
            max(self.sound_decibels, other.sound_decibels),
        )


def check_available() -> None:
    """Raise ValueError where something that exporting needs is not installed."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise ValueError(f"{', '.join(missing)} must be installed to export; pip install 'tts-fm[export]'")


def write(
    synthesizer: Synthesizer,
    folder: Path,
    voices: Mapping[str, Prompt],
    *,
    sampling: SamplingOptions | None = None,
    weights: Weights = "int8",
) -> None:
    """Write the model of ``synthesizer``, its vocoder and ``voices`` as ONNX into ``folder``.

    Raises:
        ValueError: a model of another kind, or a way of sampling that the runtime has not.
    """
    config, backbone = synthesizer.config, synthesizer.backbone
    sampling = config.default_sampling if sampling is None else sampling
    is_known = isinstance(synthesizer.frontend, Phonemes) and isinstance(synthesizer.teller.rule, Predicted)
    if not isinstance(backbone, AlignedDiT) or not is_known:
        raise ValueError(
            f"{config.name} has the backbone {config.backbone.name}, the frontend {config.frontend.name} and the duration "
            f"rule {config.duration.rule}; only aligned_dit with phonemes and predicted is exported"
        )
    _check_sampling(sampling)
    path = synthesizer.path
    if not isinstance(path, CondOT):
        raise ValueError(f"{config.name} was trained on the path {config.flow.path.name}; only cond_ot is exported")
    folder.mkdir(parents=True, exist_ok=True)
    vocoder = onnx_graphs.in_float32(synthesizer.vocoder)
    onnx_graphs.write(folder, backbone, vocoder, weights, onnx_graphs.ranges(synthesizer.vocoder))
    sampler = synthesizer.model.sampler(sampling)
    raising, sounding = onnx_graphs.windows(vocoder)
    heard = {name: synthesizer.teller.listen(prompt) for name, prompt in voices.items()}
    rate = config.mel.frame_rate
    about = Manifest(
        name=config.name,
        license=config.license,
        language=str(config.frontend.options.language),
        filler=FILLER,
        symbols=SYMBOLS,
        sample_rate=config.mel.sample_rate,
        hop_length=config.mel.hop_length,
        n_mels=config.mel.n_mels,
        patch=backbone.options.patch,
        mel_mean=config.mel_scale.mean,
        mel_std=config.mel_scale.std,
        match_prompt=config.match_prompt,
        times=tuple(sampler.making.tolist()),
        settling=tuple(sampler.settling.tolist()),
        guidance=sampling.guidance,
        temperature=sampling.temperature,
        is_leaping=sampling.leap,
        follows_prompt=sampling.follow_prompt,
        sigma_min=path.options.sigma_min,
        floor_frames=duration.to_frames(max(config.duration.floor_seconds, 1 / rate), rate),
        leading_frames=duration.to_frames(LEADING_SILENCE, rate),
        pause=PAUSE,
        paragraph_pause=PARAGRAPH_PAUSE,
        mark_pauses=dict(duration.MARK_PAUSES),
        raising=raising,
        sounding=sounding,
        voices={name: _entry(synthesizer, voice, f"{name}.f32") for name, voice in heard.items()},
    )
    manifest.write(folder, about, {name: voice.mel.cpu().numpy() for name, voice in heard.items()})


def compare(
    synthesizer: Synthesizer, folder: Path, voices: Mapping[str, Prompt], sampling: SamplingOptions | None = None
) -> Distance:
    """Speak :data:`TEXTS` with the files in ``folder`` and with ``synthesizer``, which computes in float32.

    Raises:
        ValueError: they are further apart than allowed, as where int8 is too coarse for the weights.
    """
    speaker, worst = Speaker(folder), Distance()
    vocoder = onnx_graphs.in_float32(synthesizer.vocoder)
    for name, prompt in voices.items():
        gain = speaker.manifest.voices[name].gain
        for text in TEXTS:
            ours = synthesizer.speak(text, prompt, seed=1, sampling=sampling)
            theirs = speaker.speak(text, name, seed=1)
            if ours.mel.shape != theirs.mel.shape:
                raise RuntimeError(
                    f"{text!r} has {len(ours.mel)} frames, exported {len(theirs.mel)}: this is a mistake of ours"
                )
            worst = worst.worse(Distance(apart(ours.mel, torch.from_numpy(theirs.mel))))
            if len(theirs.chunks) == 1:
                with torch.inference_mode():
                    sound = vocoder.decode(torch.from_numpy(theirs.mel)[None])[0] * gain
                made, spec = torch.from_numpy(theirs.samples), synthesizer.config.mel
                noise = float((sound - made).square().sum())
                snr = 10 * math.log10(float(sound.square().sum()) / max(noise, 1e-20))
                worst = worst.worse(Distance(0.0, snr, apart(log_mel(sound, spec), log_mel(made, spec))))
    is_in_bytes = bool(onnx_graphs.ranges(synthesizer.vocoder))
    is_other = worst.sound_decibels > MOST_SOUND_DECIBELS if is_in_bytes else worst.sound_snr < LEAST_SNR
    if worst.mel_decibels > MOST_DECIBELS or is_other:
        sounds = (
            f"the mels of the sounds are {worst.sound_decibels:.1f} dB apart (at most {MOST_SOUND_DECIBELS:g})"
            if is_in_bytes
            else f"its sound's signal is {worst.sound_snr:.0f} dB over the difference (at least {LEAST_SNR:g})"
        )
        raise ArgumentError(
            f"the exported mels are {worst.mel_decibels:.2f} dB from the model's own (at most {MOST_DECIBELS:g} is allowed), "
            f"{sounds}; keep them in float32",
            "weights",
        )
    return worst


def apart(a: Float[Tensor, "n c"], b: Float[Tensor, "n c"]) -> float:
    """Return how far two log-mels are apart in dB, as the root of the mean square."""
    return DECIBELS * float((a - b).square().mean().sqrt())


def _check_sampling(sampling: SamplingOptions) -> None:
    if (
        sampling.solver != "euler"
        or sampling.noise > 0
        or set(sampling.guidance_modes) - {"cfg"}
        or sampling.lean_guidance
    ):
        modes = (", ".join(sampling.guidance_modes) or "cfg") + (" (lean)" if sampling.lean_guidance else "")
        raise ValueError(
            f"the runtime walks by euler, without noise, guided by cfg; this asks for {sampling.solver}, noise "
            f"{sampling.noise:g}, guidance {modes}"
        )


def _entry(synthesizer: Synthesizer, voice: Voice, file: str) -> VoiceEntry:
    rate, teller = synthesizer.config.mel.frame_rate, synthesizer.teller
    return VoiceEntry(
        mel=file,
        pace=duration.pace(voice.words.frames, voice.prompt.sound_seconds * rate),
        gain=voice.prompt.output_gain,
        longest_piece=teller.rule.longest_piece(voice.prompt, teller.room(voice.prompt)),
        heard=() if voice.heard is None else tuple(voice.heard[0].tolist()),
    )
