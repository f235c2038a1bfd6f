"""Checks of the answers to the exercises on capsules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tlbook.exercises.answer import Answer, ask, described
from tlbook.nets import route, squash

__all__ = ["a_softmax_too_many", "hidden_parts", "how_many_voices"]

BLANK = "not answered yet: put your {} in place of the three dots"


def how_many_voices(half: Any, voices: Any) -> Answer:
    """Check two numbers about squashing: which length becomes one half, and how many short votes make a long capsule.

    Args:
        half: the length of s whose capsule has the length one half.
        voices: the least number of parts, all of whose votes for one of ten wholes are the same vector of length 0.1,
            that make its capsule 0.9 long in a single round.

    Example:
        >>> how_many_voices(0.5, 300)
        How many voices: squashed, a length of one half becomes 0.2: which length becomes one half?
        >>> how_many_voices(1, 300)
        How many voices: right
    """
    title = "How many voices"
    first, wrong = _number(half, "the length")
    if first is None:
        return Answer(title, wrong)
    if wrong := _wrong_half(first):
        return Answer(title, wrong)
    second, wrong = _number(voices, "the number of parts")
    return Answer(title, wrong if second is None else _wrong_voices(second))


def _wrong_half(half: float) -> str:
    if math.isclose(half, 1, abs_tol=0.005):
        return ""
    if half < 0:
        return f"no vector is {half:g} long"
    if math.isclose(half, 0.5, abs_tol=0.005):
        return "squashed, a length of one half becomes 0.2: which length becomes one half?"
    if math.isclose(half, math.sqrt(0.5), abs_tol=0.01):
        return "its square is one half, but what must be one half is the square over one plus the square"
    long = 1.0 if half > 1e8 else half**2 / (1 + half**2)
    return f"squashed, a length of {half:.3g} becomes {long:.2g}; expected one half"


def _wrong_voices(voices: float) -> str:
    known = {
        3: "that is how long s must be; how many votes, at their shares, make it so long?",
        9: "each vote is given whole and unsquashed: mind the shares, and equation 1",
        30: "each vote is counted whole: in the first round a part gives each of ten wholes a tenth",
        90: "that makes s as long as the capsule must be: squashing shortens it",
        900: "9 is the square of the length that s must have",
    }
    if math.isclose(voices, 300, abs_tol=0.5):
        return ""
    if voices in known:
        return known[int(voices)]
    if voices > 300:
        return f"{voices:g} parts are enough, but so are fewer"
    s = max(voices, 0) / 100
    return f"{voices:g} parts make s {s:.3g} long and the capsule {s**2 / (1 + s**2):.3f}: not yet 0.9"


def a_softmax_too_many(least: Any) -> Answer:
    """Check the smallest margin loss that is left where a soft-max of the ten lengths comes before it.

    Args:
        least: a number.

    Example:
        >>> a_softmax_too_many(0.0)
        A soft-max too many: it would be 0 if the soft-max could reach 0.9; its ten inputs all lie between 0 and 1
        >>> import math
        >>> a_softmax_too_many((0.9 - math.e / (math.e + 9)) ** 2)
        A soft-max too many: right
    """
    title = "A soft-max too many"
    number, wrong = _number(least, "the loss")
    if number is None:
        return Answer(title, wrong)
    longest = math.e / (math.e + 9)  # one capsule as long as 1, nine as long as 0; the nine come below 0.1
    right = (0.9 - longest) ** 2
    if math.isclose(number, right, abs_tol=0.002):
        return Answer(title)
    known = {
        0.0: "it would be 0 if the soft-max could reach 0.9; its ten inputs all lie between 0 and 1",
        0.81: "that is the loss where all ten numbers are 0; a soft-max sums to 1",
        0.64: "that is the loss of ten equal lengths; a longer true capsule does better",
        0.9 - longest: "the square of equation 4 is left out",
        right / 2: "the true class counts whole; only the others count half",
        longest: "that is the most that the soft-max gives the true class: put it into equation 4",
        (1 - longest) ** 2: "the margin is 0.9, not 1",
    }
    for value, sentence in known.items():
        if math.isclose(number, value, abs_tol=0.002):
            return Answer(title, sentence)
    than = "no lengths reach so little" if number < right else "there are lengths that reach less"
    return Answer(title, f"{than}: which ten lengths between 0 and 1 serve the true class best?")


def _number(value: Any, what: str) -> tuple[float | None, str]:
    """A reader's number, or what is wrong with it."""
    if value is ...:
        return None, BLANK.format(f"number for {what}")
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        return None, f"{value!r:.40} for {what}; expected a number"
    return number, ""


