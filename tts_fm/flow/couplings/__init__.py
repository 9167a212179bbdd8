"""Couplings: which noise of a batch is led to which data; the interface; each other file here is one coupling."""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Bool, Float
from torch import Tensor

from tts_fm.plugins import Options, Plugin


class Coupling(Plugin, ABC):
    """A joint law of ``x_0`` and ``x_1`` whose first margin stays the noise's and whose second the data's."""

    def __init__(self, options: Options) -> None:
        self.options = options

    @abstractmethod
    def pair(
        self, x_0: Float[Tensor, "b n c"], x_1: Float[Tensor, "b n c"], is_valid: Bool[Tensor, "b n"]
    ) -> Float[Tensor, "b n c"]:
        """Return the noise ``x_0`` in the order in which it belongs to ``x_1``; no noise is lost or used twice."""
