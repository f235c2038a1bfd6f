"""The key is right, the blank is not, and each plausible wrong answer gets its own sentence."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from tlbook.exercises import deep_adaptation

KEY = {"DDC": 4, "Deep CORAL": 16, "DaNN": 1, "DAN": 1}


def blank(*_: Any) -> Any:
    return ...


def stops(*_: Any) -> Any:
    raise ValueError("no such row")


def test_the_powers_of_the_unit_are_right() -> None:
    assert deep_adaptation.the_unit(KEY).right
    assert deep_adaptation.the_unit({name: float(value) for name, value in KEY.items()}).right


@pytest.mark.parametrize(
    ("factors", "sentence"),
    [
        (..., "not answered yet"),
        (KEY | {"DAN": ...}, "not answered yet"),
        (None, "None; expected a number for each of DDC"),
        ({"DDC": 4}, "expected a number for each of DDC, Deep CORAL, DaNN, DAN"),
        (KEY | {"DDC": "four"}, "DDC: 'four' is no number"),
        (KEY | {"DDC": True}, "DDC: True is no number"),
        (KEY | {"DAN": float("nan")}, "DAN: nan is no number"),
        (KEY | {"DDC": 2}, "DDC: by 2 grows the distance of the means"),
        (KEY | {"DDC": 1}, "DDC: the means are twice as far apart"),
        (KEY | {"DDC": 16}, "DDC: that would be the square of its square"),
        (KEY | {"Deep CORAL": 4}, "Deep CORAL: by 4 grows each covariance"),
        (KEY | {"Deep CORAL": 2}, "Deep CORAL: by 2 grows the deviation"),
        (KEY | {"Deep CORAL": 8}, "Deep CORAL: a covariance grows by 2 · 2"),
        (KEY | {"DaNN": 2}, "DaNN: the distances of the rows double"),
        (KEY | {"DAN": 4}, "DAN: the squared distances grow by 4"),
        (KEY | {"DAN": 0}, "DAN: were σ fixed"),
        (KEY | {"DAN": 7}, "DAN: it is not 7"),
    ],
)
def test_a_wrong_factor_is_named(factors: Any, sentence: str) -> None:
    assert sentence in deep_adaptation.the_unit(factors).wrong


def off(k: Tensor) -> Tensor:
    return k.sum() - k.diagonal().sum()


def parts(k: Tensor, n: int) -> tuple[Tensor, Tensor, Tensor, int]:
    return k[:n, :n], k[n:, n:], k[:n, n:], len(k) - n


def fair(k: Tensor, n: int, cross: float = 2) -> Tensor:
    s, t, across, m = parts(k, n)
    return off(s) / (n * (n - 1)) + off(t) / (m * (m - 1)) - cross * across.mean()


def only_sums(k: Tensor, n: int) -> Tensor:
    s, t, across, m = parts(k, n)
    return off(s) / n**2 + off(t) / m**2 - 2 * across.mean()


def only_counts(k: Tensor, n: int) -> Tensor:
    s, t, across, m = parts(k, n)
    return s.sum() / (n * (n - 1)) + t.sum() / (m * (m - 1)) - 2 * across.mean()


def only_source(k: Tensor, n: int) -> Tensor:
    s, t, across, _ = parts(k, n)
    return off(s) / (n * (n - 1)) + t.mean() - 2 * across.mean()


def only_target(k: Tensor, n: int) -> Tensor:
    s, t, across, m = parts(k, n)
    return s.mean() + off(t) / (m * (m - 1)) - 2 * across.mean()


def corner(k: Tensor, n: int) -> Tensor:
    across = k[:n, n:]
    return fair(k, n, 0) - 2 * (across.sum() - across.diagonal().sum()) / (across.numel() - min(across.shape))


def test_the_mean_over_other_rows_is_right() -> None:
    assert deep_adaptation.no_pair_with_itself(fair).right
    assert deep_adaptation.no_pair_with_itself(lambda k, n: fair(k, n).item()).right


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (blank, "not answered yet"),
        (stops, "your code stops: ValueError: no such row"),
        (lambda k, n: k[:n, :n].mean() + k[n:, n:].mean() - 2 * k[:n, n:].mean(), "that is equation 4 as it was"),
        (only_sums, "still counted where you divide"),
        (only_counts, "the sums still hold the rows"),
        (lambda k, n: fair(k, n, 1), "count twice, with a minus"),
        (lambda k, n: fair(k, n, 0), "are missing"),
        (lambda k, n: fair(k, n, -2), "carry a minus"),
        (lambda k, n: -fair(k, n), "the sign is turned round"),
        (corner, "you leave out a diagonal between the samples"),
        (only_source, "only the source's rows"),
        (only_target, "only the target's rows"),
        (lambda k, n: 3 * fair(k, n), "for 4 and 6 rows it gives"),
        (lambda k, n: k, "it returns a tensor of shape (10, 10)"),
        (lambda k, n: "small", "it returns str"),
        (lambda k, n: True, "it returns bool"),
        (lambda k, n: float("nan"), "it gives nan"),
    ],
)
def test_a_wrong_estimate_is_named(answer: Callable[..., Any], sentence: str) -> None:
    assert sentence in deep_adaptation.no_pair_with_itself(answer).wrong


def sure(n: int) -> Tensor:
    return 99 * torch.eye(10)[torch.zeros(n, dtype=torch.long)]


def even(n: int) -> Tensor:
    return 99 * torch.eye(10)[torch.arange(n) % 10]


def test_two_blind_classifiers_get_the_best_marks() -> None:
    assert deep_adaptation.a_perfect_score(sure, even).right
    assert deep_adaptation.a_perfect_score(even, even).right


@pytest.mark.parametrize(
    ("first", "second", "sentence"),
    [
        (blank, blank, "not answered yet"),
        (sure, blank, "not answered yet"),
        (stops, even, "by entropy: your code stops"),
        (lambda n: torch.zeros(n, 10), even, "by entropy: it is unsure"),
        (lambda n: sure(n) / 99, even, "by entropy: these look like probabilities"),
        (sure, sure, "by information: all images get one class"),
        (sure, lambda n: 99 * torch.eye(10)[torch.arange(n) % 2], "by information: 8 classes are never predicted"),
        (
            sure,
            lambda n: 99 * torch.eye(10)[(torch.arange(n) % 20 - 10).clamp(min=0)],
            "by information: some classes are predicted more often",
        ),
        (sure, lambda n: 0 * even(n), "by information: it is unsure"),
        (lambda n: torch.zeros(n), even, "by entropy: it returns a tensor of shape (200,)"),
        (lambda n: [[0] * 10] * n, even, "by entropy: it returns list"),
        (lambda n: float("inf") * even(n), even, "by entropy: the logits are not finite"),
    ],
)
def test_a_wrong_classifier_is_named(first: Any, second: Any, sentence: str) -> None:
    assert sentence in deep_adaptation.a_perfect_score(first, second).wrong
