"""Checking arguments: one line that says what was given, what was expected and what to do.

Every public entry of the package checks its settings with these. Nothing here needs more than numpy.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

from tlbook.errors import TlbookError

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = [
    "check_choice",
    "check_function",
    "check_list",
    "check_module",
    "check_number",
    "check_numbers",
    "check_path",
    "check_tensor",
    "check_whole",
    "shown",
]

Choice = TypeVar("Choice")


def check_number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    hint: str = "",
) -> float:
    """The value, where it is one finite real number in the range.

    Args:
        name: of the argument, as its user wrote it.
        value: what was given; Python's and numpy's numbers are taken, and tensors of one number.
        above: what it must be greater than.
        at_least: what it must not be below.
        below: what it must be less than.
        at_most: what it must not be above.
        hint: what to do, in a few words.

    Raises:
        TlbookError: for anything else, true and false included.

    Example:
        >>> check_number("lam", 0.5, at_least=0)
        0.5
        >>> check_number("lam", -1, at_least=0, hint="0 is training on the source alone")
        Traceback (most recent call last):
        tlbook.errors.TlbookError: lam is -1; expected a number, at least 0: 0 is training on the source alone
    """
    number = _single(value)
    if (
        number is None
        or not math.isfinite(number)
        or (above is not None and not number > above)
        or (at_least is not None and not number >= at_least)
        or (below is not None and not number < below)
        or (at_most is not None and not number <= at_most)
    ):
        raise TlbookError(_line(name, value, "a number" + _range(above, at_least, below, at_most), hint))
    return number


def check_whole(
    name: str, value: Any, *, at_least: int | None = None, at_most: int | None = None, hint: str = ""
) -> int:
    """The value, where it is one whole number in the range; arguments and errors as for :func:`check_number`.

    Example:
        >>> check_whole("steps", 2.5, at_least=1)
        Traceback (most recent call last):
        tlbook.errors.TlbookError: steps is 2.5; expected a whole number, at least 1
    """
    number = _single(value)
    if (
        number is None
        or not math.isfinite(number)
        or number != int(number)
        or (isinstance(value, Real) and not isinstance(value, Integral))
        or (at_least is not None and number < at_least)
        or (at_most is not None and number > at_most)
    ):
        raise TlbookError(_line(name, value, "a whole number" + _range(None, at_least, None, at_most), hint))
    return int(value)


def check_numbers(
    name: str,
    values: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    hint: str = "",
) -> list[float]:
    """The values, where they are one or more finite real numbers in the range; otherwise as :func:`check_number`.

    Example:
        >>> check_numbers("bandwidths", [1.0, float("nan")], above=0)
        Traceback (most recent call last):
        tlbook.errors.TlbookError: bandwidths is [1.0, nan]; expected one or more numbers, each above 0
    """
    given = list(values) if isinstance(values, Iterable) and not isinstance(values, str | bytes) else None
    numbers = [_single(value) for value in given or []]
    for number in numbers or [None]:
        if (
            number is None
            or not math.isfinite(number)
            or (above is not None and not number > above)
            or (at_least is not None and not number >= at_least)
            or (at_most is not None and not number <= at_most)
        ):
            expected = "one or more numbers" + _range(above, at_least, None, at_most).replace(", ", ", each ", 1)
            raise TlbookError(_line(name, values if given is None else given, expected, hint))
    return [number for number in numbers if number is not None]


def check_choice(name: str, value: Any, choices: Sequence[Choice], hint: str = "") -> Choice:
    """The value, where it is one of the choices; a misspelt word is told its neighbour.

    Raises:
        TlbookError: where it is none of them.

    Example:
        >>> check_choice("domain", "sorce", ("source", "target"))
        Traceback (most recent call last):
        tlbook.errors.TlbookError: domain is 'sorce'; expected 'source' or 'target': did you mean 'source'?
    """
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    near = get_close_matches(value, [c for c in choices if isinstance(c, str)], n=1) if isinstance(value, str) else []
    listed = [repr(choice) for choice in choices]
    expected = " or ".join([", ".join(listed[:-1]), listed[-1]] if len(listed) > 1 else listed)
    raise TlbookError(_line(name, value, expected, f"did you mean {near[0]!r}?" if near else hint))


def check_list(name: str, values: Any, expected: str) -> list[Any]:
    """The values of a list, tuple, array or other collection as a list; a word is none.

    Args:
        name: of the argument.
        values: what was given.
        expected: what a right one is, in a few words.

    Raises:
        TlbookError: for what has no elements.

    Example:
        >>> check_list("classes", 3, "names such as ('cat', 'dog')")
        Traceback (most recent call last):
        tlbook.errors.TlbookError: classes is 3; expected names such as ('cat', 'dog')
    """
    if isinstance(values, Iterable) and not isinstance(values, str | bytes) and getattr(values, "ndim", 1) != 0:
        return list(values)
    raise TlbookError(_line(name, values, expected, ""))


def check_function(name: str, value: Any, expected: str) -> Any:
    """The value, where it can be called and is no class; arguments and errors as for :func:`check_list`.

    Example:
        >>> check_function("train", None, "a function from a source and a target to a model")
        Traceback (most recent call last):
        tlbook.errors.TlbookError: train is None; expected a function from a source and a target to a model
    """
    if callable(value) and not isinstance(value, type):
        return value
    raise TlbookError(_line(name, value, expected, ""))


def check_path(name: str, value: Any) -> str:
    """The value as a path, where it is a word or a path of pathlib's.

    Raises:
        TlbookError: for anything else.

    Example:
        >>> check_path("folder", None)
        Traceback (most recent call last):
        tlbook.errors.TlbookError: folder is None; expected a path, such as 'photos'
    """
    if isinstance(value, str | os.PathLike) and isinstance(path := os.fspath(value), str):
        return path
    raise TlbookError(_line(name, value, "a path, such as 'photos'", ""))


def check_module(name: str, value: Any, expected: str = "a torch module") -> nn.Module:
    """The value, where it is a torch module; arguments and errors as for :func:`check_list`.

    Example:
        >>> check_module("features", "resnet18")
        Traceback (most recent call last):
        tlbook.errors.TlbookError: features is 'resnet18'; expected a torch module
    """
    from torch import nn

    if isinstance(value, nn.Module):
        return value
    raise TlbookError(_line(name, value, expected, ""))


def check_tensor(name: str, value: Any, expected: str = "a tensor") -> Tensor:
    """The value, where it is a tensor; arguments and errors as for :func:`check_list`.

    Example:
        >>> check_tensor("x", [1.0])
        Traceback (most recent call last):
        tlbook.errors.TlbookError: x is [1.0]; expected a tensor
    """
    from torch import Tensor

    if isinstance(value, Tensor):
        return value
    raise TlbookError(_line(name, value, expected, ""))


def shown(value: Any) -> str:
    """A value as a message shows it: as Python writes it, or its type's name where that is long.

    Example:
        >>> shown("cat"), shown(list(range(100)))
        ("'cat'", 'list')
    """
    text = repr(value)
    return text if len(text) <= 80 and "\n" not in text else type(value).__name__


def _single(value: Any) -> float | None:
    """One real number, or None for what is none; a bool is none."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # numpy's scalars and tensors of one number
        value = value.item()
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None


def _range(above: float | None, at_least: float | None, below: float | None, at_most: float | None) -> str:
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (("above", above), ("at least", at_least), ("below", below), ("at most", at_most))
        if bound is not None
    ]
    return f", {' and '.join(bounds)}" if bounds else ""


def _line(name: str, value: Any, expected: str, hint: str) -> str:
    return f"{name} is {shown(value)}; expected {expected}" + (f": {hint}" if hint else "")
