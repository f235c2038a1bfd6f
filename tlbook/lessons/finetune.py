"""What the chapter on fine-tuning runs on: printed digits as source, handwritten ones over photographs as target."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from tlbook import nets
from tlbook._checks import check_choice
from tlbook.data import Domain, load
from tlbook.methods import Method, SourceOnly
from tlbook.profiles import PROFILES
from tlbook.train import fit

__all__ = ["Lesson", "network", "photographs"]

SIDE = 20  # pixels of an image: small, to save time
STEPS = {"quick": 100, "paper": 500}
TARGETS = {"quick": "digits-m", "paper": "mnist-m"}


@dataclass(frozen=True)
class Lesson:
    """A large source, a target of which few labels are taken, and how long a network trains on either.

    Attributes:
        source: labelled, for training.
        target: labelled, for training; a chapter takes a few labels a class of it.
        source_test: labelled, to score.
        target_test: labelled, to score.
        steps: of a training on the target.
        source_steps: of a training on the source.
    """

    source: Domain
    target: Domain
    source_test: Domain
    target_test: Domain
    steps: int
    source_steps: int

    def train(
        self, method: Method, domain: Domain, seed: int, steps: int | None = None, batch_size: int = 32
    ) -> Method:
        """Train a method in place, by Adam with a learning rate of 0.003, and give it back.

        Args:
            method: what to train.
            domain: the labelled domain that it learns from.
            seed: of the order of the rows.
            steps: the lesson's own if not given.
            batch_size: rows a step.
        """
        adam = partial(torch.optim.Adam, lr=3e-3, fused=True)
        how: dict[str, Any] = {"optimizer": adam, "precision": "fp32", "progress": False}
        fit(method, domain, steps=steps or self.steps, batch_size=batch_size, seed=seed, **how)
        return method


def photographs(profile: str = "quick") -> Lesson:
    """From printed digits to handwritten ones that are blended with photographs.

    Args:
        profile: ``"quick"`` for the digits of the package, ``"paper"`` for MNIST-M and five times the steps.

    Raises:
        TlbookError: for another profile.

    Example:
        >>> lesson = photographs("quick")
        >>> lesson.source.name, lesson.target.name, lesson.steps
        ('rendered-digits', 'digits-m', 100)
    """
    check_choice("profile", profile, PROFILES)
    names = ("rendered-digits", TARGETS[profile])
    source, target = (load(name).images(channels=3, size=SIDE) for name in names)
    source_test, target_test = (load(name, "test").images(channels=3, size=SIDE) for name in names)
    steps = STEPS[profile]
    return Lesson(source, target, source_test, target_test, steps, source_steps=6 * steps)


def network(norm: type[nn.Module] | None = None) -> SourceOnly:
    """A new network of five layers: ``conv1``, ``conv2``, ``fc1`` and ``fc2`` are its features, then its label head.

    Args:
        norm: a normalisation after each convolution, such as ``nn.BatchNorm2d``.

    Example:
        >>> network()(torch.zeros(2, 3, 20, 20, dtype=torch.uint8)).shape
        torch.Size([2, 10])
    """
    features = nets.conv_features(widths=(16, 32), kernel=3, norm=norm)
    features.add_module("fc1", nn.Sequential(nn.Linear(288, 64), nn.ReLU()))
    features.add_module("fc2", nn.Sequential(nn.Linear(64, 64), nn.ReLU()))
    return SourceOnly(features, nn.Linear(64, 10))
