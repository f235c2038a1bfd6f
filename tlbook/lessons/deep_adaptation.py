"""What the chapter on deep adaptation runs on: upright handwritten digits as source, leaning ones as target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from tlbook import nets
from tlbook._checks import check_choice
from tlbook.data import Domain, jitter, load
from tlbook.data.augment import affine
from tlbook.methods import Method, SourceOnly
from tlbook.profiles import PROFILES
from tlbook.train import fit

__all__ = ["Lesson", "leaning", "network", "perceptron"]

SIDE = 14  # pixels of an image
WIDTH = 100  # features
SEEDS = {"quick": 2, "paper": 5}

Network = tuple[nn.Module, nn.Module]


@dataclass(frozen=True)
class Lesson:
    """Test images of both domains, how training images are drawn, and how long a network trains.

    Attributes:
        source_test: upright digits.
        target_test: the same digits, leaning.
        seeds: how many a comparison takes.
        start_steps: of the training on the source with which all begins.
        steps: of each further training.
    """

    source_test: Domain
    target_test: Domain
    seeds: int
    start_steps: int
    steps: int

    def draw(self, seed: int) -> tuple[Domain, Domain]:
        """Upright and leaning digits for training; no digit is in both, and each has two copies, turned and moved.

        Args:
            seed: of the draw.

        Returns:
            The source, and the target with its labels, which a method gets without them.
        """
        halves = load("digits").split(0.5, seed=seed)
        one, two = (jitter(d, 3, seed=i).images(channels=1, size=SIDE) for i, d in enumerate(halves))
        return one, _lean(two)

    def start(
        self, source: Domain, seed: int, steps: int | None = None, build: Callable[[], Network] | None = None
    ) -> SourceOnly:
        """A network trained on one domain, with which the methods begin.

        Args:
            source: the domain.
            seed: of the weights and of the order of the rows.
            steps: the lesson's own if not given.
            build: makes features and label head; :func:`network` if not given.
        """
        torch.manual_seed(seed)
        method = SourceOnly(*(build or network)())
        self.train(method, source, None, seed, steps or self.start_steps, rate=3e-3)
        return method

    def train(
        self,
        method: Method,
        source: Domain,
        target: Domain | None,
        seed: int,
        steps: int | None = None,
        rate: float = 1e-3,
    ) -> Method:
        """Train a method in place by Adam, with 32 rows of each domain a step, and give it back.

        Args:
            method: what to train.
            source: labelled.
            target: its labels are taken away first; none for a method that needs no target.
            seed: of the order of the rows.
            steps: the lesson's own if not given.
            rate: the learning rate.
        """
        adam = partial(torch.optim.Adam, lr=rate, fused=True)
        how: dict[str, Any] = {"optimizer": adam, "precision": "fp32", "progress": False}
        unlabelled = None if target is None else target.unlabelled()
        fit(method, source, unlabelled, steps=steps or self.steps, batch_size=32, seed=seed, **how)
        return method


def leaning(profile: str = "quick") -> Lesson:
    """Handwritten digits, upright and sheared to the right.

    Args:
        profile: ``"quick"`` for two seeds a comparison, ``"paper"`` for five.

    Raises:
        TlbookError: for another profile.

    Example:
        >>> leaning("quick").steps
        120
    """
    check_choice("profile", profile, PROFILES)
    source_test = load("digits", split="test").images(channels=1, size=SIDE)
    return Lesson(source_test, _lean(source_test), SEEDS[profile], start_steps=500, steps=120)


def network() -> Network:
    """Two convolutions and a layer of a hundred features; a label head of one layer.

    Example:
        >>> features, label_head = network()
        >>> label_head(features(torch.zeros(2, 1, 14, 14, dtype=torch.uint8))).shape
        torch.Size([2, 10])
    """
    features = nn.Sequential(nets.conv_features(1, (16, 24), kernel=3), nets.mlp(96, WIDTH), nn.ReLU())
    return features, nets.mlp(WIDTH, 10)


def perceptron(depth: int) -> Network:
    """Hidden layers a hundred wide and no convolution; the features are the last one, before its ReLU, as in DaNN.

    Args:
        depth: how many hidden layers.

    Example:
        >>> len(list(perceptron(4)[0].parameters()))
        8
    """
    inner = [layer for _ in range(depth - 1) for layer in (nn.ReLU(), nn.Linear(WIDTH, WIDTH))]
    features = nn.Sequential(nets.Pixels(), nn.Flatten(), nn.Linear(SIDE * SIDE, WIDTH), *inner)
    return features, nn.Sequential(nn.ReLU(), nn.Linear(WIDTH, 10))


def _lean(domain: Domain, slope: float = 0.6) -> Domain:
    return replace(affine(domain, slant=slope), name="leaning digits")
