"""Graphs learned on Wikipedia's text, transferred to questions (chapter ``glomo``)."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import Any

import torch
from torch import nn

from tlbook import nets
from tlbook.data import Domain
from tlbook.data.text import SENTENCES, Vocabulary, running_text, sentences, wikitext
from tlbook.experiments.experiment import Experiment
from tlbook.experiments.pretraining import pre_train
from tlbook.methods.glomo.graphs import Kind
from tlbook.methods.glomo.learner import GraphLearner
from tlbook.methods.glomo.transfer import GLoMo, MaxOverTime
from tlbook.methods.method import Phase

VOCABULARY, LENGTH, WIDTH, FILTERS = 4_000, 24, 64, 100
GRAPH_STEPS, GRAPH_BATCH, TASK_STEPS = 6_000, 16, 500
PAPER = "Yang et al., GLoMo: unsupervisedly learned relational graphs as transferable representations, NeurIPS 2018"
PROTOCOL = (
    "5,452 labelled questions of six kinds, accuracy on the 500 official test questions, of whose words 17 in 100 are "
    "unknown and of which 155 are, so encoded, the same as one of the 5,452; graphs from nine tenths of the 445,000 "
    "words of WikiText-2's two small parts, without labels. The paper learns from all of Wikipedia and has other tasks"
)
NETWORK = (
    "a small model: graphs from 2 layers of 2 heads, width 32, 2 convolutions deep, told the place of each word (in "
    "the paper they are not), b from 0 on, 3 tokens foretold; classifier with random embeddings of width 64, a "
    "convolution of 100 filters over 3 words, maximum, dropout 0.5; both know the 4,000 most frequent words of the text"
)
SELECTION = (
    "the last step is reported; nothing was chosen on the test questions. The rate, the steps, b's start and the "
    "places of the graphs' learning were chosen with one seed on the last tenth of the text, without a question: that "
    "it is foretold better along the learned graph than along the uniform one, and that the two differ"
)


@cache
def text() -> tuple[Vocabulary, Domain, Domain]:
    """The vocabulary, made from the text alone, and the text in rows: what is learned from, and the last tenth."""
    words = wikitext()
    vocabulary = Vocabulary.of(words, VOCABULARY)
    classes = SENTENCES["trec"].classes
    cut = len(words) * 9 // 10
    learned, held = (running_text(part, vocabulary, LENGTH, classes) for part in (words[:cut], words[cut:]))
    return vocabulary, learned, held


def questions() -> tuple[Domain, Domain, Domain]:
    """Labelled questions, unlabelled text, and the official test questions."""
    vocabulary, rows, _ = text()
    train, test = (sentences("trec", split, vocabulary, LENGTH) for split in ("train", "test"))
    return train, rows, test


def few_questions() -> tuple[Domain, Domain, Domain]:
    """The same with a tenth of the labelled questions, the same ones for every seed."""
    train, rows, test = questions()
    return train.split(0.1, seed=0)[0], rows, test


def falling(progress: float) -> float:
    """The learning rate falls along a line to 0."""
    return 1 - progress


class Taught(GLoMo):
    """A small convolutional classifier of questions that reads along graphs learned from the text beforehand.

    The learner of a seed is trained once and kept in the user's cache, for all rows that use it, under a name that
    tells the settings, the text and the version of torch. A uniform graph, or none, needs no learner for the task; the
    text is foretold along it only when it is measured.

    Args:
        graph: see :class:`~tlbook.methods.GLoMo`.
    """

    def __init__(self, graph: Kind) -> None:
        foretold = "learned" if graph == "random" else graph
        learner = GraphLearner(VOCABULARY, width=32, layers=2, heads=2, sampled=4, positions=LENGTH, graph=foretold)
        for direction in (learner.ahead, learner.back):
            nn.init.zeros_(direction.graph.b)
        encoder = nn.Sequential(MaxOverTime(WIDTH, FILTERS), nn.Dropout(0.5))
        head = nets.mlp(FILTERS, len(SENTENCES["trec"].classes))
        super().__init__(learner, nn.Embedding(VOCABULARY, WIDTH), encoder, head, WIDTH, share=0.0, graph=graph)

    def phases(self) -> tuple[Phase, ...]:
        """The task alone, before which the learner is trained or read where its graph is used."""
        [task] = super().phases()
        return (replace(task, start=self.pre_train) if self.features.graph in ("learned", "random") else task,)

    def pre_train(self) -> None:
        """Learn from the text, or take what an earlier row kept."""
        learner, rows, seed = self.features.learner, text()[1], torch.initial_seed()  # the seed of the run that begins
        with torch.random.fork_rng():
            method = GLoMo(learner, nn.Embedding(VOCABULARY, 1), nn.Identity(), nn.Identity(), 1, share=1.0)
        pre_train(
            f"glomo-{learner.ahead.kind}",
            method,
            rows,
            rows,
            seed=seed,
            steps=GRAPH_STEPS,
            batch_size=GRAPH_BATCH,
            optimizer=partial(torch.optim.Adam, lr=8e-3, fused=True),
            schedule=falling,
            device=str(next(self.parameters()).device),
            precision="fp32",
        )


@torch.no_grad()
def measures(method: Taught) -> dict[str, float]:
    """What the graphs are on the last tenth of the text, whose rows are full.

    Args:
        method: a row, trained.

    Returns:
        ``nats``, the mean cross-entropy of a foretold word over both directions; ``edges``, the share of the possible
        edges that are there; ``entropy``, of the weights that a word listens with, in nats, the mean over the words
        that have one to listen to.
    """
    with torch.enable_grad():
        method.pre_train()
    learner = method.features.learner.eval()
    held = text()[2].to(next(method.parameters()).device).x
    columns = LENGTH / (LENGTH - 1)  # one column in every LENGTH has nothing to listen to
    sums = dict.fromkeys(("nats", "edges", "entropy"), 0.0)
    for start in range(0, len(held), 64):
        x = held[start : start + 64]
        graphs = learner.graphs(x)
        found = (
            sum(learner.losses(x).values()),
            2 * columns * (graphs > 0).float().mean(),
            columns * -torch.special.xlogy(graphs, graphs).sum(dim=-2).mean(),
        )
        for name, value in zip(sums, found, strict=True):
            sums[name] += len(x) / len(held) * float(value)
    return sums


TASK = (
    f"Adam, 2e-3, {TASK_STEPS} steps of 64 questions; before, once for all rows of a seed that share it and in the "
    f"time of the first: Adam, 8e-3 falling to 0, {GRAPH_STEPS:,} × {GRAPH_BATCH} rows of text"
)
LEARNED = Experiment(
    name="glomo-trec",
    title="learned graph",
    paper=PAPER,
    table="none: the paper has other tasks",
    task="Wikipedia → TREC questions",
    protocol=PROTOCOL,
    network=NETWORK,
    training=TASK,
    selection=SELECTION,
    published=None,
    domains=questions,
    method=partial(Taught, "learned"),
    steps=TASK_STEPS,
    optimizer=partial(torch.optim.Adam, lr=2e-3, fused=True),
    measures=measures,
)
UNIFORM = replace(LEARNED, name="glomo-trec-uniform", title="uniform graph", method=partial(Taught, "uniform"))
unmeasured: dict[str, Any] = {"measures": None}
NONE = replace(LEARNED, name="glomo-trec-none", title="no graph", method=partial(Taught, "none"), **unmeasured)
RANDOM = replace(
    LEARNED, name="glomo-trec-random", title="random graph, as sparse", method=partial(Taught, "random"), **unmeasured
)

few: dict[str, Any] = {
    "task": "Wikipedia → TREC questions, a tenth of the labels",
    "protocol": PROTOCOL.replace("5,452 labelled questions", "546 of 5,452 labelled questions"),
    "domains": few_questions,
    **unmeasured,
}
FEW_LEARNED = replace(LEARNED, name="glomo-trec-few", **few)
FEW_NONE = replace(NONE, name="glomo-trec-few-none", **few)
FEW_UNIFORM = replace(UNIFORM, name="glomo-trec-few-uniform", **few)
FEW_RANDOM = replace(RANDOM, name="glomo-trec-few-random", **few)
