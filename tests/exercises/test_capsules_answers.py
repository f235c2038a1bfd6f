"""The key is right, the blank is not, and each plausible wrong answer gets its own sentence."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tlbook.exercises import capsules
from tlbook.nets import route, squash

LEAST = (0.9 - math.e / (math.e + 9)) ** 2


@pytest.mark.parametrize("voices", [300, 300.0, torch.tensor(300), np.float32(300)])
def test_one_and_three_hundred_are_right(voices: Any) -> None:
    assert capsules.how_many_voices(1, voices).right


@pytest.mark.parametrize(
    ("half", "voices", "sentence"),
    [
        (..., 300, "not answered yet: put your number for the length"),
        (1, ..., "not answered yet: put your number for the number of parts"),
        (0.5, 300, "becomes 0.2"),
        (0.7071, 300, "its square is one half, but"),
        (-1, 300, "no vector is -1 long"),
        (2, 300, "a length of 2 becomes 0.8"),
        (1e200, 300, "becomes 1; expected one half"),
        (1, 3, "that is how long s must be"),
        (1, 9, "each vote is given whole and unsquashed"),
        (1, 30, "each vote is counted whole"),
        (1, 90, "squashing shortens it"),
        (1, 900, "9 is the square"),
        (1, 1000, "1000 parts are enough, but so are fewer"),
        (1, 299, "299 parts make s 2.99 long and the capsule 0.899: not yet"),
        (1, -5, "-5 parts make s 0 long"),
    ],
)
def test_a_wrong_number_of_voices_is_named(half: Any, voices: Any, sentence: str) -> None:
    assert sentence in capsules.how_many_voices(half, voices).wrong


NO_NUMBERS = [None, "1", True, math.nan, math.inf, [1, 2], torch.ones(3), 10**400]


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_what_is_no_number_is_called_so(value: Any) -> None:
    for answer in (
        capsules.how_many_voices(value, 300),
        capsules.how_many_voices(1, value),
        capsules.a_softmax_too_many(value),
    ):
        assert "expected a number" in answer.wrong


@pytest.mark.parametrize("least", [LEAST, round(LEAST, 2) + 1e-9, torch.tensor(LEAST)])
def test_the_least_loss_is_right(least: Any) -> None:
    assert capsules.a_softmax_too_many(least).right == math.isclose(float(least), LEAST, abs_tol=0.002)
    assert capsules.a_softmax_too_many(LEAST).right


@pytest.mark.parametrize(
    ("least", "sentence"),
    [
        (..., "not answered yet"),
        (0, "it would be 0 if the soft-max could reach 0.9"),
        (0.81, "where all ten numbers are 0"),
        (0.64, "the loss of ten equal lengths"),
        (LEAST**0.5, "the square of equation 4 is left out"),
        (LEAST / 2, "only the others count half"),
        (0.232, "put it into equation 4"),
        (0.59, "the margin is 0.9, not 1"),
        (0.3, "no lengths reach so little"),
        (0.5, "there are lengths that reach less"),
    ],
)
def test_another_loss_is_named(least: Any, sentence: str) -> None:
    assert sentence in capsules.a_softmax_too_many(least).wrong


def test_the_loss_is_what_the_package_computes() -> None:
    from tlbook.losses import margin_loss

    lengths = torch.eye(10)[:1].softmax(dim=1)
    assert capsules.a_softmax_too_many(margin_loss(lengths, torch.tensor([0]))).right


def by_hand(
    hide_votes: bool = True, hide_last: bool = True, keep: str = "", over: int = 2, average: bool = False
) -> Callable[[Tensor, Tensor], Tensor]:
    """Three rounds, with the mistakes that are asked for."""

    def route_seen(votes: Tensor, seen: Tensor) -> Tensor:
        given = votes * seen[:, :, None, None] if hide_votes else votes
        b = torch.zeros(votes.shape[:3], dtype=votes.dtype)
        for left in (2, 1, 0):
            if keep == "zero":
                b = b * seen[:, :, None]
            if keep == "low":
                b = b - 1e9 * (1 - seen[:, :, None])
            if keep == "infinite":
                b = b.masked_fill(seen[:, :, None] == 0, -torch.inf)
            last = votes * seen[:, :, None, None] if hide_last and not left else given
            s = (b.softmax(dim=over)[..., None] * last).sum(dim=1)
            v = squash(s / seen.sum(dim=1)[:, None, None] if average and not left else s)
            b = b + (given * v[:, None]).sum(dim=3)
        return v

    return route_seen


@pytest.mark.parametrize("route_seen", [by_hand(), lambda votes, seen: route(votes * seen[:, :, None, None])])
def test_silent_parts_are_right(route_seen: Callable[[Tensor, Tensor], Tensor]) -> None:
    assert capsules.hidden_parts(route_seen).right


def test_it_is_the_same_as_parts_that_are_not_there() -> None:
    def without(votes: Tensor, seen: Tensor) -> Tensor:
        rows = [route(row[None, there.bool()]) for row, there in zip(votes, seen, strict=True)]
        return torch.cat(rows)

    assert capsules.hidden_parts(without).right


def stops(votes: Tensor, seen: Tensor) -> Tensor:
    raise RuntimeError("shapes differ")


def shown(votes: Tensor, seen: Tensor) -> Tensor:
    return votes * seen[:, :, None, None]


@pytest.mark.parametrize(
    ("route_seen", "sentence"),
    [
        (lambda votes, seen: ..., "not answered yet"),
        (lambda votes, seen: None, "not answered yet"),
        (stops, "your code stops: RuntimeError: shapes differ"),
        (lambda votes: votes, "your code stops: TypeError"),
        (lambda votes, seen: (votes, seen), "it returns tuple; expected the capsules v"),
        (lambda votes, seen: votes, "it returns a tensor of shape (2, 5, 3, 4)"),
        (lambda votes, seen: 0.5, "it returns float"),
        (lambda votes, seen: route(votes), "the hidden parts still vote"),
        (lambda votes, seen: route(shown(votes, 1 - seen)), "turned round"),
        (by_hand(hide_votes=False, hide_last=False, keep="zero"), "in equal shares"),
        (by_hand(hide_votes=False, hide_last=False, keep="low"), "the hidden parts still vote"),
        (by_hand(hide_votes=False, hide_last=False, keep="infinite"), "NaN"),
        (by_hand(hide_votes=False), "before that they moved the couplings"),
        (by_hand(average=True), "the votes are averaged"),
        (by_hand(over=1), "normalised over the parts"),
        (lambda votes, seen: route(shown(votes, seen), iterations=1), "this is one round"),
        (lambda votes, seen: route(votes) * seen.mean(dim=1)[:, None, None], "expected the votes left out"),
        (lambda votes, seen: route(shown(votes, seen)) * seen.mean(dim=1)[:, None, None], "then made shorter"),
        (lambda votes, seen: route(shown(votes, seen), iterations=2), "not those that the seen parts alone"),
        (lambda votes, seen: route(votes[:, seen.bool().all(dim=0)]), "not those that the seen parts alone"),
    ],
)
def test_a_part_that_is_not_silent_is_named(route_seen: Callable[..., Any], sentence: str) -> None:
    answer = capsules.hidden_parts(route_seen)
    assert sentence in answer.wrong
    assert not answer.right


def test_a_wrong_routing_of_parts_that_are_all_seen_is_named() -> None:
    def wrong(votes: Tensor, seen: Tensor) -> Tensor:
        return route(shown(votes, seen), iterations=2 if seen.all() else 3)

    assert "where every part is seen" in capsules.hidden_parts(wrong).wrong
