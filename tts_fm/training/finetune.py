"""Where a fine-tune starts: another model's weights, room for new tokens, and what may go wrong."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tts_fm import checkpoint, hub, loading, tensors
from tts_fm.backbones import Backbone
from tts_fm.config import FinetuneOptions, ModelConfig, RunConfig
from tts_fm.errors import ArgumentError, ModelError
from tts_fm.frontends import Frontend
from tts_fm.hub import ModelSource
from tts_fm.strict import plain

LARGE = 50_000_000
"""A model of more parameters is unlearned by the rates that small ones take."""
USUAL_LR, MAX_LR, LORA_LR = 1e-5, 1e-4, (1e-4, 1e-3)
"""The rate of F5-TTS's own fine-tuning, ten times that, and the rates that adapters learn with."""
_MAY_DIFFER = {"dropout", "leaps"}  # one changes neither weights nor speech, the other adds what begins as nothing
_NAMED = 10  # characters in one warning


@dataclass(frozen=True)
class Start:
    """What a fine-tune started from.

    Attributes:
        name: the model, as ``finetune.model`` names it.
        config: its configuration.
        sha256: the :func:`fingerprint` of its weights.
        parameters: how many the run's backbone has.
        extended: the token table's name if it got new rows, which learn whatever else is frozen.
        undecayed: what must learn without weight decay, so that held rows stay as they are.
    """

    name: str
    config: ModelConfig
    sha256: str
    parameters: int
    extended: frozenset[str]
    undecayed: frozenset[str]


def find(options: FinetuneOptions) -> ModelSource:
    """Return the files of the model to start from. Raises ValueError and ModelError as :func:`tts_fm.hub.resolve`."""
    vocab = options.vocab if options.vocab else None
    architecture = options.architecture if options.architecture else None
    try:
        return hub.resolve(options.model, vocab=vocab, architecture=architecture)
    except ArgumentError as error:
        if not error.arguments:
            raise
        fields = ", ".join(f"finetune.{name}" for name in error.arguments)
        raise ValueError(f"{error} ({fields})") from None


def load(options: FinetuneOptions, backbone: Backbone, model: ModelConfig, frontend: Frontend) -> Start:
    """Fill ``backbone``, built for the run's ``model`` and ``frontend``, with the weights of another model.

    Tokens that only the run has get new rows in the token table; with ``keep_old_tokens`` these alone learn in it.

    Raises:
        ValueError: vocabulary, mel or ``freeze`` do not go with that model.
        ModelError: it is not there, is damaged, or has another architecture.
    """
    source = find(options)
    config, other, others_frontend = loading.load_model(source, torch.device("cpu"))
    _check_architecture(model, config, options.model)
    _check_vocabulary(_vocabulary(source, others_frontend), frontend, model, config, options.model)
    state = other.state_dict()
    table = backbone.token_table
    name = next(name for name, parameter in backbone.named_parameters() if parameter is table.weight)
    extended: frozenset[str] = frozenset()
    sha256 = fingerprint(state)
    if backbone.vocab_size > other.vocab_size:
        extended = frozenset({name})
        _check_learns(name, options.freeze)
        if options.keep_old_tokens:
            table.register_forward_hook(partial(_learn_from_row, len(state[name])))
        state[name] = with_rows(state[name], table.num_embeddings)
    if backbone.can_leap and not other.can_leap:
        state |= {name: value for name, value in backbone.state_dict().items() if name not in state}
    tensors.fill(backbone, state, options.model, backbone.vocab_size)
    return Start(
        name=options.model,
        config=config,
        sha256=sha256,
        parameters=sum(p.numel() for p in backbone.parameters()),
        extended=extended,
        undecayed=extended if options.keep_old_tokens else frozenset(),
    )


def freeze(backbone: Backbone, patterns: Sequence[str]) -> None:
    """Keep the parameters whose names match one of ``patterns`` from learning.

    Raises:
        ValueError: a pattern matches nothing, or nothing is left to learn.
    """
    parameters = dict(backbone.named_parameters())
    for pattern in patterns:
        held = [parameter for name, parameter in parameters.items() if fnmatchcase(name, pattern)]
        if not held:
            known = [*parameters, *(f"{name}.*" for name, _ in backbone.named_modules() if name)]
            near = difflib.get_close_matches(pattern, known, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(_parts(backbone))}"
            raise ValueError(f"finetune.freeze: no parameter is called {pattern!r}; {hint}")
        for parameter in held:
            parameter.requires_grad_(False)
    if not any(parameter.requires_grad for parameter in parameters.values()):
        raise ValueError(
            f"finetune.freeze holds every parameter: {', '.join(patterns)}; leave some to learn (finetune.lora holds "
            f"all but its adapters by itself)"
        )


def warnings_for(run: RunConfig, start: Start) -> list[str]:
    """Return what a person should know before the run begins, a line each."""
    model, config = run.model, start.config
    lines = [
        f"{'; '.join(differences)}; {effect}"
        for differences, effect in (
            (_differences(model.frontend, config.frontend, "frontend"), "the text may be read in another way"),
            (_differences(model.mel_scale, config.mel_scale, "mel_scale"), "the scale has to be learned anew"),
            (_differences(model.flow.path, config.flow.path, "flow.path"), "the path has to be learned anew"),
        )
        if differences
    ]
    lines += _about_rate(run, start)
    if config.license and model.license != config.license:
        lines.append(
            f"model.license is {model.license!r}, and {start.name} is under {config.license}, which may bind what is "
            f"made from it"
        )
    return lines


