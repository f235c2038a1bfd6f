"""What DAP, ESZSL and the embedding share: scikit-learn's conventions, what comes in, and bad input."""

from __future__ import annotations

import inspect
from typing import Any, Self

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.base import ClassifierMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from tlbook.errors import TlbookError
from tlbook.methods import DAP, ESZSL, LinearEmbedding
from tlbook.methods.zero_shot.gate import Gate
from tlbook.taxonomy import entries

Matrix = NDArray[np.float64]
CLASSES = [DAP, ESZSL, LinearEmbedding]
NEW = np.array([[1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]])


def rows(n: int = 60, d: int = 5) -> tuple[Matrix, NDArray[np.int64], Matrix]:
    rng = np.random.default_rng(0)
    s = np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 0]], float)
    y = np.arange(n) % 4
    return s[y] @ rng.normal(size=(4, d)) + rng.normal(size=(n, d)) / 2, y, s


def as_classifier(cls: type[Any]) -> type[Any]:
    """The method as an ordinary classifier, for scikit-learn's checks: each class is its own only attribute."""

    class Ordinary(ClassifierMixin, cls):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()

        def fit(self, X: Any, y: Any) -> Self:
            from sklearn.utils.multiclass import check_classification_targets
            from sklearn.utils.validation import check_X_y

            if y is None:
                raise TlbookError("requires y to be passed, but the target y is None")
            check_X_y(X, y)
            y = np.asarray(y)
            check_classification_targets(y)
            self.classes_, numbers = np.unique(y, return_inverse=True)
            if len(self.classes_) == 1:
                raise TlbookError("one class")
            super().fit(X, numbers, np.eye(len(self.classes_)))
            return self

        def predict(self, X: Any) -> Any:
            from sklearn.utils.validation import check_is_fitted

            check_is_fitted(self)
            return self.classes_[super().predict(X, np.eye(len(self.classes_)))]

        def score(self, X: Any, y: Any) -> float:
            return float((self.predict(X) == y).mean())

    Ordinary.predict_proba = property()  # none: it asks for signatures
    Ordinary.__name__ = Ordinary.__qualname__ = f"{cls.__name__}AsClassifier"
    globals()[Ordinary.__name__] = Ordinary  # where pickle looks for it
    return Ordinary


@parametrize_with_checks([as_classifier(cls)() for cls in CLASSES])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize(
    ("cls", "defaults"),
    [
        (DAP, {"classifier": None}),
        (ESZSL, {"gamma": 1.0, "alpha": 1.0}),
        (LinearEmbedding, {"dim": None, "gamma": 1.0}),
        (Gate, {"detector": None, "alarms": 0.05, "seed": 0}),
    ],
)
def test_the_defaults_are_those_of_the_docstrings(cls: type[Any], defaults: dict[str, Any]) -> None:
    assert cls().get_params() == defaults


@pytest.mark.parametrize("cls", CLASSES)
def test_there_is_no_way_in_for_examples_of_unseen_classes(cls: type[Any]) -> None:
    assert list(inspect.signature(cls.fit).parameters) == ["self", "x", "y", "signatures"]


@pytest.mark.parametrize("cls", CLASSES)
def test_a_clone_starts_anew_and_the_inputs_are_left_alone(cls: type[Any]) -> None:
    x, y, s = rows()
    before = [x.copy(), y.copy(), s.copy()]
    fitted = cls()
    assert fitted.fit(x, y, s) is fitted
    again = clone(fitted)
    assert again.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError) as early:
        again.predict(x, NEW)
    assert str(early.value) == f"{cls.__name__} is not fitted; expected it fitted: call fit first"
    assert isinstance(early.value, TlbookError)
    assert np.array_equal(again.fit(x, y, s).scores(x, NEW), fitted.scores(x, NEW))
    assert all(map(np.array_equal, before, [x, y, s]))


@pytest.mark.parametrize("cls", CLASSES)
def test_prediction_is_a_row_of_the_signatures_given(cls: type[Any]) -> None:
    x, y, s = rows()
    method = cls().fit(x, y, s)
    assert method.scores(x, NEW).shape == (60, 2)
    assert set(method.predict(x, NEW)) <= {0, 1}
    assert np.array_equal(method.predict(x, NEW[::-1]), 1 - method.predict(x, NEW))
    assert set(method.predict(x, NEW[:1])) == {0}
    assert (method.predict(x, s) == y).mean() > 0.8  # and the seen ones are still known


@pytest.mark.parametrize("cls", CLASSES)
def test_tensors_and_arrays_give_the_same(cls: type[Any]) -> None:
    x, y, s = rows()
    a = cls().fit(x, y, s).scores(x, NEW)
    method = cls().fit(torch.from_numpy(x), torch.from_numpy(y), torch.from_numpy(s).requires_grad_())
    assert np.array_equal(a, method.scores(torch.from_numpy(x), torch.from_numpy(NEW)))
    short = torch.from_numpy(x).bfloat16()
    assert np.array_equal(method.scores(short, NEW), method.scores(short.double().numpy(), NEW))
    as_floats = cls().fit(x, y.astype(float), s.astype(np.float32))
    assert np.allclose(as_floats.scores(x, NEW), a, rtol=1e-4, atol=1e-4)


