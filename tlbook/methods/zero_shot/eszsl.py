"""An embarrassingly simple approach: two ridge regressions, one over examples and one over classes."""

from __future__ import annotations

import numpy as np

from tlbook._arrays import Labels, Matrix
from tlbook._checks import check_number
from tlbook.methods.zero_shot.estimator import ZeroShot, ridge

__all__ = ["ESZSL"]


class ESZSL(ZeroShot):
    """An embarrassingly simple approach to zero-shot learning (Romera-Paredes and Torr, ICML 2015).

    A row x fits a signature s as far as xᵀVs is large. With X of N×D, S of C×A, and Y of N×C, 1 for the class of a
    row and −1 for all others, V minimises

        ‖XVSᵀ − Y‖² + γ‖VSᵀ‖² + α‖XV‖² + γα‖V‖²

    and is V = (XᵀX + γI)⁻¹ XᵀYS (SᵀS + αI)⁻¹: a ridge regression over the examples, and one over the classes. The
    columns of X and S are used as they come, without an intercept: centre them where zero has no meaning.

    Args:
        gamma: γ > 0, the price of weights on the features; it has the scale of XᵀX, which grows with N.
        alpha: α > 0, the price of weights on the attributes; λ in the paper. It has the scale of SᵀS.

    Attributes:
        V_: V, D×A.

    Raises:
        TlbookError: in ``fit``, for a setting that is not above 0; for input as :meth:`ZeroShot.fit` says.

    Example:
        >>> seen = np.array([[1, -1], [-1, 1], [-1, -1]])  # stripes? wings?
        >>> y = np.arange(60) % 3
        >>> x = seen[y] + np.random.default_rng(0).normal(size=(60, 2)) / 9
        >>> method = ESZSL().fit(x, y, seen)
        >>> method.predict([[0.9, 1.1]], [[1, 1], [-1, 1]]).tolist()  # stripes and wings: never seen together
        [0]
    """

    def __init__(self, gamma: float = 1.0, alpha: float = 1.0) -> None:
        self.gamma = gamma
        self.alpha = alpha

    def _learn(self, x: Matrix, y: Labels, s: Matrix) -> None:
        gamma = check_number("gamma", self.gamma, above=0)
        alpha = check_number("alpha", self.alpha, above=0)
        targets = np.full((len(x), len(s)), -1.0)
        targets[np.arange(len(x)), y] = 1.0
        to_classes = ridge(x, targets, gamma)  # (XᵀX + γI)⁻¹XᵀY, D×C
        self.V_ = ridge(s, to_classes.T, alpha).T  # … S(SᵀS + αI)⁻¹, D×A

    def _score(self, x: Matrix, s: Matrix) -> Matrix:
        return x @ self.V_ @ s.T
