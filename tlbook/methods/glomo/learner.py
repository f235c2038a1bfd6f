"""What teaches the graph without a label: features carried along it have to foretell the next tokens."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tlbook._checks import check_choice, check_whole
from tlbook.errors import TlbookError
from tlbook.methods.glomo.graphs import PAD, GraphPredictor, Kind, Normalisation, causal_mask, check_tokens, control

__all__ = ["Decoder", "FeaturePredictor", "GraphLearner"]


class FeaturePredictor(nn.Module):
    """Features that travel along a graph: f^l = GRU(state f^(l−1), input [m·f^(l−1), m]), m_j = Σ_i G_ij V f_i^(l−1).

    The weights are the same in every layer. Each head carries its own part of V f.

    Args:
        vocabulary: how many tokens there are.
        width: of the features; a multiple of ``heads``.
        heads: H of each graph.

    Raises:
        TlbookError: for a number that is not a whole one from 1 on, or a width that the heads cannot share.

    Example:
        >>> features = FeaturePredictor(vocabulary=9, width=8, heads=2)
        >>> f = features.embedding(torch.tensor([[1, 2, 3]]))
        >>> features(f, torch.zeros(1, 2, 3, 3)).shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, vocabulary: int, width: int, heads: int) -> None:
        super().__init__()
        for name, size in {"vocabulary": vocabulary, "width": width, "heads": heads}.items():
            check_whole(name, size, at_least=1)
        if width % heads:
            raise TlbookError(f"width is {width} for {heads} heads; expected a multiple of the heads")
        self.heads = heads
        self.embedding = nn.Embedding(vocabulary, width)
        self.value = nn.Linear(width, width, bias=False)
        self.gru = nn.GRUCell(2 * width, width)

    def forward(self, f: Tensor, graph: Tensor) -> Tensor:
        """One layer: features N×T×width and its graph N×H×T×T to features N×T×width."""
        values = self.value(f).unflatten(2, (self.heads, -1)).transpose(1, 2)
        m = (graph.mT @ values).transpose(1, 2).flatten(2)
        after: Tensor = self.gru(torch.cat([m * f, m], dim=2).flatten(0, 1), f.flatten(0, 1))
        return after.view_as(f)


class Decoder(nn.Module):
    """A GRU that starts from the features at a position and foretells the tokens after it, one after the other.

    Its embedding is the feature predictor's, on the way in and on the way out.

    Args:
        embedding: vocabulary × width.

    Example:
        >>> decoder = Decoder(nn.Embedding(9, 8))
        >>> decoder(torch.zeros(5, 8), torch.ones(5, 3, dtype=torch.int64)).shape  # 5 positions, 3 tokens each
        torch.Size([5, 3, 9])
    """

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.gru = nn.GRU(embedding.embedding_dim, embedding.embedding_dim, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))

    def forward(self, f: Tensor, tokens: Tensor) -> Tensor:
        """Logits P×D×vocabulary of x_(t+1) … x_(t+D) from features P×width at t and tokens x_t … x_(t+D−1), P×D."""
        states, _ = self.gru(self.embedding(tokens), f.unsqueeze(0))
        return F.linear(states, self.embedding.weight, self.bias)


class Direction(nn.Module):
    """Graph predictor, feature predictor and decoder for one direction of reading.

    Args:
        graph: the graph predictor.
        features: the feature predictor.
        decoupled: whether the graph is predicted from the graph predictor's own embeddings; else layer l is predicted
            from the features of layer l − 1.
        kind: see :func:`~tlbook.methods.glomo.graphs.control`.
    """

    def __init__(self, graph: GraphPredictor, features: FeaturePredictor, decoupled: bool, kind: Kind) -> None:
        super().__init__()
        self.graph, self.features, self.decoupled, self.kind = graph, features, decoupled, kind
        self.decoder = Decoder(features.embedding)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """The graphs N×L×H×T×T and the features of the last layer, N×T×width."""
        f = self.features.embedding(tokens)
        graphs = list(self.graphs(tokens).unbind(1)) if self.decoupled else []
        for layer in range(self.graph.layers):
            if not self.decoupled:
                graphs.append(self.connect(f, tokens)[:, layer])
            f = self.features(f, graphs[layer])
        return torch.stack(graphs, dim=1), f

    def graphs(self, tokens: Tensor) -> Tensor:
        """The graphs alone, N×L×H×T×T."""
        graphs: Tensor = self.connect(self.graph.embed(tokens), tokens) if self.decoupled else self(tokens)[0]
        return graphs

    def connect(self, x: Tensor, tokens: Tensor) -> Tensor:
        """The graphs that are predicted from vectors N×T×width, or those of another kind in their place."""
        return control(self.graph.connect(x, tokens), causal_mask(tokens)[:, None, None], self.kind)


