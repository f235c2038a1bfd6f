"""The key is right, the blank is not, and each plausible wrong answer gets its own sentence."""

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
import torch

from tlbook.exercises import theory
from tlbook.theory import stump_divergence

Phi = Callable[[float], float]


def blank(*_: Any) -> Any:
    return ...


def stops(*_: Any) -> Any:
    raise ValueError("no such place")


MISUSE = {
    "blank": (blank, "not answered yet"),
    "nothing": (lambda *_: None, "not answered yet"),
    "raises": (stops, "your code stops: ValueError: no such place"),
    "no arguments": (lambda: 1.0, "your code stops: TypeError"),
    "a word": (lambda *_: "1.0", "it returns str; expected one number"),
    "a truth": (lambda *_: True, "it returns bool; expected one number"),
    "a list": (lambda *_: [1.0, 2.0], "it returns list; expected one number"),
    "several numbers": (lambda *_: np.ones(2), "it returns ndarray; expected one number"),
    "a tensor of several": (lambda *_: torch.ones(2), "it returns a tensor of shape (2,)"),
    "not a number": (lambda *_: math.nan, "it returns nan"),
    "infinite": (lambda *_: math.inf, "it returns inf"),
}


@pytest.mark.parametrize("check", [theory.closed_form, theory.cheaper], ids=lambda check: check.__name__)
@pytest.mark.parametrize(("function", "sentence"), MISUSE.values(), ids=MISUSE)
def test_what_is_no_number_is_told_so(check: Any, function: Any, sentence: str) -> None:
    assert sentence in check(function).wrong


def closed_form(a: float, phi: Phi) -> float:
    return 2 * (2 * phi(abs(a) / 2) - 1)


CLOSED_FORM = {
    "key": closed_form,
    "both curves": lambda a, phi: 2 * abs(phi(a / 2) - phi(-a / 2)),
    "an array of one": lambda a, phi: np.array([closed_form(a, phi)]).item(),
    "a tensor of one": lambda a, phi: torch.tensor(closed_form(a, phi)),
}


@pytest.mark.parametrize("function", CLOSED_FORM.values(), ids=CLOSED_FORM)
def test_the_key_to_the_closed_form_is_right(function: Any) -> None:
    assert theory.closed_form(function).right


def test_the_closed_form_is_what_samples_show() -> None:
    grid = (np.arange(4000) + 0.5) / 4000
    sample = np.array([[NormalDist().inv_cdf(p)] for p in grid])
    assert stump_divergence(sample, sample + 0.7) == pytest.approx(closed_form(0.7, NormalDist().cdf), abs=1e-3)


WRONG_FORM = {
    "not doubled": (lambda a, phi: 2 * phi(abs(a) / 2) - 1, "this is the largest gap itself"),
    "a for its half": (lambda a, phi: 2 * (2 * phi(a) - 1), "it has a where a half belongs"),
    "on a mean": (lambda a, phi: 2 * (phi(a) - phi(0)), "the threshold stands on a mean"),
    "one curve": (lambda a, phi: 2 * phi(a / 2), "only one of the two distribution functions is there: subtract"),
    "one curve doubled": (lambda a, phi: 4 * phi(a / 2), "and it counts twice"),
    "overlap": (lambda a, phi: 2 * (1 - phi(a / 2)), "it is what overlaps"),
    "sign": (lambda a, phi: 2 * (1 - 2 * phi(a / 2)), "the sign is turned round"),
    "no size": (lambda a, phi: 2 * (2 * phi(a / 2) - 1), "for a negative a it is negative"),
    "too large": (lambda a, phi: 7.0, "a divergence lies between 0 and 2"),
    "something else": (lambda a, phi: 0.1, "where is the gap of the two curves largest?"),
}


@pytest.mark.parametrize(("function", "sentence"), WRONG_FORM.values(), ids=WRONG_FORM)
def test_a_wrong_form_is_told_what_is_wrong(function: Any, sentence: str) -> None:
    assert sentence in theory.closed_form(function).wrong


def price(m: int, delta: float, inside: float = 4, factor: float = 4) -> float:
    return factor * math.sqrt(math.log(inside / delta) / (2 * m))


