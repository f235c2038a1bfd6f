"""Checks of the answers to the exercises on why to transfer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tlbook.exercises.answer import Answer, ask, described

__all__ = ["days_replaced", "on_the_equator", "turned_over"]

DAYS = [3, 5, 8, 12, 20, 40, 80]
ALONE = [6.0, 4.0, 3.0, 2.6, 2.5, 2.4, 2.3]  # °C, by the number of days


def days_replaced(replaced: Callable[[Sequence[int], Sequence[float], float], Any]) -> Answer:
    """Check a function that says how many own days it takes to be wrong by no more than a given error.

    Args:
        replaced: the reader's function of the numbers of days that were tried, in rising order, of the error with each,
            and of the error to be reached.

    Example:
        >>> days_replaced(lambda days, alone, error: min(n for n, e in zip(days, alone) if e <= error))
        Days replaced: right
        >>> days_replaced(lambda days, alone, error: min(n for n, e in zip(days, alone) if e < error))
        Days replaced: with 8 days one errs by 3, just as much as asked, and that is enough; it gives 12
    """
    title = "Days replaced"
    cases = ((2.7, 12), (2.9, 12), (3.0, 8))  # clearly between two, nearer to the larger error, and just one of them
    for error, right in cases:
        value, wrong = ask(replaced, list(DAYS), list(ALONE), error)
        wrong = wrong or _wrong_days(value, error, right)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _wrong_days(value: Any, error: float, right: int) -> str:
    try:
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        return f"it returns {_said(value)}; expected one number of days"
    if isinstance(value, bool) or math.isnan(number):
        return f"it returns {value}; expected one number of days"
    if number == right:
        return ""
    if error in ALONE:
        return (
            f"with {right} days one errs by {error:g}, just as much as asked, and that is enough; it gives {number:g}"
        )
    if number == DAYS.index(right):
        return f"{number:g} is the place in the list, counted from 0; expected the number of days at that place"
    if number in DAYS:
        there = ALONE[DAYS.index(int(number))]
        if there > error:
            return f"with {number:g} days one errs by {there:g}, more than the {error:g} that are asked"
        return f"{number:g} days are enough to err by {error:g} at most, but fewer are as well: take the first"
    if number in ALONE:
        return f"{number:g} is an error in °C; expected the number of days that belongs to it"
    return f"{number:g} is none of the numbers of days that were tried, {', '.join(map(str, DAYS))}"


def turned_over(turned: Callable[[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]], Any]) -> Answer:
    """Check equation 2 where the factor b can only be 1 or −1: the shape as it is, or turned over.

    Args:
        turned: the reader's function of the shape of the source's year (365 numbers with mean 0), of the days that were
            read, and of their temperatures; it returns the forecast of the 365 days.

    Example:
        >>> def turned(shape, day, degrees):
        ...     b = np.sign(np.polyfit(shape[day], degrees, 1)[0])
        ...     return degrees.mean() + b * shape
        >>> turned_over(turned).wrong
        'a is the mean of the readings, but they lie where the shape is not 0: take the mean of degrees − b·shape[day]'
    """
    title = "Turned over"
    year = np.arange(365)
    shape = 10 * np.cos(2 * np.pi * (year - 200) / 365) + 2 * np.sin(4 * np.pi * year / 365)
    shape -= shape.mean()
    day = np.array([20, 60, 95, 230])
    for factor in (-0.6, 1.7):
        degrees = 18 + factor * shape[day] + np.array([0.5, -0.25, 0.75, -1.5])
        value, wrong = ask(turned, shape.copy(), day.copy(), degrees.copy())
        wrong = wrong or _wrong_forecast(value, shape, day, degrees, factor)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _wrong_forecast(
    value: Any, shape: NDArray[np.float64], day: NDArray[np.int64], degrees: NDArray[np.float64], factor: float
) -> str:
    try:
        forecast = np.asarray(value, dtype=float)
    except (TypeError, ValueError, RuntimeError):
        return f"it returns {_said(value)}; expected the temperatures of 365 days"
    if forecast.shape == day.shape:
        return (
            f"it returns {len(day)} temperatures, one for each day that was read; expected one for each day of the year"
        )
    if forecast.shape != shape.shape:
        return f"it returns {_said(value)}; expected the temperatures of 365 days"
    if np.isnan(forecast).any():
        return "some of the temperatures are not a number"
    known, sign = shape[day], math.copysign(1, factor)
    stretch, shift = np.polyfit(known, degrees, 1)
    a = (degrees - sign * known).mean()
    wrongs = [
        (degrees.mean() + sign * shape, "a is the mean of the readings, but they lie where the shape is not 0: "
         "take the mean of degrees − b·shape[day]"),
        ((degrees + sign * known).mean() + sign * shape, "the shift has b with the wrong sign: take what is left of "
         "the readings, the mean of degrees − b·shape[day]"),
        (sign * shape, "the shift a is left out"),
        (shift + stretch * shape, f"b is {stretch:.1f}, as equation 2 has it; here it can only be 1 or −1"),
        (shift + sign * shape, "the shift belongs to another b: compute a once b is 1 or −1"),
    ]  # fmt: skip
    if np.allclose(forecast, a + sign * shape, atol=1e-6):
        return ""
    for other, sentence in wrongs:
        if np.allclose(forecast, other, atol=1e-6):
            return sentence
    if np.corrcoef(forecast, sign * shape)[0, 1] < -0.999:
        told = "fall where the shape rises, so it must be turned over" if sign < 0 else "rise with the shape: b is 1"
        return f"the readings {told}"
    return f"on the first day it gives {forecast[0]:.1f} °C; expected {(a + sign * shape)[0]:.1f}"


def on_the_equator(errors: ArrayLike, own: float, mean: float, others: Any, itself: Any) -> Answer:
    """Check what was predicted of a city without seasons, against what its forecasts came to.

    Args:
        errors: of the forecasts that were learned from other cities, in °C.
        own: error of the forecast that was learned from ten years of the city itself.
        mean: error of one who always names the city's mean.
        others: ``"better"`` or ``"worse"`` than the mean.
        itself: ``"far better"`` than the mean or ``"no better"``.

    Example:
        >>> on_the_equator([5.1, 8.0], 2.4, 2.4, "worse", "no better")
        On the equator: right
    """
    title = "On the equator"
    least = float(np.min(errors))
    questions = [
        (
            "other cities' forecasts",
            others,
            ("better", "worse"),
            least > mean,
            f"the best of them errs by {least:.1f} °C, the mean of Quito by {mean:.1f}",
        ),
        (
            "Quito's own ten years",
            itself,
            ("far better", "no better"),
            mean - own < 0.5,
            f"they err by {own:.1f} °C, the mean of Quito by {mean:.1f}: is there a summer to foretell?",
        ),
    ]
    for what, given, choices, truth, measured in questions:
        if given is ... or given is None:
            return Answer(title, f"not answered yet: say what you expect of {what} in place of the three dots")
        if not isinstance(given, str) or given not in choices:
            return Answer(title, f"{given!r:.40} for {what}; expected {' or '.join(map(repr, choices))}")
        if given != choices[bool(truth)]:
            return Answer(title, f"{what}: {measured}")
    return Answer(title)


def _said(value: Any) -> str:
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else described(value)
