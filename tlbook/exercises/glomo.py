"""Checks of the answers to the exercises on GLoMo."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from tlbook.exercises.answer import Answer, ask, described

__all__ = ["off_by_one", "paths_of", "the_other_direction"]


def the_other_direction(hears_later: Callable[[Tensor, Tensor, float], Tensor]) -> Answer:
    """Check the graph in which each position listens to later ones, by equation 1.

    Args:
        hears_later: the reader's function of keys T×D, of queries T×D, and of the number b.

    Example:
        >>> def forward(k, q, b):
        ...     strength = (k @ q.mT + b).relu().triu(1).square()
        ...     return strength / strength.sum(dim=0).clamp(min=1e-12)
        >>> the_other_direction(forward)
        The other direction: it listens to earlier positions, i < j; here i > j: which half must stay?
    """
    title = "The other direction"
    generator = torch.Generator().manual_seed(0)
    for b in (0.5, -0.25):
        k, q = (torch.randn(6, 3, generator=generator, dtype=torch.float64) for _ in range(2))
        q[4] = -4 * k[5]  # the one later score of column 4 is below zero
        graph, wrong = ask(hears_later, k, q, b)
        wrong = wrong or _wrong_graph(graph, k, q, b)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _shares(strength: Tensor, dim: int = 0) -> Tensor:
    total = strength.sum(dim=dim, keepdim=True)
    return strength / total.masked_fill(total == 0, 1)


def _wrong_graph(graph: Any, k: Tensor, q: Tensor, b: float) -> str:
    size = len(k)
    if not isinstance(graph, Tensor) or graph.shape != (size, size):
        return f"it returns {described(graph)}; expected a tensor of shape {(size, size)}, a weight for each pair"
    scores = k @ q.mT + b
    strength = scores.relu().square()
    graph = graph.detach().to(torch.float64)
    if torch.isnan(graph).any():
        return "some weights are not numbers: a column without an edge gives 0/0; let it be zero"
    if torch.allclose(graph, _shares(strength.tril(-1)), atol=1e-6):
        return ""
    earlier = torch.ones(size, size, dtype=torch.bool).triu()
    soft = scores.masked_fill(earlier, -math.inf).softmax(dim=0).nan_to_num()
    wrongs = [
        (_shares(strength.triu(1)), "it listens to earlier positions, i < j; here i > j: which half must stay?"),
        (_shares(strength.tril()), "each position also listens to itself: i > j leaves the diagonal out"),
        (_shares(strength.tril(-1), dim=1), "the sum runs along the rows: what j hears must sum to one"),
        (_shares(strength).tril(-1), "the other half was cut off after the sum: columns no longer sum to one"),
        (_shares(scores.mT.relu().square().tril(-1)), "keys and queries are exchanged: rows have the keys"),
        (_shares(scores.relu().tril(-1)), "the square is left out"),
        (_shares(scores.square().tril(-1)), "the ReLU is left out: a score far below zero becomes a strong edge"),
        (soft, "this is a soft-max, in which every edge is there; equation 1 cuts off what is below zero"),
        (_shares((k @ q.mT).relu().square().tril(-1)), "b is left out"),
        (_shares((k @ q.mT - b).relu().square().tril(-1)), "b is subtracted; in equation 1 it is added"),
        (strength.tril(-1), "the weights are not divided by their sum"),
        (torch.zeros_like(strength), "there is no edge at all"),
    ]  # fmt: skip
    for other, sentence in wrongs:
        if torch.allclose(graph, other, atol=1e-6):
            return sentence
    at = (graph - _shares(strength.tril(-1))).abs().argmax().item()
    i, j = divmod(int(at), size)
    right = _shares(strength.tril(-1))[i, j].item()
    return f"the weight with which {j} hears {i} is {graph[i, j].item():.3f}; expected {right:.3f}"


def paths_of(paths: Callable[[Tensor], Tensor]) -> Answer:
    """Check the products Λ^l = G^1 G^2 … G^l of equation 4.

    Args:
        paths: the reader's function of graphs L×T×T; it returns as many.

    Example:
        >>> paths_of(lambda graphs: graphs.cumprod(dim=0))
        Paths: it multiplies place by place; a path needs the product of matrices
    """
    title = "Paths"
    generator = torch.Generator().manual_seed(0)
    for layers in (3, 4):
        graphs = _shares(torch.rand(layers, 6, 6, generator=generator, dtype=torch.float64).triu(1), dim=-2)
        found, wrong = ask(paths, graphs.clone())
        wrong = wrong or _wrong_paths(found, graphs)
        if wrong:
            return Answer(title, wrong)
    return Answer(title)


def _chain(graphs: list[Tensor]) -> Tensor:
    found = graphs[:1]
    for graph in graphs[1:]:
        found = [*found, found[-1] @ graph]
    return torch.stack(found)


def _wrong_paths(found: Any, graphs: Tensor) -> str:
    layers = len(graphs)
    if isinstance(found, list | tuple):
        return "it returns a list; expected one tensor: torch.stack makes one of it"
    if not isinstance(found, Tensor):
        return f"it returns {described(found)}; expected a tensor of shape {tuple(graphs.shape)}"
    right = _chain(list(graphs))
    if found.shape == graphs.shape[1:] and torch.allclose(found, right[-1]):
        return "this is the last product alone; expected one for each layer, Λ¹ first"
    if found.shape != graphs.shape:
        return f"it returns {described(found)}; expected {tuple(graphs.shape)}, one graph for each layer"
    unit = torch.eye(graphs.shape[1], dtype=graphs.dtype)
    turned = [graphs[0]]
    for graph in graphs[1:]:
        turned.append(graph @ turned[-1])
    wrongs = [
        (graphs, "these are the graphs themselves: nothing is multiplied"),
        (graphs.cumprod(dim=0), "it multiplies place by place; a path needs the product of matrices"),
        (graphs.cumsum(dim=0), "it adds the graphs; a path of two edges needs their product"),
        (torch.stack(turned), "the order is turned round: the new layer comes last, on the right"),
        (_chain([unit, *graphs[:-1]]), "it is one layer late: Λ¹ is G¹ itself"),
        (_chain([graphs[0]] * layers), "these are powers of the first graph: each layer has a graph of its own"),
        (torch.stack([graphs[0], *(graphs[:-1] @ graphs[1:])]), "only the last two are multiplied; expected all"),
        (right.mT, "the result is transposed: row i is who is heard, column j who hears"),
    ]  # fmt: skip
    if torch.allclose(found.to(right.dtype), right, atol=1e-6):
        return ""
    for other, sentence in wrongs:
        if torch.allclose(found.to(right.dtype), other, atol=1e-6):
            return sentence
    place = int((found - right).abs().flatten(1).amax(dim=1).nan_to_num(math.inf).gt(1e-6).int().argmax())
    return f"Λ of layer {place + 1} is not the product of the graphs up to it"


def off_by_one(losses: tuple[float, float], recalls: tuple[float, float], loss: Any, edges: Any) -> Answer:
    """Check what was predicted of a decoder that has to say the words which it is given, against what it did.

    Args:
        losses: of the usual training at its end, and of that with the slip.
        recalls: the share of the true edges that each of them finds.
        loss: ``"as high"`` or ``"near zero"``.
        edges: ``"as many"`` or ``"far fewer"``.
    """
    title = "Off by one"
    questions = [
        ("the loss", loss, ("as high", "near zero"), losses, "what does the decoder need to say what it is given?"),
        ("the true edges", edges, ("as many", "far fewer"), recalls, "what is left for a message to help with?"),
    ]
    for what, given, choices, (usual, slip), why in questions:
        if given is ...:
            return Answer(title, f"not answered yet: say what you expect of {what} in place of the three dots")
        if given not in choices:
            return Answer(title, f"{given!r:.40} for {what}; expected {' or '.join(map(repr, choices))}")
        if given != choices[slip < 0.7 * usual]:
            return Answer(title, f"{what}: {usual:.2f} as it should be, {slip:.2f} with the slip: {why}")
    return Answer(title)
