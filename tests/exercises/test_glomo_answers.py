"""The key is right, the blank is not, and each plausible wrong answer gets its own sentence."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tlbook.exercises import glomo


def shares(strength: Tensor, dim: int = -2) -> Tensor:
    total = strength.sum(dim=dim, keepdim=True)
    return strength / total.masked_fill(total == 0, 1)


def scores(k: Tensor, q: Tensor, b: float) -> Tensor:
    return k @ q.mT + b


def key(k: Tensor, q: Tensor, b: float) -> Tensor:
    return shares(scores(k, q, b).relu().tril(-1).square())


def with_a_guard(k: Tensor, q: Tensor, b: float) -> Tensor:
    strength = scores(k, q, b).relu().square() * torch.ones(6, 6).tril(-1)
    return strength / strength.sum(dim=0).clamp(min=1e-16)


def unguarded(k: Tensor, q: Tensor, b: float) -> Tensor:
    strength = scores(k, q, b).relu().tril(-1).square()
    return strength / strength.sum(dim=0)


def soft(k: Tensor, q: Tensor, b: float) -> Tensor:
    hidden = scores(k, q, b).masked_fill(torch.ones(6, 6).triu().bool(), -1e9)
    return hidden.softmax(dim=0).tril(-1)


GRAPHS = {
    "blank": (lambda k, q, b: ..., "not answered yet"),
    "raises": (lambda k, q, b: k @ q, "your code stops: RuntimeError"),
    "a number": (lambda k, q, b: 3.0, "it returns float"),
    "an array": (lambda k, q, b: np.zeros((6, 6)), "it returns ndarray"),
    "a vector": (lambda k, q, b: k[:, 0], "it returns a tensor of shape (6,)"),
    "0/0": (unguarded, "some weights are not numbers"),
    "earlier": (lambda k, q, b: shares(scores(k, q, b).relu().triu(1).square()), "it listens to earlier positions"),
    "itself": (lambda k, q, b: shares(scores(k, q, b).relu().tril().square()), "also listens to itself"),
    "rows": (lambda k, q, b: shares(scores(k, q, b).relu().tril(-1).square(), dim=1), "along the rows"),
    "cut late": (lambda k, q, b: shares(scores(k, q, b).relu().square()).tril(-1), "cut off after the sum"),
    "exchanged": (lambda k, q, b: shares(scores(q, k, b).relu().tril(-1).square()), "keys and queries are exchanged"),
    "no square": (lambda k, q, b: shares(scores(k, q, b).relu().tril(-1)), "the square is left out"),
    "no ReLU": (lambda k, q, b: shares(scores(k, q, b).tril(-1).square()), "the ReLU is left out"),
    "soft-max": (soft, "this is a soft-max"),
    "no b": (lambda k, q, b: key(k, q, 0.0), "b is left out"),
    "minus b": (lambda k, q, b: key(k, q, -b), "b is subtracted"),
    "not divided": (lambda k, q, b: scores(k, q, b).relu().tril(-1).square(), "not divided by their sum"),
    "empty": (lambda k, q, b: torch.zeros(6, 6), "there is no edge at all"),
    "cubed": (lambda k, q, b: shares(scores(k, q, b).relu().tril(-1) ** 3), "the weight with which"),
}


@pytest.mark.parametrize("graph", [key, with_a_guard])
def test_the_graph_of_later_positions_is_right(graph: Any) -> None:
    assert glomo.the_other_direction(graph).right


@pytest.mark.parametrize(("graph", "sentence"), GRAPHS.values(), ids=GRAPHS)
def test_a_wrong_graph_is_told_what_is_wrong(graph: Any, sentence: str) -> None:
    assert sentence in glomo.the_other_direction(graph).wrong


def test_each_wrong_graph_has_a_sentence_of_its_own() -> None:
    said = [glomo.the_other_direction(graph).wrong for graph, _ in GRAPHS.values()]
    assert len(set(said)) == len(said)


def chain(graphs: Tensor) -> Tensor:
    found = [graphs[0]]
    for graph in graphs[1:]:
        found.append(found[-1] @ graph)
    return torch.stack(found)


def turned(graphs: Tensor) -> Tensor:
    found = [graphs[0]]
    for graph in graphs[1:]:
        found.append(graph @ found[-1])
    return torch.stack(found)


def late(graphs: Tensor) -> Tensor:
    return torch.cat([torch.eye(graphs.shape[1], dtype=graphs.dtype)[None], chain(graphs)[:-1]])


PATHS = {
    "blank": (lambda graphs: ..., "not answered yet"),
    "raises": (lambda graphs: graphs[9], "your code stops: IndexError"),
    "a list": (lambda graphs: list(chain(graphs)), "it returns a list"),
    "an array": (lambda graphs: graphs.numpy(), "it returns ndarray"),
    "the last": (lambda graphs: chain(graphs)[-1], "this is the last product alone"),
    "one graph": (lambda graphs: graphs[0], "it returns a tensor of shape (6, 6)"),
    "untouched": (lambda graphs: graphs, "these are the graphs themselves"),
    "place by place": (lambda graphs: graphs.cumprod(dim=0), "place by place"),
    "sums": (lambda graphs: graphs.cumsum(dim=0), "it adds the graphs"),
    "turned round": (turned, "the order is turned round"),
    "one late": (late, "one layer late"),
    "powers": (lambda graphs: chain(graphs[:1].expand(len(graphs), -1, -1)), "powers of the first graph"),
    "two only": (lambda graphs: torch.cat([graphs[:1], graphs[:-1] @ graphs[1:]]), "only the last two"),
    "transposed": (lambda graphs: chain(graphs).mT, "transposed"),
    "no numbers": (lambda graphs: chain(graphs) * float("nan"), "Λ of layer 1 is not"),
    "scaled": (lambda graphs: torch.cat([chain(graphs)[:-1], 2 * chain(graphs)[-1:]]), "Λ of layer 3 is not"),
}


def test_the_products_are_right() -> None:
    assert glomo.paths_of(chain).right


@pytest.mark.parametrize(("paths", "sentence"), PATHS.values(), ids=PATHS)
def test_wrong_paths_are_told_what_is_wrong(paths: Any, sentence: str) -> None:
    assert sentence in glomo.paths_of(paths).wrong


@pytest.mark.parametrize(
    ("loss", "edges", "sentence"),
    [
        ("near zero", "far fewer", ""),
        (..., "far fewer", "not answered yet: say what you expect of the loss"),
        ("near zero", ..., "not answered yet: say what you expect of the true edges"),
        ("as high", "far fewer", "the loss: 1.50 as it should be, 0.01 with the slip: what does the decoder need"),
        ("near zero", "as many", "the true edges: 0.90 as it should be, 0.20 with the slip: what is left"),
        (None, "far fewer", "None for the loss; expected 'as high' or 'near zero'"),
        ("near zero", 0.2, "0.2 for the true edges; expected 'as many' or 'far fewer'"),
    ],
)
def test_a_prediction_is_held_against_what_happened(loss: Any, edges: Any, sentence: str) -> None:
    answer = glomo.off_by_one((1.5, 0.01), (0.9, 0.2), loss, edges)
    assert sentence in answer.wrong
    assert answer.right == (sentence == "")


def test_where_the_run_goes_otherwise_the_other_answer_is_right() -> None:
    assert glomo.off_by_one((1.5, 1.4), (0.9, 0.8), "as high", "as many").right
