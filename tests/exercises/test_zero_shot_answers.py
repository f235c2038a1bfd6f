"""The key is right, the blank is not, and each plausible wrong answer gets its own sentence."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tlbook.exercises import zero_shot


def blank(*_: Any) -> Any:
    return ...


def stops(*_: Any) -> Any:
    raise ValueError("no such class")


def halves(named: Any, true: Any, seen: list[int]) -> tuple[float, float]:
    right = {c: (named[true == c] == c).mean() for c in np.unique(true)}
    a, b = ([v for c, v in right.items() if (c in seen) == of_seen] for of_seen in (True, False))
    return float(np.mean(a)), float(np.mean(b))


def harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b)


def by_image(named: Any, true: Any, seen: list[int]) -> float:
    of_seen = np.isin(true, seen)
    return harmonic(*((named[rows] == true[rows]).mean() for rows in (of_seen, ~of_seen)))


def over_all_classes(named: Any, true: Any, seen: list[int]) -> float:
    return float(np.mean([(named[true == c] == c).mean() for c in np.unique(true)]))


WRONG_SCORES: dict[str, tuple[Callable[..., Any], str]] = {
    "blank": (blank, "not answered yet"),
    "stops": (stops, "your code stops: ValueError: no such class"),
    "accuracy": (lambda n, t, s: (n == t).mean(), "it counts images, seen and unseen together"),
    "arithmetic": (lambda *g: sum(halves(*g)) / 2, "arithmetic mean"),
    "all classes": (over_all_classes, "the mean over all classes"),
    "by image": (by_image, "each of the two is a share of images"),
    "no two": (lambda *g: harmonic(*halves(*g)) / 2, "the 2 of the formula is left out"),
    "product": (lambda *g: halves(*g)[0] * halves(*g)[1], "it is the product"),
    "geometric": (lambda *g: (halves(*g)[0] * halves(*g)[1]) ** 0.5, "geometric mean"),
    "smaller": (lambda *g: min(halves(*g)), "the smaller of the two"),
    "larger": (lambda *g: max(halves(*g)), "the larger of the two"),
    "seen": (lambda *g: halves(*g)[0], "on seen classes alone"),
    "upside down": (lambda *g: 1 / harmonic(*halves(*g)), "upside down"),
    "something else": (lambda *g: 0.123, "it gives 0.123; expected"),
    "two numbers": (halves, "expected one"),
    "a word": (lambda *g: "0.5", "expected"),
    "words": (lambda *g: ["a", "b"], "expected a number"),
    "nan": (lambda *g: float("nan"), "it returns nan"),
    "none": (lambda *g: None, "not answered yet"),
}


def test_the_harmonic_mean_of_class_means_is_right() -> None:
    assert zero_shot.a_fair_score(lambda *given: harmonic(*halves(*given))).right


@pytest.mark.parametrize(("score", "sentence"), WRONG_SCORES.values(), ids=WRONG_SCORES)
def test_a_wrong_score_is_named(score: Callable[..., Any], sentence: str) -> None:
    answer = zero_shot.a_fair_score(score)
    assert sentence in answer.wrong
    assert not answer.right


def test_a_score_that_is_wrong_on_seen_classes_only_is_told_so() -> None:
    assert "unseen classes alone" in zero_shot.a_fair_score(lambda *given: halves(*given)[1]).wrong


def key(p: Any, prior: Any, has: Any) -> Any:
    return np.log(p / prior) @ has.T + np.log((1 - p) / (1 - prior)) @ (1 - has).T


def bare(p: Any, prior: Any, has: Any) -> Any:
    return np.log(p) @ has.T + np.log(1 - p) @ (1 - has).T


WRONG_LOGARITHMS: dict[str, tuple[Callable[..., Any], str]] = {
    "blank": (blank, "not answered yet"),
    "stops": (stops, "your code stops"),
    "no prior": (bare, "the prior is left out: what nearly all"),
    "only yes": (lambda p, q, h: np.log(p / q) @ h.T, "only the attributes that a class has are counted: that one"),
    "only no": (lambda p, q, h: np.log((1 - p) / (1 - q)) @ (1 - h).T, "only the attributes that a class lacks"),
    "only yes, no prior": (lambda p, q, h: np.log(p) @ h.T, "are counted, and the prior is left out"),
    "prior multiplied": (
        lambda p, q, h: np.log(p * q) @ h.T + np.log((1 - p) * (1 - q)) @ (1 - h).T,
        "the prior multiplies",
    ),
    "half a prior": (lambda p, q, h: np.log(p / q) @ h.T + np.log(1 - p) @ (1 - h).T, "1 − p goes with 1 − prior"),
    "exchanged": (lambda p, q, h: key(p, q, 1 - h), "yes and no are exchanged"),
    "sign": (lambda p, q, h: -key(p, q, h), "the sign is turned round"),
    "product": (lambda p, q, h: np.exp(key(p, q, h)), "this is the product itself"),
    "mean": (lambda p, q, h: key(p, q, h) / 4, "the mean over the attributes"),
    "beliefs": (lambda p, q, h: p @ h.T + (1 - p) @ (1 - h).T, "beliefs are added"),
    "turned": (lambda p, q, h: key(p, q, h).T, "classes by images"),
    "one number": (lambda p, q, h: 1.0, "its shape is ()"),
    "a word": (lambda p, q, h: "yes", "expected an array"),
    "nan": (lambda p, q, h: key(p, q, h) * float("nan"), "not finite"),
    "something else": (lambda p, q, h: key(p, q, h) + 1, "for the first image and class"),
}


def test_the_logarithm_of_the_product_is_right() -> None:
    assert zero_shot.yes_or_no(key).right


@pytest.mark.parametrize(("scores", "sentence"), WRONG_LOGARITHMS.values(), ids=WRONG_LOGARITHMS)
def test_a_wrong_logarithm_is_named(scores: Callable[..., Any], sentence: str) -> None:
    answer = zero_shot.yes_or_no(scores)
    assert sentence in answer.wrong
    assert not answer.right


TRUE = np.repeat([3, 6, 8], 4)
NAMED = np.array([8, 8, 8, 3, 6, 6, 6, 8, 3, 3, 3, 8])


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({3: 8, 6: 6, 8: 3}, ""),
        ({3: 3, 6: 6, 8: 8}, "of the images of 3 most are called 8: all that the method knows of a name is its row"),
        ({3: 6, 6: 6, 8: 3}, "of the images of 3 most are called 8: which row describes it now?"),
        ({3: 8, 6: 3, 8: 3}, "of the images of 6 most are called 6: its own row is where it was"),
        ({3: 8, 6: 6, 8: 8}, "of the images of 8 most are called 3: all that the method knows"),
        ({3: ..., 6: ..., 8: ...}, "not answered yet"),
        ({3: 8, 6: 6, 8: ...}, "not answered yet"),
        (..., "not answered yet"),
        ({3: 8, 6: 6}, "is no answer for each of [3, 6, 8]"),
        (None, "None is no answer"),
        ({3: 4, 6: 6, 8: 3}, "4 for 3; expected one of [3, 6, 8]"),
        ({3: "8", 6: 6, 8: 3}, "'8' for 3; expected one of"),
        ({3: float("nan"), 6: 6, 8: 3}, "nan for 3; expected one of"),
    ],
)
def test_a_prediction_is_held_against_what_happened(answer: Any, sentence: str) -> None:
    found = zero_shot.a_printers_error(NAMED, TRUE, answer)
    assert sentence in found.wrong
    assert found.right == (sentence == "")
