"""Checks of the answers to the exercises on domain-adversarial training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from tlbook.exercises.answer import Answer, ask, described
from tlbook.train import History

__all__ = ["exchanged", "the_sign", "without_end"]


def the_sign(reverse: Callable[[torch.Tensor, float], torch.Tensor]) -> Answer:
    """Check a gradient reversal: values unchanged, the gradient times −strength.

    Args:
        reverse: the reader's function of features, a tensor, and of the strength λ.

    Example:
        >>> the_sign(lambda features, strength: features)
        The sign: the gradient comes back as it went in: is nothing detached?
        >>> the_sign(lambda f, strength: -strength * f + (f + strength * f).detach())
        The sign: right
    """
    title = "The sign"
    features = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64, requires_grad=True)
    weights = torch.tensor([[2.0, -1.0], [0.25, 4.0]], dtype=torch.float64)
    for strength in (0.3, 2.0):
        value, wrong = ask(reverse, features, strength)
        if not wrong:
            wrong = _wrong_value(value, features) or _wrong_gradient(value, features, weights, strength)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _wrong_value(value: Any, features: torch.Tensor) -> str:
    if not isinstance(value, torch.Tensor) or value.shape != features.shape:
        return f"it returns {described(value)}; expected a tensor of the shape of the features, {tuple(features.shape)}"
    if torch.allclose(value, -features):
        return "the values themselves are turned round: on the way forward nothing may change"
    if not torch.allclose(value, features):
        return "the values change on the way forward: the domain head must see the features as they are"
    if not value.requires_grad:
        return "no gradient comes back at all: detach a part of the sum, not the whole"
    return ""


def _wrong_gradient(value: torch.Tensor, features: torch.Tensor, weights: torch.Tensor, strength: float) -> str:
    [gradient] = torch.autograd.grad((value * weights).sum(), features)
    wrongs = {
        1.0: "the gradient comes back as it went in: is nothing detached?",
        strength: "λ is there, but the gradient has the sign of the loss's own: the features go down the domain loss",
        -1.0: "the sign is right, but λ is left out: try a strength that is not 1",
        0.0: "no gradient comes back: what carries it is detached as well",
        -strength - 1: "the gradient is one unit too strong: what keeps the value must be detached whole",
        1 - strength: "the features themselves pass their gradient on beside the reversed one: detach them",
        -1 / strength: "the gradient is divided by λ; expected it multiplied",
    }
    for factor, sentence in wrongs.items():
        if factor != -strength and torch.allclose(gradient, factor * weights):
            return sentence
    if torch.allclose(gradient, -strength * weights):
        return ""
    came, back = weights[0, 0].item(), gradient[0, 0].item()
    return f"for λ = {strength:g} a gradient of {came:g} comes back as {back:.3g}; expected −λ times it"


def without_end(strong: History, usual: History, lost: float, label_loss: Any, home: Any) -> Answer:
    """Check what was predicted of a game with a very large λ, against what it did.

    Args:
        strong: of the training with the large λ.
        usual: of the usual one.
        lost: the accuracy of source-only on the source's test images, less that after the first.
        label_loss: ``"as low"`` or ``"far higher"``.
        home: ``"as well"`` or ``"less well"``, how the source's test images are read.
    """
    title = "λ without end"
    ends = [history.smooth("label", 50)[-1] for history in (strong, usual)]
    loss = f"it ends at {ends[0]:.2f}, in the usual game at {ends[1]:.2f}"
    read = f"{lost:.2f} of them are no longer read right"
    questions = [
        ("the label loss", label_loss, ("as low", "far higher"), ends[0] > 2 * ends[1], loss),
        ("the source's images", home, ("as well", "less well"), lost > 0.02, read),
    ]
    for what, given, choices, truth, measured in questions:
        if given is ...:
            return Answer(title, f"not answered yet: say what you expect of {what} in place of the three dots")
        if given not in choices:
            return Answer(title, f"{given!r:.40} for {what}; expected {' or '.join(map(repr, choices))}")
        if given != choices[truth]:
            why = "who still listens to the labels when the other term is a hundred times as large?"
            return Answer(title, f"{what}: {measured}: {why}")
    return Answer(title)


def exchanged(predicted: torch.Tensor, true: torch.Tensor, answer: Any) -> Answer:
    """Check which two digits a network takes for each other, against what it predicted.

    Args:
        predicted: for each image the digit that it was read as.
        true: for each image the digit that it is.
        answer: a set of two digits.

    Example:
        >>> true = torch.tensor([6, 6, 9, 9, 1])
        >>> exchanged(torch.tensor([9, 9, 6, 6, 1]), true, {6, 9})
        Two digits exchanged: right
        >>> exchanged(torch.tensor([9, 9, 6, 6, 1]), true, {1, 6})
        Two digits exchanged: only 0% of the images of 1 and 6 are read as the other; there is a pair with more
    """
    title = "Two digits exchanged"
    if answer is ...:
        return Answer(title, "not answered yet: put a set of two digits in place of the three dots")
    if (
        not isinstance(answer, set | frozenset | tuple | list)
        or len(set(answer)) != 2
        or not set(answer) <= set(range(10))
    ):
        return Answer(title, f"{answer!r:.40} is no set of two digits; expected one such as {{2, 5}}")
    table = torch.zeros(10, 10).index_put((true, predicted), torch.ones(len(true)), accumulate=True)
    shares = table / table.sum(dim=1, keepdim=True).clamp(min=1)
    both = torch.minimum(shares, shares.T).fill_diagonal_(0)
    a, b = sorted(int(digit) for digit in answer)
    if both[a, b] < both.max():
        share = f"only {both[a, b]:.0%} of the images of {a} and {b} are read as the other"
        return Answer(title, f"{share}; there is a pair with more")
    return Answer(title)
