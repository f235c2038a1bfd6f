"""The key is right, the blank is not, and each plausible wrong answer gets its own sentence."""

from typing import Any

import pytest
import torch
from torch import Tensor

from tlbook.exercises import partial_transfer


def blank(*_: Any) -> Any:
    return ...


def stops(*_: Any) -> Any:
    raise ValueError("no such class")


def right_bound(source: int, target: int, careless: float) -> float:
    return 1 - (1 - target / source) * (1 - careless)


BOUNDS = {
    "blank": (blank, "not answered yet"),
    "nothing": (lambda s, t, e: None, "not answered yet"),
    "stops": (stops, "your code stops: ValueError: no such class"),
    "words": (lambda s, t, e: "a half", "it returns str; expected one number"),
    "several": (lambda s, t, e: torch.zeros(3), "it returns a tensor of shape (3,)"),
    "NaN": (lambda s, t, e: float("nan"), "it gives nan; expected a share between 0 and 1"),
    "perfect": (lambda s, t, e: t / s, "that is the bound of a perfect reader"),
    "wrong share": (lambda s, t, e: 1 - right_bound(s, t, e), "that is the share that must be wrong"),
    "taken off": (lambda s, t, e: t / s * (1 - e), "it takes the careless share off"),
    "of the whole": (lambda s, t, e: t / s + e, "the careless share is of the outliers only"),
    "lost": (lambda s, t, e: 1 - e * (1 - t / s), "lost are those that are called outliers"),
    "outliers": (lambda s, t, e: 1 - t / s, "that is the share of the outliers"),
    "upside down": (lambda s, t, e: s / t, "a share above 1"),
    "hundredths": (lambda s, t, e: 100 * right_bound(s, t, e), "in hundredths"),
    "classes": (lambda s, t, e: t, "that is a number of classes"),
    "a constant": (lambda s, t, e: 0.123, "for 31 classes, 10 of them and a careless share of 0.2 it gives 0.123"),
}


def test_the_bound_for_a_careless_reader_is_right() -> None:
    assert partial_transfer.the_bound(right_bound).right
    assert partial_transfer.the_bound(lambda s, t, e: torch.tensor(right_bound(s, t, e), dtype=torch.float64)).right


@pytest.mark.parametrize(("most", "sentence"), BOUNDS.values(), ids=BOUNDS)
def test_a_wrong_bound_is_named(most: Any, sentence: str) -> None:
    answer = partial_transfer.the_bound(most)
    assert sentence in answer.wrong
    assert not answer.right


def test_each_wrong_bound_has_a_sentence_of_its_own() -> None:
    said = [partial_transfer.the_bound(most).wrong for name, (most, _) in BOUNDS.items() if name != "nothing"]
    assert len(set(said)) == len(said)


PAPER, PUBLIC = (0.2, 0.0), (0.15, 0.05)


@pytest.mark.parametrize("kind", [tuple, list, torch.tensor])
def test_both_averages_are_right(kind: Any) -> None:
    assert partial_transfer.averaged_over_what(kind(PAPER), kind(PUBLIC)).right


@pytest.mark.parametrize(
    ("paper", "public", "sentence"),
    [
        (..., PUBLIC, "not answered yet: put two numbers for the average over the target"),
        ((..., ...), PUBLIC, "not answered yet: put two numbers for the average over the target"),
        (PAPER, None, "not answered yet: put two numbers for the average over both domains"),
        (0.2, PUBLIC, "over the target: 0.2; expected two numbers"),
        ((0.2,), PUBLIC, "expected two numbers"),
        (("a", "b"), PUBLIC, "expected two numbers"),
        (torch.zeros(2, 2), PUBLIC, "expected two numbers"),
        ((0.0, 0.2), PUBLIC, "over the target: first the class that is there"),
        ((1.0, 0.0), PUBLIC, "gives 1 to each image of the class"),
        ((0.1, 0.1), PUBLIC, "that is the average over the source"),
        ((0.1, 0.0), PUBLIC, "the target has five classes, not ten"),
        ((0.2, 0.1), PUBLIC, "never names a class of which the target has no image"),
        (PUBLIC, PUBLIC, "over the target: that is the average over both domains"),
        ((0.5, 0.0), PUBLIC, "expected the share of one class"),
        ((0.7, 0.0), PUBLIC, "do not sum to 1"),
        ((float("nan"), 0.0), PUBLIC, "over the target: not so"),
        (PAPER, (0.05, 0.15), "over both domains: first the class that is there"),
        (PAPER, (0.3, 0.1), "that is the sum of both averages"),
        (PAPER, PAPER, "that is the average over the target alone"),
        (PAPER, (0.1, 0.1), "that is the average over the source alone"),
        (PAPER, (0.15, 0.0), "the source has images of the class that the target lacks"),
        (PAPER, (0.1, 0.0), "the source's rows count as well"),
        (PAPER, (0.2, 0.1), "the larger of the two averages"),
        (PAPER, (0.12, 0.08), "not so: which share of these rows"),
    ],
)
def test_a_wrong_average_is_named(paper: Any, public: Any, sentence: str) -> None:
    answer = partial_transfer.averaged_over_what(paper, public)
    assert sentence in answer.wrong
    assert not answer.right


def ratio(z: Tensor) -> Tensor:
    return z.exp() / z.exp().mean()


RATIOS = {
    "blank": (blank, "not answered yet"),
    "nothing": (lambda z: None, "not answered yet"),
    "stops": (stops, "your code stops"),
    "a number": (lambda z: 1.0, "it returns float; expected a tensor of 5 weights"),
    "one for all": (lambda z: ratio(z).sum(), "it returns a tensor of shape ()"),
    "equation 5": (lambda z: z.sigmoid() / z.sigmoid().mean(), "that is equation 5, the target's share of both"),
    "bare sigmoid": (lambda z: z.sigmoid(), "that is equation 5 before its mean is made 1"),
    "no mean": (lambda z: z.exp(), "the ratio is right, but its mean is not 1"),
    "soft-max": (lambda z: z.softmax(dim=0), "the weights sum to 1; expected a mean of 1"),
    "largest one": (lambda z: z.exp() / z.exp().max(), "the largest weight is 1"),
    "upside down": (lambda z: ratio(-z), "it is upside down: the source over the target"),
    "bare, upside down": (lambda z: (-z).exp(), "it is upside down, the source over the target, and its mean"),
    "logarithm": (lambda z: z / z.mean(), "that is the logarithm of the ratio: undo it"),
    "logits": (lambda z: z, "undo it, and make the mean 1"),
    "gradient": (ratio, "a gradient would flow through them: detach them"),
    "NaN": (lambda z: z * float("nan"), "the first weight is nan"),
    "ones": (torch.ones_like, "the first weight is 1.000; expected"),
}


def test_the_exact_ratio_is_right() -> None:
    assert partial_transfer.the_exact_ratio(lambda z: ratio(z).detach()).right
    assert partial_transfer.the_exact_ratio(lambda z: len(z) * z.detach().softmax(dim=0)).right


@pytest.mark.parametrize(("weights", "sentence"), RATIOS.values(), ids=RATIOS)
def test_a_wrong_ratio_is_named(weights: Any, sentence: str) -> None:
    answer = partial_transfer.the_exact_ratio(weights)
    assert sentence in answer.wrong
    assert not answer.right


def test_each_wrong_ratio_has_a_sentence_of_its_own() -> None:
    said = [
        partial_transfer.the_exact_ratio(weights).wrong for name, (weights, _) in RATIOS.items() if name != "nothing"
    ]
    assert len(set(said)) == len(said)
