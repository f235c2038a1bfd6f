"""What the closed-form methods share: scikit-learn's conventions, what comes in, and bad input."""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist
from sklearn.base import TransformerMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils.estimator_checks import parametrize_with_checks

from tlbook._arrays import LARGEST, as_matrix
from tlbook.errors import TlbookError
from tlbook.methods import BDA, GFK, JDA, TCA, SubspaceAlignment
from tlbook.methods.classical_adaptation.baselines import NoAdaptation, PooledPCA

Matrix = NDArray[np.float64]
METHODS = [
    TCA(dim=2),
    TCA(dim=2, kernel="rbf"),
    TCA(dim=2, kernel="rbf", landmarks=15),
    GFK(dim=2),
    SubspaceAlignment(dim=2),
    JDA(dim=2, iterations=3),
    BDA(dim=2, iterations=3),
    BDA(dim=2, iterations=3, balance="estimate"),
]
CLASSES = [TCA, GFK, SubspaceAlignment, JDA, BDA]
IDS = [repr(method) for method in METHODS]


def rows(n_s: int = 40, n_t: int = 30, d: int = 5) -> tuple[Matrix, NDArray[np.int64], Matrix]:
    rng = np.random.default_rng(0)
    y = np.arange(n_s) % 2
    return rng.normal(size=(n_s, d)) + 4 * y[:, None], y, rng.normal(size=(n_t, d)) + 4 * (np.arange(n_t) % 2)[:, None]


def on_itself(cls: type[Any]) -> type[Any]:
    """The method with the fit of scikit-learn's checks, ``fit(X, y)``: the source is its own target."""

    class OnItself(TransformerMixin, cls):  # type: ignore[misc]
        def __init__(self, dim: int = 1, classifier: Any = None) -> None:
            super().__init__(dim=dim, classifier=classifier)

        def fit(self, X: Any, y: Any) -> Self:
            super().fit(X, y, X)
            return self

    OnItself.__name__ = OnItself.__qualname__ = f"{cls.__name__}OnItself"
    globals()[OnItself.__name__] = OnItself  # where pickle looks for it
    return OnItself


# One dimension, so that data of one feature fit. No check is left out; those on pandas and on array_api skip
# themselves where these are not installed or not switched on.
@parametrize_with_checks([on_itself(cls)() for cls in CLASSES])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


DEFAULTS: dict[type[Any], dict[str, Any]] = {
    TCA: {
        "dim": 30,
        "mu": 1.0,
        "kernel": "linear",
        "bandwidth": None,
        "landmarks": None,
        "whiten": False,
        "classifier": None,
        "seed": 0,
    },
    GFK: {"dim": 20, "classifier": None},
    SubspaceAlignment: {"dim": 20, "classifier": None},
    JDA: {"dim": 100, "lam": 1.0, "iterations": 10, "whiten": False, "classifier": None},
    BDA: {"dim": 100, "lam": 1.0, "iterations": 10, "balance": 0.5, "whiten": False, "classifier": None},
    NoAdaptation: {"classifier": None},
    PooledPCA: {"dim": 30, "classifier": None},
}


@pytest.mark.parametrize("cls", DEFAULTS)
def test_the_defaults_are_those_of_the_papers(cls: type[Any]) -> None:
    assert cls().get_params() == DEFAULTS[cls]
    for ask in (cls.transform, cls.predict, cls.score):
        assert inspect.signature(ask).parameters["domain"].default == "target"


@pytest.mark.parametrize("cls", DEFAULTS)
def test_the_classifier_is_the_nearest_neighbour(cls: type[Any]) -> None:
    xs, ys, xt = rows()
    ys = np.random.default_rng(1).permutation(ys)  # a vote of several would be another answer
    dim = {"dim": 2} if "dim" in DEFAULTS[cls] else {}
    fitted = cls(**dim).fit(xs, ys, xt)
    nearest = cdist(fitted.transform(xt), fitted.source_z_).argmin(axis=1)
    assert np.array_equal(fitted.predict(xt), ys[nearest])


