"""Subspace alignment: turn the source's principal axes onto the target's."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from tlbook._arrays import Matrix
from tlbook.methods.classical_adaptation.estimator import ClosedForm, principal_axes

__all__ = ["SubspaceAlignment"]


class SubspaceAlignment(ClosedForm):
    """Subspace alignment (Fernando, Habrard, Sebban and Tuytelaars, ICCV 2013, section 3).

    M* = argmin ‖P_S M − P_T‖²_F = P_Sᵀ P_T maps the source's principal axes to the target's. Source rows are
    compared as x P_S M*, target rows as x P_T: ``transform``, ``predict`` and ``score`` take rows of the target, and of
    the source where they are told ``domain="source"``. Each domain is centred on its own mean, as its axes are.

    Args:
        dim: dimension of both subspaces, 1 … the rank of the centred rows of either domain.
        classifier: any scikit-learn classifier; None is the nearest neighbour.

    Attributes:
        alignment_: M*, dim×dim.

    Raises:
        TlbookError: in ``fit``, when the rows of a domain, centred, span fewer than dim dimensions.

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(60, 3)) * [1, 2, 1]
        >>> y = (x[:, 1] > 0).astype(int)
        >>> method = SubspaceAlignment(dim=1).fit(x, y, x + 5)
        >>> float((method.predict(x + 5) == y).mean()) > 0.95
        True
    """

    def __init__(self, dim: int = 20, classifier: Any = None) -> None:
        self.dim = dim
        self.classifier = classifier

    def _adapt(self, xs: Matrix, ys: NDArray[Any], xt: Matrix) -> Matrix:
        self._source_mean, p_s = principal_axes(xs, self.dim, "source_x")
        self._mean, self._axes = principal_axes(xt, self.dim, "target_x")
        self.alignment_ = p_s.T @ self._axes
        self._aligned_axes = p_s @ self.alignment_
        return self._map_source(xs)

    def _map(self, x: Matrix) -> Matrix:
        return (x - self._mean) @ self._axes

    def _map_source(self, x: Matrix) -> Matrix:
        return (x - self._source_mean) @ self._aligned_axes
