"""What the closed-form methods share: how rows come in, and the classifier on top."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.validation import check_is_fitted

from tlbook._arrays import Matrix, as_labels, as_matrix
from tlbook._checks import check_whole
from tlbook.errors import TlbookError
from tlbook.methods.place import Place

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ClosedForm", "principal_axes"]


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
        xs = as_matrix("source_x", source_x, self, reset=True)
        xt = as_matrix("target_x", target_x, self)
        ys = as_labels("source_y", source_y, len(xs))
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
        return self._map(as_matrix("x", x, self))

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


def principal_axes(x: Matrix, dim: int, name: str) -> tuple[Matrix, Matrix]:
    """The mean (D) and the leading principal axes (D×dim, orthonormal) of rows N×D.

    Raises:
        TlbookError: when the centred rows span fewer dimensions.
    """
    mean = x.mean(axis=0)
    _, s, axes = np.linalg.svd(x - mean, full_matrices=False)
    rank = int((s > s[0] * max(x.shape) * np.finfo(float).eps).sum())
    why = f"{name} has rank {rank} ({len(x)} sample(s) of {x.shape[1]} feature(s), centred)"
    dim = check_whole("dim", dim, at_least=1, at_most=rank, hint=f"{why}; choose another dim or give more data")
    return mean, axes[:dim].T
