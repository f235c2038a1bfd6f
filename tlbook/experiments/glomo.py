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
from tlbook.methods.glomo.graphs import Kind
from tlbook.methods.glomo.learner import GraphLearner
from tlbook.methods.glomo.transfer import GLoMo, MaxOverTime

VOCABULARY, LENGTH, WIDTH, FILTERS = 4_000, 24, 64, 100
GRAPH_STEPS, TASK_STEPS = 700, 500
PAPER = "Yang et al., GLoMo: unsupervisedly learned relational graphs as transferable representations, NeurIPS 2018"
PROTOCOL = (
    "5,452 labelled questions of six kinds, accuracy on the 500 official test questions; graphs from the 456,000 words "
    "of WikiText-2's two small parts, without labels. The paper learns from all of Wikipedia and has other tasks"
)
NETWORK = (
    "a small model: graphs from 2 layers of 2 heads, width 32, 2 convolutions deep, 3 tokens foretold; classifier with "
    "random embeddings of width 64, a convolution of 100 filters over 3 words, maximum, dropout 0.5; both know the "
    "4,000 most frequent words of the text"
)
SELECTION = "the last step is reported; nothing was chosen on the test questions"


@cache
def text() -> tuple[Vocabulary, Domain]:
    """The vocabulary, made from the text alone, and the text in rows."""
    words = wikitext()
    vocabulary = Vocabulary.of(words, VOCABULARY)
    return vocabulary, running_text(words, vocabulary, LENGTH, SENTENCES["trec"].classes)


def questions() -> tuple[Domain, Domain, Domain]:
    """Labelled questions, unlabelled text, and the official test questions."""
    vocabulary, rows = text()
    train, test = (sentences("trec", split, vocabulary, LENGTH) for split in ("train", "test"))
    return train, rows, test


def few_questions() -> tuple[Domain, Domain, Domain]:
    """The same with a tenth of the labelled questions, the same ones for every seed."""
    train, rows, test = questions()
    return train.split(0.1, seed=0)[0], rows, test


def network(graph: Kind) -> GLoMo:
    """A small convolutional classifier of questions that reads along the graphs."""
    taught = graph in ("learned", "random")
    learner = GraphLearner(VOCABULARY, width=32, layers=2, heads=2, sampled=4)
    encoder = nn.Sequential(MaxOverTime(WIDTH, FILTERS), nn.Dropout(0.5))
    head = nets.mlp(FILTERS, len(SENTENCES["trec"].classes))
    share = GRAPH_STEPS / (GRAPH_STEPS + TASK_STEPS) if taught else 0.0
    return GLoMo(learner, nn.Embedding(VOCABULARY, WIDTH), encoder, head, WIDTH, share, graph)


TASK = f"Adam, 2e-3, {TASK_STEPS} steps of 64 questions"
TAUGHT = (
    f"Adam, 2e-3, {GRAPH_STEPS + TASK_STEPS:,} steps of 64 rows: {GRAPH_STEPS} of text for the graphs, "
    f"then {TASK_STEPS} of questions"
)
row = partial(
    Experiment,
    paper=PAPER,
    table="none: the paper has other tasks",
    task="Wikipedia → TREC questions",
    protocol=PROTOCOL,
    network=NETWORK,
    selection=SELECTION,
    published=None,
    domains=questions,
    optimizer=partial(torch.optim.Adam, lr=2e-3, fused=True),
)
untaught = partial(row, training=TASK, steps=TASK_STEPS)
taught = partial(row, training=TAUGHT, steps=GRAPH_STEPS + TASK_STEPS)

NONE = untaught(name="glomo-trec-none", title="no graph", method=partial(network, "none"))
UNIFORM = untaught(name="glomo-trec-uniform", title="uniform graph", method=partial(network, "uniform"))
RANDOM = taught(name="glomo-trec-random", title="random graph, as sparse", method=partial(network, "random"))
LEARNED = taught(name="glomo-trec", title="learned graph", method=partial(network, "learned"))

few: dict[str, Any] = {
    "task": "Wikipedia → TREC questions, a tenth of the labels",
    "protocol": PROTOCOL.replace("5,452 labelled questions", "545 of 5,452 labelled questions"),
    "domains": few_questions,
}
FEW_NONE = replace(NONE, name="glomo-trec-few-none", **few)
FEW_UNIFORM = replace(UNIFORM, name="glomo-trec-few-uniform", **few)
FEW_RANDOM = replace(RANDOM, name="glomo-trec-few-random", **few)
FEW_LEARNED = replace(LEARNED, name="glomo-trec-few", **few)
