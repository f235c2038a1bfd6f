"""What the chapter on GLoMo runs on: a small language whose true edges are known, and two tasks in it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from tlbook.data import Domain
from tlbook.data.language import PLACES, WORDS, Told, questions, tell
from tlbook.methods.glomo.graphs import Kind, causal_mask, control
from tlbook.methods.glomo.learner import GraphLearner
from tlbook.methods.glomo.transfer import GLoMo
from tlbook.methods.method import Method
from tlbook.train import fit

__all__ = ["COLOURS", "Lesson", "coloured", "graphs", "language", "shuffled"]

COLOURS = ("red", "green", "blue", "white")
STEPS = 400  # of learning graphs from the text


@dataclass(frozen=True)
class Lesson:
    """A text without labels, sentences to measure graphs on, and a task with few labels.

    Attributes:
        text: sentences without labels, to learn graphs from.
        held: others, with their true edges, to measure graphs.
        asked: few questions, sentences cut off after a name, with their answers.
        test: further questions, to score.
    """

    text: Domain
    held: Told
    asked: Domain
    test: Domain

    def teach(self, seed: int, text: Domain | None = None, steps: int = STEPS, **how: Any) -> GraphLearner:
        """Learn graphs from a text, by Adam with a learning rate of 0.005 on 32 sentences a step.

        Args:
            seed: of the first weights and of the order of the sentences.
            text: the lesson's own if not given.
            steps: of the training.
            **how: what :class:`~tlbook.methods.glomo.learner.GraphLearner` takes; one head, and stacks of one
                convolution, if nothing is said.
        """
        torch.manual_seed(seed)
        settings: dict[str, Any] = {"heads": 1, "depth": 1, "sampled": 8} | how
        learner = GraphLearner(len(WORDS), **settings)
        idle = nn.Embedding(len(WORDS), 16), nn.Flatten(), nn.LazyLinear(2)  # of the task, which is for later
        self._fit(GLoMo(learner, *idle, 16, share=1.0), text or self.text, steps, 5e-3, seed, graphs=True)
        return learner

    def train(self, method: Method, labelled: Domain, seed: int, steps: int = 120) -> Method:
        """Train a classifier in place, by Adam with a learning rate of 0.01 on 32 questions a step; give it back.

        Args:
            method: what to train.
            labelled: the questions.
            seed: of their order.
            steps: of the training.
        """
        self._fit(method, labelled, steps, 1e-2, seed)
        return method

    def _fit(self, method: Method, domain: Domain, steps: int, rate: float, seed: int, graphs: bool = False) -> None:
        adam = partial(torch.optim.Adam, lr=rate, fused=True)
        how: dict[str, Any] = {"optimizer": adam, "precision": "fp32", "progress": False}
        domains = (self.asked, domain) if graphs else (domain,)
        fit(method, *domains, steps=steps, batch_size=32, seed=seed, **how)


def language(seed: int = 0) -> Lesson:
    """Three thousand sentences of fourteen words without labels, and two hundred questions with their answers.

    Args:
        seed: of all that is drawn.

    Example:
        >>> lesson = language()
        >>> len(lesson.text), len(lesson.asked), len(lesson.test)
        (3000, 200, 500)
    """
    size = {"length": 14}
    held = tell(200, seed + 1000, **size)
    asked, test = questions(200, seed + 2000, **size), questions(500, seed + 3000, **size)
    return Lesson(tell(3000, seed, **size).domain, held, asked, test)


def shuffled(domain: Domain, seed: int) -> Domain:
    """The same sentences, the words of each in a random order.

    Args:
        domain: N×T tokens.
        seed: of the orders.

    Example:
        >>> text = language().held.domain
        >>> torch.equal(shuffled(text, 0).x.sort(dim=1).values, text.x.sort(dim=1).values)
        True
    """
    order = torch.rand(domain.x.shape, generator=torch.Generator().manual_seed(seed)).argsort(dim=1)
    return Domain("shuffled", domain.x.gather(1, order), None, PLACES)


def coloured(questions: Domain, seed: int) -> Domain:
    """Questions in which each word has a random colour: which colour had the place that was said of this person?

    A token is the word plus ``len(WORDS)`` times the number of its colour.

    Args:
        questions: as :func:`tlbook.data.language.questions` gives them.
        seed: of the colours.

    Example:
        >>> painted = coloured(language().test, seed=0)
        >>> painted.x.shape, painted.classes
        (torch.Size([500, 14]), ('red', 'green', 'blue', 'white'))
    """
    x = questions.x
    colour = torch.randint(len(COLOURS), x.shape, generator=torch.Generator().manual_seed(seed))
    place = (x[:, :-1] == x[:, -1:]).int().argmax(dim=1, keepdim=True) + 1  # after the first mention of the person
    return Domain("coloured", x + len(WORDS) * colour, colour.gather(1, place)[:, 0], COLOURS)


def graphs(learner: GraphLearner, words: Tensor, kind: Kind = "learned") -> Tensor:
    """A learner's graphs of sentences, or a control in their place, without a gradient.

    Args:
        learner: where the graphs come from.
        words: N×T tokens.
        kind: see :func:`tlbook.methods.glomo.graphs.control`.

    Returns:
        N×2×L×H×T×T, as :meth:`~tlbook.methods.glomo.learner.GraphLearner.graphs`.
    """
    ahead = causal_mask(words)
    mask = torch.stack([ahead, ahead.mT], dim=1)[:, :, None, None]
    with torch.no_grad():
        return control(learner.graphs(words), mask, kind)
