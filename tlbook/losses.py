"""Distances, penalties and other terms of an objective, as pure functions on tensors.

Each function states the shapes it takes, the unit of what it returns and the equation it computes. Reduced
precision (bfloat16, float16) is widened to float32 before anything is summed; float64 stays float64, so that
every function can be checked with ``torch.autograd.gradcheck``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from tlbook.errors import TlbookError

__all__ = [
    "DOUBLINGS",
    "coral",
    "cross_entropy",
    "distillation",
    "domain_adversarial",
    "entropy",
    "gradient_reversal",
    "l2_sp",
    "linear_mmd2",
    "margin_loss",
    "mk_mmd2",
    "mmd2",
    "nt_xent",
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


def margin_loss(lengths: Tensor, target: Tensor) -> Tensor:
    """Σ_k T_k max(0, 0.9 − ‖v_k‖)² + ½ (1 − T_k) max(0, ‖v_k‖ − 0.1)², averaged over the batch.

    Sabour, Frosst and Hinton, *Dynamic routing between capsules*, NIPS 2017, eq. 4: T_k is 1 for the class that is
    there. A class that is absent counts half, so that the lengths do not all shrink at first.

    Args:
        lengths: N×K lengths of the class capsules, 0 … 1.
        target: N labels in 0 … K−1, int64.

    Returns:
        A scalar, at least 0.

    Raises:
        TlbookError: when the lengths are not N×K, the labels not N or not below K, or there is no row.

    Example:
        >>> round(margin_loss(torch.zeros(1, 10), torch.tensor([3])).item(), 4)  # 0.9²
        0.81
    """
    lengths = _logits("lengths", lengths)
    if target.shape != lengths.shape[:1]:
        raise TlbookError(
            f"target has shape {tuple(target.shape)} for {len(lengths)} rows of lengths; expected one label a row"
        )
    if not len(target) or target.min() < 0 or target.max() >= lengths.shape[1]:
        raise TlbookError(f"target is {target}; expected at least one label, and labels in 0 … {lengths.shape[1] - 1}")
    there = F.one_hot(target, lengths.shape[1]).to(lengths.dtype)
    loss = there * F.relu(0.9 - lengths).square() + 0.5 * (1 - there) * F.relu(lengths - 0.1).square()
    return loss.sum(dim=1).mean()


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


def nt_xent(x: Tensor, y: Tensor, temperature: float = 0.5, rows: int = 4096) -> Tensor:
    """The normalised temperature-scaled cross-entropy of two views of each image, in nats.

    ℓ(i, j) = −log exp(sim(z_i, z_j)/τ) / Σ_{k≠i} exp(sim(z_i, z_k)/τ) for the two views i and j of one image, where sim
    is the cosine and k runs over the other 2N − 1 views of the batch; the mean over all 2N ordered pairs (Chen et al.,
    *A simple framework for contrastive learning of visual representations*, ICML 2020, eq. 1 and algorithm 1).

    Above ``rows`` views the 2N×2N cosines are never held at once: so many rows of them are formed, and formed again on
    the way back, so that a batch of many thousands fits on one device.

    Args:
        x: N×D projections of one view of each image, N at least 2; they need not be normalised.
        y: N×D projections of the other view, in the same order.
        temperature: τ > 0.
        rows: how many rows of the cosines lie in memory at a time.

    Returns:
        A scalar, at least 0; log(2N − 1) where all views are alike.

    Raises:
        TlbookError: when the shapes differ, N is below 2, or τ is not above 0; on the CPU also when a value is not
            finite.

    Example:
        >>> round(nt_xent(torch.ones(4, 3), torch.ones(4, 3)).item(), 4)  # log 7
        1.9459
    """
    x, y = _pair(x, y, least=2)
    _check_finite(x, y)
    if len(x) != len(y):
        raise TlbookError(f"x has {len(x)} rows, y {len(y)}; expected as many: two views of each image")
    if not 0 < temperature < math.inf or rows < 1:
        raise TlbookError(
            f"temperature is {temperature}, rows {rows}; expected a temperature above 0 and rows from 1 on"
        )
    z = torch.cat([x, y])
    length = torch.linalg.vector_norm(z, dim=1, keepdim=True)
    z = z / length.where(length > 0, 1.0)  # a row of zeros has no direction: its cosines are 0, its gradient finite
    views = torch.arange(len(z), device=z.device)
    partner = views.roll(len(x))

    def total(i: Tensor) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):
            s = (z[i] @ z.T / temperature).masked_fill(i[:, None] == views, -math.inf)  # k ≠ i
        return F.cross_entropy(s, partner[i], reduction="sum")

    if len(z) <= rows:
        return total(views) / len(z)
    parts: list[Tensor] = [
        checkpoint(total, i, use_reentrant=False, preserve_rng_state=False) for i in torch.split(views, rows)
    ]
    return torch.stack(parts).sum() / len(z)


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


def mmd2(x: Tensor, y: Tensor, bandwidths: Sequence[float] | None = None, unbiased: bool = False) -> Tensor:
    """The squared maximum mean discrepancy of two samples under Gaussian kernels exp(−‖x − y‖²/2σ²).

    Gretton et al., *A kernel two-sample test*, JMLR 13, 2012: biased, a V-statistic in which the diagonal counts, or
    unbiased, a U-statistic without it.

    Args:
        x: N×D features.
        y: M×D features; N and M may differ.
        bandwidths: the σ of the kernels, averaged; above 0, in the unit of the features. None is the median heuristic:
            the median distance between two different rows of x and y together. No gradient flows through it. Where
            more than half of the distances are 0 up to rounding (of the mean square, below a ten-thousandth) their mean
            takes its place, and 1 where all are: narrower kernels would have gradients that end a training.
        unbiased: whether the mean over many samples shall be right; single values may then be below 0.

    Returns:
        A scalar, at least 0 (up to rounding) where biased.

    Raises:
        TlbookError: when the features differ in width, a sample has too few rows, or a bandwidth is not above 0. On the
            CPU also when a value is not finite; elsewhere the check would make the host wait, and ``fit`` finds it.

    Example:
        >>> x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0], [1.0]])
        >>> mmd2(x, y).abs().item() < 1e-6
        True
        >>> round(mmd2(x, y + 9, bandwidths=[1.0]).item(), 4)  # far apart: (2 + 2·exp(−½))/4, twice
        1.6065
    """
    if bandwidths is None:
        return _quadratic(x, y, (1.0,), (1.0,), median=True, unbiased=unbiased)
    if not len(bandwidths) or min(bandwidths) <= 0:
        raise TlbookError(f"bandwidths is {list(bandwidths)}; expected numbers above 0, or None for the median")
    return _quadratic(x, y, bandwidths, _mixture(bandwidths, None), median=False, unbiased=unbiased)


DOUBLINGS = (2**-1.0, 2**-0.5, 1.0, 2**0.5, 2.0)
"""Multipliers of σ that double σ² from each to the next, as in the code of DAN."""


def mk_mmd2(
    x: Tensor,
    y: Tensor,
    multipliers: Sequence[float] = DOUBLINGS,
    weights: Sequence[float] | None = None,
    unbiased: bool = False,
) -> Tensor:
    """The squared MMD under a mixture of Gaussian kernels around the median bandwidth.

    k = Σ_m β_m exp(−‖x − y‖²/2(mσ)²) with σ by the median heuristic (Gretton et al., NIPS 2012; Long et al., *Learning
    transferable features with deep adaptation networks*, ICML 2015). Where σ² doubles from one kernel to
    the next, the narrower kernel is the square of the wider, and one exponential serves all.

    Args:
        x: N×D features.
        y: M×D features.
        multipliers: the m, above 0.
        weights: the β, at least 0, one a multiplier, with sum 1; None weighs all alike. (The paper learns β for the
            power of a test; this book, as most code, weighs all alike.)
        unbiased: as in :func:`mmd2`.

    Returns:
        A scalar.

    Raises:
        TlbookError: as :func:`mmd2`, and when the weights do not fit.

    Example:
        >>> x = torch.arange(6.0).view(3, 2)
        >>> mk_mmd2(x, x + 1, multipliers=[1.0]).isclose(mmd2(x, x + 1)).item()
        True
    """
    return _quadratic(x, y, multipliers, _mixture(multipliers, weights), median=True, unbiased=unbiased)


def linear_mmd2(
    x: Tensor, y: Tensor, multipliers: Sequence[float] = DOUBLINGS, weights: Sequence[float] | None = None
) -> Tensor:
    """The squared multi-kernel MMD estimated in linear time, from pairs of rows that do not overlap.

    The mean over i of k(x₂ᵢ, x₂ᵢ₊₁) + k(y₂ᵢ, y₂ᵢ₊₁) − k(x₂ᵢ, y₂ᵢ₊₁) − k(x₂ᵢ₊₁, y₂ᵢ) (Gretton et al., JMLR 13, 2012, the
    linear-time statistic; Long et al., ICML 2015). Unbiased, with a larger variance than the quadratic estimate. The
    bandwidth is the median of the distances that occur in it.

    Args:
        x: N×D features, N at least 2; of an odd N the last row is left out.
        y: N×D features, as many rows.
        multipliers: as in :func:`mk_mmd2`.
        weights: as in :func:`mk_mmd2`.

    Returns:
        A scalar; it may be below 0.

    Raises:
        TlbookError: as :func:`mk_mmd2`, and when the samples differ in size.

    Example:
        >>> x = torch.randn(8, 3)
        >>> linear_mmd2(x, x[[1, 0, 3, 2, 5, 4, 7, 6]]).item() <= 0  # k(x₀, x₀) = 1 is the largest value
        True
    """
    x, y = _pair(x, y, least=2)
    _check_finite(x, y)
    if len(x) != len(y):
        raise TlbookError(f"x has {len(x)} rows, y {len(y)}; expected as many: draw batches of the same size")
    even, odd = slice(0, len(x) // 2 * 2, 2), slice(1, None, 2)
    pairs = torch.stack([x[even] - x[odd], y[even] - y[odd], x[even] - y[odd], x[odd] - y[even]])
    squared = pairs.square().sum(dim=2)
    kernel: Tensor = _Kernels.apply(squared, multipliers, _mixture(multipliers, weights))  # type: ignore[no-untyped-call]
    return (kernel[0] + kernel[1] - kernel[2] - kernel[3]).mean()


def coral(x: Tensor, y: Tensor) -> Tensor:
    """How far two covariances are apart: ‖C_S − C_T‖²_F / 4d².

    Sun and Saenko, *Deep CORAL*, ECCV workshops 2016. Means do not enter: a shifted sample is no further.

    Args:
        x: N×d features, N at least 2.
        y: M×d features, M at least 2.

    Returns:
        A scalar, at least 0.

    Raises:
        TlbookError: when the features differ in width or a sample has one row; on the CPU also when a value is not
            finite.

    Example:
        >>> x = torch.tensor([[0.0], [2.0]])  # variance 2 with n − 1
        >>> coral(x, 2 * x).item()  # (2 − 8)² / 4
        9.0
    """
    x, y = _pair(x, y, least=2)
    _check_finite(x, y)
    return (_covariance(x) - _covariance(y)).square().sum() / (4 * x.shape[1] ** 2)


def _covariance(x: Tensor) -> Tensor:
    x = x - x.mean(dim=0)
    with torch.autocast(x.device.type, enabled=False):
        return x.T @ x / (len(x) - 1)


def _pair(x: Tensor, y: Tensor, least: int) -> tuple[Tensor, Tensor]:
    for name, z in (("x", x), ("y", y)):
        if z.dim() != 2:
            raise TlbookError(f"{name} has shape {tuple(z.shape)}; expected N×D, one row an example: flatten(1) it")
        if len(z) < least:
            raise TlbookError(f"{name} has {len(z)} rows; expected at least {least}: make the batches larger")
    if x.shape[1] != y.shape[1]:
        raise TlbookError(f"x has rows of {x.shape[1]} numbers, y of {y.shape[1]}; expected the same features of both")
    return _full(x), _full(y)


def _check_finite(x: Tensor, y: Tensor) -> None:
    """On the CPU only: elsewhere the host would wait."""
    for name, z in (("x", x), ("y", y)):
        if z.device.type == "cpu" and not math.isfinite(z.detach().sum().item()):
            raise TlbookError(f"{name} has values that are not finite; expected finite features: drop those rows")


def _mixture(multipliers: Sequence[float], weights: Sequence[float] | None) -> Sequence[float]:
    if not len(multipliers) or min(multipliers) <= 0:
        raise TlbookError(f"multipliers is {list(multipliers)}; expected numbers above 0, such as {DOUBLINGS}")
    if weights is None:
        return [1 / len(multipliers)] * len(multipliers)
    if len(weights) != len(multipliers) or min(weights) < 0 or abs(sum(weights) - 1) > 1e-6:
        raise TlbookError(
            f"weights is {list(weights)} for {len(multipliers)} multipliers; expected one each, at least 0, with sum 1"
        )
    return weights


def _quadratic(
    x: Tensor, y: Tensor, multipliers: Sequence[float], weights: Sequence[float], median: bool, unbiased: bool
) -> Tensor:
    """The MMD² over all pairs; the multipliers are of the median distance, or else of 1."""
    x, y = _pair(x, y, least=2 if unbiased else 1)
    value: Tensor = _Quadratic.apply(x, y, multipliers, weights, median, unbiased)  # type: ignore[no-untyped-call]
    return value


class _Quadratic(torch.autograd.Function):
    """Σ_ij c_ij k(z_i, z_j) over the rows z of x and y together, and its gradient, in one matrix product each."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        y: Tensor,
        multipliers: Sequence[float],
        weights: Sequence[float],
        median: bool,
        unbiased: bool,
    ) -> Tensor:
        n, sums = len(x), [x.sum(dim=0), y.sum(dim=0)]
        _check_finite(*sums)
        z = x.new_empty(n + len(y), x.shape[1])
        mean = (sums[0] + sums[1]) / len(z)
        torch.sub(x, mean, out=z[:n])  # distances stay, rounding errors shrink
        torch.sub(y, mean, out=z[n:])
        squared = _squared_distances(z)
        variance = _median(squared.take(_pairs(len(z), z.device))) if median else torch.ones_like(squared[0, 0])
        kernel, slope = _kernels(squared, multipliers, weights, variance)
        coefficients = _coefficients(n, len(y), unbiased, z.dtype, z.device)
        ctx.n = n
        ctx.save_for_backward(z, slope.mul_(coefficients))
        return torch.dot(kernel.flatten(), coefficients.flatten())

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """4 Σ_j c_ij k'_ij (z_i − z_j), since c and k' are symmetric."""
        z, slope = ctx.saved_tensors
        pull = slope * (-4 * grad)
        pull.diagonal().sub_(pull.sum(dim=1))
        with torch.autocast(z.device.type, enabled=False):
            slopes = pull @ z
        return slopes[: ctx.n], slopes[ctx.n :], None, None, None, None


