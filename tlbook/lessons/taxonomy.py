"""What the chapter on the taxonomy of transfer runs on: a network for digits, and four who want to use it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from tlbook import nets
from tlbook.data import Domain, load
from tlbook.methods import Method, SourceOnly
from tlbook.train import fit

__all__ = ["Lesson", "customers", "head", "network"]

WIDTH = 512  # how many features come out of the network's features


@dataclass(frozen=True)
class Lesson:
    """The digits of a network, those of its customers, and how long a repair trains.

    Attributes:
        source: labelled, for training.
        source_test: labelled, to score.
        customers: for each customer his labelled digits, for training.
        tests: for each customer his labelled digits, to score.
        printed: the digits of one whose domain is far: printed, labelled, for training.
        printed_test: labelled, to score.
        steps: of a repair.
        source_steps: of the network's own training.
    """

    source: Domain
    source_test: Domain
    customers: dict[str, Domain]
    tests: dict[str, Domain]
    printed: Domain
    printed_test: Domain
    steps: int = 100
    source_steps: int = 400

    def train(
        self, method: Method, domain: Domain, seed: int, steps: int | None = None, batch_size: int = 32
    ) -> Method:
        """Train a method in place, by Adam with a learning rate of 0.001, and give it back.

        Args:
            method: what to train.
            domain: the labelled domain that it learns from.
            seed: of the order of the rows.
            steps: the lesson's own if not given.
            batch_size: rows a step.
        """
        fit(
            method,
            domain,
            steps=steps or self.steps,
            batch_size=batch_size,
            seed=seed,
            precision="fp32",
            progress=False,
        )
        return method


def customers() -> Lesson:
    """Handwritten digits, and what three customers have: another task, the same names reordered, another domain.

    Example:
        >>> lesson = customers()
        >>> {name: domain.classes[:2] for name, domain in lesson.customers.items()}
        {'even or odd': ('even', 'odd'), 'backwards': ('0', '1'), 'photographs': ('0', '1')}
    """
    return Lesson(
        load("digits"),
        load("digits", "test"),
        _customers("train"),
        _customers("test"),
        load("rendered-digits"),
        load("rendered-digits", "test"),
    )


def _customers(split: str) -> dict[str, Domain]:
    digits = load("digits", split)
    y = digits.labels()
    return {
        "even or odd": replace(digits, name="even or odd", y=y % 2, classes=("even", "odd")),
        "backwards": replace(digits, name="backwards", y=9 - y),
        "photographs": load("digits-m", split),
    }


def network() -> SourceOnly:
    """A new network: two convolutions are its features, two layers its label head.

    Example:
        >>> import torch
        >>> network()(torch.zeros(2, 3, 28, 28, dtype=torch.uint8)).shape
        torch.Size([2, 10])
    """
    return SourceOnly(nets.conv_features(widths=(16, 32)), head())


def head(classes: int = 10) -> nn.Module:
    """A new head for the network's features: one hidden layer, and a logit a class.

    Args:
        classes: how many answers there are.
    """
    return nets.mlp(WIDTH, 64, classes)
