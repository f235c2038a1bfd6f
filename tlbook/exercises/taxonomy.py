"""Checks of the answers to the exercises on the taxonomy of transfer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tlbook.exercises.answer import Answer, ask, described

__all__ = ["answer_first", "right_head", "what_differs"]

# For each problem the right answer, and what to say of each wrong one.
PROBLEMS: dict[str, tuple[str, dict[str, str]]] = {
    "from five on": (
        "task",
        {
            "domain": "his forms are ours, so no picture is new: which digit gets which answer?",
            "both": "his forms are ours: only the answers are other ones",
        },
    ),
    "on a display": (
        "domain",
        {
            "task": "a seven on a display is still called seven: what is new are the pictures",
            "both": "the pictures are new, but each digit keeps its name",
        },
    ),
    "house numbers": (
        "both",
        {
            "domain": "the pictures are new, but look at the answers as well: left or right is no digit",
            "task": "the answers are new, but look at the pictures as well: his are photographs",
        },
    ),
    "mostly zeros": (
        "domain",
        {
            "task": "each picture has the answer that it had: what changed is how often which picture comes, P(X)",
            "both": "how often a picture comes belongs to P(X) alone; given the picture, the answer is as before",
        },
    ),
}


def what_differs(answers: Mapping[str, Any]) -> Answer:
    """Check what a reader says of four problems: does the domain differ, the task, or both?

    Args:
        answers: for each problem ``"domain"``, ``"task"`` or ``"both"``.

    Example:
        >>> right = {"from five on": "task", "on a display": "domain"}
        >>> what_differs(right | {"house numbers": "both", "mostly zeros": "domain"})
        What differs: right
        >>> what_differs(right | {"house numbers": "domain", "mostly zeros": "domain"})
        What differs: house numbers: the pictures are new, but look at the answers as well: left or right is no digit
    """
    title = "What differs"
    if not isinstance(answers, Mapping):
        return Answer(title, f"it is {described(answers)}; expected a dictionary with an answer for each problem")
    for problem, (right, wrongs) in PROBLEMS.items():
        given = answers.get(problem, ...)
        if given is ...:
            return Answer(title, f"{problem}: not answered yet: put a word in place of the three dots")
        if not isinstance(given, str) or given not in {right, *wrongs}:
            return Answer(title, f"{problem}: {given!r:.40}; expected 'domain', 'task' or 'both'")
        if given != right:
            return Answer(title, f"{problem}: {wrongs[given]}")
    return Answer(title)


def right_head(reorder: Callable[[nn.Linear], nn.Linear]) -> Answer:
    """Check a function that turns a last layer of ten digits into one that counts backwards, without training.

    Args:
        reorder: the reader's function of the old layer; it gives a new one and leaves the old as it was.

    Example:
        >>> def reorder(layer):
        ...     new = copy.deepcopy(layer)
        ...     new.weight.data = layer.weight.data.flip(0)
        ...     return new
        >>> right_head(reorder)
        The right head: the rows of the weights are turned round, the bias is not: it belongs to the rows
        >>> def reorder(layer):
        ...     new = copy.deepcopy(layer)
        ...     new.load_state_dict({name: w.flip(0) for name, w in layer.state_dict().items()})
        ...     return new
        >>> right_head(reorder)
        The right head: right
    """
    title = "The right head"
    torch.manual_seed(0)
    old = nn.Linear(6, 10)
    before, x = copy.deepcopy(old), torch.randn(20, 6)
    new, wrong = ask(reorder, old)
    if wrong:
        return Answer(title, wrong)
    return Answer(title, _wrong_head(new, old, before, x))


def _wrong_head(new: Any, old: nn.Linear, before: nn.Linear, x: Tensor) -> str:
    if not isinstance(new, nn.Module):
        return f"it returns {described(new)}; expected a layer, such as nn.Linear(6, 10)"
    if any(not torch.equal(a, b) for a, b in zip(old.parameters(), before.parameters(), strict=True)):
        return "it changes the old layer, which the others still need: copy it first"
    logits, wrong = ask(new, x)
    if wrong or not isinstance(logits, Tensor):
        return f"the new layer cannot take the features: {wrong or described(logits)}"
    if logits.shape != (len(x), 10):
        return f"the new layer gives {described(logits)} for {len(x)} rows; expected ten logits a row"
    with torch.no_grad():
        weight, bias = before.weight, before.bias
        right = before(x).flip(1)
        wrongs = {
            "it is the old layer: a written 0 is still read as 0": before(x),
            "the rows of the weights are turned round, the bias is not: it belongs to the rows": x @ weight.flip(0).T
            + bias,
            "the bias is turned round, the rows of the weights are not": x @ weight.T + bias.flip(0),
            "the columns are turned round: these are the features; turn the rows, which are the answers": x
            @ weight.flip(1).T
            + bias,
            "rows and columns are turned round: the features must stay in their order": x @ weight.flip(0, 1).T
            + bias.flip(0),
            "the signs are turned round, not the order: the least likely digit would win": -before(x),
            "the answers are shifted by one: a written 0 must be read as 9, and a written 1 as 8": before(x).roll(1, 1),
            "the answers are shifted by one, the other way: a written 1 must be read as 8": before(x).roll(-1, 1),
        }
    if torch.allclose(logits, right, atol=1e-5):
        return ""
    for sentence, other in wrongs.items():
        if torch.allclose(logits, other, atol=1e-5):
            return sentence
    place = int((logits - right).abs().max(dim=0).values.argmax())
    return f"the logit of the answer {place} is not what the old layer gave for a written {9 - place}"


def answer_first(step: Callable[[nn.Module, Tensor, Tensor, float], Any]) -> Answer:
    """Check one step of an online learner: answer with the head as it is, then learn from the label (equation 3).

    Args:
        step: the reader's function of the head, of the features of one example, of its label, and of η; it changes the
            head in place and returns the answer, the number of a class.

    Example:
        >>> def step(head, f, y, eta):
        ...     loss = cross_entropy(head(f), y)
        ...     gradients = torch.autograd.grad(loss, list(head.parameters()))
        ...     with torch.no_grad():
        ...         for w, g in zip(head.parameters(), gradients):
        ...             w -= eta * g
        ...     return head(f).argmax()
        >>> answer_first(step)
        Answer first: it answers after it has learned: the label of an example must not help to answer it
    """
    title = "Answer first"
    torch.manual_seed(0)
    head = nn.Linear(4, 3).double()
    stream = torch.randn(3, 4, dtype=torch.float64)
    for place, (f, eta) in enumerate(zip(stream, (0.01, 8.0, 0.5), strict=True)):
        before = head(f).detach()
        y = before.argmin()  # the answer that the head does not give
        gradients = torch.autograd.grad(cross_entropy(head(f), y), list(head.parameters()))
        old = [w.detach().clone() for w in head.parameters()]
        answer, wrong = ask(step, head, f, y, eta)
        if wrong:
            return Answer(title, wrong)
        moves = [(w.detach() - w0) / eta for w, w0 in zip(head.parameters(), old, strict=True)]
        after = head(f).detach()
        wrong = _wrong_move(moves, gradients, eta, first=place == 0) or _wrong_answer(answer, before, after, int(y))
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _wrong_move(moves: list[Tensor], gradients: tuple[Tensor, ...], eta: float, first: bool) -> str:
    flat, g = (torch.cat([t.flatten() for t in tensors]) for tensors in (moves, gradients))
    if torch.allclose(flat, -g):
        return ""
    if torch.allclose(flat, torch.zeros_like(g)):
        return "the head does not learn: after the answer it must take its step"
    if torch.allclose(flat, g):
        return "the head walks up its loss: subtract the gradient"
    if torch.allclose(flat * eta, -g):
        return "η is left out of the step"
    if torch.allclose(flat * eta, g):
        return "η is left out, and the head walks up its loss"
    if len(moves) == 2 and not moves[1].any():
        return "the bias does not learn: it is a parameter of the head too"
    if not first:
        return "the first step is right, a later one is not: does the gradient of the example before still count?"
    share = (flat @ g / (g @ g)).item()
    return f"the step is not equation 3: along the gradient it goes {share:.3g} η; expected -1 η, and nowhere else"


def _wrong_answer(answer: Any, before: Tensor, after: Tensor, y: int) -> str:
    if isinstance(answer, Tensor) and answer.numel() == 1 and not answer.is_floating_point():
        answer = answer.item()
    if isinstance(answer, bool) or not isinstance(answer, int):
        return f"it returns {described(answer)}; expected the number of the class with the largest logit"
    if answer == before.argmax():
        return ""
    if answer == after.argmax():
        return "it answers after it has learned: the label of an example must not help to answer it"
    if answer == y:
        return "it answers with the label itself, which is not known yet"
    return f"it answers {answer}; the largest logit is that of class {int(before.argmax())}"
