"""Low-rank adapters (LoRA): put beside a backbone's layers, saved by themselves, and merged into its weights."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from tts_fm import atomic, checkpoint, config, strict, tensors
from tts_fm.backbones import Backbone
from tts_fm.config import FinetuneOptions, LoraOptions, ModelConfig, RunConfig
from tts_fm.errors import ModelError
from tts_fm.plugins import Options
from tts_fm.training.finetune import Start, fingerprint

ABOUT, WEIGHTS = "adapter.yaml", "adapter.safetensors"
"""The files of an adapter's folder; ``vocab.txt`` is there, too, where the frontend has one."""

_NAME = "default"  # the only adapter's, inside peft


class Adapter(Options):
    """What belongs to an adapter's weights: its base with a fingerprint, its rank, and the model that both are together."""

    base_sha256: str
    finetune: FinetuneOptions
    model: ModelConfig

    @property
    def lora(self) -> LoraOptions:
        """Rank and scale of the adapter."""
        if self.finetune.lora is None:
            raise ModelError(f"the adapter of {self.model.name} has no finetune.lora in its {ABOUT}; copy it again")
        return self.finetune.lora


def targets(backbone: Backbone) -> list[str]:
    """Return the names of the layers that adapters are put beside."""
    adaptable = set(backbone.adaptable_layers())
    return [name for name, layer in backbone.named_modules() if layer in adaptable]


def inject(backbone: Backbone, options: LoraOptions, extended: frozenset[str] = frozenset()) -> None:
    """Put adapters into ``backbone``, which changes nothing yet; they learn, and of the rest only ``extended``.

    Raises:
        ValueError: peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError:
        raise ValueError("finetune.lora needs peft; run: pip install 'tts-fm[train]'") from None
    pattern = "|".join(re.escape(name) for name in targets(backbone))
    settings = LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,  # type: ignore[arg-type]  # any number will do
        lora_dropout=options.dropout,
        target_modules=pattern,
    )
    inject_adapter_in_model(settings, backbone, _NAME)
    for name in extended:
        backbone.get_parameter(name).requires_grad_(True)


def adapter_state(backbone: Backbone, state: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
    """Return what learns in an injected backbone, from ``state`` (its averaged weights, say) or as it is now.

    That is the low-rank weights of each layer, and a token table that got new rows, whole.
    """
    state = backbone.state_dict() if state is None else state
    learns = [name for name, parameter in backbone.named_parameters() if parameter.requires_grad]
    return {name.replace(f".{_NAME}.", "."): state[name] for name in learns}


def merged_state(backbone: Backbone, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return from a state of ``backbone`` that of the plain one, with its adapters, if any, merged."""
    plain = {name.replace(".base_layer.", "."): value for name, value in state.items() if ".lora_" not in name}
    low_rank = {name.replace(f".{_NAME}.", "."): value for name, value in state.items() if ".lora_" in name}
    if not low_rank:
        return plain
    from peft.tuners.lora import LoraLayer

    scaling = next(layer.scaling[_NAME] for layer in backbone.modules() if isinstance(layer, LoraLayer))
    return apply(plain, low_rank, scaling)


def apply(plain: Mapping[str, Tensor], adapter: Mapping[str, Tensor], scaling: float) -> dict[str, Tensor]:
    """Return ``W + scaling B A`` for each adapted weight ``W`` of ``plain``, and its other weights as they are.

    What is no low-rank weight in ``adapter`` takes the place of the one in ``plain``.
    """
    state = dict(plain)
    for name, value in adapter.items():
        layer, is_low_rank, part = name.partition(".lora_")
        if not is_low_rank:
            state[name] = value
        elif part == "A.weight":
            weight = f"{layer}.weight"
            state[weight] = plain[weight] + scaling * (adapter[f"{layer}.lora_B.weight"] @ value)
    return state


def save_adapter(
    folder: Path, weights: Mapping[str, Tensor], run: RunConfig, start: Start, vocab: Path | None = None
) -> None:
    """Write the folder of an adapter that ``run`` trained from ``start``; its weights come from :func:`adapter_state`."""
    assert run.finetune is not None
    adapter = Adapter(base_sha256=start.sha256, finetune=run.finetune, model=run.model)
    folder.mkdir(parents=True, exist_ok=True)
    if vocab is not None:
        with atomic.replacing(folder / checkpoint.VOCAB) as beside:
            shutil.copyfile(vocab, beside)
    with atomic.replacing(folder / ABOUT) as beside:
        beside.write_text(strict.dump(adapter), encoding="utf-8")
    tensors.write_tensors(folder / WEIGHTS, weights)


def load_adapter(folder: Path) -> tuple[Adapter, dict[str, Tensor]]:
    """Return what is in the folder of an adapter. Raises ModelError where a file is missing or damaged."""
    for name in (ABOUT, WEIGHTS):
        if not (folder / name).is_file():
            raise ModelError(
                f"{folder} is no adapter: it has no {name}; an adapter's folder holds {ABOUT} and {WEIGHTS}"
            )
    path = folder / ABOUT
    try:
        adapter = config.parse(Adapter, config.read_yaml(path), path)
    except ValueError as error:
        raise ModelError(str(error)) from None
    return adapter, tensors.read_tensors(folder / WEIGHTS)


def complete(
    adapter: Adapter, weights: Mapping[str, Tensor], base: Mapping[str, Tensor], source: str
) -> dict[str, Tensor]:
    """Return the weights of the base called ``source`` with those of its adapter merged.

    Raises:
        ModelError: the adapter was trained on another base.
    """
    sha256 = fingerprint(base)
    if sha256 != adapter.base_sha256:
        raise ModelError(
            f"{source} is not the base of this adapter: its weights have the SHA-256 {sha256[:12]}..., those of "
            f"{adapter.finetune.model} had {adapter.base_sha256[:12]}...; name the base with --model"
        )
    return apply(base, weights, adapter.lora.alpha / adapter.lora.rank)
