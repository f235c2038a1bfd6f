"""Domains of arrays: every plain meaning is taken, everything else is refused in one line."""

from typing import Any

import numpy as np
import pytest
import torch

from tlbook.data import Domain
from tlbook.errors import TlbookError

CLASSES = ("cat", "dog", "owl")
X = np.arange(12.0).reshape(4, 3)


class Table:
    """What pandas' tables and columns have in common, and nothing else of theirs."""

    def __init__(self, values: np.ndarray, index: list[object] | None = None) -> None:
        self.values = values
        self.index = list(range(len(values))) if index is None else index

    def to_numpy(self) -> np.ndarray:
        return self.values

    def __iter__(self) -> Any:
        raise AssertionError("a table's rows are not what iterating over it gives")


@pytest.mark.parametrize(
    ("x", "dtype"),
    [
        (X, torch.float32),
        (X.tolist(), torch.float32),
        (Table(X), torch.float32),
        (Table(X.astype(object)), torch.float32),
        (Table(X.astype(int).astype(object)), torch.int64),
        (X.astype("float32"), torch.float32),
        (X.astype(">f8"), torch.float32),
        (X.astype("float16"), torch.float16),
        (X.astype("longdouble"), torch.float32),
        (X[::-1][::-1], torch.float32),
        (torch.from_numpy(X), torch.float64),
        (torch.from_numpy(X).requires_grad_(), torch.float64),
        ([torch.from_numpy(row) for row in X], torch.float32),
        (X.astype("uint8"), torch.uint8),
        (torch.from_numpy(X).to(torch.uint8), torch.uint8),
        *[(X.astype(kind), torch.int64) for kind in ("int8", "int16", "int32", "int64", "uint16", "uint32", "uint64")],
        (X.astype(int).tolist(), torch.int64),
        (torch.from_numpy(X).int(), torch.int64),
    ],
    ids=lambda value: type(value).__name__ + str(getattr(value, "dtype", "")),
)
def test_rows_of_any_kind(x: Any, dtype: torch.dtype) -> None:
    domain = Domain.from_arrays("toy", x, [0, 1, 1, 0])
    assert domain.x.dtype == dtype
    assert domain.x.tolist() == X.tolist()
    assert not domain.x.requires_grad


def test_a_domain_does_not_follow_its_array() -> None:
    x = X.astype("float32")
    domain = Domain.from_arrays("toy", x, [0, 1, 1, 0])
    x[:] = 0
    assert domain.x.tolist() == X.tolist()


NUMBERS = [0, 2, 1, 0]
AS_NUMBERS = {
    "list": NUMBERS,
    "tuple": tuple(NUMBERS),
    "floats": [0.0, 2.0, 1.0, 0.0],
    **{kind: np.array(NUMBERS, dtype=kind) for kind in ("int8", "int32", "uint8", "uint64", "float32", ">i4")},
    "objects": np.array(NUMBERS, dtype=object),
    "tensor": torch.tensor(NUMBERS),
    "tensor int32": torch.tensor(NUMBERS, dtype=torch.int32),
    "tensor float": torch.tensor(NUMBERS, dtype=torch.float64),
    "column": Table(np.array(NUMBERS)),
    "numpy numbers": [np.int64(n) for n in NUMBERS],
    "tensors": [torch.tensor(n) for n in NUMBERS],
}


@pytest.mark.parametrize("y", AS_NUMBERS.values(), ids=AS_NUMBERS)
def test_labels_that_are_numbers(y: Any) -> None:
    for domain in (
        Domain("toy", torch.zeros(4, 3), y, CLASSES),
        Domain.from_arrays("toy", X, y, CLASSES),
        Domain.from_arrays("toy", X, y),
    ):
        assert domain.y.dtype == torch.int64
        assert domain.y.tolist() == NUMBERS
        assert domain.classes in (CLASSES, ("0", "1", "2"))


WORDS = ["owl", "dog", "cat", "owl"]
AS_WORDS = {
    "list": WORDS,
    "array": np.array(WORDS),
    "objects": np.array(WORDS, dtype=object),
    "column": Table(np.array(WORDS, dtype=object)),
    "numpy words": [np.str_(word) for word in WORDS],
}


