"""F5-TTS's and E2-TTS's architectures, by published name or from the package's YAML, as our configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tts_fm import config, plugins
from tts_fm.backbones import Backbone
from tts_fm.config import ModelConfig
from tts_fm.strict import Choice, read_yaml
from tts_fm.vocoders import Vocoder

_BASE = {"dim": 1024, "depth": 22, "heads": 16, "ff_mult": 2, "text_dim": 512, "conv_layers": 4}
_SMALL = {**_BASE, "dim": 768, "depth": 18, "heads": 12}
_E2_BASE = {"dim": 1024, "depth": 24, "heads": 16, "ff_mult": 4}
_E2_SMALL = {**_E2_BASE, "dim": 768, "depth": 20, "heads": 12}
_V0 = {"text_mask_padding": False, "pe_attn_head": 1}

PUBLISHED: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "F5TTS_v1_Base": ("DiT", _BASE),
    "F5TTS_Base": ("DiT", {**_BASE, **_V0}),
    "F5TTS_v1_Small": ("DiT", _SMALL),
    "F5TTS_Small": ("DiT", {**_SMALL, **_V0}),
    "E2TTS_Base": ("UNetT", {**_E2_BASE, **_V0}),
    "E2TTS_Small": ("UNetT", {**_E2_SMALL, **_V0}),
}
"""Published names: the package's backbone class and its arguments."""

_BACKBONES = {"DiT": "dit", "UNetT": "unet_t", "MMDiT": "mmdit"}
_OPTIONS = {
    "dim": "dim",
    "depth": "depth",
    "heads": "heads",
    "dim_head": "head_dim",
    "ff_mult": "ff_mult",
    "dropout": "dropout",
    "text_dim": "text_dim",
    "conv_layers": "conv_layers",
    "text_mask_padding": "text_mask_padding",
    "text_embedding_average_upsampling": "average_upsampling",
    "pe_attn_head": "rope_heads",
    "qk_norm": "qk_norm",
    "long_skip_connection": "long_skip",
    "skip_connect_type": "skip",
}
_WITHOUT_EFFECT = {
    "attn_backend",
    "attn_mask_enabled",
    "checkpoint_activations",
    "mel_dim",
    "text_num_embeds",
    "backbone",
}
_FRONTENDS = {
    "pinyin": {"name": "vocab"},
    "char": {"name": "vocab"},
    "custom": {"name": "vocab"},
    "byte": {"name": "utf8"},
}
_MEL = {
    "target_sample_rate": "sample_rate",
    "n_fft": "n_fft",
    "hop_length": "hop_length",
    "win_length": "win_length",
    "n_mel_channels": "n_mels",
    "mel_spec_type": "flavour",
}


def architecture(source: str | Path) -> ModelConfig:
    """Return the model that ``source`` describes: a published name, or the path of the package's or our own YAML file.

    Raises:
        ValueError: no such name or file, or the file has a field that we do not know.
    """
    if str(source) in PUBLISHED:
        return _published(str(source))
    path = Path(source)
    if path.suffix not in (".yaml", ".yml"):
        raise ValueError(
            f"there is no architecture called {str(source)!r}; choose one of {', '.join(PUBLISHED)}, "
            f"or give a .yaml file"
        )
    model = read_yaml(path).get("model")
    if not isinstance(model, dict) or "arch" not in model:
        return config.read_model(path)
    return _model_config(model, source=str(path))


def backbone_options(arch: Mapping[str, Any], backbone: str | None = None, source: str = "architecture") -> Choice:
    """Return our backbone and its options for the package's class and arguments (a ``backbone`` entry names the class).

    Raises:
        ValueError: a class or an argument that we do not know.
    """
    foreign = arch.get("backbone") if backbone is None else backbone
    if foreign not in _BACKBONES:
        raise ValueError(f"{source}: backbone is {foreign!r}; choose one of {', '.join(_BACKBONES)}")
    name = _BACKBONES[foreign]
    unknown = [key for key in arch if key not in _OPTIONS and key not in _WITHOUT_EFFECT]
    if unknown:
        raise ValueError(f"{source}: {foreign} has no argument {unknown[0]!r}; it has {', '.join(_OPTIONS)}")
    options = {_OPTIONS[key]: value for key, value in arch.items() if key in _OPTIONS}
    if "qk_norm" in options:
        if options["qk_norm"] not in (None, "rms_norm"):
            raise ValueError(f"{source}: qk_norm is {options['qk_norm']!r}; choose null or rms_norm")
        options["qk_norm"] = options["qk_norm"] is not None
    if name == "mmdit":
        options.pop("text_mask_padding", None)  # padding tokens are never attended to, so their vectors have no effect
    implementation = plugins.load(Backbone, name)
    return Choice(name=name, options=config.parse(implementation.Options, options, source))


def _published(name: str) -> ModelConfig:
    backbone, arch = PUBLISHED[name]
    model = {"name": name, "tokenizer": "pinyin", "backbone": backbone, "arch": arch, "mel_spec": {}}
    return _model_config(model, source=name, license="CC-BY-NC-4.0")


def _model_config(model: Mapping[str, Any], source: str, license: str = "") -> ModelConfig:
    """Read the ``model`` block of the package's YAML; what is not a matter of the model is left alone."""
    tokenizer = model.get("tokenizer", "pinyin")
    if tokenizer not in _FRONTENDS:
        raise ValueError(f"{source}: tokenizer is {tokenizer!r}; choose one of {', '.join(_FRONTENDS)}")
    mel = {_MEL[key]: value for key, value in (model.get("mel_spec") or {}).items() if key in _MEL}
    flavour = mel.get("flavour", "vocos")
    value = {
        "name": str(model.get("name", Path(source).stem)),
        "license": license,
        "mel": mel,
        "frontend": _FRONTENDS[tokenizer],
        "backbone": backbone_options(model["arch"], model.get("backbone"), source),
        "duration": {"rule": "f5_bytes"},
        "sampling": {"solver": "euler", "grid": "epss", "steps": 32, "guidance": 2.0, "sway": -1.0},
        "vocoder": flavour if flavour in plugins.names(Vocoder) else "griffin_lim",
        "vocoder_source": "hf://charactr/vocos-mel-24khz" if flavour == "vocos" else "",
    }
    return config.parse(ModelConfig, value, source)
