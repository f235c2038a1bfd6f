"""Checks of the answers to the exercises on the theory of transfer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from statistics import NormalDist
from typing import Any

from tlbook.exercises.answer import Answer, ask, described

__all__ = ["cheaper", "checkerboard", "closed_form"]

PHI = NormalDist().cdf


def closed_form(divergence: Callable[[float, Callable[[float], float]], Any]) -> Answer:
    """Check a formula for d_H of thresholds, for two normal distributions of deviation one.

    Args:
        divergence: the reader's function of the distance of the two means, and of the normal distribution function.

    Example:
        >>> closed_form(lambda a, phi: 2 * phi(a / 2) - 1)
        A closed form: this is the largest gap itself; equation 1 takes it twice
        >>> closed_form(lambda a, phi: 2 * (2 * phi(abs(a) / 2) - 1))
        A closed form: right
    """
    title = "A closed form"
    for a in (0.7, 2.0, -1.0):
        number, wrong = _number(divergence, a, PHI)
        wrong = wrong or _wrong_divergence(number, a)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _wrong_divergence(number: float, a: float) -> str:
    right = 2 * (2 * PHI(abs(a) / 2) - 1)
    if math.isclose(number, right, abs_tol=1e-6):
        return ""
    half = PHI(a / 2)
    wrongs = {
        2 * half - 1: "this is the largest gap itself; equation 1 takes it twice",
        2 * (2 * PHI(a) - 1): "it has a where a half belongs: halfway, the threshold is only a/2 away from each mean",
        2 * PHI(a) - 1: "here the threshold stands on a mean; the gap is largest halfway between the two",
        2 * half: "only one of the two distribution functions is there: subtract the other's value",
        4 * half: "only one of the two distribution functions is there, and it counts twice",
        2 - 2 * half: "this falls as the means move apart: it is what overlaps, not what differs",
        2 * (1 - 2 * half): "the sign is turned round: take the gap's size",
        4 * PHI(a)
        - 4 * PHI(0): "it has a where a half belongs: halfway, the threshold is only a/2 away from each mean",
    }
    if a < 0 and math.isclose(number, -right, abs_tol=1e-6):
        return "for a negative a it is negative: equation 1 takes the gap's size, whichever side the target lies on"
    for other, sentence in wrongs.items():
        if math.isclose(number, other, abs_tol=1e-6):
            return sentence
    if not 0 <= number <= 2:
        return f"for a = {a:g} it gives {number:.3g}; a divergence lies between 0 and 2"
    return f"for a = {a:g} it gives {number:.3g}; expected {right:.3g}: where is the gap of the two curves largest?"


def cheaper(price: Callable[[int, float], Any]) -> Answer:
    """Check the price of samples that the inequality of Dvoretzky, Kiefer, Wolfowitz and Massart asks for thresholds.

    Args:
        price: the reader's function of m, the examples of each domain, and of δ.

    Example:
        >>> from math import log, sqrt
        >>> cheaper(lambda m, delta: 4 * sqrt(log(2 / delta) / (2 * m)))
        A cheaper insurance: δ is spent twice: there are two domains, so each may fail with half of it
        >>> cheaper(lambda m, delta: 4 * sqrt(log(4 / delta) / (2 * m)))
        A cheaper insurance: right
    """
    title = "A cheaper insurance"
    for m, delta in ((450, 0.05), (2000, 0.2)):
        number, wrong = _number(price, m, delta)
        wrong = wrong or _wrong_price(number, m, delta)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _wrong_price(number: float, m: int, delta: float) -> str:
    one = math.sqrt(math.log(4 / delta) / (2 * m))
    if math.isclose(number, 4 * one, rel_tol=1e-6):
        return ""
    wrongs = {
        4 * math.sqrt(math.log(2 / delta) / (2 * m)): (
            "δ is spent twice: there are two domains, so each may fail with half of it"
        ),
        4 * math.sqrt(math.log(1 / delta) / (2 * m)): "the 2 before the exponential is lost, and δ is spent twice",
        one: "this is how far one distribution function is off; the gap has two, and a pair takes two gaps",
        2 * one: "this is how far one gap is off; a pair takes the highest gap less the lowest, so two of them",
        8 * one: "this is for the whole divergence; the bound holds half of it",
        4 * math.sqrt(math.log(4 / delta) / m): "the 2 beside m is lost when the exponent is solved for t",
        4 * one**2: "the root is missing: the exponent holds the square of t",
        4 * math.sqrt(math.log10(4 / delta) / (2 * m)): "that is the logarithm to base ten; expected the natural one",
    }
    for other, sentence in wrongs.items():
        if math.isclose(number, other, rel_tol=1e-6):
            return sentence
    return f"for m = {m} and δ = {delta:g} it gives {number:.3g}; expected {4 * one:.3g}"


def _number(function: Callable[..., Any], *arguments: Any) -> tuple[float, str]:
    """What a reader's function gives as a number, and what is wrong where it is none."""
    value, wrong = ask(function, *arguments)
    if wrong:
        return math.nan, wrong
    try:
        if isinstance(value, bool | str):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError, RuntimeError):
        return math.nan, f"it returns {described(value)}; expected one number"
    if not math.isfinite(number):
        return number, f"it returns {number}; expected a finite number"
    return number, ""


WORDS = ("none", "between", "two")
WHY = {
    "d_H": "a half-plane that lies aslant cuts off more of one colour than of the other, but never all of it",
    "proxy": "both colours have their middle at the centre, so which side should a regression prefer?",
    "d_HΔH": "which two half-planes disagree on exactly two opposite fields?",
}


def checkerboard(measured: Mapping[str, float], guess: Any) -> Answer:
    """Check what was predicted of three numbers for a checkerboard: near none, near two, or between.

    Args:
        measured: ``d_H`` and ``d_HΔH`` of half-planes and the ``proxy`` A-distance.
        guess: for each of the three ``"none"``, ``"between"`` or ``"two"``.

    Example:
        >>> measured = {"d_H": 0.68, "proxy": 0.03, "d_HΔH": 2.0}
        >>> checkerboard(measured, {"d_H": "between", "proxy": "none", "d_HΔH": "two"})
        The checkerboard: right
    """
    title = "The checkerboard"
    if not isinstance(guess, Mapping):
        return Answer(title, f"your guess is {described(guess)}; expected a dictionary with {', '.join(WHY)}")
    for name, why in WHY.items():
        if name not in guess:
            return Answer(title, f"{name} is missing; expected a guess for each of {', '.join(WHY)}")
        given = guess[name]
        if given is ... or given is None:
            return Answer(title, f"not answered yet: say what you expect of {name} in place of the three dots")
        if not isinstance(given, str) or given not in WORDS:
            return Answer(title, f"{given!r:.40} for {name}; expected {', '.join(map(repr, WORDS))}")
        number = float(measured[name])
        truth = "none" if number < 0.4 else "two" if number > 1.8 else "between"
        if given != truth:
            return Answer(title, f"{name}: you say {given!r}, it is {number:.2f}: {why}")
    return Answer(title)
