"""A model with its frontend, vocoder and voice, from whatever a model's name stands for."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from torch import nn

from tts_fm import checkpoint, hub, plugins, small_file, vocoder_folder
from tts_fm.audio.prompt import Prompt
from tts_fm.backbones import Backbone
from tts_fm.config import ModelConfig
from tts_fm.errors import ArgumentError, ModelError
from tts_fm.frontends import Frontend
from tts_fm.hub import ModelSource
from tts_fm.interop import f5_tts
from tts_fm.model import Model
from tts_fm.nn import int8, sizes
from tts_fm.nn import precision as nn_precision
from tts_fm.strict import Choice
from tts_fm.vocoders import Vocoder

_MAX_WORDS = 20_000  # bytes of voice.txt


def bound_kernel_caches() -> None:
    """Let two caches keep less: one kernel for every length of a sentence lies in both, of a quarter megabyte.

    oneDNN keeps 256 instead of 1024. A phrase needs about a hundred, of the flow and the vocoder in turn; where fewer are
    kept, each is made anew every time, and a first piece of streamed speech takes 1.5 s of a processor instead of 0.7 s.
    PyTorch keeps another 1024 of each operation in every thread, also those that oneDNN has let go: 64 are enough, for what
    it has not it asks of oneDNN. Both are read once, when the first kernel is made; who has set one is not overruled.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "64")


def load(
    model: str,
    vocab: str | None,
    architecture: str | None,
    vocoder: str | None,
    device: str,
    precision: str,
    weak_model: str | None,
) -> Model:
    """Return all that speaks with ``model``; arguments and errors are those of :meth:`Synthesizer.load`."""
    bound_kernel_caches()
    where = pick_device(device)
    dtype = pick_dtype(precision, where)
    source = hub.resolve(model, vocab=vocab, architecture=architecture)
    config, backbone, frontend = load_model(source, where)
    weak = None if weak_model is None else load_weak(weak_model, config, backbone)
    for network in filter(None, (backbone, weak)):
        if precision == "int8":
            int8.hold(network, set(network.adaptable_layers()), dtype)
        if dtype != torch.float32:
            nn_precision.hold(network, dtype, network.float32_parts)
    grids = {} if source.folder is None else checkpoint.load_grids(source.folder)
    own_vocoder = load_vocoder(config, source.folder, vocoder).to(where).eval()
    if dtype != torch.float32:
        own_vocoder.hold_weights()
    return Model(config, backbone, frontend, own_vocoder, dtype, own_voice(source.folder), weak, grids)


def load_model(source: ModelSource, device: torch.device) -> tuple[ModelConfig, Backbone, Frontend]:
    """Return the model at ``source``, in evaluation mode on ``device``.

    Raises:
        ModelError: files are missing or damaged, or do not belong together.
    """
    if source.folder is not None:
        config, backbone = checkpoint.load_model(source.folder, device)
        return config, backbone, checkpoint.load_frontend(config, source.folder)
    assert source.checkpoint is not None and source.vocab is not None and source.architecture is not None
    return f5_tts.load(source.checkpoint, source.vocab, source.architecture, device)


def load_weak(model: str, config: ModelConfig, backbone: Backbone) -> Backbone:
    """Return the backbone of ``model``, to lead away from in the guidance of ``backbone``, the model of ``config``.

    Raises:
        ModelError: as :func:`load_model`.
        ValueError: it reads text or hears mels in another way.
    """
    other, weak, _ = load_model(hub.resolve(model), next(backbone.parameters()).device)
    pairs = {
        "frontend": (config.frontend, other.frontend),
        "vocabulary": (backbone.vocab_size, weak.vocab_size),
        "mel": (config.mel, other.mel),
        "mel_scale": (config.mel_scale, other.mel_scale),
        "path": (config.flow.path, other.flow.path),
    }
    for name, (ours, theirs) in pairs.items():
        if ours != theirs:
            raise ValueError(
                f"the weaker model {model} has another {name} than {config.name}; "
                f"give a smaller model of the same make, or an earlier state of this one"
            )
    return weak


def pick_device(name: str) -> torch.device:
    """Return the device called ``name``; ``auto`` is the best one there is. Raises ValueError where it is not there."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device(next(device for device in ("cuda", "mps", "cpu") if there[device]))
    if name.partition(":")[0] not in there:
        raise ValueError(f"there is no device {name!r}; choose one of auto, {', '.join(there)}")
    if not there[name.partition(":")[0]]:
        raise ArgumentError(f"this machine has no {name} device; use auto or cpu", "device")
    return torch.device(name)


def pick_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return the type called ``precision``.

    ``auto`` is float16 on a GPU; elsewhere bfloat16 where there are instructions for it (avx512_bf16), and float32 where not.
    So is what an ``int8`` model computes beside its products in bytes.

    Raises:
        ValueError: there is no such precision, or this device does not multiply bytes.
    """
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision == "int8" and not int8.is_fast(device):
        raise ArgumentError(
            "bytes are multiplied only on a CPU with AVX-512 and VNNI, which this machine or device is not; use auto",
            "precision",
        )
    if precision in ("auto", "int8"):
        if device.type == "cuda":
            return torch.float16
        return torch.bfloat16 if nn_precision.has_fast_bfloat16(device) else torch.float32
    if precision not in known:
        raise ValueError(f"there is no precision {precision!r}; choose one of auto, {', '.join(known)}, int8")
    return known[precision]


def digest(*networks: nn.Module) -> str:
    """Return what tells the weights of these networks from others."""
    sha256 = hashlib.sha256()
    for network in networks:
        for name, value in sorted(network.state_dict().items()):
            sha256.update(name.encode() + value.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha256.hexdigest()[:16]


def load_vocoder(config: ModelConfig, folder: Path | None, source: str | None = None) -> Vocoder:
    """Return the vocoder of a model, or the one at ``source``: a folder, ``hf://OWNER/REPO`` or ``griffin_lim``.

    ``config.vocoder_source`` may name a folder inside the model's own ``folder``.
    """
    wanted = config.vocoder_source if source is None else source
    if not wanted or wanted in plugins.names(Vocoder):
        choice = config.vocoder if not wanted else Choice(name=wanted, options=plugins.load(Vocoder, wanted).Options())
        with sizes.only():  # one that has weights is refused, whatever its size
            vocoder: Vocoder = choice.build(Vocoder, config.mel)
        if next(vocoder.parameters(), None) is not None:
            raise ModelError(
                f"the vocoder {choice.name} needs weights; give a folder or hf://OWNER/REPO, or griffin_lim"
            )
        return vocoder
    inside = None if folder is None else folder / wanted
    files = inside if inside is not None and inside.is_dir() else hub.vocoder_folder(wanted)
    return vocoder_folder.load(files, config.mel)


def own_voice(folder: Path | None) -> Prompt | None:
    """Return the reference voice in a model folder: ``voice.flac`` and its words in ``voice.txt``.

    Raises:
        ModelError: one of the two is damaged, or the words are missing.
    """
    if folder is None or not (folder / "voice.flac").is_file():
        return None
    try:
        words = small_file.read_text(folder / "voice.txt", _MAX_WORDS).strip()
        return Prompt.load(folder / "voice.flac", words)
    except ValueError as error:
        raise ModelError(f"the model's own voice is damaged: {error}") from None
