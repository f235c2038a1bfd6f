"""Distances, penalties and other terms of an objective, as pure functions on tensors.

Each function states the shapes it takes, the unit of what it returns and the equation it computes. Reduced
precision (bfloat16, float16) is widened to float32 before anything is summed; float64 stays float64, so that
every function can be checked with ``torch.autograd.gradcheck``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tlbook.errors import TlbookError

__all__ = [
    "cross_entropy",
    "distillation",
    "domain_adversarial",
    "entropy",
    "gradient_reversal",
    "l2_sp",
]


def _full(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def _logits(name: str, x: Tensor) -> Tensor:
    if x.dim() != 2:
        raise TlbookError(f"{name} has shape {tuple(x.shape)}; expected N×K, one row of logits an example")
    return _full(x)


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
        >>> round(cross_entropy(torch.zeros(1, 4), torch.tensor([2])).item(), 4)  # log 4
        1.3863
    """
    logits = _logits("logits", logits)
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
        >>> round(entropy(torch.zeros(2, 4)).item(), 4)
        1.3863
    """
    log_p = F.log_softmax(_logits("logits", logits), dim=1)
    return -(log_p.exp() * log_p).sum(dim=1).mean()


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
        x: a tensor of any shape.
        strength: λ ≥ 0.

    Returns:
        ``x``, unchanged in value.

    Example:
        >>> x = torch.tensor([2.0], requires_grad=True)
        >>> (3 * gradient_reversal(x, strength=0.5)).backward()
        >>> x.grad
        tensor([-1.5000])
    """
    return _Reverse.apply(x, strength)  # type: ignore[no-any-return, no-untyped-call]


def domain_adversarial(domain_logits: Tensor, n_source: int) -> Tensor:
    """The domain classifier's loss L_d: mean over the source rows plus mean over the target rows, in nats.

    With d = 0 for the source and d = 1 for the target, and G_d the sigmoid of the logit, each row costs
    d·log 1/G_d + (1 − d)·log 1/(1 − G_d) (Ganin et al., JMLR 17(59), 2016, the loss before eq. 8; the sum of the
    two means is the bracket of eq. 9).

    Args:
        domain_logits: N×1 or N logits of "this row is from the target"; the source rows come first.
        n_source: how many rows are source rows, 0 < n_source < N.

    Returns:
        A scalar; 2·log 2 ≈ 1.386 for a classifier that knows nothing, 0 for one that is always right.

    Raises:
        TlbookError: when one of the two domains has no row, or a row has more than one logit.

    Example:
        >>> round(domain_adversarial(torch.zeros(6, 1), n_source=3).item(), 4)
        1.3863
    """
    if domain_logits.dim() not in (1, 2) or (domain_logits.dim() == 2 and domain_logits.shape[1] != 1):
        raise TlbookError(
            f"domain_logits has shape {tuple(domain_logits.shape)}; expected one logit a row, N×1: "
            "end the domain head in nn.Linear(…, 1)"
        )
    logits = _full(domain_logits).flatten()
    if not 0 < n_source < len(logits):
        raise TlbookError(
            f"n_source is {n_source} of {len(logits)} rows; expected rows of both domains: "
            "give fit a target too, or the batch its source rows first, then its target rows"
        )
    return F.softplus(logits[:n_source]).mean() + F.softplus(-logits[n_source:]).mean()


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
    log_q = F.log_softmax(_logits("student", student) / temperature, dim=1)
    log_p = F.log_softmax(_logits("teacher", teacher).detach() / temperature, dim=1)
    return temperature**2 * F.kl_div(log_q, log_p, log_target=True, reduction="batchmean")


def l2_sp(module: nn.Module, reference: nn.Module | Mapping[str, Tensor]) -> Tensor:
    """Half the squared distance of the weights from where they started: ½ Σ (w − w⁰)² over the shared names.

    Li, Grandvalet and Davoine, ICML 2018, eq. 2, without the factor α.

    Args:
        module: the module that is trained.
        reference: the starting point, as a module or as a dictionary of tensors by parameter name. Names that
            only one side has, such as a new head, are left out.

    Returns:
        A scalar, at least 0.

    Raises:
        TlbookError: when no parameter has the same name and shape on both sides.

    Example:
        >>> layer = nn.Linear(2, 1, bias=False)
        >>> start = {"weight": layer.weight.detach() + 1.0}
        >>> round(l2_sp(layer, start).item(), 4)
        1.0
    """
    named = reference.named_parameters() if isinstance(reference, nn.Module) else reference.items()
    start: dict[str, Tensor] = {name: w0.detach() for name, w0 in named}
    distances = [
        (w - start[name]).square().sum()
        for name, w in module.named_parameters()
        if name in start and start[name].shape == w.shape
    ]
    if not distances:
        raise TlbookError(
            "no parameter has the same name and shape in both modules; expected a copy of the same network: "
            "give l2_sp the part that was transferred, not the new head"
        )
    return 0.5 * torch.stack(distances).sum()
