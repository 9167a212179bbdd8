"""Maximum likelihood: a continuous normalizing flow learned through its solver, which is what flow matching replaced."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tts_fm.flow.likelihood import density_change
from tts_fm.types import VelocityField


def maximum_likelihood_loss(
    field: nn.Module,
    x_1: Float[Tensor, "b n c"],
    probes: Float[Tensor, "p n c"] | None = None,
    tolerance: float = 1e-5,
) -> Float[Tensor, ""]:
    """Return the mean of ``-log p(x_1)`` in nats, with gradients by the adjoint method.

    Chen et al., arXiv 1806.07366: data are led back to noise by Dormand and Prince's pair, and for the gradient a second
    equation leads from noise to data. Nothing of the way is kept, so that memory does not grow with its evaluations;
    each update pays for all of them. The divergence is exact, or by ``probes``, see
    :func:`tts_fm.flow.likelihood.log_likelihood`; the loss is unbiased where they are drawn anew for each update.

    Args:
        field: ``v(x_t, t)``; its parameters are what learns.
        x_1: data.
        probes: what estimates the divergence.
        tolerance: the error allowed in a step of either way, absolute and relative.
    """
    from torchdiffeq import odeint_adjoint

    parameters = tuple(field.parameters())

    def back_to_noise(augmented: VelocityField, state: Tensor) -> Tensor:
        ends = torch.tensor([1.0, 0.0], dtype=state.dtype, device=state.device)
        at_ends = odeint_adjoint(
            lambda t, state: augmented(state, t),
            state,
            ends,
            rtol=tolerance,
            atol=tolerance,
            method="dopri5",
            adjoint_params=parameters,
        )
        return at_ends[-1]  # pyright: ignore[reportIndexIssue, reportReturnType]

    return -density_change(field, x_1, probes, back_to_noise).total.mean()
