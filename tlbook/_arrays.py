"""Rows, labels and scores as they come in: made numpy arrays, or refused in one line.

Arrays, tensors, tables of pandas and lists are taken; everything is computed in float64. Nothing here needs torch.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data

from tlbook.errors import TlbookError

__all__ = [
    "Labels",
    "Matrix",
    "as_array",
    "as_classes",
    "as_labels",
    "as_matrix",
    "as_pair",
    "check_fitted",
    "fresh",
]

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]
LARGEST = 1e60  # its fourth power, summed, is a number yet


class _WrongType(TlbookError, TypeError):
    """What scikit-learn's conventions ask for where rows are no numbers at all."""


class _NotFitted(TlbookError, NotFittedError):  # type: ignore[misc]
    """What they ask for before ``fit``."""


def as_array(x: Any) -> Any:
    """A tensor, also one that carries a graph, or a list of them, as a numpy array; everything else as it is.

    Raises:
        TlbookError: for an array with masked values, which would count as if they were not.
    """
    if np.ma.is_masked(x):
        masked = int(np.ma.getmaskarray(x).sum())
        raise TlbookError(f"{masked} value(s) are masked; expected none: fill them, or drop their rows")
    if isinstance(x, list | tuple) and x and all(_is_tensor(row) for row in x):
        return np.stack([as_array(row) for row in x])
    if not _is_tensor(x):
        return x
    return (x.double() if x.is_floating_point() else x).detach().cpu().numpy()  # numpy knows no bfloat16


def as_matrix(name: str, x: Any, estimator: Any = None, *, reset: bool = False, least: int = 1) -> Matrix:
    """Finite rows N×D in float64.

    Args:
        name: of the argument, for the message.
        x: what was given.
        estimator: of scikit-learn's kind, whose number and names of features the rows must have.
        reset: whether the rows set that number and those names.
        least: the fewest rows.

    Raises:
        TlbookError: for anything but finite real numbers of such a shape and size.

    Example:
        >>> as_matrix("x", [[1, 2], [3, 4]]).dtype
        dtype('float64')
    """
    try:
        if estimator is None:
            rows: Matrix = check_array(as_array(x), dtype=np.float64, ensure_min_samples=least)
        else:
            rows = validate_data(estimator, X=as_array(x), reset=reset, dtype=np.float64, ensure_min_samples=least)
    except (ValueError, TypeError, RuntimeError) as error:
        kind = _WrongType if isinstance(error, TypeError) else TlbookError
        raise kind(f"{name} cannot be used: {_line(error)}; expected finite numbers, N×D, one row an example") from None
    if (largest := np.abs(rows).max()) > LARGEST:
        raise TlbookError(f"{name} reaches {largest:.0e}; expected at most {LARGEST:.0e}: standardise the features")
    return rows


def as_pair(x: Any, y: Any, least: int = 1) -> tuple[Matrix, Matrix]:
    """Two samples of the same features, N×D and M×D, each as :func:`as_matrix` has it.

    Raises:
        TlbookError: also where the widths differ.
    """
    a, b = as_matrix("x", x, least=least), as_matrix("y", y, least=least)
    if a.shape[1] != b.shape[1]:
        raise TlbookError(f"x has shape {a.shape}, y {b.shape}; expected N×D and M×D: give both the same features")
    return a, b


def as_labels(name: str, y: Any, n: int) -> NDArray[Any]:
    """One class label a row, words or numbers.

    Raises:
        TlbookError: when a label is missing or not a label, or there are not n.
    """
    expected = f"expected one class label for each of the {n} rows"
    if y is None:
        raise TlbookError(f"{name} should be a 1d array, not None; {expected}")
    try:
        labels: NDArray[Any] = column_or_1d(as_array(y), warn=True)
        check_classification_targets(labels)
    except (ValueError, TypeError, RuntimeError) as error:
        raise TlbookError(f"{name} cannot be used: {_line(error)}; {expected}") from None
    if len(labels) != n:
        raise TlbookError(f"{name} has {len(labels)} labels; {expected}")
    return labels


def as_classes(name: str, y: Any, n: int, classes: int) -> Labels:
    """N numbers of classes, whole, from 0 to one less than there are classes.

    Raises:
        TlbookError: for other numbers, for words, or when there are not n.

    Example:
        >>> as_classes("y", [0.0, 2.0], n=2, classes=3)
        array([0, 2])
    """
    expected = f"expected {n} whole numbers 0 … {classes - 1}, the class of each row"
    try:
        given = column_or_1d(as_array(y))
        with np.errstate(invalid="ignore"):  # NaN is not equal to what it becomes
            labels: Labels = given.astype(np.int64)
        whole = bool((labels == given).all()) and given.dtype.kind in "biuf"
    except (ValueError, TypeError, RuntimeError) as error:
        raise TlbookError(f"{name} cannot be used: {_line(error)}; {expected}") from None
    if len(labels) != n:
        raise TlbookError(f"{name} has {len(labels)} labels; {expected}")
    if not whole or labels.min() < 0 or labels.max() >= classes:
        raise TlbookError(f"{name} has values from {given.min()} to {given.max()}; {expected}")
    return labels


def check_fitted(estimator: Any) -> None:
    """Say in one line that an estimator has not been fitted.

    Raises:
        TlbookError: where it has not; scikit-learn's ``NotFittedError`` too.
    """
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        raise _NotFitted(f"{type(estimator).__name__} is not fitted; expected it fitted: call fit first") from None


def fresh(name: str, part: Any, needs: str, hint: str = "") -> Any:
    """A clone of the scikit-learn estimator that a method was given as a part, not fitted.

    Args:
        name: of the argument, for the message.
        part: what was given.
        needs: the method that it must have beside ``fit``.
        hint: what to do where it has none, in a few words.

    Raises:
        TlbookError: for a class in place of an object, or one that lacks such a method.

    Example:
        >>> from sklearn.svm import SVC
        >>> fresh("classifier", SVC, "predict")
        Traceback (most recent call last):
        tlbook.errors.TlbookError: classifier is the class SVC; expected an object of it: write SVC()
    """
    if isinstance(part, type):
        raise TlbookError(f"{name} is the class {part.__name__}; expected an object of it: write {part.__name__}()")
    for method in ("get_params", "fit", needs):
        if not hasattr(part, method):
            raise TlbookError(
                f"{name} is {' '.join(repr(part).split())}, which has no {method}; expected an estimator of "
                f"scikit-learn with fit and {needs}" + (f": {hint}" if hint else "")
            )
    return clone(part)


def _is_tensor(x: Any) -> bool:
    return hasattr(x, "detach") and hasattr(x, "is_floating_point")


def _line(error: Exception) -> str:
    """What scikit-learn says, in one line, without the array and without advice on other estimators."""
    said = re.sub(r": array=\[.*\]| \[.*\]", "", " ".join(str(error).split()))
    return re.sub(r"\.( \w+ does not accept missing| Maybe you are trying).*|\.$", "", said)
