"""The key is right, the blank is not, and each plausible wrong answer gets its own sentence."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from torch import Tensor, nn

from tlbook.exercises import finetune


def blank(*_: Any) -> Any:
    return ...


def stops(*_: Any) -> Any:
    raise ValueError("no such layer")


def only_weights(features: nn.Sequential) -> None:
    features.requires_grad_(False)


def only_mode(features: nn.Sequential) -> None:
    features.eval()


def only_linear(features: nn.Sequential) -> None:
    features.eval()
    features[0].requires_grad_(False)


def only_norm(features: nn.Sequential) -> None:
    features.requires_grad_(False)
    features[1].eval()


def wiped(features: nn.Sequential) -> None:
    nn.init.zeros_(features[0].weight)


def test_features_at_rest_are_right() -> None:
    assert finetune.keep_still(lambda features: features.requires_grad_(False).eval()).right


@pytest.mark.parametrize(
    ("freeze", "sentence"),
    [
        (blank, "nothing rests yet"),
        (stops, "your code stops: ValueError: no such layer"),
        (only_weights, "running mean and variance still follow"),
        (only_mode, "all weights would still take a gradient"),
        (only_linear, "some weights would still take a gradient"),
        (only_norm, "dropout still deletes features"),
        (wiped, "it changes the features"),
    ],
)
def test_what_still_moves_is_named(freeze: Callable[[nn.Sequential], object], sentence: str) -> None:
    answer = finetune.keep_still(freeze)
    assert sentence in answer.wrong
    assert not answer.right


def steps(module: nn.Module, start: nn.Module) -> list[Tensor]:
    return [w - w0 for w, w0 in zip(module.parameters(), start.parameters(), strict=True)]


def total(parts: list[Tensor]) -> Tensor:
    return sum(parts[1:], parts[0])


def square(module: nn.Module, start: nn.Module) -> Tensor:
    return total([d.square().sum() for d in steps(module, start)])


def test_half_the_squared_distance_is_right() -> None:
    assert finetune.hold(lambda module, start, alpha: alpha / 2 * square(module, start)).right


@pytest.mark.parametrize(
    ("penalty", "sentence"),
    [
        (blank, "not answered yet"),
        (stops, "your code stops"),
        (lambda m, s, a: a * square(m, s), "the one half is left out"),
        (lambda m, s, a: square(m, s) / 2, "α is left out"),
        (lambda m, s, a: square(m, s), "α and the one half are left out"),
        (lambda m, s, a: a / 2 * square(m, s).sqrt(), "the square is left out"),
        (lambda m, s, a: a / 2 * total([d.norm() for d in steps(m, s)]), "these are distances"),
        (lambda m, s, a: a / 2 * steps(m, s)[0].square().sum(), "only the first tensor"),
        (lambda m, s, a: a / 2 * total([d.square().mean() for d in steps(m, s)]), "expected sums"),
        (lambda m, s, a: a / 2 * total([d.abs().sum() for d in steps(m, s)]), "absolute values"),
        (lambda m, s, a: a / 2 * total([w.square().sum() for w in m.parameters()]), "pulls the weights to zero"),
        (lambda m, s, a: -a / 2 * square(m, s), "the sign is turned round"),
        (lambda m, s, a: a / 3 * square(m, s), "for α = 0.3 and a squared distance of"),
        (lambda m, s, a: a / 2 * square(m, s).detach(), "no gradient comes back"),
        (lambda m, s, a: (a / 2 * square(m, s)).item(), "it returns float; expected a tensor"),
        (lambda m, s, a: steps(m, s)[0], "it returns a tensor of shape"),
    ],
)
def test_a_wrong_penalty_is_named(penalty: Callable[..., Tensor], sentence: str) -> None:
    assert sentence in finetune.hold(penalty).wrong


Layers = list[nn.Module]


def copy_into(places: Callable[[Layers, int], range], frozen: Callable[[Layers, int], range] | None) -> Any:
    def transplant(new: Layers, old: Layers, n: int) -> None:
        for place in places(new, n):
            new[place].load_state_dict(old[place].state_dict())
        for place in frozen(new, n) if frozen else ():
            new[place].requires_grad_(False)

    return transplant


def first(layers: Layers, n: int) -> range:
    return range(n)


def last(layers: Layers, n: int) -> range:
    return range(len(layers) - n, len(layers))


def all_of(layers: Layers, n: int) -> range:
    return range(len(layers))


def shared(new: Layers, old: Layers, n: int) -> None:
    new[-n:] = old[-n:]


def turned_round(new: Layers, old: Layers, n: int) -> None:
    copy_into(last, last)(old, new, n)


def freezes_the_old(new: Layers, old: Layers, n: int) -> None:
    copy_into(last, None)(new, old, n)
    for layer in old[-n:]:
        layer.requires_grad_(False)


def longer(new: Layers, old: Layers, n: int) -> None:
    new.extend(copy.deepcopy(old[-n:]))


def test_the_last_layers_copied_and_frozen_are_right() -> None:
    assert finetune.from_the_other_end(copy_into(last, last)).right


@pytest.mark.parametrize(
    ("transplant", "sentence"),
    [
        (blank, "nothing is copied yet"),
        (stops, "your code stops"),
        (copy_into(first, first), "it copies the first 1 of the layers"),
        (copy_into(all_of, all_of), "for n = 1 of 4 layers it copies 4: layers 1, 2, 3, 4; expected the last 1"),
        (copy_into(last, None), "free to move"),
        (copy_into(last, all_of), "copied are layers 4, frozen are layers 1, 2, 3, 4"),
        (shared, "both networks hold the same layers"),
        (turned_round, "it changes the old network"),
        (freezes_the_old, "it freezes the old network"),
        (longer, "has 5 layers now"),
    ],
)
def test_a_wrong_transplant_is_named(transplant: Callable[..., object], sentence: str) -> None:
    assert sentence in finetune.from_the_other_end(transplant).wrong