def at(x: Matrix, value: float) -> Matrix:
    return np.where(np.arange(x.size).reshape(x.shape) == 7, value, x)


BAD = {
    "NaN in x": lambda x, y, s: (at(x, np.nan), y, s),
    "infinity in x": lambda x, y, s: (at(x, np.inf), y, s),
    "numbers whose squares overflow": lambda x, y, s: (1e155 * x, y, s),
    "no rows": lambda x, y, s: (x[:0], y[:0], s),
    "images": lambda x, y, s: (x[:, None], y, s),
    "NaN in the signatures": lambda x, y, s: (x, y, at(s, np.nan)),
    "signatures in a row": lambda x, y, s: (x, y, s[:, 0]),
    "signatures of words": lambda x, y, s: (x, y, [["stripes"]] * 4),
    "no signatures": lambda x, y, s: (x, y, s[:0]),
    "a constant column": lambda x, y, s: (x, y, np.column_stack([s, np.full(4, 0.5)])),
    "one class": lambda x, y, s: (x, 0 * y, s[:1]),
    "a class without rows": lambda x, y, s: (x, y, np.vstack([s, [[1, 0, 1, 1]]])),
    "a label beyond the signatures": lambda x, y, s: (x, y, s[:3]),
    "a negative label": lambda x, y, s: (x, y - 1, s),
    "a label too few": lambda x, y, s: (x, y[:-1], s),
    "labels in two columns": lambda x, y, s: (x, np.stack([y, y], 1), s),
    "labels that are words": lambda x, y, s: (x, np.array(["owl", "cat", "dog", "elk"])[y], s),
    "half a label": lambda x, y, s: (x, y + 0.5, s),
    "NaN labels": lambda x, y, s: (x, np.where(y == 0, np.nan, y), s),
    "no labels": lambda x, y, s: (x, None, s),
    "signatures left out": lambda x, y, s: (x, y),
    "sparse rows": lambda x, y, s: (csr_matrix(x), y, s),
    "sparse signatures": lambda x, y, s: (x, y, csr_matrix(s)),
    "masked rows": lambda x, y, s: (np.ma.masked_greater(x, 1), y, s),
    "complex numbers": lambda x, y, s: (x + 1j, y, s),
    "a tensor without numbers": lambda x, y, s: (torch.from_numpy(x).to("meta"), y, s),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("cls", CLASSES)
def test_bad_input_is_one_line(cls: type[Any], bad: str) -> None:
    with pytest.raises(TlbookError) as caught:
        cls().fit(*BAD[bad](*rows()))
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("cls", CLASSES)
def test_the_messages_name_what_is_wrong(cls: type[Any]) -> None:
    x, y, s = rows()
    with pytest.raises(TlbookError, match=r"^1 column\(s\) of signatures are constant, the first is 1; "):
        cls().fit(x, y, np.insert(s, 1, 0.5, axis=1))
    with pytest.raises(TlbookError, match=r"^class\(es\) 4 have a signature and no row of x; "):
        cls().fit(x, y, np.vstack([s, NEW[:1]]))
    method = cls().fit(x, y, s)
    for ask in (method.scores, method.predict):
        with pytest.raises(TlbookError, match=r"^signatures is None; expected C×A, one row a class: [^\n]*$"):
            ask(x)
    with pytest.raises(TlbookError, match=r"^signatures has 3 attributes a class; expected 4, as in fit"):
        method.predict(x, NEW[:, :3])
    with pytest.raises(TlbookError, match=r"^x cannot be used: X has 4 features"):
        method.predict(x[:, :4], NEW)
    for wrong in (at(np.tile(NEW, (2, 1)), np.nan), NEW[:0], NEW[0]):
        with pytest.raises(TlbookError, match=r"^signatures cannot be used: [^\n]*$"):
            method.predict(x, wrong)


@pytest.mark.parametrize(
    "method",
    [
        ESZSL(gamma=0.0),
        ESZSL(alpha=-1.0),
        ESZSL(gamma=float("nan")),
        LinearEmbedding(gamma=0.0),
        LinearEmbedding(dim=0),
    ],
)
def test_settings_out_of_range_are_refused(method: Any) -> None:
    with pytest.raises(TlbookError, match=r"^(gamma|alpha|dim) is [^\n]*; expected [^\n]*$"):
        method.fit(*rows())


@pytest.mark.parametrize("cls", CLASSES)
def test_wide_constant_and_repeated_features_give_finite_scores(cls: type[Any]) -> None:
    x, y, s = rows()
    for extra in (np.ones((60, 2)), np.zeros((60, 1)), np.random.default_rng(0).normal(size=(60, 200)), x):
        both = np.hstack([x, extra])
        assert np.isfinite(cls().fit(both, y, s).scores(both, NEW)).all()


def test_they_have_their_place_in_the_taxonomy() -> None:
    chapters = {entry.name: entry.chapter for entry in entries()}
    assert {chapters[cls.__name__] for cls in CLASSES} == {"zero_shot"}
