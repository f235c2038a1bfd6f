"""The key is right, the blank is not, and each plausible wrong answer gets its own sentence."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tlbook.exercises import self_supervised
from tlbook.losses import nt_xent


def by_steps(x: Tensor, k: int) -> Tensor:
    for _ in range(k):
        x = x.transpose(2, 3).flip(2)
    return x


TURNS = {
    "blank": (lambda x, k: ..., "not answered yet"),
    "raises": (lambda x, k: x.turn(k), "your code stops: AttributeError"),
    "a number": (lambda x, k: 3, "it returns int"),
    "other axes": (lambda x, k: x.rot90(k, dims=(1, 2)), "it returns a tensor of shape (3, 4, 2, 4)"),
    "nothing": (lambda x, k: x, "nothing is turned"),
    "k forgotten": (lambda x, k: by_steps(x, 1), "for k = 2 it turns once"),
    "to the right": (lambda x, k: x.rot90(-k, dims=(2, 3)), "to the right"),
    "transposed": (lambda x, k: x.mT, "mirrored along the diagonal"),
    "two flips": (lambda x, k: x.mT.flip(2, 3), "along the other diagonal"),
    "upside down": (lambda x, k: x.flip(2), "flipped upside down"),
    "mirrored": (lambda x, k: x.flip(3), "as in a mirror"),
    "rolled": (lambda x, k: x.roll(k, 2), "the pixels are all there"),
    "blackened": (lambda x, k: by_steps(x, k) * 0, "some pixels are lost"),
}


@pytest.mark.parametrize("turned", [by_steps, lambda x, k: x.rot90(k, dims=(2, 3))])
def test_a_turn_is_right(turned: Any) -> None:
    assert self_supervised.four_turns(turned).right


@pytest.mark.parametrize(("turned", "sentence"), TURNS.values(), ids=TURNS)
def test_a_wrong_turn_is_told_what_is_wrong(turned: Any, sentence: str) -> None:
    assert sentence in self_supervised.four_turns(turned).wrong


def cosines(a: Tensor, b: Tensor, tau: float) -> Tensor:
    z = F.normalize(torch.cat([a, b]), dim=1)
    return z @ z.T / tau


def masked(s: Tensor) -> Tensor:
    return s.masked_fill(torch.eye(len(s), dtype=torch.bool), -torch.inf)


def each(a: Tensor, b: Tensor, tau: float) -> Tensor:
    n = len(a)
    return F.cross_entropy(masked(cosines(a, b, tau)), torch.arange(2 * n).roll(n), reduction="none")


def key(a: Tensor, b: Tensor, tau: float) -> Tensor:
    return each(a, b, tau)[: len(a)].mean()


def written_out(a: Tensor, b: Tensor, tau: float) -> Tensor:
    total = torch.zeros(())
    z = F.normalize(torch.cat([a, b]), dim=1)
    n = len(a)
    for i in range(n):
        below = sum((z[i] @ z[k] / tau).exp() for k in range(2 * n) if k != i)
        total = total - ((z[i] @ z[n + i] / tau).exp() / below).log() / n
    return total


def without_a_mask(a: Tensor, b: Tensor, tau: float) -> Tensor:
    n = len(a)
    return F.cross_entropy(cosines(a, b, tau)[:n], torch.arange(n, 2 * n))


def without_a_length(a: Tensor, b: Tensor, tau: float) -> Tensor:
    n, z = len(a), torch.cat([a, b])
    return F.cross_entropy(masked(z @ z.T / tau)[:n], torch.arange(n, 2 * n))


def second_views_only(a: Tensor, b: Tensor, tau: float) -> Tensor:
    n = len(a)
    return F.cross_entropy(cosines(a, b, tau)[:n, n:], torch.arange(n))


def partner_missing(a: Tensor, b: Tensor, tau: float) -> Tensor:
    n = len(a)
    s = masked(cosines(a, b, tau))[:n]
    partner = s[torch.arange(n), torch.arange(n, 2 * n)]
    rest = torch.stack([torch.cat([row[: n + i], row[n + i + 1 :]]) for i, row in enumerate(s)])
    return (rest.logsumexp(dim=1) - partner).mean()


def masked_with_zero(a: Tensor, b: Tensor, tau: float) -> Tensor:
    return (masked(cosines(a, b, tau)) * torch.zeros(())).mean()


LOSSES = {
    "blank": (lambda a, b, tau: ..., "not answered yet"),
    "raises": (lambda a, b, tau: a @ b, "your code stops: RuntimeError"),
    "a number": (lambda a, b, tau: key(a, b, tau).item(), "it returns float"),
    "a row each": (lambda a, b, tau: each(a, b, tau), "it returns a tensor of shape (10,)"),
    "not a number": (masked_with_zero, "it gives nan"),
    "both": (nt_xent, "both directions are in it: only"),
    "second": (lambda a, b, tau: each(a, b, tau)[len(a) :].mean(), "the second views' losses"),
    "sum": (lambda a, b, tau: each(a, b, tau)[: len(a)].sum(), "it is a sum"),
    "sign": (lambda a, b, tau: -key(a, b, tau), "the sign is turned round"),
    "both, added": (lambda a, b, tau: each(a, b, tau).sum() / len(a), "and added"),
    "no mask": (without_a_mask, "a view competes with itself"),
    "no length": (without_a_length, "not of unit length"),
    "no temperature": (lambda a, b, tau: key(a, b, 1.0), "the temperature is left out"),
    "times temperature": (lambda a, b, tau: key(a, b, 1 / tau), "it multiplies by the temperature"),
    "second views only": (second_views_only, "only second views compete"),
    "partner missing": (partner_missing, "the partner is missing"),
    "no logarithm": (lambda a, b, tau: (-each(a, b, tau)[: len(a)]).exp().mean(), "these are probabilities"),
    "late logarithm": (lambda a, b, tau: each(a, b, tau)[: len(a)].exp().mean().log(), "before the logarithm"),
    "doubled": (lambda a, b, tau: 3 * key(a, b, tau), "for τ = 0.5 it gives"),
    "detached": (lambda a, b, tau: key(a, b, tau).detach(), "no gradient comes back"),
}


@pytest.mark.parametrize("loss", [key, written_out])
def test_the_one_sided_loss_is_right(loss: Any) -> None:
    assert self_supervised.one_sided(loss).right


@pytest.mark.parametrize(("loss", "sentence"), LOSSES.values(), ids=LOSSES)
def test_a_wrong_loss_is_told_what_is_wrong(loss: Any, sentence: str) -> None:
    assert sentence in self_supervised.one_sided(loss).wrong


def test_each_wrong_answer_has_a_sentence_of_its_own() -> None:
    both: list[tuple[dict[str, Any], Any]] = [
        (TURNS, self_supervised.four_turns),
        (LOSSES, self_supervised.one_sided),
    ]
    for wrongs, check in both:
        said = [check(answer).wrong for answer, _ in wrongs.values()]
        assert len(set(said)) == len(said)


@pytest.mark.parametrize(
    ("one", "gains", "sentence"),
    [
        ("z", "h", ""),
        ("h", "h", "with the fewest labels h is read at 0.70, z at 0.75: is it a loss"),
        ("z", "z", "with more labels h gains 0.20, z 0.13: which of them still knows"),
        (..., "h", "not answered yet: for the fewest labels"),
        ("z", ..., "not answered yet: for what more labels bring"),
        (None, "h", "None for the fewest labels; expected 'h' or 'z'"),
        ("z", 0.9, "0.9 for what more labels bring; expected 'h' or 'z'"),
    ],
)
def test_a_prediction_is_held_against_what_was_read(one: Any, gains: Any, sentence: str) -> None:
    found = self_supervised.the_wrong_layer([0.70, 0.8, 0.90], [0.75, 0.8, 0.88], one, gains)
    assert sentence in found.wrong
    assert found.right == (sentence == "")


def test_where_the_layers_are_read_otherwise_the_other_answer_is_right() -> None:
    assert self_supervised.the_wrong_layer([0.8, 0.9], [0.7, 0.9], "h", "z").right


def test_where_the_layers_are_close_either_answer_is_right() -> None:
    for one in ("h", "z"):
        assert self_supervised.the_wrong_layer([0.71, 0.9], [0.70, 0.8], one, "h").right
