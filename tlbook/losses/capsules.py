"""The loss of capsules, whose lengths say what is there."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from tlbook.losses._rows import labelled, logit_rows

__all__ = ["margin_loss"]


def margin_loss(lengths: Tensor, target: Tensor) -> Tensor:
    """Σ_k T_k max(0, 0.9 − ‖v_k‖)² + ½ (1 − T_k) max(0, ‖v_k‖ − 0.1)², averaged over the batch.

    Sabour, Frosst and Hinton, *Dynamic routing between capsules*, NIPS 2017, eq. 4: T_k is 1 for the class that is
    there. A class that is absent counts half, so that the lengths do not all shrink at first.

    Args:
        lengths: N×K lengths of the class capsules, 0 … 1.
        target: N labels in 0 … K−1, whole numbers.

    Returns:
        A scalar, at least 0.

    Raises:
        TlbookError: as :func:`cross_entropy`, and when there is no row.

    Example:
        >>> import torch
        >>> round(margin_loss(torch.zeros(1, 10), torch.tensor([3])).item(), 4)  # 0.9²
        0.81
    """
    lengths, target = labelled("target", logit_rows("lengths", lengths), target)
    there = F.one_hot(target, lengths.shape[1]).to(lengths.dtype)
    loss = there * F.relu(0.9 - lengths).square() + 0.5 * (1 - there) * F.relu(lengths - 0.1).square()
    return loss.sum(dim=1).mean()