def _squared_distances(z: Tensor, rows: int = 64) -> Tensor:
    """‖z_i − z_j‖² for all pairs, N×N: so many rows at a time, from the diagonal to the right, then mirrored."""
    product = z.new_empty(len(z), len(z))
    with torch.autocast(z.device.type, enabled=False):
        for i in range(0, len(z), rows):
            j = i + rows
            torch.mm(z[i:j], z[i:].T, out=product[i:j, i:])
            product[j:, i:j] = product[i:j, j:].T
    squares = product.diagonal().clone()
    return product.mul_(-2).add_(squares).add_(squares[:, None]).clamp_min_(0).fill_diagonal_(0)


@lru_cache(maxsize=8)
def _coefficients(n: int, m: int, unbiased: bool, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What each pair counts: together the mean within x, plus the mean within y, minus twice the mean between."""
    c = torch.full((n + m, n + m), -1 / (n * m), dtype=dtype, device=device)
    c[:n, :n] = 1 / (n * (n - 1) if unbiased else n**2)
    c[n:, n:] = 1 / (m * (m - 1) if unbiased else m**2)
    return c.fill_diagonal_(0) if unbiased else c


@lru_cache(maxsize=8)
def _pairs(n: int, device: torch.device) -> Tensor:
    """Where the pairs of different rows stand in an n×n matrix, each pair once."""
    i, j = torch.triu_indices(n, n, offset=1, device=device).unbind()
    places: Tensor = i * n + j
    return places


def _median(squared: Tensor) -> Tensor:
    """The square of the median distance, without gradient; where it is 0 to rounding the mean, 1 where all are 0."""
    squared = squared.detach()
    median, mean = squared.median(), squared.mean()
    return torch.where(median > 1e-4 * mean, median, mean + (mean == 0))


def _kernels(
    squared: Tensor, multipliers: Sequence[float], weights: Sequence[float], variance: Tensor
) -> tuple[Tensor, Tensor]:
    """Σ_m β_m exp(−d²/2m²σ²) of the squared distances d², and its derivative by d²."""
    total, slope = torch.zeros_like(squared), torch.zeros_like(squared)
    kernel, wider = squared, 0.0
    for m, weight in sorted(zip(multipliers, weights, strict=True), reverse=True):
        halved = math.isclose(wider**2, 2 * m**2)  # a kernel of half the σ² is the square of the wider
        kernel = kernel.square_() if halved else (squared / (-2 * m**2 * variance)).exp_()
        total.add_(kernel, alpha=weight)
        slope.add_(kernel, alpha=-weight / (2 * m**2))
        wider = m
    return total, slope.div_(variance)


class _Kernels(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, squared: Tensor, multipliers: Sequence[float], weights: Sequence[float]) -> Tensor:
        total, slope = _kernels(squared, multipliers, weights, _median(squared))
        ctx.save_for_backward(slope)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return grad * slope, None, None
