"""Checkpoints of F5-TTS and E2-TTS, turned into our models and back."""

from __future__ import annotations

import pickle
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tts_fm import tensors
from tts_fm.backbones import Backbone
from tts_fm.config import ModelConfig
from tts_fm.errors import ModelError
from tts_fm.frontends import Frontend
from tts_fm.interop.f5_architecture import PUBLISHED, architecture, backbone_options
from tts_fm.nn import sizes

__all__ = [
    "PUBLISHED",
    "architecture",
    "backbone_options",
    "foreign_names",
    "load",
    "load_f5",
    "read_checkpoint",
    "to_f5",
]

_PREFIX = "ema_model.transformer."
_BOOK_KEEPING = re.compile(
    r"(mel_spec\..*|initted|step|update|n_averaged|rotary_embed\.inv_freq|text_embed\.freqs_cis)"
)
_LANDMARK = "text_embed.text_embed.weight"
_IN_THE_MIDDLE = re.compile(r"(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
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


def load(
    path: Path, vocab: Path | None, named: str | Path, device: torch.device | str = "cpu"
) -> tuple[ModelConfig, Backbone, Frontend]:
    """Return a foreign model, ready to speak: its configuration, its network in evaluation mode, and its frontend.

    Args:
        path: the checkpoint.
        vocab: its ``vocab.txt``, where its frontend has one.
        named: its architecture, see :func:`architecture`.
        device: where the network goes.

    Raises:
        ModelError: the checkpoint cannot be read, or does not fit the architecture or the vocabulary.
        ValueError: there is no such architecture.
    """
    config = architecture(named)
    frontend: Frontend = config.frontend.build(Frontend, vocab=vocab)
    with sizes.only():  # its weights come from the file: neither drawn first nor held twice
        backbone: Backbone = config.backbone.build(Backbone, config.mel.n_mels, frontend.vocab_size)
    backbone.load_state_dict(load_f5(path, backbone), assign=True)
    return config, backbone.to(device).eval(), frontend


def load_f5(path: Path, backbone: Backbone, *, prefers_ema: bool = True) -> dict[str, Tensor]:
    """Return the state dict for ``backbone`` (which may be on the meta device) from a foreign checkpoint.

    Raises:
        ModelError: the file cannot be read, or does not hold exactly this architecture and vocabulary.
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
            f"name the right one",
            "architecture",
        )
    vocab_size = len(foreign["text_embed.text_embed.weight"]) - 1
    if vocab_size != backbone.vocab_size:
        raise ModelError(
            f"{path} has a vocabulary of {vocab_size} tokens, the one given has {backbone.vocab_size}; "
            f"give the vocab.txt it was trained with",
            "vocab",
        )
    fitted = {key: _fitted(path, key, [foreign[name] for name in names[key]], value) for key, value in ours.items()}
    tensors.check_finite(fitted, path)
    return fitted


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
    """Return what the package calls our parameter ``key``: three names where queries, keys and values are one."""
    name = key
    for pattern, replacement in (*_SHARED_NAMES, *_NAMES[_family(backbone)]):
        name = re.sub(pattern, replacement, name)
    return tuple(name.replace("to_qkv", part) for part in ("to_q", "to_k", "to_v")) if "to_qkv" in name else (name,)


def read_checkpoint(path: Path, *, prefers_ema: bool = True) -> dict[str, Tensor]:
    """Return the network's tensors in ``path`` under the package's names, without prefixes and book-keeping.

    A pickle is read without running code. Raises ModelError where the file is missing, damaged or holds no network.
    """
    if not path.is_file():
        raise ModelError(f"{path} does not exist; give the path of a checkpoint")
    value: dict[str, Any] = dict(tensors.read_tensors(path)) if path.suffix == ".safetensors" else _read_pickle(path)
    networks = _networks(value)
    if not networks:
        raise ModelError(
            f"{path} is no F5-TTS or E2-TTS checkpoint: it has no text embedding; it holds {_first(value)}"
        )
    network = networks[min(networks, key=lambda where: ("ema" in where) != prefers_ema)]
    tensors.check_stored(network, path)
    return network


def _networks(value: Mapping[str, Any], where: str = "", depth: int = 0) -> dict[str, dict[str, Tensor]]:
    """Return the networks in a checkpoint's mapping, and in mappings within it, by what their names begin with.

    A training wraps a network (``module.`` of DDP, ``_orig_mod.`` of the compiler, ``model.``, ``ema_model.``) and a
    checkpoint wraps its names (``state_dict``, ``model_state_dict``): whatever stands before the text embedding is left
    away, and so is what the compiler and FSDP put into the middle.
    """
    tensors = {_IN_THE_MIDDLE.sub("", str(key)): tensor for key, tensor in value.items() if isinstance(tensor, Tensor)}
    networks: dict[str, dict[str, Tensor]] = {}
    for prefix in (name.removesuffix(_LANDMARK) for name in tensors if name.endswith(_LANDMARK)):
        names = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
        networks[where + prefix] = {name: one for name, one in names.items() if not _BOOK_KEEPING.fullmatch(name)}
    for key, inner in value.items():
        if isinstance(inner, Mapping) and depth < 2:
            networks |= _networks(inner, f"{where}{key}/", depth + 1)
    return networks


def _family(backbone: Backbone) -> str:
    return type(backbone).__module__.rsplit(".", 1)[-1]


def _fitted(path: Path, key: str, parts: list[Tensor], like: Tensor) -> Tensor:
    value = torch.cat(parts) if len(parts) > 1 else parts[0]
    if key.endswith((".gamma", ".beta")):
        value = value.flatten()
    if value.shape != like.shape:
        raise ModelError(
            f"{path} does not fit the architecture: {key} has shape {tuple(value.shape)} in the file and "
            f"{tuple(like.shape)} in the architecture; name the right one",
            "architecture",
        )
    return value.to(like.dtype)


def _first(keys: Iterable[Any], count: int = 3) -> str:
    names = [str(key) for key in keys]
    return ", ".join(names[:count]) + (" ..." if len(names) > count else "")


def _read_pickle(path: Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings(action="ignore"):  # what is wrong is said below, in one line
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
    reason = " ".join(str(error).split())[:120]
    return ModelError(f"{path} is truncated or no checkpoint ({reason}); download it again")
