"""What the closed-form methods share: how rows come in, and the classifier on top."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier

from tlbook._arrays import Matrix, as_labels, as_matrix, check_fitted, fresh
from tlbook._checks import check_choice, check_whole
from tlbook.errors import TlbookError
from tlbook.methods.place import Place

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ClosedForm", "Side", "principal_axes"]

Side = Literal["source", "target"]


class ClosedForm(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]
    """An adaptation method without training steps, in the manner of scikit-learn's estimators.

    ``fit`` takes labelled source rows and unlabelled target rows; there is no argument for target labels.
    ``transform`` maps rows into the space where the domains are compared, ``predict`` classifies them there by the
    source's labels. Both take rows of the target unless they are told ``domain="source"``: subspace alignment maps the
    domains each its own way. Rows are N×D, numpy arrays, tables or tensors; everything is computed in float64.

    scikit-learn's searches and pipelines call ``fit(x, y)``: give them :class:`WithTarget`, which holds the target.

    Attributes:
        source_z_: the source rows in the shared space, N×K.
        classifier_: the classifier, fitted on ``source_z_`` and the source's labels.
        classes_: the labels that the source has, sorted.
        n_features_in_: D.
    """

    place: ClassVar[Place] = Place(target_labels="none", transfers=("features",))
    classifier: Any

    def fit(
        self, source_x: ArrayLike | Tensor, source_y: ArrayLike | Tensor, target_x: ArrayLike | Tensor | None = None
    ) -> Self:
        """Adapt, and train the classifier on the adapted source.

        Args:
            source_x: N×D labelled rows.
            source_y: N labels, numbers or words.
            target_x: M×D unlabelled rows; there is no method without them.

        Raises:
            TlbookError: when there is no target, rows are not finite numbers in N×D and M×D, a row lacks a label, all
                rows are equal, a setting does not fit the data, or scikit-learn hands the target on: its
                cross-validation cuts what is as long as source_x, its pipelines scale the source alone.
        """
        name = type(self).__name__
        if target_x is None:
            raise TlbookError(
                f"target_x is None; expected M×D unlabelled rows to adapt to: call fit(source_x, source_y, target_x), "
                f"and give scikit-learn's tools WithTarget({name}(…), target_x)"
            )
        if str(sys._getframe(1).f_globals.get("__name__")).startswith("sklearn."):  # no other trace of it comes here
            raise TlbookError(
                "target_x comes from scikit-learn, which cuts it as the folds of the source or leaves it out of a "
                f"pipeline's steps; expected none: give scikit-learn WithTarget({name}(…), target_x)"
            )
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

    def transform(self, x: ArrayLike | Tensor, domain: Side = "target") -> Matrix:
        """Rows N×D of a domain in the shared space, N×K.

        Raises:
            TlbookError: before ``fit``, for rows that are not finite numbers of D features, or another word.
        """
        check_fitted(self)
        source = check_choice("domain", domain, ("source", "target")) == "source"
        rows = as_matrix("x", x, self)
        return self._map_source(rows) if source else self._map(rows)

    def predict(self, x: ArrayLike | Tensor, domain: Side = "target") -> NDArray[Any]:
        """The label of each row N×D of a domain, by the classifier on the adapted source; errors as ``transform``."""
        z = self.transform(x, domain)
        labels: NDArray[Any] = self.classifier_.predict(z)
        return labels

    def score(self, x: ArrayLike | Tensor, y: ArrayLike | Tensor, domain: Side = "target") -> float:
        """The share of labelled rows of a domain that ``predict`` gets right, 0 … 1; errors as ``transform``."""
        predicted = self.predict(x, domain)
        return float((predicted == as_labels("y", y, len(predicted))).mean())

    @abstractmethod
    def _adapt(self, xs: Matrix, ys: NDArray[Any], xt: Matrix) -> Matrix:
        """Learn the shared space and return the source rows in it."""

    @abstractmethod
    def _map(self, x: Matrix) -> Matrix:
        """Target rows in the shared space."""

    def _map_source(self, x: Matrix) -> Matrix:
        """Source rows in the shared space: by the target's map, unless a method has two."""
        return self._map(x)

    def _classify(self, z: Matrix, y: NDArray[Any]) -> Any:
        """A fresh classifier, fitted."""
        base = KNeighborsClassifier(1) if self.classifier is None else self.classifier
        return fresh("classifier", base, "predict").fit(z, y)


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
