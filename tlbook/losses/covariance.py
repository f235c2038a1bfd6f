"""The distance between two covariances."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tlbook.losses._rows import check_finite, double, pair

__all__ = ["coral"]


def coral(x: Tensor, y: Tensor) -> Tensor:
    """How far two covariances are apart: ‖C_S − C_T‖²_F / 4d².

    Sun and Saenko, *Deep CORAL*, ECCV workshops 2016. Means do not enter: a shifted sample is no further.
    Where the features are wider than the batches are long, the d×d covariances are never formed.

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
    x, y = pair(x, y, least=2)
    check_finite(x, y)
    wide = x.shape[1] > len(x) + len(y)
    squared = _by_rows(double(x), double(y)).to(x.dtype) if wide else (_covariance(x) - _covariance(y)).square().sum()
    return squared / (4 * x.shape[1] ** 2)


def _covariance(x: Tensor) -> Tensor:
    x = _centred(x)
    with torch.autocast(x.device.type, enabled=False):
        return x.T @ x / (len(x) - 1)


def _by_rows(x: Tensor, y: Tensor) -> Tensor:
    """‖C_S − C_T‖² = ‖ssᵀ‖² + ‖ttᵀ‖² − 2‖stᵀ‖² with C_S = sᵀs: products of rows, which are fewer than the columns."""
    s, t = (_centred(z) / math.sqrt(len(z) - 1) for z in (x, y))
    with torch.autocast(x.device.type, enabled=False):
        squared: Tensor = (s @ s.T).square().sum() + (t @ t.T).square().sum() - 2 * (s @ t.T).square().sum()
    return squared


def _centred(x: Tensor) -> Tensor:
    """Rows about their mean; where they lie so far from 0 that it was rounded, what is left is taken too."""
    x = x - x.mean(dim=0)
    left = x.detach().mean(dim=0)
    return x - left.where(left.abs() > 1e-5 * x.detach().abs().amax(dim=0), 0)