def test_numbers_up_to_the_largest_are_taken() -> None:
    x = np.array([[LARGEST, 0.0], [0.0, -LARGEST]])
    assert np.array_equal(as_matrix("x", x), x)
    for beyond in (np.nextafter(LARGEST, np.inf), -np.nextafter(LARGEST, np.inf)):
        with pytest.raises(TlbookError, match=r"^x reaches 1e\+60; expected at most 1e\+60: standardise the features$"):
            as_matrix("x", [[beyond]])


@pytest.mark.parametrize("cls", CLASSES)
def test_there_is_no_way_in_for_target_labels(cls: type[Any]) -> None:
    assert list(inspect.signature(cls.fit).parameters) == ["self", "source_x", "source_y", "target_x"]


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_fit_returns_itself_and_a_clone_starts_anew(method: Any) -> None:
    xs, ys, xt = rows()
    fitted = clone(method)
    assert fitted.fit(xs, ys, xt) is fitted
    again = clone(fitted)
    assert not hasattr(again, "classifier_")
    assert again.get_params() == method.get_params()
    assert np.array_equal(again.fit(xs, ys, xt).predict(xt), fitted.predict(xt))
    assert set(fitted.predict(xt)) <= set(ys)
    assert fitted.transform(xt).shape == (30, fitted.source_z_.shape[1])


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_tensors_and_arrays_give_the_same(method: Any) -> None:
    xs, ys, xt = rows()
    a = clone(method).fit(xs, ys, xt)
    b = clone(method).fit(torch.from_numpy(xs), torch.from_numpy(ys), torch.from_numpy(xt).requires_grad_())
    short = torch.from_numpy(xt).bfloat16()
    assert np.array_equal(a.transform(short.double().numpy()), b.transform(short))
    assert np.array_equal(a.transform(xt), b.transform(torch.from_numpy(xt)))
    assert np.array_equal(a.predict(xt), b.predict(torch.from_numpy(xt)))


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_labels_may_be_words_and_the_inputs_are_left_alone(method: Any) -> None:
    xs, ys, xt = rows()
    before = [xs.copy(), ys.copy(), xt.copy()]
    names = np.array(["left", "right"])[ys]
    numbers, words = clone(method).fit(xs, ys, xt), clone(method).fit(xs, names, xt)
    assert words.classes_.tolist() == ["left", "right"]
    assert np.array_equal(words.predict(xt), np.array(["left", "right"])[numbers.predict(xt)])
    assert all(map(np.array_equal, before, [xs, ys, xt]))


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_any_classifier_goes_on_top_and_is_cloned(method: Any) -> None:
    xs, ys, xt = rows()
    head = make_pipeline(Normalizer(), LogisticRegression())
    fitted = clone(method).set_params(classifier=head).fit(xs, ys, xt)
    assert not hasattr(head[-1], "coef_")
    alone = clone(head).fit(fitted.source_z_, ys)
    assert np.array_equal(fitted.predict(xt), alone.predict(fitted.transform(xt)))


def nan(x: Matrix) -> Matrix:
    return np.where(np.arange(x.size).reshape(x.shape) == 7, np.nan, x)