@pytest.mark.parametrize("y", AS_WORDS.values(), ids=AS_WORDS)
def test_labels_that_are_words(y: Any) -> None:
    domain = Domain.from_arrays("toy", X, y)
    assert domain.y.tolist() == [2, 1, 0, 2]
    assert repr(domain) == "Domain('toy': 4 examples of 3 float32, 3 classes: cat, dog, owl)"
    assert Domain.from_arrays("toy", X, y, ("owl", "cow", "cat", "dog")).y.tolist() == [0, 3, 2, 0]


def test_classes_of_numbers_are_sorted_as_numbers() -> None:
    domain = Domain.from_arrays("toy", X, [10, 9, 2, 10])
    assert domain.classes == ("2", "9", "10")
    assert domain.y.tolist() == [2, 1, 0, 2]
    assert Domain.from_arrays("toy", X, [3, 1, 2, 3], range(1, 5)).y.tolist() == [2, 0, 1, 2]
    assert Domain.from_arrays("toy", X, np.array([True, False, False, True])).y.tolist() == [1, 0, 0, 1]


def test_no_labels_make_an_unlabelled_domain() -> None:
    domain = Domain.from_arrays("toy", X, classes=CLASSES)
    assert domain.y is None
    assert domain.classes == CLASSES


def test_rows_and_labels_in_another_order_are_refused() -> None:
    labels = np.array([0, 1, 1, 0])
    with pytest.raises(TlbookError, match=r"^toy: row 1 is 'b' in x and 'c' in y; expected the same order in both: y"):
        Domain.from_arrays("toy", Table(X, list("abcd")), Table(labels, list("acbd")))
    for index in (list("abcd"), list("efgh")):  # the same order; other names, which say nothing about it
        assert len(Domain.from_arrays("toy", Table(X, list("abcd")), Table(labels, index))) == 4
    assert len(Domain.from_arrays("toy", Table(X, list("abcd")), labels.tolist())) == 4


def test_pandas_is_not_imported() -> None:
    import sys

    assert "pandas" not in sys.modules


IMAGES = np.zeros((4, 8, 9, 3), dtype="uint8")
BAD = {
    "hwc": (IMAGES, None, r"looks like images N×H×W×C; expected N×C×H×W: turn them with x\.transpose\(0, 3, 1, 2\)"),
    "hwc tensor": (torch.zeros(4, 8, 9, 1), None, r"looks like images N×H×W×C"),
    "whole images": (IMAGES.transpose(0, 3, 1, 2).astype(int), None, r"expected images as uint8 0…255"),
    "nan": (np.where(X == 7, np.nan, X), None, r"row 2 of x holds NaN or infinity; expected finite numbers"),
    "inf": (torch.full((4, 3), torch.inf), None, r"row 0 of x holds NaN or infinity"),
    "too large": (np.full((4, 3), 1e300), None, r"row 0 of x holds NaN or infinity"),
    "words in a column": (np.where(X > 3, X.astype(object), "much"), None, r"of type object; expected numbers"),
    "gaps": (np.where(X > 3, X.astype(object), None), None, r"turn words into numbers and fill the gaps first"),
    "words": (np.array([["a"]] * 4), None, r"of type <U1; expected numbers"),
    "complex": (X + 1j, None, r"of type complex128; expected numbers"),
    "complex tensor": (torch.zeros(4, 3, dtype=torch.complex64), None, r"x has type torch\.complex64, expected uint8"),
    "dates": (X.astype("datetime64[s]"), None, r"expected numbers"),
    "ragged": ([[1.0], [1.0, 2.0]], None, r"expected N rows of one shape"),
    "empty": (X[:0], None, r"0 examples given"),
    "empty list": ([], None, r"expected a tensor N×"),
    "a vector": (X[0], None, r"expected a tensor N×"),
    "none": (None, None, r"x is a NoneType; expected an array"),
    "a word": ("photos", None, r"x is a str; expected an array"),
    "a number": (3, None, r"x is a int; expected an array"),
    "a data set": (object(), None, r"x is a object; expected an array"),
    "lengths": (X, [0, 1], r"y has shape \(2,\) for 4 examples, expected \(4,\)"),
    "unknown": (X, ["cat", "cow", "cat", "cow"], r"1 labels such as 'cow' are not among the classes cat, dog, owl"),
    "too high": (X, [0, 1, 3, 0], r"labels run from 0 to 3, expected 0…2"),
    "negative": (X, [0, 1, -1, 0], r"labels run from -1 to 1, expected 0…2"),
    "halves": (X, [0, 1.5, 1, 0], r"the label of row 1 is 1\.5; expected whole numbers"),
    "nan label": (X, [0, 1, float("nan"), 0], r"the label of row 2 is nan; expected whole numbers"),
    "none label": (X, [0, 1, None, 0], r"the label of row 2 is 'None'; expected all words or all whole"),
    "nan word": (X, np.array(["cat", float("nan"), "dog", "dog"], dtype=object), r"the label of row 1 is 'nan'"),
    "mixed": (X, ["cat", 1, "dog", 0], r"the label of row 1 is '1'; expected all words or all whole numbers"),
    "one-hot": (X, np.eye(4), r"of shape \(4, 4\); expected one label an example, \(N,\): for one-hot rows"),
    "column": (X, np.zeros((4, 1), int), r"of shape \(4, 1\); expected one label an example"),
    "word": (X, "cats", r"labels are a str"),
    "number": (X, 3, r"labels are a int"),
    "complex label": (X, np.zeros(4, complex), r"expected"),
    "ragged label": (X, [[0], [1, 2], [1], [1]], r"the label of row 0 is '\[0\]'"),
}