class GraphLearner(nn.Module):
    """Learns graphs by foretelling: max Σ_t log P(x_(t+1) … x_(t+D) | x_t, f_t^L), forward and backward.

    Yang et al., *GLoMo: unsupervisedly learned relational graphs as transferable representations*, NeurIPS 2018. Two
    networks that share nothing: one says who listens to whom, the other what is carried along; the first learns only
    through the second's success, and it alone is kept. Each direction has networks of its own. The constants of the
    authors' code are width 512, 3 layers, 8 heads of width 256, depth 4, context 3 and 20 positions a row; the
    defaults here suit a small language and one CPU core.

    Args:
        vocabulary: how many tokens there are; token 0 fills rows up.
        width: of embeddings and features; a multiple of ``heads``.
        layers: L, how many graphs one after the other.
        heads: H graphs in each layer.
        head_width: of keys and queries.
        depth: of the causal convolutions.
        context: D, how many tokens are foretold at a position.
        sampled: at how many positions of a row, drawn anew at each step; in evaluation mode, at all of them.
        normalisation: ``"sparse"`` or ``"softmax"``, as in :func:`~tlbook.methods.glomo.graphs.attention`.
        decoupled: False lets the graphs grow out of the features, as in a transformer.
        positions: as in :class:`GraphPredictor`; 0 where the graphs grow out of the features, which know no places.
        graph: ``"learned"``; or, to see how well the text is foretold along another, ``"uniform"``, ``"random"`` or
            ``"none"``, as in :func:`~tlbook.methods.glomo.graphs.control`.

    Raises:
        TlbookError: for a size that is not a whole number from 1 on, a width that the heads cannot share, an unknown
            normalisation or kind of graph, or positions that are not used. In use, for tokens that are no integers of
            the vocabulary, and rows longer than the positions or too short to foretell D tokens.

    Example:
        >>> learner = GraphLearner(vocabulary=9, width=8, layers=2, heads=2)
        >>> x = torch.randint(1, 9, (4, 6))
        >>> learner.graphs(x).shape  # N × two directions × L × H × T×T
        torch.Size([4, 2, 2, 2, 6, 6])
        >>> sorted(learner.losses(x))
        ['backward', 'forward']
    """

    def __init__(
        self,
        vocabulary: int,
        width: int = 32,
        layers: int = 2,
        heads: int = 2,
        head_width: int = 16,
        depth: int = 2,
        context: int = 3,
        sampled: int = 20,
        normalisation: Normalisation = "sparse",
        decoupled: bool = True,
        positions: int = 0,
        graph: Kind = "learned",
    ) -> None:
        super().__init__()
        check_whole("context", context, at_least=1)
        check_whole("sampled", sampled, at_least=1)
        check_choice("decoupled", decoupled, (True, False))
        check_choice("graph", graph, get_args(Kind))
        if not decoupled:
            check_choice("positions", positions, (0,), "graphs that grow out of the features know no places")
        self.vocabulary, self.context, self.sampled = vocabulary, context, sampled
        self.layers, self.heads = layers, heads

        def direction() -> Direction:
            predictor = GraphPredictor(vocabulary, width, layers, heads, head_width, depth, normalisation, positions)
            return Direction(predictor, FeaturePredictor(vocabulary, width, heads), decoupled, graph)

        self.ahead, self.back = direction(), direction()

    def tokens(self, x: Tensor) -> Tensor:
        """Rows of a domain, N×T integers from 0 to below the vocabulary's size, as int64; an error for any others."""
        return check_tokens(x, self.vocabulary)

    def graphs(self, x: Tensor) -> Tensor:
        """The graphs of N×T tokens, N×2×L×H×T×T: forward, where i < j, then backward, where i > j."""
        tokens = self.tokens(x)
        return torch.stack([self.ahead.graphs(tokens), self.back.graphs(tokens.flip(1)).flip(3, 4)], dim=1)

    def losses(self, x: Tensor) -> dict[str, Tensor]:
        """Half the cross-entropy of the foretold tokens in each direction, in nats a token.

        Where a row has fewer than t + D words, the words that are missing do not count; rows without a word give 0.
        """
        tokens = self.tokens(x)
        length = tokens.shape[1]
        if length <= self.context:
            raise TlbookError(
                f"rows have {length} tokens; expected more than the context of {self.context}: join the sentences, or "
                "foretell fewer tokens"
            )
        return {
            "forward": 0.5 * self._surprise(self.ahead, tokens),
            "backward": 0.5 * self._surprise(self.back, tokens.flip(1)),
        }

    def _surprise(self, direction: Direction, tokens: Tensor) -> Tensor:
        _, f = direction(tokens)
        draw = torch.rand(len(tokens), tokens.shape[1] - self.context, device=tokens.device)
        count = min(self.sampled, draw.shape[1]) if self.training else draw.shape[1]
        t = draw.topk(count, dim=1).indices  # N×P positions, no two alike
        places = t[:, :, None] + torch.arange(self.context + 1, device=tokens.device)
        said = tokens.gather(1, places.flatten(1)).view(-1, self.context + 1)  # x_t … x_(t+D)
        at = f.gather(1, t[:, :, None].expand(-1, -1, f.shape[2])).flatten(0, 1)  # f_t^L
        return mean_surprise(direction.decoder(at, said[:, :-1]), said)


def mean_surprise(logits: Tensor, said: Tensor) -> Tensor:
    """The mean cross-entropy of x_(t+1) … x_(t+D), over those that are words and follow a word.

    Args:
        logits: P×D×vocabulary.
        said: P×(D+1), x_t … x_(t+D).
    """
    target = said[:, 1:].masked_fill(said[:, :1] == PAD, PAD)
    total = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=PAD, reduction="sum")
    return total / (target != PAD).sum().clamp_min(1)
