"""From the configuration of a run to what learns: corpus, frontend and backbone put together."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch

from tts_fm.backbones import Backbone
from tts_fm.config import RunConfig
from tts_fm.data.dataset import Corpus
from tts_fm.data.utterances import Utterance, balanced, read_manifest, shared_out, with_prompts
from tts_fm.frontends import Frontend
from tts_fm.training import distillation, finetune, lora, room
from tts_fm.training.acoustic import AcousticLearner
from tts_fm.training.team import Team

FAULTS, MELS = "faults.jsonl", "mels"
"""Files of a run: the broken utterances, and the mels that ``data.cache: disk`` keeps."""
_COUNTED = 5000  # utterances


@dataclass(frozen=True)
class Assembled:
    """A learner, what a person should know before it starts, and what was held out."""

    learner: AcousticLearner
    frontend: Frontend
    held_out: list[Utterance]
    remarks: list[str]


def acoustic(run: RunConfig, team: Team, folder: Path, vocab: Path | None = None) -> Assembled:
    """Return what learns an acoustic model as ``run`` says.

    Args:
        run: the configuration.
        team: the processes that train.
        folder: the run's.
        vocab: the frontend's vocabulary, instead of ``data.vocab``.

    Raises:
        ValueError: the corpus is empty, or something does not belong together.
        ModelError: a vocabulary or the model to start from cannot be read.
    """
    vocab = Path(run.data.vocab) if vocab is None and run.data.vocab else vocab
    frontend: Frontend = run.model.frontend.build(Frontend, vocab=vocab)
    to_learn, held_out = _utterances(run)
    corpus, validation = (Corpus(part, run.model, run.data, frontend, folder / MELS) for part in (to_learn, held_out))
    _check(run, corpus, validation)
    room.check(run, frontend.vocab_size, sum(corpus.lengths()), team.device)
    torch.manual_seed(run.training.seed)
    backbone: Backbone = run.model.backbone.build(Backbone, run.model.mel.n_mels, frontend.vocab_size)
    if backbone.needs_token_frames and any(u.token_frames is None for u in corpus.utterances):
        raise ValueError(
            f"the backbone {run.model.backbone.name} needs the duration of every token, and the corpus has none; "
            f"prepare it with --align"
        )
    remarks = [f"{len(part)} utterances are {what}" for part, what in _left_out(corpus) if part]
    remarks += finetune.missing_tokens(_tokens_of(corpus), frontend)
    start = None
    if run.finetune is not None:
        start = finetune.load(run.finetune, backbone, run.model, frontend)
        finetune.freeze(backbone, run.finetune.freeze)
        remarks += finetune.warnings_for(run, start)
        if run.finetune.lora is not None:
            lora.inject(backbone, run.finetune.lora, start.extended)
    learner = AcousticLearner(
        run,
        backbone,
        corpus,
        validation,
        team,
        vocab=vocab,
        start=start,
        faults=folder / FAULTS,
        teacher=None if run.distill is None else distillation.load(run.distill, run.model, team.device),
    )
    return Assembled(learner, frontend, validation.utterances, remarks)


def _utterances(run: RunConfig) -> tuple[list[Utterance], list[Utterance]]:
    """Return what to learn from, and what is held out: its own manifests, or the split ``heldout`` of all."""
    paths = [Path(name) for name in run.data.manifests]
    parts = [balanced(read_manifest(path, "train"), run.data.balance) for path in paths]
    to_learn = shared_out(parts, run.data.shares)
    to_learn = with_prompts(to_learn, run.data.prompted, run.data.max_seconds, run.data.prompts)
    if run.data.validation_manifests:
        return to_learn, [u for name in run.data.validation_manifests for u in read_manifest(Path(name))]
    return to_learn, [utterance for path in paths for utterance in read_manifest(path, "heldout")]


def _tokens_of(corpus: Corpus) -> Counter[str]:
    """How often tokens occur in the corpus, or where it is large in some utterances from all over it."""
    every = max(1, len(corpus) // _COUNTED)
    return Counter(token for u in corpus.utterances[::every] for token in corpus.frontend.tokens(u.text))


def _left_out(corpus: Corpus) -> list[tuple[list[Utterance], str]]:
    data = corpus.data
    return [
        (corpus.too_short, f"shorter than data.min_seconds = {data.min_seconds:g} and left out"),
        (corpus.too_long, f"longer than data.max_seconds = {data.max_seconds:g} and left out"),
    ]


def _check(run: RunConfig, corpus: Corpus, validation: Corpus) -> None:
    for name, part in (("train", corpus), ("heldout", validation)):
        if not len(part):
            raise ValueError(
                f"no utterance of the split {name!r} lasts {run.data.min_seconds:g} to {run.data.max_seconds:g} s; "
                f"check data.manifests ({', '.join(run.data.manifests)}) and the limits"
            )