def missing_tokens(counts: Mapping[str, int], frontend: Frontend) -> list[str]:
    """Return a line if tokens of the corpus, counted in ``counts``, are not in the vocabulary; else none."""
    unknown = sorted(frontend.unknown(list(counts)), key=lambda token: (-counts[token], token))
    if not unknown:
        return []
    named = ", ".join(f"{token!r} ({counts[token]:,})" for token in unknown[:_NAMED])
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    return [
        f"the corpus has {len(unknown)} characters that are not in the vocabulary and are read as a space: {named}{more}; "
        f"add them at the end of vocab.txt"
    ]


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names, shapes and numbers (as float32), whatever file or order they came in."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().float().contiguous()
        digest.update(f"{name} {tuple(value.shape)}".encode())
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def with_rows(table: Float[Tensor, "v e"], n_rows: int) -> Float[Tensor, "w e"]:
    """Return ``table`` with new rows at its end, drawn with mean and deviation of the old ones in each channel.

    Row 0 is the filler, which is no token and so does not count.
    """
    tokens = table[1:]
    noise = torch.randn(n_rows - len(table), table.shape[1], generator=torch.Generator().manual_seed(0))
    return torch.cat([table, tokens.mean(dim=0) + tokens.std(dim=0, correction=0) * noise])


def _learn_from_row(first: int, table: nn.Module, args: tuple[Tensor], vectors: Tensor) -> Tensor:
    """Let no gradient reach the rows before ``first``: a forward hook, which wrappers such as DDP and FSDP keep."""
    is_new = (args[0] >= first)[..., None]
    return torch.where(is_new, vectors, vectors.detach())


def _check_architecture(model: ModelConfig, config: ModelConfig, name: str) -> None:
    for difference in _differences(model.backbone, config.backbone, "backbone"):
        raise ModelError(f"{difference} {name}; a fine-tune keeps the backbone of its model")
    for difference in _differences(model.mel, config.mel, "mel"):
        raise ValueError(f"{difference} {name}; a fine-tune keeps the mel of its model")


def _vocabulary(source: ModelSource, frontend: Frontend) -> list[str] | None:
    """Return the tokens in the source's vocab.txt; None for a frontend whose tokens do not come from there."""
    path = source.vocab if source.folder is None else source.folder / checkpoint.VOCAB
    if path is None or not path.is_file():
        return None
    tokens = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return tokens if frontend.ids(tokens) == list(range(frontend.vocab_size)) else None


def _check_vocabulary(
    tokens: list[str] | None, frontend: Frontend, model: ModelConfig, config: ModelConfig, name: str
) -> None:
    """Refuse a run whose token ids do not begin as those of the model called ``name``."""
    if tokens is None:
        if model.frontend.name != config.frontend.name:
            raise ValueError(
                f"model.frontend is {model.frontend.name} in the run and {config.frontend.name} in {name}; their tokens "
                f"differ, so take {config.frontend.name}"
            )
        return
    for i, (token, place) in enumerate(zip(tokens, frontend.ids(tokens), strict=True)):
        if place != i:
            there = "is not there" if frontend.unknown([token]) else f"is on line {place + 1}"
            raise ValueError(
                f"the run's vocabulary must begin as that of {name}, where line {i + 1} is {token!r}; in the run it "
                f"{there}; add new tokens only at the end"
            )


def _check_learns(table: str, patterns: Sequence[str]) -> None:
    if any(fnmatchcase(table, pattern) for pattern in patterns):
        raise ValueError(
            f"finetune.freeze holds {table}, but the run has new tokens, which must learn; leave it out: the old tokens "
            f"are held by keep_old_tokens"
        )


def _about_rate(run: RunConfig, start: Start) -> list[str]:
    assert run.finetune is not None
    lr, warmup, updates = run.optimizer.lr, run.optimizer.warmup_updates, run.training.updates
    lines = []
    low, high = LORA_LR
    if run.finetune.lora is not None and not low <= lr <= high:
        lines.append(f"optimizer.lr is {lr:g}; adapters usually learn with {low:g} to {high:g}")
    if run.finetune.lora is None and start.parameters > LARGE and lr > MAX_LR:
        lines.append(
            f"optimizer.lr is {lr:g}, with which {start.parameters / 1e6:.0f} M parameters forget what they know; "
            f"{USUAL_LR:g} is usual to fine-tune all of them, and {low:g} to {high:g} with finetune.lora"
        )
    if warmup >= updates:
        lines.append(
            f"optimizer.warmup_updates is {warmup:,} and the run has {updates:,} updates, so the rate never reaches "
            f"optimizer.lr; a tenth of the run is usual"
        )
    return lines


def _differences(ours: Any, theirs: Any, block: str) -> list[str]:
    """Return in which fields two blocks differ, such as ``backbone.dim is 256 in the run and 320 in the model``."""
    run, model = plain(ours), plain(theirs)
    return [
        f"{block}.{key} is {run.get(key)!r} in the run and {model.get(key)!r} in the model"
        for key in {**run, **model}
        if run.get(key) != model.get(key) and key not in _MAY_DIFFER
    ]


def _parts(backbone: Backbone) -> list[str]:
    """The patterns for the backbone's top-level parts."""
    return list(dict.fromkeys(f"{name.partition('.')[0]}.*" for name, _ in backbone.named_parameters()))
