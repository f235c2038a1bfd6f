"""What a classifier's answers cost: cross-entropy, their entropy, and the distance from a teacher's."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tlbook._checks import check_number
from tlbook.errors import TlbookError
from tlbook.losses._rows import labelled, logit_rows, weighted

__all__ = ["cross_entropy", "distillation", "entropy"]


def cross_entropy(logits: Tensor, y: Tensor, weights: Tensor | None = None) -> Tensor:
    """Multinomial logistic loss, the L_y of most methods here, in nats, averaged over the batch.

    Args:
        logits: N×K unnormalised log-probabilities.
        y: N labels in 0 … K−1, whole numbers.
        weights: what each row counts, N constants at least 0; 1 each if not given. No gradient flows through them.

    Returns:
        A scalar, at least 0.

    Raises:
        TlbookError: when the logits are not N×K, the labels not N whole numbers or the weights not N. On the CPU also
            for a label outside 0 … K−1; elsewhere the value is then NaN, which ``fit`` finds.

    Example:
        >>> import torch
        >>> round(cross_entropy(torch.zeros(1, 4), torch.tensor([2])).item(), 4)  # log 4
        1.3863
    """
    logits, y = labelled("y", logit_rows("logits", logits), y)
    return (
        F.cross_entropy(logits, y)
        if weights is None
        else weighted(F.cross_entropy(logits, y, reduction="none"), weights)
    )


def entropy(logits: Tensor) -> Tensor:
    """Mean entropy of the predicted class distributions, in nats: −Σ_k p_k log p_k, averaged over the batch.

    Args:
        logits: N×K unnormalised log-probabilities; −inf is a class that cannot be.

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
    return -(log_p.exp() * log_p.masked_fill(log_p == -math.inf, 0)).sum(dim=1).mean()  # 0 · log 0 = 0


def distillation(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T²·KL(teacher‖student) between the distributions softened by T, in nats, averaged over the batch.

    Hinton, Vinyals and Dean, 2015 (arXiv 1503.02531), section 2: the factor T² keeps the gradient's size nearly
    independent of T. The teacher receives no gradient.

    Args:
        student: N×K logits.
        teacher: N×K logits.
        temperature: T > 0.

    Returns:
        A scalar, at least 0; 0 where the two distributions agree, infinite where the student excludes (by a logit of
        −inf) what the teacher does not.

    Raises:
        TlbookError: when the shapes differ, or T is not a finite number above 0.

    Example:
        >>> import torch
        >>> logits = torch.tensor([[1.0, 2.0, 3.0]])
        >>> distillation(logits, logits, temperature=2.0).item()
        0.0
    """
    student, teacher = logit_rows("student", student), logit_rows("teacher", teacher).detach()
    if student.shape != teacher.shape:
        raise TlbookError(
            f"student has shape {tuple(student.shape)}, teacher {tuple(teacher.shape)}; expected the same N×K: "
            "give both the same batch and heads of the same width"
        )
    temperature = check_number("temperature", temperature, above=0, hint="1 leaves the outputs as they are")
    log_q = F.log_softmax(student / temperature, dim=1)
    log_p = F.log_softmax(teacher / temperature, dim=1)
    absent = log_p == -math.inf  # p = 0: p · log(p/q) is 0, whatever q
    log_q, log_p = log_q.masked_fill(absent, 0), log_p.masked_fill(absent, torch.finfo(log_p.dtype).min)
    return temperature**2 * F.kl_div(log_q, log_p, log_target=True, reduction="batchmean")
