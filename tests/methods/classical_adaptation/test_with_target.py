"""The closed-form methods inside scikit-learn's searches and pipelines: the target whole, in the source's scale."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tlbook.errors import TlbookError
from tlbook.methods import BDA, GFK, JDA, TCA, SubspaceAlignment, WithTarget

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]
METHODS = [TCA(), GFK(), SubspaceAlignment(), JDA(iterations=2), BDA(iterations=2)]
IDS = [type(method).__name__ for method in METHODS]
DIMS = [1, 2, 4]


def rows(n_t: int, n_s: int = 60) -> tuple[Matrix, Labels, Matrix]:
    """Two domains, the second turned, moved and of another scale."""
    rng = np.random.default_rng(7)
    centres, turn = rng.normal(size=(3, 6)), np.linalg.qr(rng.normal(size=(6, 6)))[0]
    y = rng.permutation(np.arange(n_s) % 3)
    xt = (centres[np.arange(n_t) % 3] + rng.normal(size=(n_t, 6))) @ turn * 3 + 5
    return (centres[y] + rng.normal(size=(n_s, 6))) * [1, 9, 2, 1, 4, 1], y, xt


def by_hand(method: Any, data: tuple[Matrix, Labels, Matrix], scaled: bool) -> list[list[float]]:
    """Accuracies of each dim on each fold of the source, whose map its rows are read with."""
    xs, ys, xt = data
    found = []
    for dim in DIMS:
        found.append([])
        for train, test in StratifiedKFold(5).split(xs, ys):
            scaler = StandardScaler(with_mean=scaled, with_std=scaled).fit(xs[train])
            fitted = clone(method).set_params(dim=dim)
            fitted.fit(scaler.transform(xs[train]), ys[train], scaler.transform(xt))
            predicted = fitted.classifier_.predict(fitted.transform(scaler.transform(xs[test]), domain="source"))
            found[-1].append(float((predicted == ys[test]).mean()))
    return found


# A target as long as the source, as long as what the folds leave of it, and of another length.
@pytest.mark.parametrize("n_t", [60, 48, 31])
@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_a_search_is_the_loop_written_by_hand(method: Any, n_t: int) -> None:
    data = rows(n_t)
    xs, ys, xt = data
    search = GridSearchCV(WithTarget(method, xt), {"method__dim": DIMS}, cv=5, error_score="raise").fit(xs, ys)
    expected = by_hand(method, data, scaled=False)
    found = [[search.cv_results_[f"split{fold}_test_score"][i] for fold in range(5)] for i in range(len(DIMS))]
    assert np.asarray(found) == pytest.approx(np.asarray(expected))
    assert search.best_params_ == {"method__dim": DIMS[int(np.mean(expected, axis=1).argmax())]}
    again = clone(method).set_params(dim=search.best_params_["method__dim"]).fit(xs, ys, xt)
    assert np.array_equal(search.predict(xt), again.predict(xt))
    assert np.array_equal(search.best_estimator_.predict(xs, domain="source"), again.predict(xs, domain="source"))
    assert search.score(xs, ys) == again.score(xs, ys, domain="source")


@pytest.mark.parametrize("n_t", [60, 31])
@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_in_a_pipeline_both_domains_are_scaled_as_the_source(method: Any, n_t: int) -> None:
    data = rows(n_t)
    xs, ys, xt = data
    piped = WithTarget(make_pipeline(StandardScaler(), method), xt)
    name = f"method__{type(method).__name__.lower()}__dim"
    expected = by_hand(method, data, scaled=True)
    for dim, accuracies in zip(DIMS, expected, strict=True):
        found = cross_val_score(clone(piped).set_params(**{name: dim}), xs, ys, cv=5, error_score="raise")
        assert found == pytest.approx(np.asarray(accuracies))
    scaler = StandardScaler().fit(xs)
    alone = clone(method).set_params(dim=2).fit(scaler.transform(xs), ys, scaler.transform(xt))
    piped.set_params(**{name: 2}).fit(xs, ys)
    assert np.array_equal(piped.predict(xt), alone.predict(scaler.transform(xt)))
    assert np.array_equal(piped.classes_, alone.classes_)
    assert not hasattr(method, "classifier_")  # what was given is cloned, not fitted


def test_two_steps_a_step_left_out_and_a_pipeline_of_one() -> None:
    xs, ys, xt = rows(60)
    scaler = StandardScaler().fit(xs)
    pca = PCA(4).fit(scaler.transform(xs))
    front = (StandardScaler(), PCA(4))
    expected = TCA(2).fit(pca.transform(scaler.transform(xs)), ys, pca.transform(scaler.transform(xt)))
    found = WithTarget(make_pipeline(*front, "passthrough", TCA(2)), xt).fit(xs, ys)
    assert np.array_equal(found.predict(xt), expected.predict(pca.transform(scaler.transform(xt))))
    alone, piped = WithTarget(TCA(2), xt).fit(xs, ys), WithTarget(make_pipeline(TCA(2)), xt).fit(xs, ys)
    assert np.array_equal(alone.predict(xt), piped.predict(xt))


def test_tensors_and_lists_are_taken() -> None:
    xs, ys, xt = rows(31)
    method = make_pipeline(StandardScaler(), TCA(2))
    expected = WithTarget(method, xt).fit(xs, ys).predict(xt)
    x, y, t = torch.from_numpy(xs).requires_grad_(), torch.from_numpy(ys), torch.from_numpy(xt)
    tensors = WithTarget(method, t).fit(x, y)
    assert np.array_equal(tensors.predict(t), expected)
    assert tensors.score(x, y) == WithTarget(method, xt).fit(xs, ys).score(xs, ys)
    assert np.array_equal(WithTarget(method, xt.tolist()).fit(xs.tolist(), ys.tolist()).predict(xt.tolist()), expected)


# Without the holder scikit-learn cuts a target of the source's length with the folds, and scales the source alone.
@pytest.mark.parametrize("n_t", [60, 31])
@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_a_target_that_scikit_learn_hands_on_is_refused(method: Any, n_t: int) -> None:
    xs, ys, xt = rows(n_t)
    says = rf"target_x comes from scikit-learn, [^\n]*: give scikit-learn WithTarget\({type(method).__name__}\(…\), "
    method = clone(method).set_params(dim=2)
    with pytest.raises(TlbookError, match=f"^{says}"):
        GridSearchCV(method, {"dim": [2]}, error_score="raise").fit(xs, ys, target_x=xt)
    with pytest.raises(ValueError, match=says):
        GridSearchCV(method, {"dim": [2]}).fit(xs, ys, target_x=xt)
    with pytest.raises(TlbookError, match=f"^{says}"):
        cross_val_score(method, xs, ys, params={"target_x": xt}, error_score="raise")
    pipeline = make_pipeline(StandardScaler(), method)
    with pytest.raises(TlbookError, match=f"^{says}"):
        pipeline.fit(xs, ys, **{f"{type(method).__name__.lower()}__target_x": xt})
    for search in (pipeline, GridSearchCV(method, {"dim": [2]}, error_score="raise")):
        with pytest.raises(TlbookError, match=r"^target_x is None; expected M×D unlabelled rows [^\n]*WithTarget\("):
            search.fit(xs, ys)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (KNeighborsClassifier(), "method is or ends in KNeighborsClassifier; expected TCA, GFK"),
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), "method is or ends in KNeighborsClassifier; "),
        (make_pipeline(TCA(), StandardScaler()), "which has no predict; expected an estimator of scikit-learn"),
        (TCA, "method is the class TCA; expected an object of it: write TCA()"),
        (None, "method is None, which has no get_params; expected an estimator of scikit-learn"),
        (TCA(dim=0), "dim is 0; expected a whole number, at least 1"),
    ],
)
def test_other_methods_are_one_line(method: Any, words: str) -> None:
    xs, ys, xt = rows(31)
    with pytest.raises(TlbookError, match=re.escape(words)) as caught:
        WithTarget(method, xt).fit(xs, ys)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("target_x", [None, [], [["a"] * 6], np.zeros((3, 5)), np.full((3, 6), np.nan)])
def test_a_target_that_is_none_is_one_line(target_x: Any) -> None:
    xs, ys, _ = rows(31)
    with pytest.raises(TlbookError, match=r"^target_x [^\n]*expected [^\n]*$"):
        WithTarget(TCA(2), target_x).fit(xs, ys)


def test_asked_too_early_it_says_so() -> None:
    xs, ys, xt = rows(31)
    for ask in (lambda m: m.predict(xt), lambda m: m.score(xs, ys)):
        with pytest.raises(TlbookError, match=r"^WithTarget is not fitted; expected [^\n]*: call fit first$"):
            ask(WithTarget(TCA(2), xt))
