"""Seen or novel: a threshold on how usual an example is among the seen ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.neighbors import LocalOutlierFactor

from tlbook._arrays import Matrix, as_matrix, check_fitted, fresh
from tlbook._checks import check_number, check_whole

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Gate"]


class Gate(BaseEstimator):  # type: ignore[misc]
    """Tells examples of novel classes from examples of the seen ones, without a word about the novel classes.

    A detector of scikit-learn learns from four fifths of the examples how usual an example is; the threshold is set on
    the other fifth, so that a given share of examples of seen classes raises a false alarm. Labels are not needed.
    Socher, Ganjoo, Manning and Ng (NIPS 2013) put such a gate before a zero-shot classifier.

    Args:
        detector: any scikit-learn detector with ``score_samples``: a density (``KernelDensity``, ``GaussianMixture``)
            or a distance (``LocalOutlierFactor(novelty=True)``, ``OneClassSVM``). None is the local outlier factor,
            which compares the distance to the nearest examples with theirs.
        alarms: the share of examples of seen classes that may be called novel, in (0, 1).
        seed: of the draw of the fifth.

    Attributes:
        detector_: the fitted detector.
        threshold_: what scores below it is novel.

    Raises:
        TlbookError: in ``fit``, for a detector without ``score_samples``, a share out of range, values that are not
            finite, or fewer than ten rows.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> gate = Gate(alarms=0.1).fit(rng.normal(size=(500, 2)))
        >>> gate.predict([[0.1, -0.2], [9.0, 9.0]]).tolist()  # novel?
        [False, True]
    """

    def __init__(self, detector: Any = None, alarms: float = 0.05, seed: int = 0) -> None:
        self.detector = detector
        self.alarms = alarms
        self.seed = seed

    def fit(self, x: ArrayLike | Tensor, y: Any = None) -> Self:
        """Learn what is usual from rows N×D of the seen classes; y is ignored."""
        base = LocalOutlierFactor(novelty=True) if self.detector is None else self.detector
        base = fresh("detector", base, "score_samples", "KernelDensity() or LocalOutlierFactor(novelty=True) do")
        alarms = check_number("alarms", self.alarms, above=0, below=1, hint="it is a share of the seen examples")
        seed = check_whole("seed", self.seed, at_least=0)
        rows = as_matrix("x", x, self, reset=True, least=10)
        usual, held = train_test_split(rows, test_size=0.2, random_state=seed)
        self.detector_: Any = base.fit(usual)
        self.threshold_: float = float(np.quantile(self.detector_.score_samples(held), alarms))
        return self

    def score_samples(self, x: ArrayLike | Tensor) -> Matrix:
        """How usual each row of N×D is, N; the scale is the detector's."""
        check_fitted(self)
        scores: Matrix = self.detector_.score_samples(as_matrix("x", x, self))
        return scores

    def predict(self, x: ArrayLike | Tensor) -> NDArray[np.bool_]:
        """Whether each row of N×D is novel, N."""
        novel: NDArray[np.bool_] = self.score_samples(x) < self.threshold_
        return novel
