"""One line for a setting that means nothing, and the setting itself where it means something, ends of its range too."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from tlbook._checks import check_choice, check_number, check_numbers, check_whole
from tlbook.errors import TlbookError

RANGES: list[tuple[dict[str, float], list[float], list[float], str]] = [
    ({}, [-1e300, 0, 1e300], [], "a number"),
    ({"above": 0}, [1e-300, 5], [0, -1], "a number, above 0"),
    ({"at_least": 0}, [0, 5], [-1e-300], "a number, at least 0"),
    ({"below": 1}, [0.999, -5], [1, 2], "a number, below 1"),
    ({"at_most": 1}, [1, -5], [1.001], "a number, at most 1"),
    ({"above": 0, "below": 1}, [0.5], [0, 1], "a number, above 0 and below 1"),
    ({"at_least": 0, "at_most": 1}, [0, 0.5, 1], [-0.1, 1.1], "a number, at least 0 and at most 1"),
]


@pytest.mark.parametrize(("limits", "good", "bad", "expected"), RANGES)
def test_a_number_lies_in_its_range(limits: dict[str, Any], good: list[float], bad: list[float], expected: str) -> None:
    for value in good:
        assert check_number("lam", value, **limits) == value
    for value in [*bad, math.nan, math.inf, -math.inf]:
        with pytest.raises(TlbookError) as caught:
            check_number("lam", value, **limits)
        assert str(caught.value) == f"lam is {value!r}; expected {expected}"


def test_a_whole_number_lies_in_its_range() -> None:
    for value in (0, 3, 7):
        found = check_whole("steps", value, at_least=0, at_most=7)
        assert (found, type(found)) == (value, int)
    for value in (-1, 8, 2.0, 2.5, math.nan, math.inf):
        with pytest.raises(TlbookError) as caught:
            check_whole("steps", value, at_least=0, at_most=7)
        assert str(caught.value) == f"steps is {value!r}; expected a whole number, at least 0 and at most 7"
    assert check_whole("steps", -(10**30)) == -(10**30)


def test_numbers_are_one_or_more_each_in_the_range() -> None:
    assert check_numbers("bandwidths", [1, 2.5], above=0) == [1.0, 2.5]
    assert check_numbers("bandwidths", iter((3.0,)), above=0) == [3.0]
    assert check_numbers("bandwidths", np.array([1.0, 2.0])) == [1.0, 2.0]
    assert check_numbers("bandwidths", torch.tensor([0.0, 2.0]), at_least=0) == [0.0, 2.0]
    for value in ([0.0], [1.0, -1.0], [1.0, math.nan], [math.inf], ["1"], [True], []):
        with pytest.raises(TlbookError) as caught:
            check_numbers("bandwidths", value, above=0, hint="give one")
        line = f"bandwidths is {value!r}; expected one or more numbers, each above 0: give one"
        assert str(caught.value) == line
    with pytest.raises(TlbookError, match=r"^bandwidths is \[-0.5\]; expected one or more numbers, each at least 0$"):
        check_numbers("bandwidths", [-0.5], at_least=0)
    for text in ("12", b"12", 3.0, None):
        with pytest.raises(TlbookError, match=r"^bandwidths is [^\n]*; expected one or more numbers$"):
            check_numbers("bandwidths", text)


@pytest.mark.parametrize(
    "number",
    [np.float32(0.5), np.float64(0.5), np.array(0.5), torch.tensor(0.5), Fraction(1, 2), torch.tensor(0.5).half()],
)
def test_numbers_of_numpy_and_torch_are_numbers(number: Any) -> None:
    found = check_number("lam", number, at_least=0)
    assert (found, type(found)) == (0.5, float)


@pytest.mark.parametrize(
    "number", [np.int64(3), np.uint8(3), np.array(3), torch.tensor(3), torch.tensor(3, dtype=torch.int8)]
)
def test_whole_numbers_of_numpy_and_torch_are_whole_numbers(number: Any) -> None:
    found = check_whole("steps", number, at_least=1)
    assert (found, type(found)) == (3, int)


@pytest.mark.parametrize(
    "wrong",
    [True, False, np.bool_(True), torch.tensor(True), "1", None, 1j, [1], np.ones(1), torch.ones(1), Decimal(1)],
)
def test_what_is_no_number_is_refused(wrong: Any) -> None:
    for check in (check_number, check_whole):
        with pytest.raises(TlbookError, match=r"^x is [^\n]*; expected a (whole )?number$"):
            check("x", wrong)


def test_a_long_value_is_named_by_its_type() -> None:
    for value, shown in (("a" * 78, repr("a" * 78)), ("a" * 79, "str"), (torch.zeros(3, 3), "Tensor")):
        with pytest.raises(TlbookError) as caught:
            check_number("lam", value, hint="0 is none")
        assert str(caught.value) == f"lam is {shown}; expected a number: 0 is none"


def test_a_choice_is_one_of_those_there_are() -> None:
    assert check_choice("channels", None, (None, 1, 3)) is None
    assert check_choice("channels", 3, (None, 1, 3)) == 3
    for wrong in (True, 1.0, 2, "3"):
        with pytest.raises(TlbookError) as caught:
            check_choice("channels", wrong, (None, 1, 3), hint="3 is colour")
        assert str(caught.value) == f"channels is {wrong!r}; expected None, 1 or 3: 3 is colour"


def test_a_misspelt_choice_is_told_its_neighbour_in_place_of_the_hint() -> None:
    for wrong, line in (
        ("targe", "domain is 'targe'; expected 'source' or 'target': did you mean 'target'?"),
        ("other", "domain is 'other'; expected 'source' or 'target': take one"),
    ):
        with pytest.raises(TlbookError) as caught:
            check_choice("domain", wrong, ("source", "target"), hint="take one")
        assert str(caught.value) == line
    with pytest.raises(TlbookError, match=r"^domain is 'a'; expected 'source'$"):
        check_choice("domain", "a", ("source",))
