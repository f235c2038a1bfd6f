"""The graph: who listens to whom, from tokens alone.

A graph is a T×T matrix. G_ij is the weight with which position j listens to the earlier position i; a column is what
one position hears.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tlbook.errors import TlbookError

__all__ = ["CausalConvolutions", "GraphPredictor", "Kind", "control", "edges", "possible", "products"]

Attention = Literal["sparse", "softmax"]
Kind = Literal["learned", "uniform", "random", "none"]
PAD = 0  # the token that fills a row up; nothing listens to it, and it listens to nothing


def possible(tokens: Tensor) -> Tensor:
    """The edges that there may be: from an earlier position to a later one, both of them words.

    Args:
        tokens: N×T, 0 where a row is filled up.

    Returns:
        N×T×T, true at [n, i, j] where i < j.

    Example:
        >>> possible(torch.tensor([[5, 6, 0]]))[0].int().tolist()
        [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    """
    word = tokens != PAD
    earlier = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool, device=tokens.device).triu(1)
    return earlier & word[:, :, None] & word[:, None, :]


def edges(scores: Tensor, allowed: Tensor, attention: Attention = "sparse") -> Tensor:
    """The graph of scores s_ij = k_i · q_j + b.

    ``"sparse"`` is G_ij = ReLU(s_ij)² / Σ_i′ ReLU(s_i′j)² (Yang et al., 2018): an edge whose score is below 0 is not
    there. ``"softmax"`` is exp(s_ij) / Σ_i′ exp(s_i′j), in which every edge is there.

    A column is divided by its greatest score before the square, so that neither tiny nor huge scores are lost; the
    authors' code adds 1e-16 to the sum instead, in which edges vanish whose scores are all below 1e-8.

    Args:
        scores: …×T×T, [i, j].
        allowed: …×T×T, true where there may be an edge.
        attention: which of the two.

    Returns:
        …×T×T weights, at least 0. A column's sum is 1, or 0 where it has no edge.

    Example:
        >>> scores, allowed = torch.tensor([[1.0, 1.0], [2.0, 2.0]]), torch.tensor([[False, True], [False, True]])
        >>> edges(scores, allowed)
        tensor([[0.0000, 0.2000],
                [0.0000, 0.8000]])
    """
    scores = scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores
    if attention == "softmax":
        hidden = scores.masked_fill(~allowed, torch.finfo(scores.dtype).min)
        return hidden.softmax(dim=-2).masked_fill(~allowed, 0)
    strength = scores.relu().masked_fill(~allowed, 0)
    greatest = strength.detach().amax(dim=-2, keepdim=True).clamp_min(torch.finfo(strength.dtype).tiny)
    strength = (strength / greatest).square()
    total = strength.sum(dim=-2, keepdim=True)
    return strength / total.masked_fill(total == 0, 1)


def products(graphs: Tensor) -> Tensor:
    """Λ^l = G^1 G^2 … G^l, the graph of the paths of l edges, one in each layer.

    Args:
        graphs: …×L×H×T×T; heads are not mixed.

    Returns:
        As many, Λ^1 … Λ^L.

    Example:
        >>> step = torch.diag(torch.ones(2), 1).expand(1, 2, 1, 3, 3)  # 0 → 1 → 2, in both layers
        >>> products(step)[0, 1, 0].nonzero().tolist()
        [[0, 2]]
    """
    found = [graphs.select(-4, 0)]
    for layer in range(1, graphs.shape[-4]):
        found.append(found[-1] @ graphs.select(-4, layer))
    return torch.stack(found, dim=-4)


def check_kind(kind: str) -> None:
    """Say in one line when there is no such kind of graph.

    Raises:
        TlbookError: for an unknown kind.
    """
    if kind not in get_args(Kind):
        raise TlbookError(f"graph is {kind!r}; expected one of {get_args(Kind)}")


def control(graphs: Tensor, allowed: Tensor, kind: Kind) -> Tensor:
    """The graphs, or graphs to compare them with.

    ``"uniform"`` listens to every allowed position alike. ``"random"`` has the weights of each column at other allowed
    positions: as many edges, as strong, and knowing nothing. There is one permutation of a column for all layers and
    heads; it is drawn once, and is the same in every row with the same words allowed. ``"none"`` has no edge.

    Args:
        graphs: N×…×T×T.
        allowed: of a shape that broadcasts to theirs.
        kind: which.

    Example:
        >>> learned = torch.tensor([[0.0, 1.0, 0.9], [0.0, 0.0, 0.1], [0.0, 0.0, 0.0]])
        >>> control(learned, learned > 0, "uniform")[:, 2]
        tensor([0.5000, 0.5000, 0.0000])
    """
    if kind == "uniform":
        strength = allowed.to(graphs.dtype).expand(graphs.shape)
        return strength / strength.sum(dim=-2, keepdim=True).clamp_min(1)
    if kind == "random":
        draw = torch.rand(graphs.shape[-2:], generator=torch.Generator().manual_seed(0)).to(graphs.device)
        shuffled = draw.masked_fill(~allowed, 2).argsort(dim=-2).expand(graphs.shape)  # the allowed ones come first,
        own = (~allowed).byte().argsort(dim=-2, stable=True).expand(graphs.shape)  # here in their order
        return torch.zeros_like(graphs).scatter(-2, shuffled, graphs.gather(-2, own))
    return graphs if kind == "learned" else torch.zeros_like(graphs)


class CausalConvolutions(nn.Module):
    """Convolutions over a position and the two before it, each with layer normalisation and a ReLU.

    The authors' code has batch normalisation, through which in training a token hears of later ones. What fills a row
    up is 0 to every convolution, as what lies outside the row is.

    Args:
        width: of the vectors, in and out.
        depth: how many; the last position hears of 2·depth before it.

    Example:
        >>> CausalConvolutions(8, depth=2)(torch.zeros(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)).shape
        torch.Size([2, 5, 8])
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(nn.Linear(3 * width, width) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))

    def forward(self, x: Tensor, word: Tensor) -> Tensor:
        """From N×T×width to N×T×width; ``word`` is N×T, false where the row is filled up."""
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = x * word.unsqueeze(2)
            before = F.pad(x, (0, 0, 2, 0))
            x = norm(convolution(torch.cat([before[:, :-2], before[:, 1:-1], x], dim=2))).relu()
        return x


