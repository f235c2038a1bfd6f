"""Checks of the answers to the exercises on adversarial discriminative adaptation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tlbook.exercises.answer import Answer, ask, described

__all__ = ["least_error", "the_other_sign", "the_wrong_label"]


def the_other_sign(losses: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Answer:
    """Check the two losses of the game for a domain head whose logit is positive for *source*.

    Args:
        losses: the reader's function of the logits of source rows and of target rows, each N×1; it returns L_D and
            L_M.

    Example:
        >>> the_other_sign(lambda z_s, z_t: (F.softplus(z_s).mean() + F.softplus(-z_t).mean(), F.softplus(z_t).mean()))
        The other sign: L_D is that of the page, for a logit that is positive for target: turn its signs round
        >>> the_other_sign(lambda z_s, z_t: (F.softplus(-z_s).mean() + F.softplus(z_t).mean(), F.softplus(-z_t).mean()))
        The other sign: right
    """
    title = "The other sign"
    z_s = torch.tensor([[2.0], [-1.0], [0.5]], dtype=torch.float64, requires_grad=True)
    z_t = torch.tensor([[-3.0], [0.25], [1.5], [1.0]], dtype=torch.float64, requires_grad=True)
    value, wrong = ask(losses, z_s, z_t)
    if wrong:
        return Answer(title, wrong)
    if not isinstance(value, tuple | list) or len(value) != 2:
        return Answer(title, f"it returns {described(value)}; expected two losses, L_D and L_M")
    if any(one is ... for one in value):
        return Answer(title, "not answered yet: put your own line in place of the three dots")
    for name, one in zip(("L_D", "L_M"), value, strict=True):
        if not isinstance(one, Tensor) or one.numel() != 1:
            return Answer(title, f"{name} is {described(one)}; expected a tensor of one number")
    found_d, found_m = (one.detach().double().reshape(()) for one in value)
    wrong = _wrong_d(found_d, found_m, z_s.detach(), z_t.detach()) or _wrong_m(found_m, found_d, z_t.detach())
    if not wrong and not all(one.requires_grad for one in value):
        wrong = "the numbers are right, but no gradient comes back: leave out detach and item"
    return Answer(title, wrong)


def _wrong_d(found: Tensor, other: Tensor, z_s: Tensor, z_t: Tensor) -> str:
    on_s, on_t, not_s, not_t = (F.softplus(z) for z in (-z_s, z_t, z_s, -z_t))
    right = on_s.mean() + on_t.mean()
    wrongs = [
        (
            not_s.mean() + not_t.mean(),
            "is that of the page, for a logit that is positive for target: turn its signs round",
        ),
        (-right, "has the sign turned round: D would make it large"),
        (on_s.sum() + on_t.sum(), "sums over the rows; expected the mean over each domain"),
        (torch.cat([on_s, on_t]).mean(), "is the mean over all rows; expected a mean for each domain, and their sum"),
        (on_s.mean(), "has the term of the source rows only: on target rows D must say target"),
        (on_t.mean(), "has the term of the target rows only: on source rows D must say source"),
        (on_s.mean() + not_t.mean(), "asks D to say source on all rows: the target's term has the wrong sign"),
        (not_s.mean() + on_t.mean(), "asks D to say target on all rows: the source's term has the wrong sign"),
        (on_s.mean() - on_t.mean(), "subtracts the target's term: D wants both to be small"),
    ]
    if _same(found, not_t.mean()) and _same(other, right):
        return "the two losses are exchanged: expected L_D first, then L_M"
    return _named("L_D", found, right, wrongs)


def _wrong_m(found: Tensor, loss_d: Tensor, z_t: Tensor) -> str:
    inverted, own = F.softplus(-z_t), F.softplus(z_t)
    wrongs = [
        (own.mean(), "wants D to say target on target rows, as D itself does: invert the label"),
        (-own.mean(), "is the reversed loss, as in DANN: expected the inverted label"),
        (-loss_d, "is the reversed loss of all rows, as in DANN: expected the inverted label of the target rows"),
        (-inverted.mean(), "has the sign turned round: M_t would walk away from the source"),
        (inverted.sum(), "sums over the rows; expected their mean"),
        (loss_d, "is the same as L_D: then M_t helps D"),
    ]
    return _named("L_M", found, inverted.mean(), wrongs)


def _named(name: str, found: Tensor, right: Tensor, wrongs: list[tuple[Tensor, str]]) -> str:
    if _same(found, right):
        return ""
    for value, sentence in wrongs:
        if _same(found, value):
            return f"{name} {sentence}"
    return f"{name} gives {float(found):.3f} on our logits; expected {float(right):.3f}"


def _same(one: Tensor, other: Tensor) -> bool:
    return bool(torch.allclose(one, other.double(), rtol=1e-5, atol=1e-8))


def the_wrong_label(end: float, blind: float, read: float, control: float, loss: Any, reads: Any) -> Answer:
    """Check what was predicted of a game in which M_t keeps the label that is not inverted.

    Args:
        end: of D's loss.
        blind: the loss of a head that knows nothing.
        read: the share of the target's test images that M_t reads right in the end.
        control: the share that is read right with new statistics and no game.
        loss: ``"near zero"`` or ``"near blind"``, where D's loss ends.
        reads: ``"more"`` or ``"less"``, what M_t reads, beside the control.

    Example:
        >>> the_wrong_label(0.01, 1.39, 0.3, 0.75, "near blind", "less")
        The wrong label: the loss of D ends at 0.01, and 1.39 is blind: M_t now wants what D wants
        >>> the_wrong_label(0.01, 1.39, 0.3, 0.75, "near zero", "less")
        The wrong label: right
    """
    title = "The wrong label"
    where = f"the loss of D ends at {end:.2f}, and {blind:.2f} is blind: M_t now wants what D wants"
    how = f"M_t reads {read:.2f}, the control {control:.2f}: its features move away from those that C knows"
    questions = [
        ("the loss of D", loss, ("near blind", "near zero"), end < blind / 2, where),
        ("what is read", reads, ("more", "less"), read < control, how),
    ]
    for what, given, choices, truth, measured in questions:
        if given is ...:
            return Answer(title, f"not answered yet: say what you expect of {what} in place of the three dots")
        if not isinstance(given, str) or given not in choices:
            return Answer(title, f"{given!r:.40} for {what}; expected {' or '.join(map(repr, choices))}")
        if given != choices[bool(truth)]:
            return Answer(title, measured)
    return Answer(title)


ANSWERS = torch.tensor([[0, 0, 1, 2, 5, 7], [0, 3, 1, 9, 5, 8], [0, 3, 4, 8, 5, 7], [6, 3, 1, 1, 5, 8]])


def least_error(bound: Callable[[Tensor], Any]) -> Answer:
    """Check a lower bound on the mean error of several runs that uses their answers and no label.

    Args:
        bound: the reader's function of the answers, runs×images; it returns a share, at least so much of all answers
            is wrong.

    Example:
        >>> least_error(lambda answers: (answers[0] != answers[1]).float().mean() / 2)
        Least error: it looks at the first two runs only; expected all rows of the answers
        >>> def bound(answers):
        ...     votes = torch.stack([(answers == k).sum(dim=0) for k in range(10)])
        ...     return 1 - (votes.max(dim=0).values / len(answers)).mean()
        >>> least_error(bound)
        Least error: right
    """
    title = "Least error"
    for answers in (ANSWERS, ANSWERS[:3], ANSWERS[1:3]):
        value, wrong = ask(bound, answers.clone())
        wrong = wrong or _wrong_bound(value, answers)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _wrong_bound(value: Any, answers: Tensor) -> str:
    try:
        found = float(value)
    except (TypeError, ValueError, RuntimeError):
        return f"it returns {described(value)}; expected one number, a share"
    runs, images = answers.shape
    votes = torch.stack([(answers == k).sum(dim=0) for k in range(10)]).max(dim=0).values.double()
    right = float(1 - (votes / runs).mean())
    split = (answers != answers[0]).any(dim=0).double().mean().item()
    pairs = (answers[:, None] != answers[None]).double().mean().item() * runs / (runs - 1)
    wrongs = [
        (split, "that is the share of images on which not all runs agree: there too one of them may be right"),
        (1 - split, "that is the share of images on which all agree: the question is how much is wrong at least"),
        (1 - right, "that is the most that can be right; the least that is wrong is the rest"),
        ((answers[0] != answers[1]).double().mean().item() / 2, "it looks at the first two runs only; expected all "
         "rows of the answers"),
        (pairs, "that is how often two runs differ, and one of the two may be right: it is too much"),
        (pairs / 2, "half of how often two runs differ is true, but more can be said: at each image, how many runs "
         "can be right at most?"),
        (split / runs, "it counts one wrong run for each image that is in dispute: often more of them must be wrong"),
        (right * images, "it sums over the images; expected their mean"),
        (right * runs, "it counts runs; divide by their number"),
        (right * runs * images, "it counts wrong answers; divide by the number of all answers"),
    ]  # fmt: skip
    if abs(found - right) < 1e-5:
        return ""
    for number, sentence in wrongs:
        if abs(found - number) < 1e-5:
            return sentence
    if not 0 <= found <= 1:
        return f"it gives {found:.3g}; expected a share between 0 and 1"
    return f"for {runs} runs it gives {found:.3f}; expected {right:.3f}"
