"""The key is right, the blank is not, and each plausible wrong answer gets its own sentence."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tlbook.exercises import taxonomy

KEY = {"from five on": "task", "on a display": "domain", "house numbers": "both", "mostly zeros": "domain"}


def test_the_key_to_what_differs_is_right() -> None:
    assert taxonomy.what_differs(KEY).right


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        (dict.fromkeys(KEY, ...), "from five on: not answered yet"),
        ({}, "from five on: not answered yet"),
        (KEY | {"house numbers": ...}, "house numbers: not answered yet"),
        (KEY | {"from five on": "domain"}, "no picture is new"),
        (KEY | {"from five on": "both"}, "only the answers are other ones"),
        (KEY | {"on a display": "task"}, "is still called seven"),
        (KEY | {"on a display": "both"}, "each digit keeps its name"),
        (KEY | {"house numbers": "domain"}, "left or right is no digit"),
        (KEY | {"house numbers": "task"}, "his are photographs"),
        (KEY | {"mostly zeros": "task"}, "how often which picture comes"),
        (KEY | {"mostly zeros": "both"}, "belongs to P(X) alone"),
        (KEY | {"mostly zeros": "Domain"}, "'Domain'; expected 'domain', 'task' or 'both'"),
        (KEY | {"mostly zeros": None}, "None; expected"),
        (KEY | {"mostly zeros": ["domain"]}, "expected 'domain', 'task' or 'both'"),
        ("task", "it is str; expected a dictionary"),
        (None, "it is NoneType; expected a dictionary"),
    ],
)
def test_a_wrong_place_is_told_why(answers: Any, sentence: str) -> None:
    answer = taxonomy.what_differs(answers)
    assert sentence in answer.wrong
    assert not answer.right


def made(weight: Callable[[Tensor], Tensor], bias: Callable[[Tensor], Tensor]) -> Callable[[nn.Linear], nn.Linear]:
    def reorder(layer: nn.Linear) -> nn.Linear:
        new = copy.deepcopy(layer)
        new.weight.data, new.bias.data = weight(layer.weight.data), bias(layer.bias.data)
        return new

    return reorder


def same(w: Tensor) -> Tensor:
    return w


def turned(w: Tensor) -> Tensor:
    return w.flip(0)


def in_place(layer: nn.Linear) -> nn.Linear:
    layer.weight.data = layer.weight.data.flip(0)
    layer.bias.data = layer.bias.data.flip(0)
    return layer


def stops(*_: Any) -> Any:
    raise ValueError("no such row")


HEADS: dict[str, tuple[Any, str]] = {
    "blank": (lambda layer: ..., "not answered yet"),
    "stops": (stops, "your code stops: ValueError: no such row"),
    "a tensor": (lambda layer: layer.weight.flip(0), "it returns a tensor of shape (10, 6); expected a layer"),
    "in place": (in_place, "it changes the old layer"),
    "the old one": (made(same, same), "it is the old layer"),
    "weights only": (made(turned, same), "the bias is not"),
    "bias only": (made(same, turned), "the rows of the weights are not"),
    "columns": (made(lambda w: w.flip(1), same), "the columns are turned round"),
    "both": (made(lambda w: w.flip(0, 1), turned), "rows and columns are turned round"),
    "signs": (made(lambda w: -w, lambda b: -b), "the signs are turned round"),
    "shifted": (made(lambda w: w.roll(1, 0), lambda b: b.roll(1, 0)), "shifted by one: a written 0"),
    "shifted back": (made(lambda w: w.roll(-1, 0), lambda b: b.roll(-1, 0)), "shifted by one, the other way"),
    "twice": (made(lambda w: 2 * w.flip(0), turned), "is not what the old layer gave"),
    "NaN": (made(lambda w: w * torch.nan, turned), "is not what the old layer gave"),
    "too small": (lambda layer: nn.Linear(6, 9), "expected ten logits a row"),
    "other features": (lambda layer: nn.Linear(5, 10), "the new layer cannot take the features"),
}


def test_the_head_turned_round_is_right() -> None:
    assert taxonomy.right_head(made(turned, turned)).right


@pytest.mark.parametrize(("reorder", "sentence"), HEADS.values(), ids=HEADS)
def test_a_wrong_head_is_told_what_is_wrong(reorder: Any, sentence: str) -> None:
    answer = taxonomy.right_head(reorder)
    assert sentence in answer.wrong
    assert not answer.right


def step(
    move: Callable[[Tensor, Tensor, float], Tensor] = lambda w, g, eta: w - eta * g,
    answer: Callable[[Tensor, Tensor, Tensor], Any] = lambda before, after, y: int(before.argmax()),
) -> Any:
    def online(head: nn.Module, f: Tensor, y: Tensor, eta: float) -> Any:
        before = head(f)
        gradients = torch.autograd.grad(cross_entropy(before, y), list(head.parameters()))
        for w, g in zip(head.parameters(), gradients, strict=True):
            w.data = move(w.data, g, eta)
        return answer(before, head(f), y)

    return online


def accumulates(head: nn.Module, f: Tensor, y: Tensor, eta: float) -> int:
    logits = head(f)
    gradients = torch.autograd.grad(cross_entropy(logits, y), list(head.parameters()))
    for w, g in zip(head.parameters(), gradients, strict=True):
        w.grad = g if w.grad is None else w.grad + g
    torch.optim.SGD(head.parameters(), lr=eta).step()
    return int(logits.argmax())


def weights_only(head: nn.Linear, f: Tensor, y: Tensor, eta: float) -> int:
    logits = head(f)
    [g] = torch.autograd.grad(cross_entropy(logits, y), [head.weight])
    head.weight.data -= eta * g
    return int(logits.argmax())


STEPS: dict[str, tuple[Any, str]] = {
    "blank": (lambda *_: ..., "not answered yet"),
    "stops": (stops, "your code stops"),
    "still": (step(move=lambda w, g, eta: w), "the head does not learn"),
    "up": (step(move=lambda w, g, eta: w + eta * g), "walks up its loss: subtract"),
    "no eta": (step(move=lambda w, g, eta: w - g), "η is left out of the step"),
    "no eta, up": (step(move=lambda w, g, eta: w + g), "η is left out, and the head walks up"),
    "half": (step(move=lambda w, g, eta: w - eta * g / 2), "it goes -0.5 η"),
    "NaN": (step(move=lambda w, g, eta: w * torch.nan), "the step is not equation 3"),
    "weights only": (weights_only, "the bias does not learn"),
    "accumulates": (accumulates, "the gradient of the example before"),
    "learns first": (step(answer=lambda before, after, y: after.argmax()), "it answers after it has learned"),
    "the label": (step(answer=lambda before, after, y: int(y)), "with the label itself"),
    "the second": (step(answer=lambda before, after, y: int(before.argsort()[1])), "the largest logit is that of"),
    "logits": (step(answer=lambda before, after, y: before), "it returns a tensor of shape (3,)"),
    "a probability": (step(answer=lambda before, after, y: before.max().item()), "it returns float"),
}


def test_an_answer_before_the_step_is_right() -> None:
    assert taxonomy.answer_first(step()).right
    assert taxonomy.answer_first(step(answer=lambda before, after, y: before.argmax())).right


@pytest.mark.parametrize(("online", "sentence"), STEPS.values(), ids=STEPS)
def test_a_wrong_step_is_told_what_is_wrong(online: Any, sentence: str) -> None:
    answer = taxonomy.answer_first(online)
    assert sentence in answer.wrong
    assert not answer.right


@pytest.mark.parametrize("cases", [HEADS, STEPS], ids=["heads", "steps"])
def test_each_wrong_answer_has_a_sentence_of_its_own(cases: dict[str, tuple[Any, str]]) -> None:
    sentences = [sentence for name, (_, sentence) in cases.items() if name not in ("NaN", "twice")]
    assert len(set(sentences)) == len(sentences)