@pytest.mark.parametrize(("x", "y", "says"), BAD.values(), ids=BAD)
def test_everything_else_is_refused_in_one_line(x: Any, y: Any, says: str) -> None:
    with pytest.raises(TlbookError, match=r"^pets: [^\n]*" + says + r"[^\n]*$"):
        Domain.from_arrays("pets", x, y, CLASSES)


@pytest.mark.parametrize("y", [value[1] for value in BAD.values() if value[1] is not None])
def test_a_domain_refuses_the_same_labels(y: Any) -> None:
    with pytest.raises(TlbookError, match=r"^pets: [^\n]*$"):
        Domain("pets", torch.zeros(4, 3), y, CLASSES)


@pytest.mark.parametrize("y", AS_WORDS.values(), ids=AS_WORDS)
def test_a_domain_says_who_takes_words(y: Any) -> None:
    with pytest.raises(TlbookError, match=r"^pets: [^\n]*Domain\.from_arrays takes words too$"):
        Domain("pets", torch.zeros(4, 3), y, CLASSES)


@pytest.mark.parametrize("classes", [(), ("cat", "cat"), (1, "1")])
def test_classes_that_are_no_names_are_refused(classes: Any) -> None:
    with pytest.raises(TlbookError, match=r"^pets: [^\n]*$"):
        Domain.from_arrays("pets", X, classes=classes)


def test_neither_labels_nor_classes_is_refused() -> None:
    with pytest.raises(TlbookError, match=r"^pets: neither labels nor classes given[^\n]*$"):
        Domain.from_arrays("pets", X)


def test_a_feature_map_is_no_photograph() -> None:
    assert Domain.from_arrays("maps", np.zeros((2, 64, 1, 1)), classes=CLASSES).x.shape == (2, 64, 1, 1)
    assert Domain.from_arrays("grey", np.zeros((2, 1, 8, 3)), classes=CLASSES).x.shape == (2, 1, 8, 3)


def test_numbers_of_another_library_are_labels() -> None:
    class Number:
        """It can be made one of Python's, and says nothing of its shape."""

        def __init__(self, value: int) -> None:
            self.value = value

        def item(self) -> int:
            return self.value

    domain = Domain.from_arrays("mine", torch.zeros(3, 2), [Number(7), Number(3), Number(7)])
    assert domain.classes == ("3", "7")
    assert domain.labels().tolist() == [1, 0, 1]