BAD = {
    "NaN in the source": lambda xs, ys, xt: (nan(xs), ys, xt),
    "NaN in the target": lambda xs, ys, xt: (xs, ys, nan(xt)),
    "infinity": lambda xs, ys, xt: (xs, ys, np.where(xt == xt.max(), np.inf, xt)),
    "numbers whose squares overflow": lambda xs, ys, xt: (xs * 1e155, ys, xt),
    "no source rows": lambda xs, ys, xt: (xs[:0], ys[:0], xt),
    "no target rows": lambda xs, ys, xt: (xs, ys, xt[:0]),
    "one dimension": lambda xs, ys, xt: (xs[:, 0], ys, xt),
    "images": lambda xs, ys, xt: (xs.reshape(40, 5, 1), ys, xt),
    "other width": lambda xs, ys, xt: (xs, ys, xt[:, :4]),
    "a label too few": lambda xs, ys, xt: (xs, ys[:-1], xt),
    "labels in two columns": lambda xs, ys, xt: (xs, np.stack([ys, ys], 1), xt),
    "labels that are measurements": lambda xs, ys, xt: (xs, xs[:, 0], xt),
    "NaN labels": lambda xs, ys, xt: (xs, np.where(ys == 0, np.nan, ys), xt),
    "labels of two kinds": lambda xs, ys, xt: (xs, np.array(["a", 1], object)[ys], xt),
    "a label that is None": lambda xs, ys, xt: (xs, np.array(["a", None], object)[ys], xt),
    "no labels": lambda xs, ys, xt: (xs, None, xt),
    "no target": lambda xs, ys, xt: (xs, ys),
    "a target of words": lambda xs, ys, xt: (xs, ys, np.full(xt.shape, "word")),
    "a word among objects": lambda xs, ys, xt: (xs, ys, np.where(xt == xt.max(), "word", xt.astype(object))),
    "None among objects": lambda xs, ys, xt: (xs, ys, np.where(xt == xt.max(), None, xt.astype(object))),
    "complex numbers": lambda xs, ys, xt: (xs, ys, xt + 1j),
    "masked values": lambda xs, ys, xt: (xs, ys, np.ma.masked_greater(xt, 3)),
    "a sparse source": lambda xs, ys, xt: (csr_matrix(xs), ys, xt),
    "a sparse target": lambda xs, ys, xt: (xs, ys, csr_matrix(xt)),
    "a sparse tensor": lambda xs, ys, xt: (xs, ys, torch.from_numpy(xt).to_sparse()),
    "a tensor without numbers": lambda xs, ys, xt: (xs, ys, torch.from_numpy(xt).to("meta")),
    "rows of several lengths": lambda xs, ys, xt: (xs, ys, [[1, 2, 3, 4, 5], [1, 2]]),
    "all rows equal": lambda xs, ys, xt: (xs * 0 + 3, ys, xt * 0 + 3),
    "one sample in each": lambda xs, ys, xt: (xs[:1], ys[:1], xt[:1]),
    "too few directions": lambda xs, ys, xt: (xs[:, :1] * [[1, 0, 0, 2, 0]], ys, xt[:, :1] * [[1, 0, 0, 2, 0]]),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_bad_input_is_one_line(method: Any, bad: str) -> None:
    if bad == "too few directions" and isinstance(method, TCA) and method.kernel == "rbf":
        pytest.skip("an RBF kernel makes many directions of one")
    with pytest.raises(TlbookError) as caught:
        clone(method).fit(*BAD[bad](*rows()))
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_numbers_may_come_as_lists_objects_and_floats(method: Any) -> None:
    xs, ys, xt = rows()
    expected = clone(method).fit(xs, ys, xt).predict(xt)
    for of in (np.ndarray.tolist, lambda a: a.astype(object), lambda a: a.astype(float)):
        assert np.array_equal(clone(method).fit(of(xs), ys.tolist(), of(xt)).predict(of(xt)), expected)


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_rows_of_the_source_are_mapped_as_the_classifier_saw_them(method: Any) -> None:
    xs, ys, xt = rows()
    fitted = clone(method).fit(xs, ys, xt * 2 + 1)
    assert fitted.transform(xs, domain="source") == pytest.approx(fitted.source_z_)
    assert (fitted.predict(xs, domain="source") == ys).all()  # the nearest neighbour of each is itself
    assert fitted.score(xs, ys, domain="source") == 1.0
    assert np.array_equal(fitted.predict(xt), fitted.predict(xt, domain="target"))
    assert fitted.score(xt, fitted.predict(xt)) == 1.0
    for ask in (fitted.transform, fitted.predict):
        with pytest.raises(TlbookError, match=r"^domain is 'sorce'; expected 'source' or 'target': did you[^\n]*$"):
            ask(xs, domain="sorce")


@pytest.mark.parametrize(
    ("n_s", "n_t", "d", "rank"), [(40, 30, 8, 8), (40, 30, 8, 3), (6, 40, 20, 20), (90, 70, 30, 4)]
)
@pytest.mark.parametrize("cls", CLASSES)
def test_every_dim_up_to_the_rank_and_none_above(cls: type[Any], n_s: int, n_t: int, d: int, rank: int) -> None:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(rank, d))
    xs, xt = rng.normal(size=(n_s, rank)) @ mix, rng.normal(size=(n_t, rank)) @ mix + mix[0]
    largest = min(rank, n_s - 1) if cls in (GFK, SubspaceAlignment) else min(rank, n_s + n_t - 1)
    for dim in range(1, largest + 1):
        assert np.isfinite(cls(dim).fit(xs, np.arange(n_s) % 2, xt).transform(xt)).all()
    for dim in (largest + 1, d + 1, 10 * d):
        with pytest.raises(
            TlbookError, match=rf"^dim is {dim}; expected a whole number, at least 1 and at most [^\n]*$"
        ):
            cls(dim).fit(xs, np.arange(n_s) % 2, xt)


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_labels_to_score_by_are_one_for_each_row(method: Any) -> None:
    xs, ys, xt = rows()
    fitted = clone(method).fit(xs, ys, xt)
    for wrong in (None, ys[:-1], np.stack([ys, ys], 1), np.where(ys == 0, np.nan, ys)):
        with pytest.raises(TlbookError, match=r"^y [^\n]*; expected one class label for each of the 40 rows$"):
            fitted.score(xs, wrong)


