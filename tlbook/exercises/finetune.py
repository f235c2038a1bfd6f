"""Checks of the answers to the exercises on fine-tuning."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tlbook.exercises.answer import Answer, ask, described

__all__ = ["from_the_other_end", "hold", "keep_still"]


def keep_still(freeze: Callable[[nn.Sequential], object]) -> Answer:
    """Check a function that freezes features in place: their weights, and all else that training would change.

    Args:
        freeze: the reader's function of the features.

    Example:
        >>> keep_still(lambda features: features.requires_grad_(False))
        Keep still: the batch norm's running mean and variance still follow the batches: they are no parameters
        >>> keep_still(lambda features: features.requires_grad_(False).eval())
        Keep still: right
    """
    title = "Keep still"
    torch.manual_seed(0)
    features = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5))
    before = copy.deepcopy(features.state_dict())
    if wrong := _stops(freeze, features):
        return Answer(title, wrong)
    after = features.state_dict()
    if not all(torch.equal(after[name], value) for name, value in before.items()):
        return Answer(title, "it changes the features; expected them as they were, only at rest")
    learning = [w.requires_grad for w in features.parameters()]
    resting = [not module.training for module in features.modules()]
    if all(learning) and not any(resting):
        return Answer(title, "nothing rests yet: every weight would take a gradient")
    if any(learning):
        kind = "all weights" if all(learning) else "some weights"
        return Answer(title, f"{kind} would still take a gradient")
    if features[1].training:
        return Answer(
            title, "the batch norm's running mean and variance still follow the batches: they are no parameters"
        )
    if features[3].training:
        return Answer(title, "dropout still deletes features at random: it is in training mode")
    return Answer(title)


def hold(penalty: Callable[[nn.Module, nn.Module, float], Tensor]) -> Answer:
    """Check L2-SP's first term, α/2 times the squared distance of the weights from where they began.

    Args:
        penalty: the reader's function of a module, of the module from which it started, and of α.

    Example:
        >>> hold(lambda module, start, alpha: alpha / 2 * sum(w.square().sum() for w in module.parameters()))
        Hold: it pulls the weights to zero: subtract the weights of the start first
        >>> def penalty(module, start, alpha):
        ...     pairs = zip(module.parameters(), start.parameters())
        ...     return alpha / 2 * sum((w - w0).square().sum() for w, w0 in pairs)
        >>> hold(penalty)
        Hold: right
    """
    title = "Hold"
    torch.manual_seed(0)
    start = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).double()
    module = copy.deepcopy(start)
    with torch.no_grad():
        for place, w in enumerate(module.parameters(), 1):
            w.add_(0.1 * place * torch.randn_like(w))
    for alpha in (0.3, 2.5):
        value, wrong = ask(penalty, module, start, alpha)
        wrong = wrong or _wrong_penalty(value, module, start, alpha)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _wrong_penalty(value: Any, module: nn.Module, start: nn.Module, alpha: float) -> str:
    if not isinstance(value, Tensor) or value.numel() != 1:
        return f"it returns {described(value)}; expected a tensor of one number, so that its gradient can flow"
    steps = [(w - w0).detach() for w, w0 in zip(module.parameters(), start.parameters(), strict=True)]
    square = sum(float(d.square().sum()) for d in steps)
    wrongs = {
        alpha * square: "it is twice as much: the one half is left out",
        square / 2: "α is left out",
        square: "α and the one half are left out",
        alpha / 2 * square**0.5: "the square is left out: the distance itself pulls a near weight as hard as a far one",
        alpha / 2 * sum(float(d.norm()) for d in steps): "the squares are left out: these are distances",
        alpha / 2 * float(steps[0].square().sum()): "only the first tensor of weights is held: sum over all of them",
        alpha / 2 * sum(float(d.square().mean()) for d in steps): "it takes means over the weights; expected sums",
        alpha / 2 * sum(float(d.abs().sum()) for d in steps): "it takes absolute values; expected squares",
        alpha / 2 * float(sum(w.detach().square().sum() for w in module.parameters())): (
            "it pulls the weights to zero: subtract the weights of the start first"
        ),
        -alpha / 2 * square: "the sign is turned round: the loss would fall as the weights move away",
    }
    number, right = float(value.detach()), alpha / 2 * square
    if abs(number - right) > 1e-6 * right:
        for other, sentence in wrongs.items():
            if abs(number - other) <= 1e-6 * abs(other):
                return sentence
        return f"for α = {alpha:g} and a squared distance of {square:.3g} it gives {number:.3g}; expected {right:.3g}"
    if not value.requires_grad:
        return "the number is right, but no gradient comes back: take the weights themselves, not w.data or w.item()"
    return ""


def from_the_other_end(transplant: Callable[[list[nn.Module], list[nn.Module], int], object]) -> Answer:
    """Check a function that copies the last n layers of one network into another and freezes these copies.

    Args:
        transplant: the reader's function of the new network's layers, of the old one's, and of n; it changes the new
            layers in place.

    Example:
        >>> def transplant(new, old, n):
        ...     for to, frm in zip(new[:n], old[:n]):
        ...         to.load_state_dict(frm.state_dict())
        ...         to.requires_grad_(False)
        >>> from_the_other_end(transplant)
        From the other end: it copies the first 1 of the layers; expected the last
    """
    title = "From the other end"
    for n in (1, 3):
        torch.manual_seed(0)
        new, old = (_layers() for _ in range(2))
        first_new, first_old = copy.deepcopy(new), copy.deepcopy(old)
        wrong = _stops(transplant, new, old, n) or _wrong_layers(new, old, first_new, first_old, n)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _stops(function: Callable[..., object], *arguments: object) -> str:
    """What is wrong where a function that works in place raises; whatever it returns is no matter."""

    def run() -> bool:
        function(*arguments)
        return True

    return ask(run)[1]


def _layers() -> list[nn.Module]:
    return [nn.Linear(3, 3) for _ in range(4)]


def _wrong_layers(
    new: list[nn.Module], old: list[nn.Module], first_new: list[nn.Module], first_old: list[nn.Module], n: int
) -> str:
    if len(new) != len(first_new):
        return f"the new network has {len(new)} layers now; expected {len(first_new)}, as before"
    if all(_equal(a, b) for a, b in zip(new, first_new, strict=True)) and not _frozen([*new, *old]):
        return "nothing is copied yet: the new network is as it was"
    if not all(_equal(a, b) for a, b in zip(old, first_old, strict=True)):
        return "it changes the old network; expected the new one to change"
    shared = {id(w) for layer in old for w in layer.parameters()}
    if any(id(w) in shared for layer in new for w in layer.parameters()):
        return "both networks hold the same layers now: training one would change the other, so copy the numbers"
    if _frozen(old):
        return "it freezes the old network; expected the copies to rest"
    copied = [place for place, (a, b) in enumerate(zip(new, old, strict=True)) if _equal(a, b)]
    size = len(new)
    if copied == list(range(n)):
        return f"it copies the first {n} of the layers; expected the last"
    if copied != list(range(size - n, size)):
        return f"for n = {n} of {size} layers it copies {len(copied)}: {_places(copied)}; expected the last {n}"
    frozen = _frozen(new)
    if not frozen:
        return "the layers are copied, but they are free to move: freeze them"
    if frozen != copied:
        return f"copied are {_places(copied)}, frozen are {_places(frozen)}; expected the same layers"
    return ""


def _equal(a: nn.Module, b: nn.Module) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.equal(one, other) for one, other in pairs)


def _frozen(layers: list[nn.Module]) -> list[int]:
    return [place for place, layer in enumerate(layers) if not any(w.requires_grad for w in layer.parameters())]


def _places(places: list[int]) -> str:
    return "layers " + ", ".join(str(place + 1) for place in places) if places else "none"
