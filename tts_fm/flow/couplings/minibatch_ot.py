"""Optimal transport within a batch: the pairs with the least sum of squared distances."""

from __future__ import annotations

import torch
from torch import Tensor

from tts_fm.flow.couplings import Coupling


class MinibatchOT(Coupling):
    """OT-CFM (Tong et al., arXiv 2302.00482; Pooladian et al., arXiv 2304.14772): ways cross less, the flow is straighter.

    Distances are counted over the frames that all utterances have. On these every noise is used, so that over the batch
    the noise stays Gaussian; frames that only some utterances have do not choose, or their noise would be picked from.
    Given a condition (a text), noise that was chosen for its speech need not be Gaussian, while sampling starts from
    Gaussian noise (arXiv 2503.10636): a reason to keep the independent coupling for conditional models.
    """

    @torch.no_grad()
    def pair(self, x_0: Tensor, x_1: Tensor, is_valid: Tensor) -> Tensor:
        from scipy.optimize import linear_sum_assignment

        is_common = is_valid.all(dim=0)  # n
        gain = x_1[:, is_common].flatten(1) @ x_0[:, is_common].flatten(1).T  # squared distance: a constant - 2 gain
        _, chosen = linear_sum_assignment(gain.double().cpu().numpy(), maximize=True)
        return x_0[torch.from_numpy(chosen).to(x_0.device)]
