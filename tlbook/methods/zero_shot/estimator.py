"""What the zero-shot methods share: rows, labels and signatures, checked as they come in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve
from sklearn.base import BaseEstimator

from tlbook._arrays import Labels, Matrix, as_classes, as_matrix, check_fitted
from tlbook.errors import TlbookError
from tlbook.methods.place import Place

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ZeroShot", "ridge"]


class ZeroShot(BaseEstimator, ABC):  # type: ignore[misc]
    """A method that names classes of which it has seen no example, from their signatures.

    ``fit`` takes examples of the seen classes and their signatures, one row a class; ``predict`` takes the signatures
    of whatever classes may occur, seen, unseen or both, and answers with the row of the one that fits best. There is
    no argument for an example of an unseen class. Arrays are numpy or torch; everything is computed in float64.

    Attributes:
        n_features_in_: D, the width of the examples.
        n_attributes_in_: A, the width of the signatures.
    """

    place: ClassVar[Place] = Place(target_labels="none", transfers=("models",))

    def fit(self, x: ArrayLike | Tensor, y: ArrayLike | Tensor, signatures: ArrayLike | Tensor | None = None) -> Self:
        """Learn from the seen classes.

        Args:
            x: N×D examples.
            y: N whole numbers, the row of each example's class in ``signatures``.
            signatures: C×A, one row a seen class; each column varies, and each class has an example.

        Raises:
            TlbookError: when there are no signatures, x or the signatures are not finite numbers in N×D and C×A, y does
                not name rows of the signatures, a class has no example, a column is constant, or a setting is out of
                range.
        """
        rows = as_matrix("x", x, self, reset=True)
        s = self._classes(signatures)
        if len(s) < 2:
            raise TlbookError(f"signatures has {len(s)} class; expected at least two: one class cannot tell attributes")
        constant = np.flatnonzero(np.ptp(s, axis=0) == 0)
        if constant.size:
            raise TlbookError(
                f"{constant.size} column(s) of signatures are constant, the first is {constant[0]}; expected "
                "attributes that differ between the seen classes: leave these columns out, here and in predict"
            )
        labels = as_classes("y", y, len(rows), len(s))
        empty = np.flatnonzero(np.bincount(labels, minlength=len(s)) == 0)
        if empty.size:
            raise TlbookError(
                f"class(es) {', '.join(map(str, empty[:5]))} have a signature and no row of x; expected an example of "
                "each: give fit the seen classes only, and predict the others"
            )
        self.n_attributes_in_ = s.shape[1]
        self._learn(rows, labels, s)
        return self

    def scores(self, x: ArrayLike | Tensor, signatures: ArrayLike | Tensor | None = None) -> Matrix:
        """How well each row fits each signature, N×C; higher is better.

        Args:
            x: N×D rows.
            signatures: C×A, the classes that may occur.

        Raises:
            TlbookError: before ``fit``, without signatures, for values that are not finite, or other widths than in
                ``fit``.
        """
        check_fitted(self)
        rows = as_matrix("x", x, self)
        return self._score(rows, self._signatures(signatures))

    def predict(self, x: ArrayLike | Tensor, signatures: ArrayLike | Tensor | None = None) -> Labels:
        """The row of ``signatures`` that fits each row of x best, N; as in :meth:`scores`."""
        best: Labels = self.scores(x, signatures).argmax(axis=1)
        return best

    def _classes(self, signatures: ArrayLike | Tensor | None) -> Matrix:
        if signatures is None:
            raise TlbookError("signatures is None; expected C×A, one row a class: give fit and predict their classes")
        return as_matrix("signatures", signatures)

    def _signatures(self, signatures: ArrayLike | Tensor | None) -> Matrix:
        s = self._classes(signatures)
        if s.shape[1] != self.n_attributes_in_:
            raise TlbookError(
                f"signatures has {s.shape[1]} attributes a class; expected {self.n_attributes_in_}, as in fit: "
                "give the same attributes in the same order"
            )
        return s

    @abstractmethod
    def _learn(self, x: Matrix, y: Labels, s: Matrix) -> None:
        """Learn from rows N×D, labels 0 … C−1 and signatures C×A."""

    @abstractmethod
    def _score(self, x: Matrix, s: Matrix) -> Matrix:
        """The fit of rows N×D to signatures C×A, N×C."""


def ridge(a: Matrix, b: Matrix, penalty: float) -> Matrix:
    """(AᵀA + penalty·I)⁻¹AᵀB for A of n×d and B of n×k: the weights, d×k, of a ridge regression of B on A.

    Where d > n it is Aᵀ(AAᵀ + penalty·I)⁻¹B, the same matrix from the smaller system.

    Example:
        >>> ridge(np.array([[2.0]]), np.array([[3.0]]), 2.0)
        array([[1.]])
    """
    n, d = a.shape
    weights: Matrix
    if d > n:
        weights = a.T @ solve(a @ a.T + penalty * np.eye(n), b, assume_a="pos")
    else:
        weights = solve(a.T @ a + penalty * np.eye(d), a.T @ b, assume_a="pos")
    return weights
