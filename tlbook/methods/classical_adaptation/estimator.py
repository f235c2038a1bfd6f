"""What the closed-form methods share: how rows come in, and the classifier on top."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
from torch import Tensor

from tlbook.errors import TlbookError
from tlbook.methods.method import Place

__all__ = ["ClosedForm", "Matrix", "check_count", "check_dim", "check_positive", "principal_axes"]

Matrix = NDArray[np.float64]
LARGEST = 1e60  # its fourth power, summed, is a number yet


class ClosedForm(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """An adaptation method without training steps, in the manner of scikit-learn's estimators.

    ``fit`` takes labelled source rows and unlabelled target rows; there is no argument for target labels.
    ``transform`` maps rows of the target into the space where the domains are compared, ``predict`` classifies
    them there by the source's labels. Rows are N×D, numpy arrays or tensors; everything is computed in float64.

    Attributes:
        source_z_: the source rows in the shared space, N×K.
        classifier_: the classifier, fitted on ``source_z_`` and the source's labels.
        classes_: the labels that the source has, sorted.
        n_features_in_: D.
    """

    place: ClassVar[Place] = Place(target_labels="none", transfers=("features",))
    classifier: Any

    def fit(self, source_x: ArrayLike | Tensor, source_y: ArrayLike | Tensor, target_x: ArrayLike | Tensor) -> Self:
        """Adapt, and train the classifier on the adapted source.

        Args:
            source_x: N×D labelled rows.
            source_y: N labels, numbers or words.
            target_x: M×D unlabelled rows.

        Raises:
            TlbookError: when rows are not finite numbers in N×D and M×D, a row lacks a label, all rows are equal, or
                a setting does not fit the data.
        """
        xs = self._rows("source_x", source_x, reset=True)
        xt = self._rows("target_x", target_x)
        ys = self._labels(source_y, len(xs))
        if not (np.ptp(xs, axis=0).any() or np.ptp(xt, axis=0).any() or (xs[0] != xt[0]).any()):
            raise TlbookError(
                f"all rows are equal ({len(xs)} sample(s) in the source, {len(xt)} in the target); expected "
                "features that vary: check how the features were made"
            )
        self.classes_ = np.unique(ys)
        self.source_z_ = self._adapt(xs, ys, xt)
        self.classifier_ = self._classify(self.source_z_, ys)
        return self

    def transform(self, x: ArrayLike | Tensor) -> Matrix:
        """Target rows N×D in the shared space, N×K."""
        check_is_fitted(self)
        return self._map(self._rows("x", x))

    def predict(self, x: ArrayLike | Tensor) -> NDArray[Any]:
        """The label of each target row N×D, by the classifier on the adapted source."""
        z = self.transform(x)
        labels: NDArray[Any] = self.classifier_.predict(z)
        return labels

    @abstractmethod
    def _adapt(self, xs: Matrix, ys: NDArray[Any], xt: Matrix) -> Matrix:
        """Learn the shared space and return the source rows in it."""

    @abstractmethod
    def _map(self, x: Matrix) -> Matrix:
        """Target rows in the shared space."""

    def _classify(self, z: Matrix, y: NDArray[Any]) -> Any:
        """A fresh classifier, fitted."""
        return (KNeighborsClassifier(1) if self.classifier is None else clone(self.classifier)).fit(z, y)

    def _rows(self, name: str, x: ArrayLike | Tensor, reset: bool = False) -> Matrix:
        try:
            rows: Matrix = validate_data(self, X=_array(x), reset=reset, dtype=np.float64)
        except ValueError as error:
            words = " ".join(str(error).split())
            raise TlbookError(f"{name} cannot be used: {words}; expected finite numbers, N×D") from None
        if (largest := np.abs(rows).max()) > LARGEST:
            raise TlbookError(f"{name} reaches {largest:.0e}; expected at most {LARGEST:.0e}: standardise the features")
        return rows

    @staticmethod
    def _labels(y: ArrayLike | Tensor, n: int) -> NDArray[Any]:
        if y is None:
            raise TlbookError("source_y should be a 1d array, not None; expected one label a source row")
        try:
            labels: NDArray[Any] = column_or_1d(_array(y), warn=True)
            check_classification_targets(labels)
        except ValueError as error:
            raise TlbookError(
                f"source_y cannot be used: {' '.join(str(error).split())}; expected one class label a source row"
            ) from None
        if len(labels) != n:
            raise TlbookError(f"source_y has {len(labels)} labels for {n} rows of source_x; expected one a row")
        return labels


def _array(x: ArrayLike | Tensor) -> Any:
    if not isinstance(x, Tensor):
        return x
    return (x.double() if x.is_floating_point() else x).detach().cpu().numpy()  # numpy knows no bfloat16


def check_dim(dim: int, allowed: int, why: str) -> None:
    """Raise a TlbookError where so many dimensions cannot be had."""
    if not (isinstance(dim, Integral) and 1 <= dim <= allowed):
        raise TlbookError(f"dim is {dim}; expected 1 … {allowed}, {why}: choose another dim or give more data")


def check_count(name: str, value: int) -> None:
    """Raise a TlbookError where a setting is not a whole number above 0."""
    if not (isinstance(value, Integral) and value >= 1):
        raise TlbookError(f"{name} is {value!r}; expected a whole number, at least 1")


def check_positive(name: str, value: float) -> None:
    """Raise a TlbookError where a setting is not a finite number above 0."""
    if not (isinstance(value, Real) and 0 < value < math.inf):
        raise TlbookError(f"{name} is {value!r}; expected a number above 0")


def principal_axes(x: Matrix, dim: int, name: str) -> tuple[Matrix, Matrix]:
    """The mean (D) and the leading principal axes (D×dim, orthonormal) of rows N×D.

    Raises:
        TlbookError: when the centred rows span fewer dimensions.
    """
    mean = x.mean(axis=0)
    _, s, axes = np.linalg.svd(x - mean, full_matrices=False)
    rank = int((s > s[0] * max(x.shape) * np.finfo(float).eps).sum())
    check_dim(dim, rank, f"the rank of {name} ({len(x)} sample(s) of {x.shape[1]} feature(s), centred)")
    return mean, axes[:dim].T
