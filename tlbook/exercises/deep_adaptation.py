"""Checks of the answers to the exercises on deep adaptation."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from tlbook import losses
from tlbook.exercises.answer import Answer, ask, described

__all__ = ["a_perfect_score", "no_pair_with_itself", "the_unit"]


def the_unit(factors: Any) -> Answer:
    """Check by which factor each distance grows where all features are doubled.

    Args:
        factors: for ``"DDC"``, ``"Deep CORAL"``, ``"DaNN"`` and ``"DAN"`` the factor.

    Example:
        >>> the_unit({"DDC": 2, "Deep CORAL": 16, "DaNN": 1, "DAN": 1})
        The unit: DDC: by 2 grows the distance of the means; equation 2 takes its square
    """
    title = "The unit"
    if factors is ...:
        return Answer(title, _BLANK)
    names = list(_FACTORS)
    if not isinstance(factors, Mapping) or set(factors) != set(names):
        return Answer(title, f"{factors!r:.40}; expected a number for each of {', '.join(names)}")
    if any(factors[name] is ... for name in names):
        return Answer(title, _BLANK)
    for name, (right, wrongs) in _FACTORS.items():
        given = factors[name]
        if isinstance(given, bool) or not isinstance(given, Real) or not math.isfinite(given):
            return Answer(title, f"{name}: {given!r:.40} is no number; expected a factor")
        if given != right:
            why = wrongs.get(float(given), f"it is not {given:g}: double the rows of two samples and compute it")
            return Answer(title, f"{name}: {why}")
    return Answer(title)


_BLANK = "not answered yet: put your own numbers in place of the three dots"
_KERNEL = {
    2.0: "the distances of the rows double, but so does σ, which is their median",
    4.0: "the squared distances grow by 4, but so does σ²",
    0.5: "nothing shrinks: σ is the median distance and doubles with the rows",
    0.0: "were σ fixed, the kernels would all but vanish; σ is the median distance and doubles with the rows",
}
_FACTORS: dict[str, tuple[float, dict[float, str]]] = {
    "DDC": (
        4.0,
        {
            2.0: "by 2 grows the distance of the means; equation 2 takes its square",
            1.0: "the means are twice as far apart, so it cannot stay as it is",
            16.0: "that would be the square of its square",
        },
    ),
    "Deep CORAL": (
        16.0,
        {
            4.0: "by 4 grows each covariance; equation 3 squares their difference",
            2.0: "by 2 grows the deviation; a covariance is of the second power, and equation 3 squares it",
            8.0: "a covariance grows by 2 · 2; square that",
            1.0: "a covariance is of the second power of the features, so it cannot stay as it is",
        },
    ),
    "DaNN": (1.0, _KERNEL),
    "DAN": (1.0, _KERNEL),
}


def no_pair_with_itself(fair: Callable[[Tensor, int], Any]) -> Answer:
    """Check the unbiased MMD², in which no row is paired with itself.

    Args:
        fair: the reader's function of the matrix of kernels of all rows, source first, and of the number of source
            rows.

    Example:
        >>> no_pair_with_itself(lambda k, n: k[:n, :n].mean() + k[n:, n:].mean() - 2 * k[:n, n:].mean())
        No pair with itself: that is equation 4 as it was: each row is still paired with itself
    """
    title = "No pair with itself"
    generator = torch.Generator().manual_seed(0)
    for n, m in ((4, 6), (5, 3)):
        z = torch.randn(n + m, 3, generator=generator, dtype=torch.float64)
        k = torch.exp(-(z[:, None] - z).square().sum(dim=2) / 4)
        value, wrong = ask(fair, k.clone(), n)
        if wrong := wrong or _wrong_fair(value, k, n):
            return Answer(title, wrong)
    return Answer(title)


def _wrong_fair(value: Any, k: Tensor, n: int) -> str:
    if isinstance(value, bool) or not isinstance(value, Real | Tensor) or (
        isinstance(value, Tensor) and (value.dim() > 0 or value.is_complex())
    ):  # fmt: skip
        return f"it returns {described(value)}; expected one number"
    number = float(value)
    if not math.isfinite(number):
        return f"it gives {number}: does a division go wrong?"
    m = len(k) - n
    s, t, across = (block.sum().item() for block in (k[:n, :n], k[n:, n:], k[:n, n:]))
    own, other, both = s - n, t - m, 2 * across / (n * m)  # a row is alike to itself by 1
    right = own / (n * (n - 1)) + other / (m * (m - 1)) - both
    corner = 2 * (across - k[:n, n:].diagonal().sum().item())
    wrongs = {
        s / n**2 + t / m**2 - both: "that is equation 4 as it was: each row is still paired with itself",
        own / n**2 + other / m**2 - both: "the pairs are left out of the sums, but still counted where you divide: "
        "there are n(n − 1) of them",
        s / (n * (n - 1)) + t / (m * (m - 1)) - both: "you divide by n(n − 1), but the sums still hold the rows with "
        "themselves",
        right + both / 2: "the pairs between the samples count twice, with a minus",
        right + both: "the pairs between the samples are missing",
        right + 2 * both: "the pairs between the samples carry a minus",
        -right: "the sign is turned round",
        right + both - corner / (n * m - min(n, m)): "you leave out a diagonal between the samples as well: there no "
        "row meets itself",
        right + both - corner / (n * m): "you leave out a diagonal between the samples as well: there no row meets "
        "itself",
        own / (n * (n - 1)) + t / m**2 - both: "only the source's rows are no longer paired with themselves",
        s / n**2 + other / (m * (m - 1)) - both: "only the target's rows are no longer paired with themselves",
    }
    if abs(number - right) < 1e-6:
        return ""
    for wrong, sentence in wrongs.items():
        if abs(number - wrong) < 1e-6:
            return sentence
    return f"for {n} and {m} rows it gives {number:.4f}; expected {right:.4f}"


def a_perfect_score(by_entropy: Callable[[int], Any], by_information: Callable[[int], Any]) -> Answer:
    """Check two classifiers that never look at an image, and get the best mark of a rule each.

    Args:
        by_entropy: the reader's function of how many images there are, to logits of ten classes; entropy must like it.
        by_information: the same; ``selection.information_risk`` must like it.

    Example:
        >>> sure = lambda n: 99 * torch.eye(10)[torch.zeros(n, dtype=torch.long)]
        >>> a_perfect_score(sure, sure)
        A perfect score: by information: all images get one class: the mean prediction should be spread over all ten
        >>> a_perfect_score(sure, lambda n: 99 * torch.eye(10)[torch.arange(n) % 10])
        A perfect score: right
    """
    title = "A perfect score"
    for name, function in (("by entropy", by_entropy), ("by information", by_information)):
        logits, wrong = ask(function, 200)
        if wrong := wrong or _wrong_score(logits, name == "by information"):
            return Answer(title, wrong if wrong.startswith("not answered") else f"{name}: {wrong}")
    return Answer(title)


def _wrong_score(logits: Any, spread: bool) -> str:
    if not isinstance(logits, Tensor) or logits.shape != (200, 10):
        return f"it returns {described(logits)}; expected logits of shape (200, 10), a row an image"
    if not logits.isfinite().all():
        return "the logits are not finite; a large number is enough"
    logits = logits.double()
    undecided = losses.entropy(logits).item()
    if undecided > 0.01:
        hint = "these look like probabilities, and a logit of 1 is not much" if _like_shares(logits) else "it is unsure"
        return f"{hint}: the entropy is {undecided:.2f}; make one logit of each row much larger than the others"
    seen = logits.argmax(dim=1).bincount(minlength=10)
    if spread and (seen > 0).sum() == 1:
        return "all images get one class: the mean prediction should be spread over all ten"
    if spread and (seen == 0).any():
        return f"{int((seen == 0).sum())} classes are never predicted: the best mark needs all ten"
    if spread and losses.entropy(seen.double().log()[None]).item() < math.log(10) - 0.01:
        return "some classes are predicted more often than others: the best mark needs equal shares"
    return ""


def _like_shares(logits: Tensor) -> bool:
    return bool((logits >= 0).all() and torch.allclose(logits.sum(dim=1), torch.ones(len(logits)).double()))
