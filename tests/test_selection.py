"""Selection without target labels: each risk against numpy, and no way in for a label of the target."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tlbook import evaluate, nets, selection
from tlbook.data import Domain
from tlbook.errors import TlbookError

CLASSES = ("a", "b", "c")


def domain(x: Tensor, y: Tensor | None = None) -> Domain:
    return Domain("rows", x, y, CLASSES)


class Fixed(nn.Module):
    """A classifier that always says the same class."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        return 50 * torch.eye(3, dtype=x.dtype)[self.k].expand(len(x), 3)


def test_source_risk_is_the_share_of_errors() -> None:
    x = torch.eye(3)[[0, 1, 2, 0]]
    assert selection.source_risk(nn.Identity(), domain(x, torch.tensor([0, 1, 1, 1]))) == 0.5


def test_entropy_and_information_are_the_formulas() -> None:
    logits = torch.randn(40, 3, dtype=torch.float64)
    e = np.exp(logits.numpy())
    p = e / e.sum(axis=1, keepdims=True)
    mean_entropy = float(np.mean([-sum(v * math.log(v) for v in row) for row in p]))
    q = p.mean(axis=0)
    information = sum(p[i, k] * math.log(p[i, k] / q[k]) for i in range(40) for k in range(3)) / 40
    assert selection.target_entropy(nn.Identity(), domain(logits)) == pytest.approx(mean_entropy, abs=1e-12)
    assert selection.information_risk(nn.Identity(), domain(logits)) == pytest.approx(-information, abs=1e-12)


def test_a_collapsed_model_pleases_the_entropy_and_not_the_information() -> None:
    target = domain(50 * torch.eye(3).repeat(5, 1))
    sorted_out, collapsed = nn.Identity(), Fixed(1)
    assert selection.target_entropy(collapsed, target) == pytest.approx(0, abs=1e-6)
    assert selection.information_risk(collapsed, target) == pytest.approx(0, abs=1e-6)
    assert selection.information_risk(sorted_out, target) == pytest.approx(-math.log(3), abs=1e-6)


def test_a_class_that_underflows_gives_no_nan() -> None:
    target = domain(torch.tensor([[2000.0, 0.0, 0.0], [0.0, 2000.0, 0.0]]))
    assert selection.information_risk(nn.Identity(), target) == pytest.approx(-math.log(2), abs=1e-6)


def test_the_reverse_training_gets_guesses_for_labels_and_no_source_label() -> None:
    source = domain(torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2]))
    validation = domain(torch.eye(3), torch.tensor([0, 1, 1]))
    target = domain(torch.eye(3)[[2, 2, 0]])
    seen: list[tuple[Domain, Domain]] = []

    def train(*pair: Domain) -> nn.Module:
        seen.append(pair)
        return Fixed(1)

    risk = selection.reverse_risk(nn.Identity(), source, validation, target, train)
    assert risk == pytest.approx(1 / 3)  # the reverse classifier's error, on the validation rows
    [(back_source, back_target)] = seen
    assert torch.equal(back_source.x, target.x)
    assert back_source.labels().tolist() == [2, 2, 0]
    assert torch.equal(back_target.x, source.x)
    assert back_target.y is None


def test_the_way_back_leads_to_the_source_and_is_read_with_its_statistics() -> None:
    rows = domain(torch.eye(3), torch.arange(3))
    back = nn.Sequential(nets.DomainBatchNorm(3))
    back[0].running_mean.copy_(torch.tensor([9.0, 0.0, 0.0]))  # of what training back had for a target: the source
    found = selection.reverse_risk(nn.Identity(), rows, rows, rows.unlabelled(), lambda *_: back)
    assert found == 1 - evaluate.accuracy(back, rows, statistics="target")
    assert found != 1 - evaluate.accuracy(back, rows, statistics="source")


X = torch.eye(3)
Y = torch.arange(3)
USES_TARGET: dict[str, Callable[[Domain], Any]] = {
    "target_entropy": lambda target: selection.target_entropy(nn.Identity(), target),
    "information_risk": lambda target: selection.information_risk(nn.Identity(), target),
    "reverse_risk": lambda target: selection.reverse_risk(
        nn.Identity(), domain(X, Y), domain(X, Y), target, lambda *_: nn.Identity()
    ),
}


@pytest.mark.parametrize("name", USES_TARGET)
def test_a_labelled_target_is_refused(name: str) -> None:
    with pytest.raises(TlbookError, match=r"must not see them: give target\.unlabelled"):
        USES_TARGET[name](domain(X, Y))
    USES_TARGET[name](domain(X, Y).unlabelled())


def test_no_other_function_takes_a_target() -> None:
    takes = [n for n in selection.__all__ if "target" in inspect.signature(getattr(selection, n)).parameters]
    assert sorted(takes) == sorted(USES_TARGET)


def test_choose_takes_the_lowest_and_the_first_of_equals() -> None:
    assert selection.choose({"a": 0.3, "b": -0.2, "c": 0.1}) == "b"
    assert selection.choose({"b": 0.1, "a": 0.1}) == "b"


@pytest.mark.parametrize("risks", [{}, {"a": 0.1, "b": math.nan}, {"a": math.inf}])
def test_choose_refuses_what_cannot_be_compared(risks: dict[str, float]) -> None:
    with pytest.raises(TlbookError, match=r"^risks is [^\n]*expected one or more numbers[^\n]*drop other candidates$"):
        selection.choose(risks)
