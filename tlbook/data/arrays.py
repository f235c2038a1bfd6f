"""Arrays of any kind as the rows and the labels of a domain, where their meaning is plain."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tlbook._checks import check_list
from tlbook.errors import TlbookError

__all__ = ["as_labels", "as_rows", "check_same_order", "named_labels"]

COLOURS = (1, 3, 4)  # how many channels an image has whose last axis is taken for its channels


def as_rows(name: str, x: Any) -> Tensor:
    """The rows of a domain, of float32, uint8 or int64; a tensor of another floating point type stays as it is.

    Args:
        name: of the domain, for the messages.
        x: N×…, a tensor, an array, lists of numbers, or whatever has ``to_numpy``, as the tables of pandas have.

    Raises:
        TlbookError: for what holds no numbers, or numbers that are not finite; for images N×H×W×C.

    >>> as_rows("toy", [[1, 2], [3, 4]]).dtype
    torch.int64
    """
    rows = x.detach() if isinstance(x, Tensor) else _numbers(name, x)
    if rows.ndim == 4 and rows.shape[3] in COLOURS and rows.shape[1] not in COLOURS and min(rows.shape[1:3]) > 4:
        raise TlbookError(
            f"{name}: x has shape {tuple(rows.shape)}, which looks like images N×H×W×C; expected N×C×H×W: turn them "
            "with x.transpose(0, 3, 1, 2), for tensors x.permute(0, 3, 1, 2)"
        )
    if not isinstance(x, Tensor) and rows.dtype == torch.float64:
        rows = rows.float()
    if rows.dtype in (torch.bool, torch.int8, torch.int16, torch.int32):
        rows = rows.long()
    if rows.ndim == 4 and rows.dtype == torch.int64:
        raise TlbookError(
            f"{name}: x has whole numbers of shape {tuple(rows.shape)} and type {rows.dtype}; expected images as uint8 "
            "0…255 or floats 0…1: convert them with astype('uint8'), for tensors to(torch.uint8)"
        )
    if (
        rows.is_floating_point()
        and rows.numel()
        and not all(bool(part.isfinite().all()) for part in torch.split(rows, 4096))
    ):
        bad = next(n for n, row in enumerate(rows) if not row.isfinite().all())
        raise TlbookError(
            f"{name}: row {bad} of x holds NaN or infinity; expected finite numbers: drop such rows, or fill the gaps"
        )
    return rows


def _numbers(name: str, x: Any) -> Tensor:
    """An array, lists or a table as a tensor."""
    try:
        array = x.to_numpy() if hasattr(x, "to_numpy") else np.asarray(x)
    except (ValueError, TypeError, RuntimeError) as error:  # lists of unequal length
        raise TlbookError(
            f"{name}: x is a {type(x).__name__} that is no array ({str(error).splitlines()[0]}); expected N rows of "
            "one shape: cut or fill them up first"
        ) from None
    if array.ndim == 0:
        raise TlbookError(
            f"{name}: x is a {type(x).__name__}; expected an array, a tensor, lists or a table of N rows: for a data "
            "set use Domain.from_dataset, for a folder Domain.from_folder"
        )
    if array.dtype == object and all(isinstance(value, Real) for value in array.flat):
        array = np.array(array.tolist())  # a table whose columns differ in type
    if array.dtype.kind not in "biuf":
        raise TlbookError(
            f"{name}: x is a {type(x).__name__} of type {array.dtype}; expected numbers: give the numeric columns "
            "alone, turn words into numbers and fill the gaps first"
        )
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)
    if array.dtype.itemsize > 8 or not array.dtype.isnative:
        array = array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
    return torch.from_numpy(np.array(array))  # a copy: what its owner does to the array later must not reach the domain


def check_same_order(name: str, x: Any, y: Any) -> None:
    """Refuse a table and a column whose rows bear the same names in another order: they are paired by their place.

    Raises:
        TlbookError: where the order differs.
    """
    of_x, of_y = (getattr(table, "index", None) for table in (x, y))
    if of_x is None or of_y is None or callable(of_x) or callable(of_y) or len(of_x) != len(of_y):
        return
    places = [row for row, (a, b) in enumerate(zip(of_x, of_y, strict=True)) if a != b]
    if places and set(of_x) == set(of_y):
        row = places[0]
        raise TlbookError(
            f"{name}: row {row} is {of_x[row]!r} in x and {of_y[row]!r} in y; expected the same order in both: "
            "y.loc[x.index] brings y into that of x"
        )


def as_labels(name: str, y: Any) -> Tensor:
    """Labels as int64 of length N, from anything that holds whole numbers: 1.0 is one, 1.5 is none.

    Raises:
        TlbookError: for labels that are no whole numbers, or do not stand in one row.

    >>> as_labels("toy", [0, 1.0])
    tensor([0, 1])
    """
    if isinstance(y, Tensor) and y.dtype == torch.int64:
        return y
    array = _labels(name, y)
    if array.dtype.kind not in "biuf":
        raise TlbookError(
            f"{name}: labels are words such as {str(array.flat[0])!r}; expected whole numbers: Domain.from_arrays "
            "takes words too"
        )
    whole = np.isfinite(array) & (array == np.floor(array)) if array.dtype.kind == "f" else np.ones(array.shape, bool)
    if not whole.all():
        row = int(whole.argmin())
        raise TlbookError(
            f"{name}: the label of row {row} is {array[row]}; expected whole numbers, one an example: drop the rows "
            "without a label, or cut measures into classes"
        )
    labels = torch.from_numpy(array.astype(np.int64))
    return labels.to(y.device) if isinstance(y, Tensor) else labels


def named_labels(name: str, y: Any, classes: Iterable[Any] | None) -> tuple[Tensor, tuple[str, ...]]:
    """Labels as numbers from 0, and the classes' names.

    Args:
        name: of the domain, for the messages.
        y: one label an example: words or whole numbers.
        classes: the names in the order of their numbers; None takes those that occur, sorted. Words are looked up in
            them. Whole numbers are looked up where the classes are numbers too, or where none are given, and are taken
            as they stand where the classes are words.

    Raises:
        TlbookError: for labels that are neither words nor whole numbers, or are not among the classes.

    >>> named_labels("toy", ["dog", "cat", "dog"], None)
    (tensor([1, 0, 1]), ('cat', 'dog'))
    >>> named_labels("toy", [3, 1, 3], None)
    (tensor([1, 0, 1]), ('1', '3'))
    """
    array = _labels(name, y)
    given = None if classes is None else check_list("classes", classes, "names such as ('cat', 'dog')")
    words = array.dtype.kind == "U"
    if not words:
        numbers = as_labels(name, y).cpu().numpy()
        if given is not None and all(isinstance(c, str) for c in given):
            return torch.from_numpy(numbers), tuple(given)
        array = numbers
    values, places = np.unique(array, return_inverse=True)
    found = [str(value) for value in values]
    names = found if given is None else [str(c) for c in given]
    if unknown := [value for value in found if value not in names]:
        raise TlbookError(
            f"{name}: {len(unknown)} labels such as {unknown[0]!r} are not among the classes "
            f"{' '.join(', '.join(names).split())[:200]}; expected each label there: add it to classes, or mend its "
            "spelling"
        )
    order = torch.tensor([names.index(value) for value in found])
    return order[torch.from_numpy(places.ravel())], tuple(names)


def _labels(name: str, y: Any) -> NDArray[Any]:
    """One label an example as an array of numbers or of words, kind U."""
    if isinstance(y, Tensor):
        y = y.detach().cpu().numpy()
    array: Any = y.to_numpy() if hasattr(y, "to_numpy") else y
    if not isinstance(array, np.ndarray):
        if isinstance(y, str | bytes) or not isinstance(y, Iterable):
            raise TlbookError(f"{name}: labels are a {type(y).__name__}; expected a list with one label an example")
        array = np.fromiter(y, dtype=object)  # otherwise numpy makes words of numbers that stand among words
    if array.ndim != 1:
        raise TlbookError(
            f"{name}: labels are a {type(y).__name__} of shape {array.shape}; expected one label an example, (N,): for "
            "one-hot rows give y.argmax(1), for a column y.ravel()"
        )
    numbers: NDArray[Any] = array
    if numbers.dtype.kind in "biufU":
        return numbers
    items = [item.item() if hasattr(item, "item") and not getattr(item, "ndim", 0) else item for item in array.tolist()]
    kind = str if any(isinstance(item, str) for item in items) else Real
    if odd := [row for row, item in enumerate(items) if not isinstance(item, kind)]:
        raise TlbookError(
            f"{name}: the label of row {odd[0]} is {str(items[odd[0]])[:40]!r}; expected all words or all whole "
            "numbers: drop the rows without a label"
        )
    return np.array(items)
