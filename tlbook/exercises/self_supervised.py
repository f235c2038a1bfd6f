"""Checks of the answers to the exercises on self-supervision."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tlbook.exercises.answer import Answer, ask, described

__all__ = ["four_turns", "one_sided", "the_wrong_layer"]


def four_turns(turned: Callable[[Tensor, int], Tensor]) -> Answer:
    """Check a function that turns images by k quarters to the left.

    Args:
        turned: the reader's function of images N×C×S×S and of k, 0 … 3.

    Example:
        >>> four_turns(lambda x, k: x.transpose(2, 3))
        Four turns: for k = 1 the images are mirrored along the diagonal, not turned: a flip is missing
        >>> four_turns(lambda x, k: x.rot90(k, dims=(2, 3)))
        Four turns: right
    """
    title = "Four turns"
    x = torch.arange(3 * 2 * 4 * 4).view(3, 2, 4, 4)
    for k in (1, 2, 3, 0):
        value, wrong = ask(turned, x.clone(), k)
        wrong = wrong or _wrong_turn(value, x, k)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _wrong_turn(value: Any, x: Tensor, k: int) -> str:
    if not isinstance(value, Tensor) or value.shape != x.shape:
        return f"it returns {described(value)}; expected a tensor of the shape of the images, {tuple(x.shape)}"
    once = x.rot90(1, dims=(2, 3))
    wrongs = [
        (x, f"for k = {k} nothing is turned"),
        (once, f"for k = {k} it turns once: how often does it turn, and where does k come in?"),
        (x.rot90(-k, dims=(2, 3)), f"for k = {k} it turns to the right; expected to the left"),
        (x.mT, f"for k = {k} the images are mirrored along the diagonal, not turned: a flip is missing"),
        (x.mT.flip(2, 3), f"for k = {k} the images are mirrored along the other diagonal: one flip is enough"),
        (x.flip(2), f"for k = {k} the images are flipped upside down, which mirrors them: a turn is more than a flip"),
        (x.flip(3), f"for k = {k} left and right are exchanged, as in a mirror: a turn is more than a flip"),
    ]
    if torch.equal(value, x.rot90(k, dims=(2, 3))):
        return ""
    return next((sentence for other, sentence in wrongs if torch.equal(value, other)), _where(value, x, k))


def _where(value: Tensor, x: Tensor, k: int) -> str:
    if torch.equal(value.flatten().sort().values, x.flatten().sort().values):
        return f"for k = {k} the pixels are all there, but not where a turn puts them"
    return f"for k = {k} some pixels are lost or changed; a turn only moves them"


def one_sided(loss: Callable[[Tensor, Tensor, float], Tensor]) -> Answer:
    """Check the mean of ℓ(i, j) of equation 2 over the views i of the first batch alone.

    Args:
        loss: the reader's function of projections N×D, of those of the partners, and of τ.

    Example:
        >>> from tlbook.losses import nt_xent
        >>> one_sided(nt_xent)
        One-sided: both directions are in it: only the first views ask here
    """
    title = "One-sided"
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(5, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    a.requires_grad_()
    for tau in (0.5, 0.2):
        value, wrong = ask(loss, a, b, tau)
        wrong = wrong or _wrong_loss(value, a.detach(), b, tau)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _wrong_loss(value: Any, a: Tensor, b: Tensor, tau: float) -> str:
    if not isinstance(value, Tensor) or value.numel() != 1:
        return f"it returns {described(value)}; expected a tensor of one number, so that its gradient can flow"
    number, n = float(value.detach()), len(a)
    if math.isnan(number) or math.isinf(number):
        return f"it gives {number}: mask before the sum, with minus infinity, and take no logarithm of zero"
    z = F.normalize(torch.cat([a, b]), dim=1)
    itself = torch.eye(2 * n, dtype=torch.bool)

    def each(s: Tensor) -> Tensor:
        return F.cross_entropy(s.masked_fill(itself, -math.inf), torch.arange(2 * n).roll(n), reduction="none")

    s, bare = z @ z.T / tau, torch.cat([a, b]) @ torch.cat([a, b]).T / tau
    right = each(s)[:n]
    partner = torch.arange(2 * n).roll(n)
    rivals = s.masked_fill(itself | itself.roll(n, dims=1), -math.inf).logsumexp(dim=1)
    wrongs = [
        (each(s).mean(), "both directions are in it: only the first views ask here"),
        (each(s)[n:].mean(), "these are the second views' losses; expected the first views'"),
        (right.sum(), "it is a sum over the views; expected their mean"),
        (-right.mean(), "the sign is turned round: the loss would fall as partners move apart"),
        (each(s).sum() / n, "both directions are in it, and added: only the first views ask here"),
        (F.cross_entropy(s[:n], partner[:n]), "a view competes with itself: k ≠ i is left out"),
        (each(bare)[:n].mean(), "the vectors are not of unit length: the similarity is the cosine"),
        (each(s * tau)[:n].mean(), "the temperature is left out"),
        (each(s * tau * tau)[:n].mean(), "it multiplies by the temperature; expected a division"),
        (F.cross_entropy(s[:n, n:], torch.arange(n)), "only second views compete: other first views do as well"),
        ((rivals - s[torch.arange(2 * n), partner])[:n].mean(), "the partner is missing in the sum below the line"),
        (right.neg().exp().mean(), "the logarithm is left out: these are probabilities"),
        (right.exp().mean().log(), "the mean is taken before the logarithm"),
    ]  # fmt: skip
    if abs(number - float(right.mean())) > 1e-6:
        for other, sentence in wrongs:
            if abs(number - float(other)) <= 1e-6:
                return sentence
        return f"for τ = {tau:g} it gives {number:.3f}; expected {float(right.mean()):.3f}"
    if not value.requires_grad:
        return "the number is right, but no gradient comes back: leave out detach, item and no_grad"
    return ""


def the_wrong_layer(h: Sequence[float], z: Sequence[float], one: Any, gains: Any) -> Answer:
    """Check which of two layers was thought to serve a linear reader better, against what it read.

    Where the two are less than 0.02 apart, either answer is right.

    Args:
        h: the accuracies of a linear reader of the features, with few labels first.
        z: of one of the projections.
        one: ``"h"`` or ``"z"``, which is read better with the fewest labels.
        gains: ``"h"`` or ``"z"``, which gains more from the fewest to the most.

    Example:
        >>> the_wrong_layer([0.70, 0.90], [0.75, 0.88], one="h", gains="h")
        The wrong layer: with the fewest labels h is read at 0.70, z at 0.75: is it a loss to forget what views change?
    """
    title = "The wrong layer"
    more = [layer[-1] - layer[0] for layer in (h, z)]
    fewest = f"with the fewest labels h is read at {h[0]:.2f}, z at {z[0]:.2f}"
    from_to = f"with more labels h gains {more[0]:.2f}, z {more[1]:.2f}"
    questions = [
        ("the fewest labels", one, h[0] - z[0], f"{fewest}: is it a loss to forget what views change?"),
        (
            "what more labels bring",
            gains,
            more[0] - more[1],
            f"{from_to}: which of them still knows what was changed?",
        ),
    ]
    for what, given, lead, sentence in questions:
        if given is ...:
            return Answer(title, f"not answered yet: for {what} put 'h' or 'z' in place of the three dots")
        if given not in ("h", "z"):
            return Answer(title, f"{given!r:.40} for {what}; expected 'h' or 'z'")
        if abs(lead) >= 0.02 and given != ("h" if lead > 0 else "z"):
            return Answer(title, sentence)
    return Answer(title)
