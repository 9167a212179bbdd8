"""Probability paths ``x_t = alpha(t) x_1 + sigma(t) x_0``: the interface; each other file here is one path."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor

from tts_fm.plugins import Options, Plugin
from tts_fm.types import PathSample


class Path(Plugin, ABC):
    """An affine Gaussian path, given by its coefficients and their derivatives.

    It is noise and nothing else at ``t = 0``, so that noise is where sampling starts.

    Lipman et al., "Flow Matching for Generative Modeling", arXiv 2210.02747, section 4.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    @abstractmethod
    def alpha(self, t: Tensor) -> Tensor:
        """How much of the data: ``alpha(0) = 0``, ``alpha(1) = 1``."""

    @abstractmethod
    def sigma(self, t: Tensor) -> Tensor:
        """How much of the noise: ``sigma(0) = 1``, and ``sigma(1) = 0`` where nothing else is said."""

    @abstractmethod
    def d_alpha(self, t: Tensor) -> Tensor:
        """The derivative of ``alpha``."""

    @abstractmethod
    def d_sigma(self, t: Tensor) -> Tensor:
        """The derivative of ``sigma``."""

    def sample(self, x_0: Tensor, x_1: Tensor, t: Tensor) -> PathSample:
        """Return ``x_t = alpha x_1 + sigma x_0`` and its velocity ``d_alpha x_1 + d_sigma x_0``.

        ``t`` has one entry per element of the batch.
        """
        t = t.reshape(-1, *[1] * (x_1.dim() - 1))  # b 1 1
        return PathSample(
            x_t=self.alpha(t) * x_1 + self.sigma(t) * x_0, velocity=self.d_alpha(t) * x_1 + self.d_sigma(t) * x_0
        )

    def end(self, x_s: Tensor, s: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Return the ``x_1`` of the pair whose path goes through ``x_s`` at ``s`` and ``x_t`` at ``t``, scalars.

        ``(sigma(s) x_t - sigma(t) x_s) / (sigma(s) alpha(t) - sigma(t) alpha(s))``: on the straight path the line through both.
        """
        (a_s, a_t), (n_s, n_t) = ((f(s), f(t)) for f in (self.alpha, self.sigma))
        return (n_s * x_t - n_t * x_s) / (n_s * a_t - n_t * a_s)