WRONG_PRICE = {
    "δ twice": (lambda m, d: price(m, d, inside=2), "δ is spent twice: there are two domains"),
    "the 2 lost": (lambda m, d: price(m, d, inside=1), "the 2 before the exponential is lost"),
    "one curve": (lambda m, d: price(m, d, factor=1), "how far one distribution function is off"),
    "one gap": (lambda m, d: price(m, d, factor=2), "how far one gap is off"),
    "all of it": (lambda m, d: price(m, d, factor=8), "this is for the whole divergence"),
    "m for 2m": (lambda m, d: price(m, d) * math.sqrt(2), "the 2 beside m is lost"),
    "no root": (lambda m, d: price(m, d) ** 2 / 4, "the root is missing"),
    "base ten": (lambda m, d: price(m, d) / math.sqrt(math.log(10)), "the logarithm to base ten"),
    "something else": (lambda m, d: 1 / m, "for m = 450 and δ = 0.05 it gives"),
}


def test_the_key_to_the_price_is_right_and_cheaper() -> None:
    assert theory.cheaper(price).right


@pytest.mark.parametrize(("function", "sentence"), WRONG_PRICE.values(), ids=WRONG_PRICE)
def test_a_wrong_price_is_told_what_is_wrong(function: Any, sentence: str) -> None:
    assert sentence in theory.cheaper(function).wrong


MEASURED = {"d_H": 0.68, "proxy": 0.03, "d_HΔH": 2.0}
KEY = {"d_H": "between", "proxy": "none", "d_HΔH": "two"}
WRONG_GUESS = {
    "blank": (dict.fromkeys(KEY, ...), "not answered yet: say what you expect of d_H"),
    "half blank": (KEY | {"d_HΔH": ...}, "not answered yet: say what you expect of d_HΔH"),
    "nothing": (KEY | {"proxy": None}, "not answered yet: say what you expect of proxy"),
    "no dictionary": (["between", "none", "two"], "your guess is list; expected a dictionary"),
    "no guess": (..., "your guess is ellipsis; expected a dictionary"),
    "one missing": ({"d_H": "between", "proxy": "none"}, "d_HΔH is missing"),
    "a number": (KEY | {"proxy": 0.0}, "0.0 for proxy; expected 'none', 'between', 'two'"),
    "a list": (KEY | {"proxy": []}, "[] for proxy; expected"),
    "another word": (KEY | {"proxy": "zero"}, "'zero' for proxy; expected"),
    "one line sees none": (KEY | {"d_H": "none"}, "d_H: you say 'none', it is 0.68: a half-plane that lies aslant"),
    "one line sees all": (KEY | {"d_H": "two"}, "d_H: you say 'two', it is 0.68: a half-plane that lies aslant"),
    "the proxy is as good": (KEY | {"proxy": "between"}, "proxy: you say 'between', it is 0.03: both colours"),
    "the proxy is large": (KEY | {"proxy": "two"}, "proxy: you say 'two', it is 0.03: both colours"),
    "the pair sees none": (KEY | {"d_HΔH": "none"}, "d_HΔH: you say 'none', it is 2.00: which two half-planes"),
    "the pair sees some": (KEY | {"d_HΔH": "between"}, "d_HΔH: you say 'between', it is 2.00: which two half-planes"),
}


def test_the_key_to_the_checkerboard_is_right() -> None:
    assert theory.checkerboard(MEASURED, KEY).right


@pytest.mark.parametrize(("guess", "sentence"), WRONG_GUESS.values(), ids=WRONG_GUESS)
def test_a_wrong_guess_is_told_what_is_wrong(guess: Any, sentence: str) -> None:
    assert sentence in theory.checkerboard(MEASURED, guess).wrong


@pytest.mark.parametrize(
    ("check", "wrongs"),
    [(theory.closed_form, WRONG_FORM), (theory.cheaper, WRONG_PRICE)],
    ids=["closed form", "cheaper"],
)
def test_each_wrong_answer_has_a_sentence_of_its_own(check: Any, wrongs: dict[str, tuple[Any, str]]) -> None:
    said = [check(function).wrong for function, _ in wrongs.values()]
    assert len(set(said)) == len(said)
