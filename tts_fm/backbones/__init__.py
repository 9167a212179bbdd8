"""The velocity network ``v_theta(x_t, t | condition)``: the interface; each other file here is one backbone."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tts_fm.plugins import Options, Plugin
from tts_fm.types import Condition


class Backbone(nn.Module, Plugin, ABC):
    """A network that predicts the velocity of the flow at ``x_t``.

    What does not change between the steps of an ODE solver is computed once by :meth:`prepare`, which returns it;
    nothing is hidden in the module, so that two threads may sample with one backbone.

    Args:
        options: this backbone's block of the configuration.
        n_mels: mel channels, ``c``.
        vocab_size: number of token ids, without the filler.
    """

    needs_token_frames: ClassVar[bool] = False
    """Whether ``Condition.token_frames`` must be given."""

    float32_parts: ClassVar[tuple[str, ...]] = ()
    """Submodules that are asked outside of the flow, where weights in a lower precision would not be cast."""

    can_leap: bool = False
    """Whether the mean velocity of a whole step can be asked for (``until``)."""

    blocks: nn.ModuleList
    """The repeated layers, where most of the weights are: training splits, recomputes and adapts them one by one."""

    def __init__(self, options: Options, n_mels: int, vocab_size: int) -> None:
        super().__init__()
        self.options, self.n_mels, self.vocab_size = options, n_mels, vocab_size

    @property
    @abstractmethod
    def token_table(self) -> nn.Embedding:
        """The vectors of the filler (row 0) and of every token; new tokens get new rows at its end."""

    def adaptable_layers(self) -> list[nn.Linear]:
        """Return the layers that low-rank adapters are put beside: those of attention and feed-forward in the blocks."""
        return [layer for layer in self.blocks.modules() if isinstance(layer, nn.Linear)]

    def hear(self, mel: Float[Tensor, "b n c"], is_prompt: Bool[Tensor, "b n"]) -> Float[Tensor, "b v"] | None:
        """Return ``Condition.heard`` of prompts, where the backbone hears voices; what is not told it, :meth:`prepare` hears."""
        return None

    @abstractmethod
    def prepare(self, condition: Condition, times: Float[Tensor, " k"] | None = None) -> Any:
        """Return all that depends on ``condition`` alone, and on the ``times`` at which velocities will be asked for."""

    @abstractmethod
    def velocity(
        self, x_t: Float[Tensor, "b n c"], t: Float[Tensor, ""] | Float[Tensor, " b"], prepared: Any
    ) -> Float[Tensor, "b n c"]:
        """Return the velocity at ``x_t`` and time ``t``, zero on frames that only pad the batch."""

    def mean_velocity(
        self,
        x_t: Float[Tensor, "b n c"],
        t: Float[Tensor, ""] | Float[Tensor, " b"],
        until: Float[Tensor, ""] | Float[Tensor, " b"],
        prepared: Any,
    ) -> Float[Tensor, "b n c"]:
        """Return ``(x_until - x_t) / (until - t)`` along the guided flow; only where ``can_leap``.

        The mean velocity of Geng et al., "Mean Flows for One-step Generative Modeling", arXiv 2505.13447.
        """
        raise NotImplementedError(f"{type(self).__name__} knows only the velocity where a step begins")

    def forward(
        self, x_t: Float[Tensor, "b n c"], t: Float[Tensor, ""] | Float[Tensor, " b"], condition: Condition
    ) -> Float[Tensor, "b n c"]:
        """One evaluation from scratch, as training does."""
        return self.velocity(x_t, t, self.prepare(condition))

    def duration_loss(self, condition: Condition, prepared: Any) -> Float[Tensor, ""]:
        """Return the loss of the predicted token durations; only where ``needs_token_frames``."""
        raise NotImplementedError(f"{type(self).__name__} places its tokens itself")

    def predict_token_frames(self, token_ids: Int[Tensor, " m"]) -> Float[Tensor, " m"]:
        """Return how many frames each token lasts in an average voice; only where ``needs_token_frames``."""
        raise NotImplementedError(f"{type(self).__name__} places its tokens itself")

    def average_frames(self, token_ids: Sequence[int]) -> list[float]:
        """Return the same for a list of tokens, wherever the network is."""
        device = next(self.parameters()).device
        return self.predict_token_frames(torch.tensor(token_ids, device=device)).tolist()
