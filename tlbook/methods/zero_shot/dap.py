"""Direct attribute prediction: a classifier for each attribute, and Bayes' rule from attributes to classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from tlbook._arrays import Labels, Matrix, as_matrix, check_fitted, fresh
from tlbook.methods.zero_shot.estimator import ZeroShot

__all__ = ["DAP"]

LEAST = 1e-12  # no classifier is so sure that a class with one other attribute is ruled out for good


class DAP(ZeroShot):
    """Direct attribute prediction (Lampert, Nickisch and Harmeling, CVPR 2009; IEEE TPAMI 36(3), 2014).

    Attributes are yes or no. For each attribute m a classifier learns p(a_m | x) from the seen classes; a class z with
    the attributes a^z then has

        p(z | x) ∝ p(z) ∏_m p(a_m^z | x) / p(a_m^z)

    with p(a_m) the share of the seen classes that have attribute m, as in the paper, and equal p(z). A column of
    signatures that is not 0 and 1 is made so: an attribute is there where it is above its mean over the seen classes.

    Args:
        classifier: any scikit-learn classifier with ``predict_proba``, cloned for each attribute; None is logistic
            regression. The paper takes support vector machines with Platt's calibration.

    Attributes:
        threshold_: A, the mean of each column over the seen classes.
        prior_: A, the share of the seen classes that have the attribute.
        classifiers_: A fitted classifiers.

    Raises:
        TlbookError: in ``fit``, for a classifier without ``predict_proba``; for input as :meth:`ZeroShot.fit` says.

    Example:
        >>> seen = np.array([[1, 0], [0, 1], [0, 0]])  # stripes? wings?
        >>> y = np.arange(60) % 3
        >>> x = seen[y] + np.random.default_rng(0).normal(size=(60, 2)) / 9
        >>> method = DAP().fit(x, y, seen)
        >>> method.predict([[0.9, 1.1]], [[1, 1], [0, 1]]).tolist()  # stripes and wings: never seen together
        [0]
    """

    def __init__(self, classifier: Any = None) -> None:
        self.classifier = classifier

    def _learn(self, x: Matrix, y: Labels, s: Matrix) -> None:
        base = LogisticRegression(max_iter=1000) if self.classifier is None else self.classifier
        base = fresh("classifier", base, "predict_proba", "wrap it in sklearn.calibration.CalibratedClassifierCV")
        self.threshold_ = s.mean(axis=0)
        attributes = s > self.threshold_  # C×A
        self.prior_ = attributes.mean(axis=0)
        self.classifiers_ = [clone(base).fit(x, attribute[y]) for attribute in attributes.T]

    def attribute_proba(self, x: Any) -> Matrix:
        """p(a_m = 1 | x) for rows N×D, N×A."""
        check_fitted(self)
        return self._attributes(as_matrix("x", x, self))

    def predict_proba(self, x: Any, signatures: Any = None) -> Matrix:
        """p(z | x) over the classes given, N×C; the rows sum to 1."""
        proba: Matrix = softmax(self.scores(x, signatures), axis=1)
        return proba

    def _score(self, x: Matrix, s: Matrix) -> Matrix:
        has = (s > self.threshold_).T.astype(np.float64)  # A×C
        p = self._attributes(x).clip(LEAST, 1 - LEAST)
        scores: Matrix = np.log(p / self.prior_) @ has + np.log((1 - p) / (1 - self.prior_)) @ (1 - has)
        return scores

    def _attributes(self, x: Matrix) -> Matrix:
        return np.column_stack([classifier.predict_proba(x)[:, 1] for classifier in self.classifiers_])
