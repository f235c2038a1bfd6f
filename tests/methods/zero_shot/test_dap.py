"""DAP is Bayes' rule over attributes, with the paper's prior, normalised over the classes that are asked about."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from tlbook.errors import TlbookError
from tlbook.methods import DAP

Matrix = NDArray[np.float64]
SEEN = np.array([[0, 1, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]])
NEW = np.array([[0, 0, 1], [1, 0, 0], [0, 0, 0]])


def problem(n: int = 200, seed: int = 0) -> tuple[Matrix, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, n)
    y[:5] = range(5)
    return SEEN[y] @ rng.normal(size=(3, 6)) + rng.normal(size=(n, 6)), y


def written_out(method: DAP, x: Matrix, signatures: Matrix) -> Matrix:
    """Equation by equation, one row, one class and one attribute at a time."""
    prior = [sum(row[m] for row in SEEN) / len(SEEN) for m in range(3)]
    posterior = np.empty((len(x), len(signatures)))
    for i, row in enumerate(x):
        for z, signature in enumerate(signatures):
            posterior[i, z] = 1.0
            for m, has in enumerate(signature):
                p = method.classifiers_[m].predict_proba(row[None])[0, 1]
                posterior[i, z] *= (p if has else 1 - p) / (prior[m] if has else 1 - prior[m])
        posterior[i] /= posterior[i].sum()
    return posterior


def test_the_posterior_is_the_product_written_out() -> None:
    x, y = problem()
    method = DAP().fit(x, y, SEEN)
    np.testing.assert_allclose(method.predict_proba(x[:20], NEW), written_out(method, x[:20], NEW), rtol=1e-9)
    np.testing.assert_allclose(method.predict_proba(x, NEW).sum(axis=1), 1.0)
    assert method.predict(x[:20], NEW).tolist() == written_out(method, x[:20], NEW).argmax(axis=1).tolist()


def test_each_classifier_learns_its_attribute_from_the_signature_of_the_class() -> None:
    x, y = problem()
    method = DAP().fit(x, y, SEEN)
    for m, classifier in enumerate(method.classifiers_):
        alone = LogisticRegression(max_iter=1000).fit(x, SEEN[y, m])
        np.testing.assert_allclose(method.attribute_proba(x)[:, m], alone.predict_proba(x)[:, 1], rtol=1e-6)
        assert list(classifier.classes_) == [0, 1]


def test_the_prior_counts_classes_not_images() -> None:
    x, y = problem()
    many = np.concatenate([np.arange(len(y)), np.repeat(np.flatnonzero(y == 0), 50)])
    method = DAP().fit(x[many], y[many], SEEN)
    np.testing.assert_allclose(method.prior_, [3 / 5, 4 / 5, 3 / 5])


def test_without_the_prior_another_class_would_win() -> None:
    """An attribute that nearly all seen classes have says little when it is there."""

    class Unsure(LogisticRegression):  # p(a | x) is the same for all x
        def predict_proba(self, X: Matrix) -> Matrix:
            return np.tile([0.3, 0.7], (len(X), 1))

    x, y = problem()
    method = DAP(Unsure()).fit(x, y, SEEN)
    with_it, without = [0, 1, 0], [0, 0, 0]
    assert 0.7 > 0.3  # plain p(a | x) says: it is there
    assert method.predict(x[:1], [with_it, without])[0] == 1  # 0.7 / 0.8 < 0.3 / 0.2
    expected = math.log(0.7 / 0.8) - math.log(0.3 / 0.2)
    got = np.diff(method.scores(x[:1], [without, with_it]))[0, 0]
    assert got == pytest.approx(expected)


def test_signatures_that_are_shares_are_cut_at_their_mean_over_the_seen_classes() -> None:
    x, y = problem()
    shares = 20 + 60 * SEEN + np.random.default_rng(1).uniform(-9, 9, SEEN.shape)
    a, b = DAP().fit(x, y, SEEN), DAP().fit(x, y, shares)
    np.testing.assert_allclose(a.scores(x, NEW), b.scores(x, 20 + 60 * NEW))
    np.testing.assert_allclose(b.threshold_, shares.mean(axis=0))


def test_a_classifier_that_is_certain_gives_finite_scores() -> None:
    class Certain(LogisticRegression):
        def predict_proba(self, X: Matrix) -> Matrix:
            return super().predict_proba(X).round()

    x, y = problem()
    method = DAP(Certain()).fit(x, y, SEEN)
    assert np.isfinite(method.scores(x, NEW)).all()
    assert np.isfinite(method.predict_proba(x, NEW)).all()


def test_a_classifier_without_probabilities_is_refused() -> None:
    with pytest.raises(TlbookError, match=r"^classifier is RidgeClassifier\(\), which has no predict_proba[^\n]*$"):
        DAP(RidgeClassifier()).fit(*problem(), SEEN)


def test_a_value_at_the_mean_of_the_seen_classes_is_no_attribute() -> None:
    x, y = problem()
    method = DAP().fit(x, y, np.column_stack([SEEN[:, 0], [0.0, 0.25, 0.5, 0.75, 1.0]]))
    assert method.prior_[1] == 2 / 5
    at = np.array([[0.0, 0.5], [0.0, 0.0], [0.0, 1.0]])
    scores = method.scores(x, at)
    assert np.array_equal(scores[:, 0], scores[:, 1])
    assert not np.array_equal(scores[:, 0], scores[:, 2])
