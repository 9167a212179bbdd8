"""What the commands that judge a model share: the pairs, the judges, the folder, and on what machine it was made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tts_fm.config import ModelConfig
    from tts_fm.evaluation.judges import Choice
    from tts_fm.evaluation.pairs import Pair
    from tts_fm.synthesizer import Synthesizer

_SPOKEN = ("sampling", "default_leaps", "match_prompt", "settle_from", "duration", "limits")


def make_folder(out: Path) -> None:
    """Make the folder that ``--out`` names."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{out} cannot be made: {error.strerror}; choose another folder with --out") from None


def read_pairs(pairs: Path | None, corpus: Path | None, seed: int) -> list[Pair]:
    """Return the pairs that the options name, the bundled ones where they name none."""
    from tts_fm.evaluation import pairs as sets

    if pairs is not None and corpus is not None:
        raise ValueError("give --pairs or --corpus, not both")
    if corpus is not None:
        return sets.from_corpus(corpus, seed=seed)
    return sets.read(sets.BUNDLED if pairs is None else pairs)


def choose_judges(
    recogniser: str | None = None, recogniser_model: str | None = None, naturalness: list[str] | None = None
) -> Choice:
    """Return who judges, by the options that name them."""
    from tts_fm.evaluation.judges import Choice

    choice = Choice(recogniser, recogniser_model, naturalness)
    choice.check()
    return choice


def describe(synthesizer: Synthesizer) -> dict[str, Any]:
    """Return how and on what machine the speech was made."""
    import platform

    import torch

    return {
        "sampling": synthesizer.config.default_sampling.model_dump(),
        "parameters": sum(parameter.numel() for parameter in synthesizer.backbone.parameters()),
        "device": str(synthesizer.device),
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
        "torch": torch.__version__,
    }


def changed(config: ModelConfig, changes: list[str]) -> ModelConfig:
    """Return ``config`` with ``changes`` (NAME=VALUE) of how the model speaks; its network is built already.

    Raises:
        ValueError: a change of something else, or a wrong value.
    """
    from tts_fm import strict

    if wrong := [change for change in changes if change.split(".")[0].split("=")[0] not in _SPOKEN]:
        raise ValueError(f"--set {wrong[0]!r} changes nothing that can be evaluated; choose among {', '.join(_SPOKEN)}")
    value = strict.change(strict.plain(config), changes, "sampling.steps=32")
    return strict.parse(type(config), value, "--set", "the configuration")
