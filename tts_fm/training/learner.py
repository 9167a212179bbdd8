"""What a training loop drives: something that learns from one update to the next, and can be saved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tts_fm.training.team import Team


@dataclass(frozen=True)
class Step:
    """What one update did.

    Attributes:
        values: losses, gradient norm, learning rate and so on, of the whole team.
        frames: how many frames of speech were learned from, by the whole team.
        is_skipped: whether a loss or gradient was no number, so that nothing was changed.
        ids: the utterances of this process.
    """

    values: Mapping[str, float]
    frames: int
    is_skipped: bool = False
    ids: tuple[str, ...] = ()


class Learner(ABC):
    """Networks and how they learn; every process of ``team`` makes the same calls in the same order."""

    team: Team

    @property
    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """What must be the same when a run goes on, by name: mappings, lists and texts."""

    @abstractmethod
    def learn(self, update: int) -> Step:
        """Do update number ``update``, counted from 0."""

    @abstractmethod
    def validate(self) -> Mapping[str, float]:
        """Return losses on what is held out, with the same noise each time."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return all that going on needs: plain values, and tensors on the CPU that do not depend on the team's size."""

    @abstractmethod
    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""

    @abstractmethod
    def publisher(self) -> Callable[[Path], None]:
        """Return what writes a folder with what was learned, in the form in which it is used; one process calls it."""
