"""Graphs that were learned without labels, in the service of another network with embeddings of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor, nn

from tlbook._checks import check_choice, check_number, check_whole
from tlbook.errors import TlbookError
from tlbook.losses import cross_entropy
from tlbook.methods._parts import check_rows, encode
from tlbook.methods.glomo.graphs import PAD, Kind, causal_mask, control, products
from tlbook.methods.glomo.learner import GraphLearner
from tlbook.methods.method import Batch, Method, Phase, Place

__all__ = ["GLoMo", "GraphFeatures", "GraphReader", "MaxOverTime"]


class MaxOverTime(nn.Module):
    """A sentence encoder: a convolution over ``kernel`` positions, ReLU, and the maximum over the positions.

    Kim, *Convolutional neural networks for sentence classification*, EMNLP 2014. A position whose vector is 0 fills the
    row up and gives no feature.

    Args:
        width: of the vectors that come in.
        outputs: D, of the features.
        kernel: how many positions, an odd number.

    Raises:
        TlbookError: for a number that is not a whole one from 1 on, or an even kernel.

    Example:
        >>> MaxOverTime(8, 5)(torch.zeros(2, 7, 8)).shape
        torch.Size([2, 5])
    """

    def __init__(self, width: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        for name, size in {"width": width, "outputs": outputs, "kernel": kernel}.items():
            check_whole(name, size, at_least=1)
        if kernel % 2 == 0:
            raise TlbookError(f"kernel is {kernel}; expected an odd number: it reads as far before a word as after it")
        self.convolution = nn.Conv1d(width, outputs, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """From N×T×width to N×outputs."""
        found: Tensor = self.convolution(x.mT).relu() * x.any(dim=2).unsqueeze(1)
        return found.amax(dim=2)


class GraphReader(nn.Module):
    """The downstream network's half: its own embeddings H, and a weighted sum along a mixture of the graphs.

    M = Σ_l Σ_h (m_lh G_lh + n_lh Λ_lh), with the m and n of each direction a soft-max; then [H, M_f′H, M_b′H] through a
    linear layer times a sigmoid gate.

    Args:
        embedding: from N×T tokens to N×T×width.
        layers: L of the graphs.
        heads: H of the graphs.
        encoder: from N×T×width to N×D features.
        width: of the embeddings.

    Raises:
        TlbookError: for a number that is not a whole one from 1 on. In use, for an embedding that does not give
            N×T×width, or an encoder that does not give N×….

    Example:
        >>> reader = GraphReader(nn.Embedding(9, 8), 2, 3, encoder=nn.Flatten(), width=8)
        >>> reader(torch.ones(4, 5, dtype=torch.int64), torch.zeros(4, 2, 2, 3, 5, 5)).shape
        torch.Size([4, 40])
    """

    def __init__(self, embedding: nn.Module, layers: int, heads: int, encoder: nn.Module, width: int) -> None:
        super().__init__()
        for name, size in {"layers": layers, "heads": heads, "width": width}.items():
            check_whole(name, size, at_least=1)
        self.embedding, self.encoder, self.width = embedding, encoder, width
        self.mixture = nn.Parameter(torch.zeros(2, 2, layers, heads))  # direction; G or Λ; l; h
        self.linear, self.gate = nn.Linear(3 * width, width), nn.Linear(3 * width, width)

    def mix(self, graphs: Tensor) -> Tensor:
        """M of each direction, N×2×T×T, of graphs N×2×L×H×T×T."""
        weights = self.mixture.flatten(1).softmax(dim=1).view_as(self.mixture)
        return torch.einsum("dklh,ndklhij->ndij", weights, torch.stack([graphs, products(graphs)], dim=2))

    def forward(self, tokens: Tensor, graphs: Tensor) -> Tensor:
        """Features N×D of tokens N×T and their graphs."""
        h = encode(self.embedding, tokens)
        if h.shape != (*tokens.shape, self.width):
            raise TlbookError(
                f"the embedding gives {tuple(h.shape)} for tokens {tuple(tokens.shape)}; expected N×T×{self.width}: "
                "build it for this width"
            )
        heard = self.mix(graphs).mT @ h.unsqueeze(1)  # N×2×T×width
        joined = torch.cat([h, heard[:, 0], heard[:, 1]], dim=2)
        gated = self.linear(joined) * self.gate(joined).sigmoid()
        return encode(self.encoder, gated.masked_fill((tokens == PAD).unsqueeze(2), 0))


class GraphFeatures(nn.Module):
    """From tokens to features: the learner's graphs, or a control in their place, read by the downstream network.

    No gradient reaches the learner from here.

    Args:
        learner: where the graphs come from.
        reader: what is done with them.
        graph: see :func:`~tlbook.methods.glomo.graphs.control`.

    Raises:
        TlbookError: for an unknown kind of graph.
    """

    def __init__(self, learner: GraphLearner, reader: GraphReader, graph: Kind) -> None:
        super().__init__()
        check_choice("graph", graph, get_args(Kind))
        self.learner, self.reader, self.graph = learner, reader, graph

    def forward(self, x: Tensor) -> Tensor:
        """Features N×D of N×T tokens."""
        tokens = self.learner.tokens(x)
        with torch.no_grad():
            learned = self.learner.graphs(tokens)
            ahead = causal_mask(tokens)
            mask = torch.stack([ahead, ahead.mT], dim=1)[:, :, None, None]
            graphs = control(learned, mask, self.graph)
        features: Tensor = self.reader(tokens, graphs)
        return features


class GLoMo(Method):
    """Graphs learned on unlabelled text, frozen, and used by a classifier of other text.

    Yang et al., *GLoMo: unsupervisedly learned relational graphs as transferable representations*, NeurIPS 2018. The
    first phase teaches the learner on the rows that are given to :func:`tlbook.fit` as ``target``, which need no label;
    the second trains the reader and the head on the labelled ``source``. What is carried over is neither a feature nor
    a weight of the classifier, only the relations between positions.

    Args:
        learner: the networks that predict graphs; those of a trained learner can serve many tasks.
        embedding: the task's own, from N×T tokens to N×T×width.
        encoder: from N×T×width, 0 where a row is filled up, to N×D features.
        label_head: from N×D to N×K logits.
        width: of the embedding.
        share: of the steps that the first phase takes, from 0 (the learner is trained already) to 1 (it alone learns).
        graph: ``"learned"``; or, to compare, ``"uniform"``, ``"random"`` (as sparse) or ``"none"``.

    Raises:
        TlbookError: when the learner is none, the share is not between 0 and 1, the width is not a whole number from 1
            on, the kind of graph is unknown, or an ``nn.Embedding`` is too small for the learner's vocabulary or not of
            this width. In training, when the rows of both domains differ in type or shape.

    Example:
        >>> from tlbook import nets
        >>> learner = GraphLearner(vocabulary=9, width=8)
        >>> method = GLoMo(learner, nn.Embedding(9, 4), nn.Flatten(), nets.mlp(24, 2), width=4)
        >>> [phase.name for phase in method.phases()]
        ['graphs', 'task']
        >>> method(torch.randint(1, 9, (3, 6))).shape
        torch.Size([3, 2])
    """

    place = Place(target_labels="few", transfers=("relations",), source_labels=False, needs_target=True)

    features: GraphFeatures

    def __init__(
        self,
        learner: GraphLearner,
        embedding: nn.Module,
        encoder: nn.Module,
        label_head: nn.Module,
        width: int,
        share: float = 0.5,
        graph: Kind = "learned",
    ) -> None:
        if not isinstance(learner, GraphLearner):
            raise TlbookError(
                f"learner is a {type(learner).__name__}; expected a GraphLearner: make one, or take a trained GLoMo's "
                "features.learner"
            )
        check_number("share", share, at_least=0, at_most=1, hint="the part of the steps that teach the graphs")
        check_whole("width", width, at_least=1)
        if isinstance(embedding, nn.Embedding):
            given = embedding.num_embeddings, embedding.embedding_dim
            if given[0] < learner.vocabulary or given[1] != width:
                raise TlbookError(
                    f"embedding is {given[0]} × {given[1]}; expected at least {learner.vocabulary} × {width}: "
                    "build it for the learner's vocabulary and for this width"
                )
        reader = GraphReader(embedding, learner.layers, learner.heads, encoder, width)
        super().__init__(GraphFeatures(learner, reader, graph), label_head)
        self.share = share
        self.place = replace(type(self).place, source_labels=share < 1, needs_target=share > 0)

    def phases(self) -> tuple[Phase, ...]:
        """The graphs on unlabelled rows first, then the task with the graphs held fixed."""
        first = Phase("graphs", self.graph_losses, (self.features.learner,), share=self.share)
        second = Phase("task", self.losses, (self.features.reader, self.label_head), share=1 - self.share)
        return tuple(phase for phase in (first, second) if phase.share > 0)

    def graph_losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        """The terms of the first phase, as :meth:`losses`; of the labelled rows only their form counts."""
        check_rows(source.x, target.x)
        return self.features.learner.losses(target.x)

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        """The term of the second phase, of which the learner hears nothing."""
        return {"label": cross_entropy(self(source.x), source.labels)}