@pytest.mark.parametrize("method", METHODS, ids=IDS)
@pytest.mark.parametrize(
    ("classifier", "words"),
    [
        (LogisticRegression, "classifier is the class LogisticRegression; expected an object of it: write Logistic"),
        ("1-NN", "classifier is '1-NN', which has no get_params; expected an estimator of scikit-learn with fit and"),
        (Normalizer(), "classifier is Normalizer(), which has no predict; expected an estimator of scikit-learn"),
    ],
)
def test_what_classifies_must_be_able_to(method: Any, classifier: Any, words: str) -> None:
    with pytest.raises(TlbookError) as caught:
        clone(method).set_params(classifier=classifier).fit(*rows())
    assert str(caught.value).startswith(words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_wide_constant_and_repeated_features_give_finite_numbers(method: Any) -> None:
    rng = np.random.default_rng(0)
    xs, ys, xt = rows(20, 16, 3)
    for extra in (np.ones((36, 2)), np.zeros((36, 1)), rng.normal(size=(36, 60)), np.concatenate([xs, xt])):
        a, b = np.hstack([xs, extra[:20]]), np.hstack([xt, extra[20:]])
        fitted = clone(method).fit(a, ys, b)
        assert np.isfinite(fitted.source_z_).all()
        assert np.isfinite(fitted.transform(b)).all()


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_one_class_is_predicted_everywhere_and_rare_classes_do_no_harm(method: Any) -> None:
    xs, ys, xt = rows()
    assert set(clone(method).fit(xs, ys * 0 + 4, xt).predict(xt)) == {4}
    ys = ys.copy()
    ys[0] = 9
    assert np.isfinite(clone(method).fit(xs, ys, xt).transform(xt)).all()


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_one_target_row_is_enough_where_no_subspace_is_asked_of_it(method: Any) -> None:
    xs, ys, xt = rows()
    if isinstance(method, GFK | SubspaceAlignment):
        with pytest.raises(TlbookError, match=r"^dim is 2; expected [^\n]*: target_x has rank 0 \(1 sample[^\n]*$"):
            clone(method).fit(xs, ys, xt[:1])
    else:
        assert np.isfinite(clone(method).fit(xs, ys, xt[:1]).transform(xt[:1])).all()


@pytest.mark.parametrize("method", METHODS, ids=IDS)
def test_predicting_too_early_or_on_other_features_says_so(method: Any) -> None:
    xs, ys, xt = rows()
    for ask in (lambda m: m.predict(xt), lambda m: m.transform(xt), lambda m: m.score(xt, xt[:, 0] > 1)):
        with pytest.raises(
            TlbookError, match=rf"^{type(method).__name__} is not fitted; [^\n]*: call fit first$"
        ) as early:
            ask(clone(method))
        assert isinstance(early.value, NotFittedError)
    fitted = clone(method).fit(xs, ys, xt)
    for ask in (fitted.predict, fitted.transform):
        with pytest.raises(TlbookError, match=r"^x cannot be used: X has 4 features[^\n]*$"):
            ask(xt[:, :4])
