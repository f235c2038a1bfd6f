"""The key is right, the blank is not, and each plausible wrong answer is told what is wrong with it."""

from typing import Any

import pytest
import torch

from tlbook.exercises import Answer, dann
from tlbook.train import History


class DividedReverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: torch.Tensor, lam: float) -> torch.Tensor:
        ctx.lam = lam
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return -gradient / ctx.lam, None


KEY = {
    "detach": lambda f, lam: -lam * f + (f + lam * f).detach(),
    "another": lambda f, lam: f.detach() - lam * (f - f.detach()),
}
WRONG = {
    "blank": (lambda f, lam: ..., "not answered yet"),
    "nothing": (lambda f, lam: None, "not answered yet"),
    "raises": (lambda f, lam: f.reverse(), "your code stops: AttributeError"),
    "a number": (lambda f, lam: 3.0, "it returns float"),
    "summed": (lambda f, lam: f.sum(), "it returns a tensor of shape ()"),
    "values turned": (lambda f, lam: -f, "the values themselves are turned round"),
    "values scaled": (lambda f, lam: -lam * f, "the values change on the way forward"),
    "all detached": (lambda f, lam: f.detach(), "no gradient comes back at all"),
    "identity": (lambda f, lam: f, "is nothing detached?"),
    "terms that cancel": (lambda f, lam: -lam * f + (f + lam * f), "is nothing detached?"),
    "sign forgotten": (lambda f, lam: lam * f + (f - lam * f).detach(), "λ is there, but"),
    "λ forgotten": (lambda f, lam: -f + (2 * f).detach(), "λ is left out"),
    "one too strong": (lambda f, lam: -(lam + 1) * f + ((lam + 2) * f).detach(), "one unit too strong"),
    "half detached": (lambda f, lam: f - lam * f + (lam * f).detach(), "pass their gradient on"),
    "divided": (DividedReverse.apply, "divided by λ"),
    "squared": (lambda f, lam: -lam * lam * f + (f + lam * lam * f).detach(), "for λ = 0.3 a gradient of 2 comes back"),
}


@pytest.mark.parametrize("reverse", KEY.values(), ids=KEY)
def test_the_key_to_the_sign_is_right(reverse: Any) -> None:
    assert dann.the_sign(reverse).right


@pytest.mark.parametrize(("reverse", "sentence"), WRONG.values(), ids=WRONG)
def test_a_wrong_sign_is_told_what_is_wrong(reverse: Any, sentence: str) -> None:
    assert sentence in dann.the_sign(reverse).wrong


def test_each_wrong_sign_has_a_sentence_of_its_own() -> None:
    said = [
        dann.the_sign(reverse).wrong
        for name, (reverse, _) in WRONG.items()
        if name not in ("nothing", "terms that cancel")
    ]
    assert len(set(said)) == len(said)


def history(label: float) -> History:
    return History({"label": [label] * 60, "domain": [1.1] * 60})


@pytest.mark.parametrize(
    ("label_loss", "home", "sentence"),
    [
        ("far higher", "less well", ""),
        (..., "less well", "not answered yet: say what you expect of the label loss"),
        ("far higher", ..., "not answered yet: say what you expect of the source's images"),
        ("as low", "less well", "the label loss: it ends at 0.70, in the usual game at 0.15: who still listens"),
        ("far higher", "as well", "the source's images: 0.15 of them are no longer read right: who still listens"),
        ("high", "less well", "'high' for the label loss; expected 'as low' or 'far higher'"),
    ],
)
def test_a_prediction_is_held_against_what_happened(label_loss: Any, home: Any, sentence: str) -> None:
    answer = dann.without_end(history(0.7), history(0.15), 0.15, label_loss, home)
    assert sentence in answer.wrong
    assert answer.right == (sentence == "")


def test_where_the_run_goes_otherwise_the_other_answer_is_right() -> None:
    assert dann.without_end(history(0.2), history(0.15), 0.0, "as low", "as well").right


TRUE = torch.tensor([6] * 4 + [9] * 4 + [1] * 4)
READ = torch.tensor([9, 9, 9, 6, 6, 6, 6, 6, 1, 1, 6, 1])


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ({6, 9}, ""),
        ((9, 6), ""),
        (..., "not answered yet"),
        ({1, 6}, "only 0% of the images of 1 and 6"),
        ({6}, "is no set of two digits"),
        ({6, 19}, "is no set of two digits"),
        ("69", "is no set of two digits"),
        (None, "is no set of two digits"),
    ],
)
def test_the_pair_is_sought_in_what_was_read(answer: Any, sentence: str) -> None:
    found = dann.exchanged(READ, TRUE, answer)
    assert sentence in found.wrong
    assert found.right == (sentence == "")


def test_an_answer_is_a_line_of_the_page() -> None:
    assert repr(Answer("The sign")) == "The sign: right"
    assert Answer("The sign", "a < b")._repr_html_() == (
        '<p class="claim"><span>○</span> <strong>The sign:</strong> a &lt; b</p>'
    )
