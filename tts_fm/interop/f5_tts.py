"""F5-TTS and E2-TTS checkpoints and architecture files, turned into ours and back."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tts_fm import config, plugins
from tts_fm.backbones import Backbone
from tts_fm.config import Choice, ModelConfig
from tts_fm.errors import ModelError
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

_PREFIX = "ema_model.transformer."
_BOOK_KEEPING = re.compile(r"(mel_spec\..*|initted|step|update|rotary_embed\.inv_freq|text_embed\.freqs_cis)")
_SHARED_NAMES = (
    (r"^time_embedding\.mlp\.", "time_embed.time_mlp."),
    (r"^text_embedding\.embedding\.", "text_embed.text_embed."),
    (r"^text_embedding\.blocks\.(\d+)\.conv\.", r"text_embed.text_blocks.\1.dwconv."),
    (r"^text_embedding\.blocks\.(\d+)\.norm\.", r"text_embed.text_blocks.\1.norm."),
    (r"^text_embedding\.blocks\.(\d+)\.(gamma|beta)$", r"text_embed.text_blocks.\1.grn.\2"),
    (r"^text_embedding\.blocks\.(\d+)\.expand\.", r"text_embed.text_blocks.\1.pwconv1."),
    (r"^text_embedding\.blocks\.(\d+)\.contract\.", r"text_embed.text_blocks.\1.pwconv2."),
    (r"^frame_embedding\.proj\.", "input_embed.proj."),
    (r"^frame_embedding\.position\.convs\.0\.", "input_embed.conv_pos_embed.conv1d.0."),
    (r"^frame_embedding\.position\.convs\.1\.", "input_embed.conv_pos_embed.conv1d.2."),
    (r"^long_skip\.", "long_skip_connection."),
    (r"^modulation_out\.", "norm_out."),
    (r"^out\.", "proj_out."),
    (r"feed_forward\.expand\.", "ff.ff.0.0."),
    (r"feed_forward\.contract\.", "ff.ff.2."),
    (r"attention\.qkv\.", "attn.to_qkv."),
    (r"attention\.out\.", "attn.to_out.0."),
    (r"attention\.(q|k)_norm\.", r"attn.\1_norm."),
    (r"^blocks\.(\d+)\.", r"transformer_blocks.\1."),
)
_NAMES = {
    "dit": ((r"^modulations\.(\d+)\.", r"transformer_blocks.\1.attn_norm."),),
    "unet_t": (
        (r"^norm_out\.weight$", "norm_out.g"),
        (r"^transformer_blocks\.(\d+)\.join\.", r"layers.\1.0."),
        (r"^transformer_blocks\.(\d+)\.attention_norm\.weight", r"layers.\1.1.g"),
        (r"^transformer_blocks\.(\d+)\.attn\.", r"layers.\1.2."),
        (r"^transformer_blocks\.(\d+)\.feed_forward_norm\.weight", r"layers.\1.3.g"),
        (r"^transformer_blocks\.(\d+)\.ff\.", r"layers.\1.4."),
    ),
    "mmdit": (
        (r"^token_embedding\.", "text_embed.text_embed."),
        (r"^input_embed\.proj\.", "audio_embed.linear."),
        (r"^input_embed\.", "audio_embed."),
        (r"^frame_modulations\.(\d+)\.", r"transformer_blocks.\1.attn_norm_x."),
        (r"^token_modulations\.(\d+)\.", r"transformer_blocks.\1.attn_norm_c."),
        (r"\.frames\.ff\.", ".ff_x."),
        (r"\.tokens\.ff\.", ".ff_c."),
        (r"\.tokens\.attn\.to_out\.0\.", ".attn.to_out_c."),
        (r"\.tokens\.attn\.to_qkv\.", ".attn.to_qkv_c."),
        (r"\.tokens\.attn\.(q|k)_norm\.", r".attn.c_\1_norm."),
        (r"\.frames\.attn\.", ".attn."),
    ),
}


def load_f5(path: Path, backbone: Backbone, *, prefers_ema: bool = True) -> dict[str, Tensor]:
    """Return the state dict for ``backbone`` (which may be on the meta device) from a foreign checkpoint.

    Raises:
        ModelError: the file can not be read, or does not hold exactly this architecture and vocabulary.
    """
    foreign = read_checkpoint(path, prefers_ema=prefers_ema)
    ours = backbone.state_dict()
    names = {key: foreign_names(key, backbone) for key in ours}
    expected = [name for group in names.values() for name in group]
    missing, unknown = sorted(set(expected) - set(foreign)), sorted(set(foreign) - set(expected))
    if missing or unknown:
        faults = [
            f"{len(keys)} {what} ({_first(keys)})"
            for keys, what in ((missing, "missing"), (unknown, "unknown"))
            if keys
        ]
        raise ModelError(
            f"{path} does not fit the architecture {_family(backbone)}: of its parameters {' and '.join(faults)}; "
            f"name the right one with --architecture"
        )
    vocab_size = len(foreign["text_embed.text_embed.weight"]) - 1
    if vocab_size != backbone.vocab_size:
        raise ModelError(
            f"{path} has a vocabulary of {vocab_size} tokens, the one given has {backbone.vocab_size}; "
            f"give the vocab.txt it was trained with (--vocab)"
        )
    return {key: _fitted(path, key, [foreign[name] for name in names[key]], value) for key, value in ours.items()}


def to_f5(backbone: Backbone) -> dict[str, Tensor]:
    """Return the weights of ``backbone`` under the names and in the shapes of a published checkpoint."""
    foreign: dict[str, Tensor] = {}
    for key, value in backbone.state_dict().items():
        names = foreign_names(key, backbone)
        value = value[None, None] if key.endswith((".gamma", ".beta")) else value
        parts = value.chunk(len(names)) if len(names) > 1 else (value,)
        foreign.update({_PREFIX + name: part.contiguous() for name, part in zip(names, parts, strict=True)})
    head_dim: int = backbone.options.head_dim  # type: ignore[attr-defined]
    foreign[_PREFIX + "rotary_embed.inv_freq"] = 1.0 / 10_000 ** (torch.arange(0, head_dim, 2).float() / head_dim)
    return {**foreign, "initted": torch.tensor(True), "step": torch.tensor(0)}


def foreign_names(key: str, backbone: Backbone) -> tuple[str, ...]:
    """Return what the package calls our parameter ``key``: three names where we keep queries, keys and values in one."""
    name = key
    for pattern, replacement in (*_SHARED_NAMES, *_NAMES[_family(backbone)]):
        name = re.sub(pattern, replacement, name)
    return tuple(name.replace("to_qkv", part) for part in ("to_q", "to_k", "to_v")) if "to_qkv" in name else (name,)


def read_checkpoint(path: Path, *, prefers_ema: bool = True) -> dict[str, Tensor]:
    """Return the network's tensors in ``path`` under the package's names, without prefixes and book-keeping.

    A pickle is read without running code. Raises ModelError where the file is missing, damaged or holds no network.
    """
    value = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    wrappers = ["ema_model_state_dict", "model_state_dict"]
    for wrapper in wrappers if prefers_ema else reversed(wrappers):
        if isinstance(value.get(wrapper), Mapping):
            value = value[wrapper]
            break
    tensors: dict[str, Tensor] = {}
    for key, tensor in value.items():
        name = str(key).removeprefix("ema_model.").removeprefix("transformer.")
        if isinstance(tensor, Tensor) and not _BOOK_KEEPING.fullmatch(name):
            tensors[name] = tensor
    if "text_embed.text_embed.weight" not in tensors:
        raise ModelError(
            f"{path} is no F5-TTS or E2-TTS checkpoint: it has no text embedding; it holds {_first(value)}"
        )
    return tensors


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
            f"there is no architecture called {str(source)!r}; choose one of {', '.join(PUBLISHED)}, or give a .yaml file"
        )
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        value = None  # our own reader says what is wrong
    model = value.get("model") if isinstance(value, dict) else None
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


def _family(backbone: Backbone) -> str:
    return type(backbone).__module__.rsplit(".", 1)[-1]


def _fitted(path: Path, key: str, parts: list[Tensor], like: Tensor) -> Tensor:
    value = torch.cat(parts) if len(parts) > 1 else parts[0]
    if key.endswith((".gamma", ".beta")):
        value = value.flatten()
    if value.shape != like.shape:
        raise ModelError(
            f"{path} does not fit the architecture: {key} has shape {tuple(value.shape)} in the file and "
            f"{tuple(like.shape)} in the architecture; name the right one with --architecture"
        )
    return value.to(like.dtype)


def _first(keys: Iterable[Any], count: int = 3) -> str:
    names = [str(key) for key in keys]
    return ", ".join(names[:count]) + (" ..." if len(names) > count else "")


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _unreadable(path, error) from None


def _read_pickle(path: Path) -> dict[str, Any]:
    try:
        # Only the newer, zipped kind of file can be mapped into memory.
        value = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        if "Unsupported" in str(error) or "GLOBAL" in str(error):
            raise ModelError(
                f"{path} holds more than tensors; it was not loaded, because that would run code from the file: "
                f"save its state dict as .safetensors"
            ) from None
        raise _unreadable(path, error) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, IndexError) as error:
        raise _unreadable(path, error) from None
    if not isinstance(value, Mapping):
        raise ModelError(f"{path} holds {type(value).__name__}, not a checkpoint's dictionary")
    return dict(value)


def _unreadable(path: Path, error: Exception) -> ModelError:
    if isinstance(error, FileNotFoundError) or not path.exists():
        return ModelError(f"{path} does not exist; give the path of a checkpoint")
    reason = " ".join(str(error).split())[:120]
    return ModelError(f"{path} is truncated or no checkpoint ({reason}); download it again")
