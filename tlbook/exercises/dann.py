"""Checks of the answers to the exercises on domain-adversarial training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from tlbook.exercises.answer import Answer, ask

__all__ = ["the_sign"]


def the_sign(reverse: Callable[[torch.Tensor, float], torch.Tensor]) -> Answer:
    """Check a gradient reversal: values unchanged, the gradient times −strength.

    Args:
        reverse: the reader's function of features, a tensor, and of the strength λ.

    Example:
        >>> the_sign(lambda features, strength: features)
        The sign: the gradient has the sign of the loss's own: the features go down the domain loss, not up
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
        given = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, torch.Tensor) else type(value).__name__
        return f"it returns {given}; expected a tensor of the shape of the features, {tuple(features.shape)}"
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
        1.0: "the gradient has the sign of the loss's own: the features go down the domain loss, not up",
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
