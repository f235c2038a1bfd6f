"""What a classifier's answers cost: cross-entropy, their entropy, and the distance from a teacher's."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from tlbook.errors import TlbookError
from tlbook.losses._rows import logit_rows

__all__ = ["cross_entropy", "distillation", "entropy"]


def cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    """Multinomial logistic loss, the L_y of most methods here, in nats, averaged over the batch.

    Args:
        logits: N×K unnormalised log-probabilities.
        y: N labels in 0 … K−1, int64.

    Returns:
        A scalar, at least 0.

    Raises:
        TlbookError: when the logits are not N×K or the labels not N.

    Example:
        >>> import torch
        >>> round(cross_entropy(torch.zeros(1, 4), torch.tensor([2])).item(), 4)  # log 4
        1.3863
    """
    logits = logit_rows("logits", logits)
    if y.shape != logits.shape[:1]:
        raise TlbookError(f"y has shape {tuple(y.shape)} for {len(logits)} rows of logits; expected one label a row")
    return F.cross_entropy(logits, y)


def entropy(logits: Tensor) -> Tensor:
    """Mean entropy of the predicted class distributions, in nats: −Σ_k p_k log p_k, averaged over the batch.

    Args:
        logits: N×K unnormalised log-probabilities.

    Returns:
        A scalar between 0 (every prediction certain) and log K (every prediction uniform).

    Raises:
        TlbookError: when the logits are not N×K.

    Example:
        >>> import torch
        >>> round(entropy(torch.zeros(2, 4)).item(), 4)
        1.3863
    """
    log_p = F.log_softmax(logit_rows("logits", logits), dim=1)
    return -(log_p.exp() * log_p).sum(dim=1).mean()


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T²·KL(teacher‖student) between the distributions softened by T, in nats, averaged over the batch.

    Hinton, Vinyals and Dean, 2015 (arXiv 1503.02531), section 2: the factor T² keeps the gradient's size nearly
    independent of T. The teacher receives no gradient.

    Args:
        student: N×K logits.
        teacher: N×K logits.
        temperature: T > 0.

    Returns:
        A scalar, at least 0; 0 where the two distributions agree.

    Raises:
        TlbookError: when the shapes differ or T is not positive.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[1.0, 2.0, 3.0]])
        >>> distillation(logits, logits, temperature=2.0).item()
        0.0
    """
    if student.shape != teacher.shape:
        raise TlbookError(
            f"student has shape {tuple(student.shape)}, teacher {tuple(teacher.shape)}; expected the same N×K: "
            "give both the same batch and heads of the same width"
        )
    if not temperature > 0:
        raise TlbookError(f"temperature is {temperature}; expected a number above 0: 1 leaves the outputs as they are")
    log_q = F.log_softmax(logit_rows("student", student) / temperature, dim=1)
    log_p = F.log_softmax(logit_rows("teacher", teacher).detach() / temperature, dim=1)
    return temperature**2 * F.kl_div(log_q, log_p, log_target=True, reduction="batchmean")
