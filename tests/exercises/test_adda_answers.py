"""The key is right, the blank is not, and each plausible wrong answer gets its own sentence."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from tlbook.exercises import adda


def blank(*_: Any) -> Any:
    return ...


def stops(*_: Any) -> Any:
    raise ValueError("no such row")


def loss_d(z_s: Tensor, z_t: Tensor) -> Tensor:
    return softplus(-z_s).mean() + softplus(z_t).mean()


def loss_m(z_t: Tensor) -> Tensor:
    return softplus(-z_t).mean()


def with_d(wrong: Callable[[Tensor, Tensor], Any]) -> Callable[[Tensor, Tensor], Any]:
    return lambda z_s, z_t: (wrong(z_s, z_t), loss_m(z_t))


def with_m(wrong: Callable[[Tensor, Tensor], Any]) -> Callable[[Tensor, Tensor], Any]:
    return lambda z_s, z_t: (loss_d(z_s, z_t), wrong(z_s, z_t))


def test_both_losses_for_the_other_sign_are_right() -> None:
    assert adda.the_other_sign(lambda z_s, z_t: (loss_d(z_s, z_t), loss_m(z_t))).right
    as_logs = lambda z_s, z_t: (-torch.sigmoid(z_s).log().mean() + softplus(z_t).mean(), loss_m(z_t))  # noqa: E731
    assert adda.the_other_sign(as_logs).right


SIGNS = {
    "blank": (blank, "not answered yet"),
    "blank lines": (lambda z_s, z_t: (..., ...), "not answered yet"),
    "nothing": (lambda z_s, z_t: None, "not answered yet"),
    "stops": (stops, "your code stops: ValueError: no such row"),
    "one loss": (lambda z_s, z_t: loss_d(z_s, z_t), "it returns a tensor of shape (); expected two losses"),
    "no tensor": (with_d(lambda z_s, z_t: 3.0), "L_D is float; expected a tensor of one number"),
    "a loss a row": (with_m(lambda z_s, z_t: softplus(-z_t)), "L_M is a tensor of shape (4, 1)"),
    "NaN": (with_m(lambda z_s, z_t: z_t.sum() * float("nan")), "L_M gives nan on our logits"),
    "the page's": (with_d(lambda z_s, z_t: loss_d(-z_s, -z_t)), "L_D is that of the page"),
    "negative": (with_d(lambda z_s, z_t: -loss_d(z_s, z_t)), "L_D has the sign turned round"),
    "sums": (with_d(lambda z_s, z_t: softplus(-z_s).sum() + softplus(z_t).sum()), "L_D sums over the rows"),
    "one mean": (
        with_d(lambda z_s, z_t: torch.cat([softplus(-z_s), softplus(z_t)]).mean()),
        "L_D is the mean over all rows",
    ),
    "source only": (with_d(lambda z_s, z_t: softplus(-z_s).mean()), "L_D has the term of the source rows only"),
    "target only": (with_d(lambda z_s, z_t: softplus(z_t).mean()), "L_D has the term of the target rows only"),
    "all source": (with_d(lambda z_s, z_t: loss_d(z_s, -z_t)), "asks D to say source on all rows"),
    "all target": (with_d(lambda z_s, z_t: loss_d(-z_s, z_t)), "asks D to say target on all rows"),
    "difference": (
        with_d(lambda z_s, z_t: softplus(-z_s).mean() - softplus(z_t).mean()),
        "L_D subtracts the target's term",
    ),
    "half": (with_d(lambda z_s, z_t: loss_d(z_s, z_t) / 2), "on our logits; expected"),
    "exchanged": (lambda z_s, z_t: (loss_m(z_t), loss_d(z_s, z_t)), "the two losses are exchanged"),
    "not inverted": (with_m(lambda z_s, z_t: softplus(z_t).mean()), "L_M wants D to say target on target rows"),
    "reversed": (with_m(lambda z_s, z_t: -softplus(z_t).mean()), "L_M is the reversed loss, as in DANN: expected"),
    "all reversed": (with_m(lambda z_s, z_t: -loss_d(z_s, z_t)), "L_M is the reversed loss of all rows"),
    "away": (with_m(lambda z_s, z_t: -loss_m(z_t)), "L_M has the sign turned round"),
    "summed": (with_m(lambda z_s, z_t: softplus(-z_t).sum()), "L_M sums over the rows"),
    "the same": (with_m(loss_d), "L_M is the same as L_D"),
    "detached": (
        lambda z_s, z_t: (loss_d(z_s, z_t), loss_m(z_t.detach())),
        "the numbers are right, but no gradient comes back",
    ),
}


@pytest.mark.parametrize(("losses", "sentence"), SIGNS.values(), ids=SIGNS)
def test_a_wrong_loss_is_named(losses: Any, sentence: str) -> None:
    answer = adda.the_other_sign(losses)
    assert sentence in answer.wrong
    assert not answer.right


def test_each_wrong_loss_has_a_sentence_of_its_own() -> None:
    said = [adda.the_other_sign(losses).wrong for name, (losses, _) in SIGNS.items() if "blank" not in name]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize(
    ("loss", "reads", "sentence"),
    [
        ("near zero", "less", ""),
        (..., "less", "not answered yet: say what you expect of the loss of D"),
        ("near zero", ..., "not answered yet: say what you expect of what is read"),
        ("near blind", "less", "the loss of D ends at 0.01, and 1.39 is blind"),
        ("near zero", "more", "M_t reads 0.30, the control 0.75"),
        ("zero", "less", "'zero' for the loss of D; expected 'near blind' or 'near zero'"),
        ("near zero", None, "None for what is read; expected 'more' or 'less'"),
        (torch.zeros(2), "less", "for the loss of D; expected"),
    ],
)
def test_a_prediction_is_held_against_what_happened(loss: Any, reads: Any, sentence: str) -> None:
    answer = adda.the_wrong_label(0.01, 1.39, 0.3, 0.75, loss, reads)
    assert sentence in answer.wrong
    assert answer.right == (sentence == "")


def test_where_the_run_goes_otherwise_the_other_answer_is_right() -> None:
    assert adda.the_wrong_label(1.2, 1.39, 0.8, 0.75, "near blind", "more").right


def votes(answers: Tensor) -> Tensor:
    return torch.stack([(answers == k).sum(dim=0) for k in range(10)]).max(dim=0).values


def bound(answers: Tensor) -> Tensor:
    return 1 - (votes(answers) / len(answers)).mean()


def pairs(answers: Tensor) -> Tensor:
    n = len(answers)
    return (answers[:, None] != answers[None]).float().mean() * n / (n - 1)


def disputed(answers: Tensor) -> Tensor:
    return (answers != answers[0]).any(dim=0).float().mean()


BOUNDS = {
    "blank": (blank, "not answered yet"),
    "nothing": (lambda a: None, "not answered yet"),
    "stops": (stops, "your code stops"),
    "several": (lambda a: votes(a), "it returns a tensor of shape (6,); expected one number"),
    "words": (lambda a: "a third", "it returns str; expected one number"),
    "disputed": (disputed, "that is the share of images on which not all runs agree"),
    "agreed": (lambda a: 1 - disputed(a), "that is the share of images on which all agree"),
    "right": (lambda a: 1 - bound(a), "that is the most that can be right"),
    "first two": (lambda a: (a[0] != a[1]).float().mean() / 2, "it looks at the first two runs only"),
    "pairs": (pairs, "that is how often two runs differ"),
    "half the pairs": (lambda a: pairs(a) / 2, "half of how often two runs differ is true, but more can be said"),
    "one a dispute": (lambda a: disputed(a) / len(a), "it counts one wrong run for each image"),
    "summed": (lambda a: bound(a) * a.shape[1], "it sums over the images"),
    "runs": (lambda a: bound(a) * len(a), "it counts runs; divide"),
    "answers": (lambda a: bound(a) * a.numel(), "it counts wrong answers; divide"),
    "no share": (lambda a: 17, "it gives 17; expected a share between 0 and 1"),
    "NaN": (lambda a: float("nan"), "it gives nan; expected a share between 0 and 1"),
    "a constant": (lambda a: 0.123, "for 4 runs it gives 0.123; expected"),
}


def test_the_bound_of_the_largest_group_is_right() -> None:
    assert adda.least_error(bound).right
    assert adda.least_error(lambda answers: bound(answers).item()).right


@pytest.mark.parametrize(("wrong", "sentence"), BOUNDS.values(), ids=BOUNDS)
def test_a_wrong_bound_is_named(wrong: Any, sentence: str) -> None:
    answer = adda.least_error(wrong)
    assert sentence in answer.wrong
    assert not answer.right


def test_each_wrong_bound_has_a_sentence_of_its_own() -> None:
    said = [adda.least_error(wrong).wrong for name, (wrong, _) in BOUNDS.items() if name != "nothing"]
    assert len(set(said)) == len(said)


def test_the_bound_never_exceeds_the_error() -> None:
    true = torch.tensor([0, 3, 1, 2, 5, 7])
    assert bound(adda.ANSWERS) <= (true != adda.ANSWERS).float().mean()
