"""Two players: the domain classifier's loss, and the gradient that is turned round on its way to the features."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tlbook._checks import check_number, check_tensor, check_whole
from tlbook.errors import TlbookError
from tlbook.losses._rows import floating, weighted

__all__ = ["domain_adversarial", "gradient_reversal"]


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * grad, None


def gradient_reversal(x: Tensor, strength: float = 1.0) -> Tensor:
    """The identity on the way forward, −strength times the gradient on the way back.

    Ganin et al., JMLR 17(59), 2016, eq. 16–17, with the factor λ of the ICML 2015 version inside.

    Args:
        x: a tensor of any shape, of floating point.
        strength: λ ≥ 0.

    Returns:
        ``x``, unchanged in value.

    Raises:
        TlbookError: when x is no tensor, or λ not a finite number, at least 0.

    Example:
        >>> x = torch.tensor([2.0], requires_grad=True)
        >>> (3 * gradient_reversal(x, strength=0.5)).backward()
        >>> x.grad
        tensor([-1.5000])
    """
    if not check_tensor("x", x).is_floating_point():
        raise TlbookError(f"x is {x.dtype}; expected floating point, through which a gradient can flow")
    strength = check_number("strength", strength, at_least=0)
    return _Reverse.apply(x, strength)  # type: ignore[no-any-return, no-untyped-call]


def domain_adversarial(logits: Tensor, n_source: int, weights: Tensor | None = None) -> Tensor:
    """The domain classifier's loss L_d: mean over the source rows plus mean over the target rows, in nats.

    With d = 0 for the source and d = 1 for the target, and G_d the sigmoid of the logit, each row costs
    d·log 1/G_d + (1 − d)·log 1/(1 − G_d) (Ganin et al., JMLR 17(59), 2016, the loss before eq. 8; the sum of the
    two means is the bracket of eq. 9). In partial adaptation each source row counts as much as it seems to have a
    counterpart in the target: the first mean is then that of w·L_d.

    Args:
        logits: N×1 or N logits of "this row is from the target"; the source rows come first.
        n_source: how many rows are source rows, 0 < n_source < N.
        weights: w, one for each source row, constants at least 0; 1 each if not given. No gradient flows through them.

    Returns:
        A scalar; 2·log 2 ≈ 1.386 for a classifier that knows nothing, 0 for one that is always right.

    Raises:
        TlbookError: when one of the two domains has no row, a row has more than one logit, or the weights do not fit.

    Example:
        >>> round(domain_adversarial(torch.zeros(6, 1), n_source=3).item(), 4)
        1.3863
    """
    logits = floating("logits", logits)
    if logits.dim() not in (1, 2) or (logits.dim() == 2 and logits.shape[1] != 1):
        raise TlbookError(
            f"logits has shape {tuple(logits.shape)}; expected one logit a row, N×1: "
            "end the domain head in nn.Linear(…, 1)"
        )
    logits, n_source = logits.flatten(), check_whole("n_source", n_source)
    if not 0 < n_source < len(logits):
        raise TlbookError(
            f"n_source is {n_source} of {len(logits)} rows; expected rows of both domains: "
            "give fit a target too, or the batch its source rows first, then its target rows"
        )
    return weighted(F.softplus(logits[:n_source]), weights) + F.softplus(-logits[n_source:]).mean()
