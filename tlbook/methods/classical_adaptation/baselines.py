"""What the closed-form methods are compared with: the rows as they are, and principal components of both domains."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tlbook._arrays import Matrix
from tlbook.methods.classical_adaptation.estimator import ClosedForm, principal_axes

__all__ = ["NoAdaptation", "PooledPCA"]


class NoAdaptation(ClosedForm):
    """The classifier on the source's rows as they are.

    Args:
        classifier: of scikit-learn; the nearest neighbour, if not given.

    Example:
        >>> method = NoAdaptation().fit([[0.0], [1.0]], ["cat", "dog"], [[0.9], [0.2]])
        >>> method.predict([[0.9], [0.2]]).tolist()
        ['dog', 'cat']
    """

    def __init__(self, classifier: Any = None) -> None:
        self.classifier = classifier

    def _adapt(self, xs: Matrix, ys: NDArray[Any], xt: Matrix) -> Matrix:
        return xs

    def _map(self, x: Matrix) -> Matrix:
        return x


class PooledPCA(ClosedForm):
    """The classifier in the leading principal components of both domains together.

    Args:
        dim: how many components, 1 … the rank of the centred rows of both domains together.
        classifier: of scikit-learn; the nearest neighbour, if not given.

    Example:
        >>> rows = np.random.default_rng(0).normal(size=(9, 4))
        >>> PooledPCA(dim=2).fit(rows[:5], [0, 1, 0, 1, 0], rows[5:]).transform(rows[5:]).shape
        (4, 2)
    """

    def __init__(self, dim: int = 30, classifier: Any = None) -> None:
        self.dim, self.classifier = dim, classifier

    def _adapt(self, xs: Matrix, ys: NDArray[Any], xt: Matrix) -> Matrix:
        self.mean_, self.axes_ = principal_axes(np.concatenate([xs, xt]), self.dim, "both domains")
        return self._map(xs)

    def _map(self, x: Matrix) -> Matrix:
        mapped: Matrix = (x - self.mean_) @ self.axes_
        return mapped
