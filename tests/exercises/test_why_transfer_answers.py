"""The key is right, the blank is not, and each plausible wrong answer gets its own sentence."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from tlbook.exercises import why_transfer


def blank(*_: Any) -> Any:
    return ...


def stops(*_: Any) -> Any:
    raise ValueError("no such day")


def enough(days: list[int], alone: list[float], error: float) -> list[int]:
    return [n for n, e in zip(days, alone, strict=True) if e <= error]


@pytest.mark.parametrize("kind", [int, float, np.int64, torch.tensor])
def test_the_first_number_of_days_that_is_enough_is_right(kind: Callable[[int], Any]) -> None:
    assert why_transfer.days_replaced(lambda *asked: kind(min(enough(*asked)))).right


@pytest.mark.parametrize(
    ("replaced", "sentence"),
    [
        (blank, "not answered yet"),
        (stops, "your code stops: ValueError: no such day"),
        (lambda d, a, e: d.index(min(enough(d, a, e))), "3 is the place in the list"),
        (lambda d, a, e: max(n for n, x in zip(d, a, strict=True) if x > e), "with 8 days one errs by 3, more than"),
        (lambda d, a, e: max(enough(d, a, e)), "80 days are enough"),
        (lambda d, a, e: d[int(np.argmin(np.abs(np.subtract(a, e))))], "with 8 days one errs by 3, more than the 2.9"),
        (lambda d, a, e: min(n for n, x in zip(d, a, strict=True) if x < e), "and that is enough; it gives 12"),
        (lambda d, a, e: max(x for x in a if x <= e), "2.6 is an error in °C"),
        (lambda d, a, e: float(np.interp(-e, np.negative(a), d)), "is none of the numbers of days"),
        (lambda d, a, e: np.array(enough(d, a, e)), "it returns an array of shape (4,)"),
        (lambda d, a, e: enough(d, a, e), "it returns list"),
        (lambda d, a, e: torch.zeros(2), "it returns a tensor of shape (2,)"),
        (lambda d, a, e: float("nan"), "it returns nan; expected one number"),
        (lambda d, a, e: True, "it returns True; expected one number"),
        (lambda d, a, e: "twelve", "it returns str; expected one number"),
    ],
)
def test_a_wrong_number_of_days_is_named(replaced: Callable[..., Any], sentence: str) -> None:
    assert sentence in why_transfer.days_replaced(replaced).wrong


Array = Any


def line(shape: Array, day: Array, degrees: Array) -> tuple[float, float]:
    b, a = np.polyfit(shape[day], degrees, 1)
    return a, b


def sign(shape: Array, day: Array, degrees: Array) -> float:
    return float(np.sign(line(shape, day, degrees)[1]))


def with_factor(b: float, shape: Array, day: Array, degrees: Array) -> Array:
    return (degrees - b * shape[day]).mean() + b * shape


def key(*given: Array) -> Array:
    return with_factor(sign(*given), *given)


@pytest.mark.parametrize("kind", [np.asarray, list, torch.as_tensor])
def test_the_shape_turned_over_and_shifted_is_right(kind: Callable[[Array], Any]) -> None:
    assert why_transfer.turned_over(lambda *given: kind(key(*given))).right


@pytest.mark.parametrize(
    ("turned", "sentence"),
    [
        (blank, "not answered yet"),
        (stops, "your code stops"),
        (lambda *given: with_factor(1, *given), "fall where the shape rises, so it must be turned over"),
        (lambda *given: with_factor(-1, *given), "rise with the shape: b is 1"),
        (lambda s, d, t: t.mean() + sign(s, d, t) * s, "a is the mean of the readings, but"),
        (lambda s, d, t: (t + sign(s, d, t) * s[d]).mean() + sign(s, d, t) * s, "b with the wrong sign"),
        (lambda s, d, t: sign(s, d, t) * s, "the shift a is left out"),
        (lambda s, d, t: line(s, d, t)[0] + line(s, d, t)[1] * s, "b is -0.7, as equation 2 has it"),
        (lambda s, d, t: line(s, d, t)[0] + sign(s, d, t) * s, "the shift belongs to another b"),
        (lambda s, d, t: key(s, d, t)[d], "it returns 4 temperatures, one for each day that was read"),
        (lambda s, d, t: key(s, d, t) + 1, "on the first day it gives"),
        (lambda s, d, t: key(s, d, t)[:, None], "it returns an array of shape (365, 1)"),
        (lambda s, d, t: line(s, d, t), "it returns tuple; expected the temperatures"),
        (lambda s, d, t: "warm", "it returns str; expected the temperatures"),
        (lambda s, d, t: s * np.nan, "not a number"),
    ],
)
def test_a_wrong_forecast_is_named(turned: Callable[..., Any], sentence: str) -> None:
    assert sentence in why_transfer.turned_over(turned).wrong


MEASURED = ([5.2, 7.9, 10.1], np.float64(2.4), np.float64(2.4))  # as a chapter measures


def test_a_city_without_seasons_is_served_best_by_its_mean() -> None:
    assert why_transfer.on_the_equator(*MEASURED, "worse", "no better").right


@pytest.mark.parametrize(
    ("others", "itself", "sentence"),
    [
        (..., ..., "say what you expect of other cities' forecasts"),
        ("worse", ..., "say what you expect of Quito's own ten years"),
        (None, None, "not answered yet"),
        ("better", "no better", "the best of them errs by 5.2 °C, the mean of Quito by 2.4"),
        ("worse", "far better", "is there a summer to foretell?"),
        ("equal", "no better", "'equal' for other cities' forecasts; expected 'better' or 'worse'"),
        ("worse", 3, "3 for Quito's own ten years; expected 'far better' or 'no better'"),
        (np.zeros(2), "no better", "for other cities' forecasts; expected"),
    ],
)
def test_a_wrong_prediction_is_named(others: Any, itself: Any, sentence: str) -> None:
    assert sentence in why_transfer.on_the_equator(*MEASURED, others, itself).wrong
