"""The maximum mean discrepancy: how far apart two samples are, seen through Gaussian kernels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tlbook._checks import check_choice, check_numbers
from tlbook.errors import TlbookError
from tlbook.losses._rows import check_finite, double, pair

__all__ = ["DOUBLINGS", "linear_mmd2", "mk_mmd2", "mmd2"]


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
    sigmas = check_numbers("bandwidths", bandwidths, above=0, hint="None takes the median distance")
    return _quadratic(x, y, sigmas, [1 / len(sigmas)] * len(sigmas), median=False, unbiased=unbiased)


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
    return _quadratic(x, y, *_mixture(multipliers, weights), median=True, unbiased=unbiased)


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
    x, y = pair(x, y, least=2)
    check_finite(x, y)
    if len(x) != len(y):
        raise TlbookError(f"x has {len(x)} rows, y {len(y)}; expected as many: draw batches of the same size")
    even, odd = slice(0, len(x) // 2 * 2, 2), slice(1, None, 2)
    pairs = torch.stack([x[even] - x[odd], y[even] - y[odd], x[even] - y[odd], x[odd] - y[even]])
    squared = pairs.square().sum(dim=2)
    kernel: Tensor = _Kernels.apply(squared, *_mixture(multipliers, weights))  # type: ignore[no-untyped-call]
    return (kernel[0] + kernel[1] - kernel[2] - kernel[3]).mean()


def _mixture(multipliers: Sequence[float], weights: Sequence[float] | None) -> tuple[list[float], list[float]]:
    scales = check_numbers("multipliers", multipliers, above=0, hint="losses.DOUBLINGS are the usual ones")
    if weights is None:
        return scales, [1 / len(scales)] * len(scales)
    betas = check_numbers("weights", weights, at_least=0)
    if len(betas) != len(scales) or abs(sum(betas) - 1) > 1e-6:
        raise TlbookError(
            f"weights is {betas} for {len(scales)} multipliers; expected one each, at least 0, with sum 1"
        )
    return scales, betas


def _quadratic(
    x: Tensor, y: Tensor, multipliers: Sequence[float], weights: Sequence[float], median: bool, unbiased: bool
) -> Tensor:
    """The MMD² over all pairs; the multipliers are of the median distance, or else of 1."""
    check_choice("unbiased", unbiased, (True, False))
    x, y = pair(x, y, least=2 if unbiased else 1)
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
        z, squared, variance = _distances(x, y, median, min(multipliers))
        kernel, slope = _kernels(squared, multipliers, weights, variance)
        coefficients = _coefficients(len(x), len(y), unbiased, z.dtype, z.device)
        ctx.n, ctx.dtype = len(x), x.dtype
        ctx.save_for_backward(z, slope.mul_(coefficients))
        return torch.dot(kernel.flatten(), coefficients.flatten()).to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """4 Σ_j c_ij k'_ij (z_i − z_j), since c and k' are symmetric."""
        z, slope = ctx.saved_tensors
        pull = slope * (-4 * grad)
        pull.diagonal().sub_(pull.sum(dim=1))
        with torch.autocast(z.device.type, enabled=False):
            slopes = (pull @ z).to(ctx.dtype)
        return slopes[: ctx.n], slopes[ctx.n :], None, None, None, None


def _distances(x: Tensor, y: Tensor, median: bool, narrowest: float) -> tuple[Tensor, Tensor, Tensor]:
    """The rows of both about their mean, their squared distances and the σ² that 1 stands for.

    ‖z_i‖² + ‖z_j‖² − 2 z_i·z_j is off by a rounding error of the norms. Where that could be felt by the narrowest
    kernel, as for domains that are far apart, it is computed in float64; elsewhere than on the CPU always, since
    looking would make the host wait.
    """
    sums = x.sum(dim=0), y.sum(dim=0)
    check_finite(x, y, sums)
    if x.device.type != "cpu":
        x, y = double(x), double(y)
        sums = x.sum(dim=0), y.sum(dim=0)
    n = len(x)
    z = x.new_empty(n + len(y), x.shape[1])
    mean = (sums[0] + sums[1]) / len(z)
    torch.sub(x, mean, out=z[:n])  # distances stay, rounding errors shrink
    torch.sub(y, mean, out=z[n:])
    squared, norms = _squared_distances(z)
    variance = _median(squared.take(_pairs(len(z), z.device))) if median else torch.ones_like(squared[0, 0])
    felt = z.dtype == torch.float32 and z.device.type == "cpu" and not norms.max() < 250 * narrowest**2 * variance
    return _distances(x.double(), y.double(), median, narrowest) if felt else (z, squared, variance)


def _squared_distances(z: Tensor, rows: int = 64) -> tuple[Tensor, Tensor]:
    """‖z_i − z_j‖² for all pairs, N×N: so many rows at a time, right of the diagonal, then mirrored; and ‖z_i‖²."""
    product = z.new_empty(len(z), len(z))
    with torch.autocast(z.device.type, enabled=False):
        for i in range(0, len(z), rows):
            j = i + rows
            torch.mm(z[i:j], z[i:].T, out=product[i:j, i:])
            product[j:, i:j] = product[i:j, j:].T
    squares = product.diagonal().clone()
    return product.mul_(-2).add_(squares).add_(squares[:, None]).clamp_min_(0).fill_diagonal_(0), squares


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
