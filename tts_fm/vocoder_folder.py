"""A vocoder's folder (``config.yaml``, ``model.safetensors``): which vocoder it is, its mel and its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tts_fm import atomic, checkpoint, plugins, strict, tensors
from tts_fm.errors import ModelError
from tts_fm.interop import vocos
from tts_fm.nn import sizes
from tts_fm.plugins import Options
from tts_fm.strict import choice
from tts_fm.types import MelSpec
from tts_fm.vocoders import Vocoder


class VocoderConfig(Options):
    """All that ``config.yaml`` says."""

    name: str = ""
    license: str = ""
    mel: MelSpec
    vocoder: choice(Vocoder)  # type: ignore[valid-type]


def load(folder: Path, mel: MelSpec | None = None) -> Vocoder:
    """Return the vocoder in ``folder``, ready to decode.

    Raises:
        ModelError: as :func:`read`.
        ValueError: the vocoder was made for another mel than ``mel``.
    """
    config, vocoder = read(folder)
    if mel is not None and config.mel != mel:
        raise ValueError(f"the vocoder in {folder} was made for {config.mel}, it was given {mel}; choose another one")
    return vocoder


def read(folder: Path) -> tuple[VocoderConfig, Vocoder]:
    """Return what is said of the vocoder in ``folder``, and itself; one published by `vocos` will do, too.

    Raises:
        ModelError: a file is missing or broken, or says something unknown.
    """
    checkpoint.check_links(folder)
    value = _read_yaml(folder / checkpoint.CONFIG)
    if "backbone" in value:
        foreign = vocos.load(folder)
        return VocoderConfig(mel=foreign.mel, vocoder=_choice(foreign)), foreign
    try:
        config = strict.parse(VocoderConfig, value, folder / checkpoint.CONFIG)
        with sizes.only():
            vocoder: Vocoder = config.vocoder.build(Vocoder, config.mel)
    except ValueError as error:
        raise ModelError(f"no vocoder: {' '.join(str(error).split())}") from None
    tensors.fill_from(vocoder, folder / checkpoint.WEIGHTS)
    return config, vocoder.eval().requires_grad_(False)


def save(
    folder: Path, vocoder: Vocoder, *, name: str = "", license: str = "", dtype: torch.dtype = torch.float16
) -> None:
    """Write ``vocoder`` into ``folder``, its weights stored as ``dtype``; see :func:`tensors.write_tensors`."""
    config = VocoderConfig(name=name, license=license, mel=vocoder.mel, vocoder=_choice(vocoder))
    folder.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(folder / checkpoint.CONFIG) as beside:
        beside.write_text(strict.dump(config), encoding="utf-8")
    tensors.write_tensors(folder / checkpoint.WEIGHTS, vocoder.state_dict(), dtype=dtype)


def _choice(vocoder: Vocoder) -> strict.Choice:
    return strict.Choice(name=plugins.name_of(vocoder), options=vocoder.options)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        value = strict.read_yaml(path)
    except ValueError as error:
        hint = "; turn a HiFi-GAN checkpoint into one by: tts-fm convert hifigan" if _has_hifigan(path.parent) else ""
        raise ModelError(f"{error}{hint}") from None
    if not value.keys() & {"vocoder", "backbone"}:
        raise ModelError(
            f"{path} is no vocoder's: it needs mel and vocoder, or Vocos' feature_extractor, backbone and head"
        )
    return value


def _has_hifigan(folder: Path) -> bool:
    return (folder / "config.json").is_file()