def hidden_parts(route_seen: Callable[[Tensor, Tensor], Tensor]) -> Answer:
    """Check a routing in which some parts are hidden: the capsules must be as if these were not there at all.

    Args:
        route_seen: the reader's function of the votes, batch × parts × wholes × numbers, and of a 1 for each part that
            is seen and a 0 for each that is hidden, batch × parts; it returns the capsules of three rounds.

    Example:
        >>> hidden_parts(lambda votes, seen: route(votes))
        Hidden parts: the hidden parts still vote
        >>> hidden_parts(lambda votes, seen: route(votes * seen[:, :, None, None]))
        Hidden parts: right
    """
    title = "Hidden parts"
    votes = 2 * torch.randn(2, 5, 3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    seen = torch.tensor([[1.0, 0, 1, 1, 0], [0, 1, 1, 0, 1]], dtype=torch.float64)
    for mask in (seen, torch.ones_like(seen)):
        value, wrong = ask(route_seen, votes.clone(), mask.clone())
        wrong = wrong or _wrong_capsules(value, votes, mask)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _wrong_capsules(value: Any, votes: Tensor, seen: Tensor) -> str:
    if not isinstance(value, Tensor) or value.shape != (2, 3, 4):
        return f"it returns {described(value)}; expected the capsules v, a tensor of shape (2, 3, 4)"
    if value.isnan().any():
        return "it returns numbers that are none (NaN): a soft-max over nothing but −∞, or a division by 0?"
    value = value.detach().double()
    right = route(votes * seen[:, :, None, None])
    if torch.allclose(value, right, atol=1e-4):
        return ""
    wrongs = _wrong_routings(votes, seen)
    for sentence, capsules in wrongs.items():
        if torch.allclose(value, capsules, atol=1e-4):
            return sentence
    if seen.all():
        return "where every part is seen it differs from the routing of the chapter"
    return "the capsules are not those that the seen parts alone would make"


def _wrong_routings(votes: Tensor, seen: Tensor) -> dict[str, Tensor]:
    """What plausible mistakes give, each by the sentence that names it."""
    mask = seen[:, :, None, None]
    shown, share = votes * mask, seen.mean(dim=1)[:, None, None]
    right, silent = route(shown), seen[:, :, None]

    def weighed(c: Tensor, given: Tensor) -> Tensor:
        return (c[..., None] * given).sum(dim=1)

    def steps(given: Tensor, keep: Tensor, last: Tensor, over: int = 2) -> Tensor:
        b = torch.zeros(votes.shape[:3], dtype=votes.dtype)
        for left in (2, 1, 0):
            s = weighed(b.softmax(dim=over), given if left else last)
            v = squash(s)
            b = (b + (given * v[:, None]).sum(dim=3)) * keep
        return s

    every = torch.ones_like(silent)
    return {
        "the hidden parts still vote": route(votes),
        "turned round: the seen parts are silent, the hidden ones vote": route(votes * (1 - mask)),
        "the hidden parts still vote, in equal shares: where all b of a part are alike, its shares are equal, not 0": (
            squash(steps(votes, silent, votes))
        ),
        "the hidden parts are left out of the last sum, but before that they moved the couplings of the others": (
            squash(steps(votes, every, shown))
        ),
        "the votes are averaged over the seen parts; expected their sum": squash(
            steps(shown, every, shown) / (len(seen[0]) * share)
        ),
        "the couplings are normalised over the parts; expected over the wholes": squash(steps(shown, every, shown, 1)),
        "this is one round; expected three": route(shown, iterations=1),
        "these are the sums s; expected squashed ones": steps(shown, every, shown),
        "the capsules themselves are made shorter by the share of parts that are seen; expected the votes left out": (
            route(votes) * share
        ),
        "the capsules of the seen parts are right, then made shorter by the share that is seen": right * share,
    }
