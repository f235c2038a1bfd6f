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
from tlbook.experiments.experiment import Experiment, PreTraining, Run, Training, accuracy, seeded
from tlbook.methods.glomo.graphs import Kind
from tlbook.methods.glomo.learner import GraphLearner
from tlbook.methods.glomo.transfer import GLoMo, MaxOverTime

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


def questions(seed: int) -> tuple[Domain, Domain, Domain]:
    """Labelled questions, unlabelled text, and the official test questions; the same for every seed."""
    vocabulary, rows, _ = text()
    train, test = (sentences("trec", split, vocabulary, LENGTH) for split in ("train", "test"))
    return train, rows, test


def few_questions(seed: int) -> tuple[Domain, Domain, Domain]:
    """The same with a tenth of the labelled questions, the same ones for every seed."""
    train, rows, test = questions(seed)
    return train.split(0.1, seed=0)[0], rows, test


def falling(progress: float) -> float:
    """The learning rate falls along a line to 0."""
    return 1 - progress


def learner(graph: Kind) -> GraphLearner:
    """A graph learner that has not seen the text; a random graph is as sparse as a learned one."""
    foretold = "learned" if graph == "random" else graph
    built = GraphLearner(VOCABULARY, width=32, layers=2, heads=2, sampled=4, positions=LENGTH, graph=foretold)
    for direction in (built.ahead, built.back):
        nn.init.zeros_(direction.graph.b)
    return built


def classifier(graph: Kind) -> GLoMo:
    """A small convolutional classifier of questions that reads along the graphs of a learner."""
    graphs = learner(graph)
    encoder = nn.Sequential(MaxOverTime(WIDTH, FILTERS), nn.Dropout(0.5))
    head = nets.mlp(FILTERS, len(SENTENCES["trec"].classes))
    return GLoMo(graphs, nn.Embedding(VOCABULARY, WIDTH), encoder, head, WIDTH, share=0.0, graph=graph)


def foretelling(graph: Kind) -> GLoMo:
    """The learner alone: the task's parts are there for form."""
    return GLoMo(learner(graph), nn.Embedding(VOCABULARY, 1), nn.Identity(), nn.Identity(), 1, share=1.0)


def hand_over(taught: GLoMo, method: GLoMo) -> None:
    """The learner, which was trained on the text."""
    method.features.learner.load_state_dict(taught.features.learner.state_dict())


def wiki(seed: int) -> tuple[Domain, Domain]:
    """The text without labels, the same for every seed."""
    rows = text()[1]
    return rows, rows


def graphs_from_text(graph: Kind) -> PreTraining:
    """The learning of graphs, or of foretelling along a graph that is given."""
    return PreTraining(
        f"glomo-{graph}",
        wiki,
        seeded(partial(foretelling, graph)),
        Training(
            GRAPH_STEPS, GRAPH_BATCH, partial(torch.optim.Adam, lr=8e-3, fused=True), schedule=falling, precision="fp32"
        ),
        hand_over,
    )


@torch.no_grad()
def on_text(run: Run) -> dict[str, float]:
    """What the graphs are on the last tenth of the text, whose rows are full.

    Args:
        run: of a row whose learner was taught.

    Returns:
        The accuracy; ``nats``, the mean cross-entropy of a foretold word over both directions; ``edges``, the share of
        the possible edges that are there; ``entropy``, of the weights that a word listens with, in nats, the mean over
        the words that have one to listen to.
    """
    learner = run.method.features.learner.eval()
    held = text()[2].to(next(learner.parameters()).device).x
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
    return accuracy(run) | sums


LEARNED = Experiment(
    name="glomo-trec",
    title="learned graph",
    paper=PAPER,
    table="none: the paper has other tasks",
    task="Wikipedia → TREC questions",
    protocol=PROTOCOL,
    network=NETWORK,
    selection=SELECTION,
    published=None,
    domains=questions,
    method=seeded(partial(classifier, "learned")),
    training=Training(TASK_STEPS, optimizer=partial(torch.optim.Adam, lr=2e-3, fused=True)),
    before=graphs_from_text("learned"),
    measures=on_text,
)
UNIFORM = replace(
    LEARNED,
    name="glomo-trec-uniform",
    title="uniform graph",
    method=seeded(partial(classifier, "uniform")),
    before=graphs_from_text("uniform"),
)
untaught: dict[str, Any] = {"before": None, "measures": accuracy}
NONE = replace(
    LEARNED, name="glomo-trec-none", title="no graph", method=seeded(partial(classifier, "none")), **untaught
)
RANDOM = replace(
    LEARNED,
    name="glomo-trec-random",
    title="random graph, as sparse",
    method=seeded(partial(classifier, "random")),
    measures=accuracy,
)

few: dict[str, Any] = {
    "task": "Wikipedia → TREC questions, a tenth of the labels",
    "protocol": PROTOCOL.replace("5,452 labelled questions", "546 of 5,452 labelled questions"),
    "domains": few_questions,
    "measures": accuracy,
}
FEW_LEARNED = replace(LEARNED, name="glomo-trec-few", **few)
FEW_NONE = replace(NONE, name="glomo-trec-few-none", **few)
FEW_UNIFORM = replace(UNIFORM, name="glomo-trec-few-uniform", **few | untaught)
FEW_RANDOM = replace(RANDOM, name="glomo-trec-few-random", **few)
