"""Signatures that nobody wrote: side data of the classes, reduced to a few dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from tlbook._arrays import Labels, Matrix, as_matrix, check_fitted
from tlbook._checks import check_number
from tlbook.methods.classical_adaptation.estimator import principal_axes
from tlbook.methods.place import Place
from tlbook.methods.zero_shot.estimator import ZeroShot, ridge

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LinearEmbedding"]


class LinearEmbedding(ZeroShot):
    """Classes as points in a plane of their own, examples mapped to their class by a ridge regression.

    The signatures are not attributes but any data about the classes: pictures from a schoolbook, counts of words.
    Principal components of the seen classes' signatures turn each class into a point; a linear map, as in Palatucci,
    Pomerleau, Hinton and Mitchell (NIPS 2009), takes an example to the point of its class; a new example gets the
    class whose point lies nearest in angle, seen from the mean of the seen classes.

    Args:
        dim: of the embedding, at most one less than there are seen classes; None is as many as there can be.
        gamma: γ > 0, the price of weights on the features; it has the scale of XᵀX, which grows with N.

    Attributes:
        x_mean_: D, of the examples.
        mean_: A, of the seen classes' signatures.
        axes_: A×dim, orthonormal.
        weights_: D×dim, from centred examples to the embedding.

    Raises:
        TlbookError: in ``fit``, for a setting out of range; for input as :meth:`ZeroShot.fit` says.

    Example:
        >>> angle = np.radians([0, 90, 180])
        >>> seen = np.column_stack([np.cos(angle), np.sin(angle), np.cos(angle)])  # side data: three numbers a class
        >>> y = np.arange(60) % 3
        >>> x = seen[y, :2] + np.random.default_rng(0).normal(size=(60, 2)) / 9
        >>> LinearEmbedding(dim=2).fit(x, y, seen).predict([[0.0, -1.0]], [[0.7, 0.7, 0.7], [0, -1, 0]]).tolist()
        [1]
    """

    place = Place(target_labels="none", transfers=("features",))

    def __init__(self, dim: int | None = None, gamma: float = 1.0) -> None:
        self.dim = dim
        self.gamma = gamma

    def _learn(self, x: Matrix, y: Labels, s: Matrix) -> None:
        gamma = check_number("gamma", self.gamma, above=0)
        dim = np.linalg.matrix_rank(s - s.mean(axis=0)) if self.dim is None else self.dim
        self.mean_, self.axes_ = principal_axes(s, dim, "signatures")
        self.x_mean_ = x.mean(axis=0)
        self.weights_ = ridge(x - self.x_mean_, self._embed(s)[y], gamma)

    def embed(self, signatures: ArrayLike | Tensor) -> Matrix:
        """The point of each class, C×dim, from signatures C×A."""
        check_fitted(self)
        return self._embed(self._signatures(signatures))

    def points(self, x: ArrayLike | Tensor) -> Matrix:
        """Where examples N×D are taken, N×dim."""
        check_fitted(self)
        return self._points(as_matrix("x", x, self))

    def _embed(self, s: Matrix) -> Matrix:
        points: Matrix = (s - self.mean_) @ self.axes_
        return points

    def _points(self, x: Matrix) -> Matrix:
        points: Matrix = (x - self.x_mean_) @ self.weights_
        return points

    def _score(self, x: Matrix, s: Matrix) -> Matrix:
        return _unit(self._points(x)) @ _unit(self._embed(s)).T


def _unit(rows: Matrix) -> Matrix:
    """Rows of length 1; a row of zeros stays."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)