class GraphPredictor(nn.Module):
    """From tokens to graphs: a key and a query for each position, and an edge where they agree.

    Two stacks of causal convolutions, one for keys and one for queries, read embeddings that belong to this network
    alone. Each layer and head has its own projection of them, and its own threshold b; in the authors' code b is
    computed from the query.

    Args:
        vocabulary: how many tokens there are; token 0 fills rows up.
        width: of the embeddings and convolutions.
        layers: L.
        heads: H of each layer.
        head_width: of keys and queries.
        depth: of the convolutions.
        attention: see :func:`edges`.
        positions: the longest row, for a predictor that also knows where a word stands, counted from the first word;
            0 for one that does not, as in the paper.

    Raises:
        TlbookError: for positions below 0, or rows longer than they are.

    Example:
        >>> graphs = GraphPredictor(vocabulary=9, width=8, layers=2, heads=3)
        >>> graphs(torch.randint(1, 9, (4, 6))).shape  # N×L×H×T×T
        torch.Size([4, 2, 3, 6, 6])
    """

    def __init__(
        self,
        vocabulary: int,
        width: int,
        layers: int,
        heads: int,
        head_width: int = 16,
        depth: int = 2,
        attention: Attention = "sparse",
        positions: int = 0,
    ) -> None:
        super().__init__()
        if positions < 0:
            raise TlbookError(f"positions is {positions}; expected the length of the longest row, or 0 for no places")
        self.layers, self.heads, self.attention, self.positions = layers, heads, attention, positions
        self.embedding = nn.Embedding(vocabulary, width)
        if positions:
            self.place = nn.Embedding(positions, width)
        self.keys, self.queries = CausalConvolutions(width, depth), CausalConvolutions(width, depth)
        outputs = layers * heads * head_width
        self.to_keys, self.to_queries = nn.Linear(width, outputs, bias=False), nn.Linear(width, outputs, bias=False)
        self.b = nn.Parameter(torch.ones(layers, heads))  # above 0: no edge is dead at the start

    def embed(self, tokens: Tensor) -> Tensor:
        """This network's own embeddings of N×T tokens, N×T×width."""
        x: Tensor = self.embedding(tokens)
        if not self.positions:
            return x
        if tokens.shape[1] > self.positions:
            raise TlbookError(
                f"rows have {tokens.shape[1]} tokens; expected at most positions = {self.positions}: cut them, or "
                "build the predictor for longer rows"
            )
        placed: Tensor = x + self.place((tokens != PAD).cumsum(dim=1).sub(1).clamp_min(0))
        return placed

    def connect(self, x: Tensor, tokens: Tensor) -> Tensor:
        """The graphs N×L×H×T×T of vectors N×T×width that stand for N×T tokens."""
        form, word = (self.layers, self.heads, -1), tokens != PAD
        k = self.to_keys(self.keys(x, word)).unflatten(2, form)
        q = self.to_queries(self.queries(x, word)).unflatten(2, form)
        scores = torch.einsum("nilhd,njlhd->nlhij", k, q) + self.b[:, :, None, None]
        return edges(scores, possible(tokens)[:, None, None], self.attention)

    def forward(self, tokens: Tensor) -> Tensor:
        """The graphs N×L×H×T×T of N×T tokens."""
        return self.connect(self.embed(tokens), tokens)
