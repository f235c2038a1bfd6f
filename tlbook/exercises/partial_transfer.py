"""Checks of the answers to the exercises on partial transfer."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from tlbook.exercises.answer import Answer, ask, described

__all__ = ["averaged_over_what", "the_bound", "the_exact_ratio"]


def the_bound(most: Callable[[int, int, float], Any]) -> Answer:
    """Check the greatest accuracy on the target that perfect alignment leaves.

    Args:
        most: the reader's function of the number of the source's classes, all equally frequent, of the number of them
            that the target has, and of the share of the source's outliers that the head reads as classes of the
            target.

    Example:
        >>> the_bound(lambda source, target, careless: target / source)
        The bound: that is the bound of a perfect reader: a careless one calls fewer images outliers, in both domains
        >>> the_bound(lambda source, target, careless: target / source + careless * (1 - target / source))
        The bound: right
    """
    title = "The bound"
    for source, target, careless in ((31, 10, 0.2), (10, 5, 0.3), (20, 4, 0.0)):
        value, wrong = ask(most, source, target, careless)
        wrong = wrong or _wrong_bound(value, source, target, careless)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _wrong_bound(value: Any, source: int, target: int, careless: float) -> str:
    found = _number(value)
    if found is None:
        return f"it returns {described(value)}; expected one number"
    share = target / source
    right = share + careless * (1 - share)
    wrongs = {
        share: "that is the bound of a perfect reader: a careless one calls fewer images outliers, in both domains",
        1 - right: "that is the share that must be wrong; the most that can be right is the rest",
        share * (1 - careless): "it takes the careless share off: but what is read as a class of the target may be "
        "right there",
        share + careless: "the careless share is of the outliers only, not of the whole source",
        1 - careless * (1 - share): "that counts the outliers that are read as classes of the target as lost; lost are "
        "those that are called outliers",
        1 - share: "that is the share of the outliers; the bound for a perfect reader is the rest",
        source / target: "a share above 1: divide the target's classes by the source's",
        100 * right: "in hundredths; expected a share between 0 and 1",
        target: "that is a number of classes; expected a share of the images",
    }
    return _named(found, right, wrongs, f"for {source} classes, {target} of them and a careless share of {careless:g}")


def averaged_over_what(paper: Any, public: Any) -> Answer:
    """Check SAN's class weights for a perfect reader: averaged over the target, and over both domains.

    Args:
        paper: the weights of a class that is there and of one that is not, averaged over the target.
        public: the same, averaged over the rows of both domains.

    Example:
        >>> averaged_over_what((0.2, 0.0), (0.3, 0.1))
        Averaged over what?: over both domains: that is the sum of both averages; expected their mean
    """
    title = "Averaged over what?"
    rules: list[tuple[str, Any, tuple[float, float], dict[tuple[float, float], str]]] = [
        (
            "over the target",
            paper,
            (0.2, 0.0),
            {
                (0.0, 0.2): "first the class that is there, then the one that is not",
                (1.0, 0.0): "a perfect reader gives 1 to each image of the class, but only some images are of it",
                (0.1, 0.1): "that is the average over the source",
                (0.1, 0.0): "the target has five classes, not ten",
                (0.2, 0.1): "a perfect reader never names a class of which the target has no image",
                (0.15, 0.05): "that is the average over both domains",
                (0.5, 0.0): "that is the target's share of the source's classes; expected the share of one class",
            },
        ),
        (
            "over both domains",
            public,
            (0.15, 0.05),
            {
                (0.05, 0.15): "first the class that is there, then the one that is not",
                (0.3, 0.1): "that is the sum of both averages; expected their mean",
                (0.2, 0.0): "that is the average over the target alone",
                (0.1, 0.1): "that is the average over the source alone",
                (0.15, 0.0): "the source has images of the class that the target lacks: they count",
                (0.1, 0.0): "the source's rows count as well, for both kinds of class",
                (0.2, 0.1): "the larger of the two averages; expected their mean",
            },
        ),
    ]
    for where, given, right, wrongs in rules:
        if given is ... or given is None or (isinstance(given, tuple | list) and any(one is ... for one in given)):
            return Answer(title, f"not answered yet: put two numbers for the average {where} in place of the dots")
        found = _pair(given)
        if found is None:
            return Answer(title, f"{where}: {given!r:.40}; expected two numbers, for a class that is there and one not")
        if _near(found, right):
            continue
        named = next((sentence for pair, sentence in wrongs.items() if _near(found, pair)), "")
        if not named and abs(5 * (found[0] + found[1]) - 1) > 0.01:
            named = "the ten weights do not sum to 1, as averages of probabilities do"
        return Answer(title, f"{where}: {named or 'not so: which share of these rows is of one such class?'}")
    return Answer(title)


def the_exact_ratio(weights: Callable[[Tensor], Tensor]) -> Answer:
    """Check weights that make the weighted source the target: p_t/p_s, with mean 1, from a discriminator's logits.

    Args:
        weights: the reader's function of N logits of source rows, positive for "target".

    Example:
        >>> the_exact_ratio(lambda z: z.sigmoid() / z.sigmoid().mean())
        The exact ratio: that is equation 5, the target's share of both; expected the target over the source
        >>> the_exact_ratio(lambda z: (z.exp() / z.exp().mean()).detach())
        The exact ratio: right
    """
    title = "The exact ratio"
    z = torch.tensor([0.0, 1.0, -2.0, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    value, wrong = ask(weights, z)
    return Answer(title, wrong or _wrong_ratio(value, z))


def _wrong_ratio(value: Any, z: Tensor) -> str:
    if not isinstance(value, Tensor) or value.shape != z.shape:
        return f"it returns {described(value)}; expected a tensor of {len(z)} weights, one a row"
    logits, found = z.detach(), value.detach().double()
    ratio, share = logits.exp(), logits.sigmoid()
    right = ratio / ratio.mean()
    wrongs = [
        (share / share.mean(), "that is equation 5, the target's share of both; expected the target over the source"),
        (share, "that is equation 5 before its mean is made 1; expected the target over the source, with mean 1"),
        (ratio, "the ratio is right, but its mean is not 1: divide by the mean"),
        (ratio / ratio.sum(), "the weights sum to 1; expected a mean of 1"),
        (ratio / ratio.max(), "the largest weight is 1; expected a mean of 1"),
        (1 / ratio / (1 / ratio).mean(), "it is upside down: the source over the target"),
        (1 / ratio, "it is upside down, the source over the target, and its mean is not 1"),
        (logits / logits.mean(), "that is the logarithm of the ratio: undo it"),
        (logits, "that is the logarithm of the ratio: undo it, and make the mean 1"),
        (share / (1 - share), "the ratio is right, but its mean is not 1: divide by the mean"),
    ]
    if not torch.allclose(found, right, rtol=1e-5, atol=1e-8):
        for other, sentence in wrongs:
            if torch.allclose(found, other, rtol=1e-5, atol=1e-8):
                return sentence
        return f"for logits {logits.tolist()} the first weight is {found[0]:.3f}; expected {right[0]:.3f}"
    if value.requires_grad:
        return "the weights are right, but a gradient would flow through them: detach them"
    return ""


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, str | bytes | bool) else float(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def _pair(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, Sequence | Tensor) or isinstance(value, str) or len(value) != 2:
        return None
    first, second = (_number(one) for one in value)
    return None if first is None or second is None else (first, second)


def _near(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(abs(a - b) < 0.002 for a, b in zip(one, other, strict=True))


def _named(found: float, right: float, wrongs: dict[float, str], where: str) -> str:
    if abs(found - right) < 1e-6:
        return ""
    if not math.isfinite(found):
        return f"it gives {found}; expected a share between 0 and 1"
    for other, sentence in wrongs.items():
        if abs(found - other) < 1e-6:
            return sentence
    return f"{where} it gives {found:.3f}; expected {right:.3f}"
