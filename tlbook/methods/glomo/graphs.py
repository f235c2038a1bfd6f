"""The graph: who listens to whom, from tokens alone.

A graph is a T×T matrix of attention weights. G_ij is the weight with which position j listens to the earlier position
i; a column is what one position hears.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tlbook._checks import check_choice, check_whole
from tlbook.errors import TlbookError

__all__ = [
    "CausalConvolutions",
    "GraphPredictor",
    "Kind",
    "Normalisation",
    "attention",
    "causal_mask",
    "check_tokens",
    "control",
    "products",
]

Normalisation = Literal["sparse", "softmax"]
Kind = Literal["learned", "uniform", "random", "none"]
PAD = 0  # the token that fills a row up; nothing listens to it, and it listens to nothing


def check_tokens(x: Any, vocabulary: int) -> Tensor:
    """Rows of tokens N×T of any integer type, as int64, where each of them is in the vocabulary.

    Raises:
        TlbookError: for anything else, with the first token that is outside.

    Example:
        >>> check_tokens(torch.tensor([[1, 2, 9]]), vocabulary=9)
        Traceback (most recent call last):
        tlbook.errors.TlbookError: x has the token 9; expected tokens N×T, integers from 0 to 8: encode the words with \
the vocabulary that the network was built for
    """
    expected = f"expected tokens N×T, integers from 0 to {vocabulary - 1}"
    if not isinstance(x, Tensor):
        raise TlbookError(f"x is a {type(x).__name__}; {expected}: give them as a tensor")
    if x.dim() != 2 or not x.shape[1]:
        raise TlbookError(f"x has shape {tuple(x.shape)}; {expected}: give a row of tokens for each sentence")
    if x.is_floating_point() or x.is_complex() or x.dtype == torch.bool:
        raise TlbookError(f"x is {x.dtype}; {expected}: encode the words, or give x.long() where the numbers are whole")
    tokens = x.long()
    outside = tokens[(tokens < 0) | (tokens >= vocabulary)]
    if len(outside):
        raise TlbookError(
            f"x has the token {outside[0].item()}; {expected}: encode the words with the vocabulary that the network "
            "was built for"
        )
    return tokens


def causal_mask(tokens: Tensor) -> Tensor:
    """The edges that are allowed: from an earlier position to a later one, both of them words.

    Args:
        tokens: N×T, 0 where a row is filled up.

    Returns:
        N×T×T, true at [n, i, j] where i < j.

    Example:
        >>> causal_mask(torch.tensor([[5, 6, 0]]))[0].int().tolist()
        [[0, 1, 0], [0, 0, 0], [0, 0, 0]]
    """
    word = tokens != PAD
    earlier = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool, device=tokens.device).triu(1)
    return earlier & word[:, :, None] & word[:, None, :]


def attention(scores: Tensor, mask: Tensor, normalisation: Normalisation = "sparse") -> Tensor:
    """The graph of scores s_ij = k_i · q_j + b.

    ``"sparse"`` is G_ij = ReLU(s_ij)² / Σ_i′ ReLU(s_i′j)² (Yang et al., 2018): an edge whose score is below 0 is not
    there. ``"softmax"`` is exp(s_ij) / Σ_i′ exp(s_i′j), in which every edge is there.

    A column is divided by its greatest score before the square, so that neither tiny nor huge scores are lost; the
    authors' code adds 1e-16 to the sum instead, in which edges vanish whose scores are all below 1e-8.

    Args:
        scores: …×T×T, [i, j].
        mask: …×T×T, true where an edge is allowed.
        normalisation: which of the two.

    Returns:
        …×T×T weights, at least 0. A column's sum is 1, or 0 where it has no edge.

    Raises:
        TlbookError: for an unknown normalisation.

    Example:
        >>> scores, mask = torch.tensor([[1.0, 1.0], [2.0, 2.0]]), torch.tensor([[False, True], [False, True]])
        >>> attention(scores, mask)
        tensor([[0.0000, 0.2000],
                [0.0000, 0.8000]])
    """
    check_choice("normalisation", normalisation, get_args(Normalisation))
    scores = scores.float() if scores.dtype in (torch.bfloat16, torch.float16) else scores
    if normalisation == "softmax":
        hidden = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        return hidden.softmax(dim=-2).masked_fill(~mask, 0)
    strength = scores.relu().masked_fill(~mask, 0)
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


def control(graphs: Tensor, mask: Tensor, kind: Kind) -> Tensor:
    """The graphs, or graphs to compare them with.

    ``"uniform"`` listens to every allowed position alike. ``"random"`` has the weights of each column at other allowed
    positions: as many edges, as strong, and knowing nothing. There is one permutation for all columns with as many
    positions allowed, in all layers and heads; it is drawn once, whatever fills a row up. ``"none"`` has no edge.

    Args:
        graphs: N×…×T×T.
        mask: true where an edge is allowed, of a shape that broadcasts to theirs.
        kind: which.

    Raises:
        TlbookError: for an unknown kind.

    Example:
        >>> learned = torch.tensor([[0.0, 1.0, 0.9], [0.0, 0.0, 0.1], [0.0, 0.0, 0.0]])
        >>> control(learned, learned > 0, "uniform")[:, 2]
        tensor([0.5000, 0.5000, 0.0000])
    """
    check_choice("kind", kind, get_args(Kind))
    if kind == "uniform":
        strength = mask.to(graphs.dtype).expand(graphs.shape)
        return strength / strength.sum(dim=-2, keepdim=True).clamp_min(1)
    if kind == "random":
        length, allowed = graphs.shape[-1], mask.sum(dim=-2, keepdim=True)
        stream = np.random.RandomState(0).random_sample(length * (length + 1) // 2)  # n numbers for n allowed
        place = allowed * (allowed - 1) // 2 + mask.cumsum(dim=-2) - 1
        draw = torch.from_numpy(stream).to(graphs.device)[place.clamp_min(0)]
        shuffled = draw.masked_fill(~mask, 2).argsort(dim=-2).expand(graphs.shape)  # the allowed ones come first,
        own = (~mask).byte().argsort(dim=-2, stable=True).expand(graphs.shape)  # here in their order
        return torch.zeros_like(graphs).scatter(-2, shuffled, graphs.gather(-2, own))
    return graphs if kind == "learned" else torch.zeros_like(graphs)


class CausalConvolutions(nn.Module):
    """Convolutions over a position and the two before it, each with layer normalisation and a ReLU.

    The authors' code has batch normalisation, through which in training a token hears of later ones. What fills a row
    up is 0 to every convolution, as what lies outside the row is.

    Args:
        width: of the vectors, in and out.
        depth: how many; the last position hears of 2·depth before it.

    Raises:
        TlbookError: for a number that is not a whole one from 1 on.

    Example:
        >>> CausalConvolutions(8, depth=2)(torch.zeros(2, 5, 8), torch.ones(2, 5, dtype=torch.bool)).shape
        torch.Size([2, 5, 8])
    """

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        check_whole("width", width, at_least=1)
        check_whole("depth", depth, at_least=1)
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
        normalisation: see :func:`attention`.
        positions: the longest row, for a predictor that also knows where a word stands, counted from the first word;
            0 for one that does not, as in the paper.

    Raises:
        TlbookError: for a size that is not a whole number from 1 on, positions below 0, or an unknown normalisation. In
            use, for tokens outside the vocabulary, or rows longer than the positions.

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
        normalisation: Normalisation = "sparse",
        positions: int = 0,
    ) -> None:
        super().__init__()
        sizes = {"vocabulary": vocabulary, "width": width, "layers": layers, "heads": heads, "head_width": head_width}
        for name, size in (sizes | {"depth": depth}).items():
            check_whole(name, size, at_least=1)
        check_choice("normalisation", normalisation, get_args(Normalisation))
        check_whole("positions", positions, at_least=0, hint="the length of the longest row, or 0 for no places")
        self.layers, self.heads, self.normalisation, self.positions = layers, heads, normalisation, positions
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
        return attention(scores, causal_mask(tokens)[:, None, None], self.normalisation)

    def forward(self, tokens: Tensor) -> Tensor:
        """The graphs N×L×H×T×T of N×T tokens."""
        tokens = check_tokens(tokens, self.embedding.num_embeddings)
        return self.connect(self.embed(tokens), tokens)
