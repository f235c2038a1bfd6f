"""The distance between two covariances."""

from __future__ import annotations

import torch
from torch import Tensor

from tlbook.losses._rows import check_finite, pair

__all__ = ["coral"]


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
    x, y = pair(x, y, least=2)
    check_finite(x, y)
    return (_covariance(x) - _covariance(y)).square().sum() / (4 * x.shape[1] ** 2)


def _covariance(x: Tensor) -> Tensor:
    x = x - x.mean(dim=0)
    with torch.autocast(x.device.type, enabled=False):
        return x.T @ x / (len(x) - 1)
