"""Checks of the answers to the exercises on zero-shot learning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tlbook.exercises.answer import Answer, ask, described

__all__ = ["a_fair_score", "a_printers_error", "yes_or_no"]

Array = NDArray[Any]


def a_fair_score(score: Callable[[Array, Array, list[int]], float]) -> Answer:
    """Check a harmonic mean of the accuracies on seen and on unseen classes, each a mean over classes.

    Args:
        score: the reader's function of the N names given, of the N true ones, and of the list of the seen classes.

    Example:
        >>> a_fair_score(lambda named, true, seen: (named == true).mean())
        A fair score: it counts images, seen and unseen together: silence about unseen classes costs next to nothing
        >>> def score(named, true, seen):
        ...     right = {c: (named[true == c] == c).mean() for c in np.unique(true)}
        ...     a = np.mean([share for c, share in right.items() if c in seen])
        ...     b = np.mean([share for c, share in right.items() if c not in seen])
        ...     return 2 * a * b / (a + b)
        >>> a_fair_score(score)
        A fair score: right
    """
    title = "A fair score"
    found = [_checked(score, named, true, [0, 2, 5]) for true, named in SCORED]
    if found == [ONE_SIDE["unseen"], ONE_SIDE["seen"]]:
        return Answer(title, "it is the smaller of the two: then nobody cares for the larger")
    if found == [ONE_SIDE["seen"], ONE_SIDE["unseen"]]:
        return Answer(title, "it is the larger of the two: then nobody cares for the smaller")
    return Answer(title, next((wrong for wrong in found if wrong), ""))


ONE_SIDE = {side: f"it is the accuracy on {side} classes alone" for side in ("seen", "unseen")}


# Names and truths of five classes; on the first the unseen ones, 1 and 3, are named less well, on the second better.
SCORED = (
    (
        np.repeat([0, 2, 5, 1, 3], [6, 2, 2, 8, 2]),
        np.array([0, 0, 0, 0, 0, 2, 2, 5, 5, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 3]),
    ),
    (
        np.repeat([0, 2, 5, 1, 3], [5, 4, 2, 4, 5]),
        np.array([0, 0, 1, 2, 1, 2, 1, 0, 5, 5, 0, 1, 1, 2, 0, 3, 3, 3, 3, 0]),
    ),
)


def _checked(score: Callable[..., Any], named: Array, true: Array, seen: list[int]) -> str:
    value, wrong = ask(score, named.copy(), true.copy(), seen)
    return wrong or _wrong_score(value, named, true, seen)


def _wrong_score(value: Any, named: Array, true: Array, seen: list[int]) -> str:
    number, wrong = _as_number(value)
    if wrong:
        return wrong
    of_seen = np.isin(true, seen)
    share = {c: float((named[true == c] == c).mean()) for c in np.unique(true)}
    a_s = float(np.mean([share[c] for c in share if c in seen]))
    a_u = float(np.mean([share[c] for c in share if c not in seen]))
    by_image = [float((named[rows] == true[rows]).mean()) for rows in (of_seen, ~of_seen)]
    right = _harmonic(a_s, a_u)
    wrongs = {
        float((named == true).mean()): (
            "it counts images, seen and unseen together: silence about unseen classes costs next to nothing"
        ),
        (a_s + a_u) / 2: "it is the arithmetic mean: a method that never says an unseen name gets half marks",
        float(np.mean(list(share.values()))): "it is the mean over all classes, which hides the unseen among many seen",
        _harmonic(*by_image): "each of the two is a share of images; expected a mean over classes",
        right / 2: "it is half as much: the 2 of the formula is left out",
        a_s * a_u: "it is the product: two good accuracies would give a poor score; divide by their sum, times two",
        (a_s * a_u) ** 0.5: "it is the geometric mean",
        a_s: ONE_SIDE["seen"],
        a_u: ONE_SIDE["unseen"],
        1 / right: "it is turned upside down: one divided by the harmonic mean",
    }  # fmt: skip
    if abs(number - right) < 1e-6:
        return ""
    for other, sentence in wrongs.items():
        if abs(number - other) < 1e-6:
            return sentence
    given = f"for accuracies of {a_s:.3g} on seen and {a_u:.3g} on unseen classes"
    return f"{given} it gives {number:.3g}; expected {right:.3g}"


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b)


def _as_number(value: Any) -> tuple[float, str]:
    """What was returned as a number, or the sentence that says that it is none."""
    try:
        numbers = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return 0.0, f"it returns {described(value)}; expected a number"
    if isinstance(value, bool | str) or numbers.size != 1:
        return 0.0, f"it returns {described(value)} of {numbers.size} numbers; expected one"
    number = float(numbers.reshape(-1)[0])
    return number, "" if np.isfinite(
        number
    ) else f"it returns {number}; expected a number: do you divide by an empty set?"


def yes_or_no(scores: Callable[[Array, Array, Array], Array]) -> Answer:
    """Check the logarithm of direct attribute prediction: what the image answers, against what is usual.

    Args:
        scores: the reader's function of p, N×M, the belief that an image has an attribute; of the prior, M, the share
            of the seen classes that have it; and of ``has``, C×M, 1 where a class has it and 0 where not.

    Example:
        >>> yes_or_no(lambda p, prior, has: np.log(p) @ has.T + np.log(1 - p) @ (1 - has).T)
        Yes or no: the prior is left out: what nearly all classes have is no news
        >>> def scores(p, prior, has):
        ...     return np.log(p / prior) @ has.T + np.log((1 - p) / (1 - prior)) @ (1 - has).T
        >>> yes_or_no(scores)
        Yes or no: right
    """
    title = "Yes or no"
    rng = np.random.default_rng(0)
    p, prior = rng.uniform(0.1, 0.9, (5, 4)), np.array([0.2, 0.5, 0.7, 0.85])
    has = np.array([[1, 0, 1, 0], [0, 0, 1, 1], [1, 1, 0, 1.0]])
    value, wrong = ask(scores, p.copy(), prior.copy(), has.copy())
    return Answer(title, wrong or _wrong_scores(value, p, prior, has))


def _wrong_scores(value: Any, p: Array, prior: Array, has: Array) -> str:
    try:
        given = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return f"it returns {described(value)}; expected an array of {len(p)} images by {len(has)} classes"
    shape = (len(p), len(has))
    if given.shape == shape[::-1]:
        return f"its shape is {given.shape}, classes by images; expected {shape}: turn it round"
    if given.shape != shape:
        return f"its shape is {given.shape}; expected {shape}, a score for each image and each class"
    if not np.isfinite(given).all():
        return "some scores are not finite: a logarithm of zero or of less"
    has_not = 1 - has
    yes, no = np.log(p) @ has.T, np.log(1 - p) @ has_not.T
    usual_yes, usual_no = np.log(prior) @ has.T, np.log(1 - prior) @ has_not.T
    right = yes + no - usual_yes - usual_no
    wrongs = [
        (yes + no, "the prior is left out: what nearly all classes have is no news"),
        (yes - usual_yes, "only the attributes that a class has are counted: that one is missing tells as much"),
        (no - usual_no, "only the attributes that a class lacks are counted: add those that it has"),
        (yes, "only the attributes that a class has are counted, and the prior is left out"),
        (yes + no + usual_yes + usual_no, "the prior multiplies; expected it to divide"),
        (yes + no - usual_yes, "the prior of the attributes that a class lacks is left out: 1 − p goes with 1 − prior"),
        (np.log(p / prior) @ has_not.T + np.log((1 - p) / (1 - prior)) @ has.T, "yes and no are exchanged"),
        (-right, "the sign is turned round: the worst class would win"),
        (np.exp(right), "this is the product itself: with many attributes it runs to zero; give its logarithm"),
        (right / p.shape[1], "this is the mean over the attributes; the winner is the same, expected the sum"),
        (p @ has.T + (1 - p) @ has_not.T, "beliefs are added; the formula multiplies them"),
    ]  # fmt: skip
    if np.allclose(given, right, atol=1e-6):
        return ""
    for other, sentence in wrongs:
        if np.allclose(given, other, atol=1e-6):
            return sentence
    return f"for the first image and class it gives {given[0, 0]:.3g}; expected {right[0, 0]:.3g}"


def a_printers_error(named: Array, true: Array, answer: Any) -> Answer:
    """Check what most images of each digit are called once two descriptions are exchanged, against what happened.

    Args:
        named: N, the digit that each image was called.
        true: N, the digit that it is.
        answer: for each digit the name that most of its images get.

    Example:
        >>> true = np.array([3, 3, 6, 6, 8, 8])
        >>> a_printers_error(np.array([8, 8, 6, 6, 3, 3]), true, {3: 8, 6: 6, 8: 3})
        A printer's error: right
        >>> a_printers_error(np.array([8, 8, 6, 6, 3, 3]), true, {3: 3, 6: 6, 8: 8})
        A printer's error: of the images of 3 most are called 8: all that the method knows of a name is its row
    """
    title = "A printer's error"
    digits = sorted({int(c) for c in np.unique(true)})
    if answer is ... or (isinstance(answer, Mapping) and any(answer.get(c) is ... for c in digits)):
        return Answer(title, "not answered yet: put a digit in place of each of the three dots")
    if not isinstance(answer, Mapping) or set(answer) != set(digits):
        return Answer(
            title, f"{answer!r:.40} is no answer for each of {digits}; expected one such as {{3: 3, 6: 6, 8: 8}}"
        )
    for c in digits:
        if isinstance(answer[c], bool) or not isinstance(answer[c], int | np.integer) or answer[c] not in digits:
            return Answer(title, f"{answer[c]!r:.40} for {c}; expected one of {digits}: only these names can be given")
    for c in digits:
        most = max(digits, key=lambda name: int(np.sum(np.asarray(named)[np.asarray(true) == c] == name)))
        if answer[c] != most:
            why = "all that the method knows of a name is its row"
            if most == c:
                why = "its own row is where it was"
            elif answer[c] != c:
                why = "which row describes it now?"
            return Answer(title, f"of the images of {c} most are called {most}: {why}")
    return Answer(title)
