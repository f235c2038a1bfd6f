"""What the chapter on self-supervision runs on: many images without labels, few with, and a small network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from tlbook import nets
from tlbook._checks import check_choice
from tlbook.data import Domain, load
from tlbook.data.views import Affine, Light
from tlbook.methods.method import Method
from tlbook.profiles import PROFILES
from tlbook.train import History, fit

__all__ = ["Lesson", "changes", "copies", "images", "stamped"]

RATE = 2e-3
COPIES = 100  # of each labelled image, where copies are changed


@dataclass(frozen=True)
class Lesson:
    """Images without labels, the same with labels to buy a few of, and the sizes of what is trained on them.

    Attributes:
        pool: all training images, without labels.
        answers: the same with labels.
        test: labelled, to score.
        width: of the images' features after the convolutions.
        turn_steps: of a training by rotation.
        view_steps: of a training by contrast.
        label_steps: of a training with labels.
    """

    pool: Domain
    answers: Domain
    test: Domain
    width: int
    turn_steps: int
    view_steps: int
    label_steps: int

    def features(self) -> nn.Sequential:
        """A new network up to its 64 features: two convolutions and a layer, all with batch normalisation."""
        convolutions = nets.conv_features(1, (16, 32), kernel=3, norm=nn.BatchNorm2d)
        return nn.Sequential(convolutions, nets.mlp(self.width, 64), nn.BatchNorm1d(64), nn.ReLU())

    def bought(self, per_digit: int, draw: int, seed: int) -> Domain:
        """So many labelled images of each digit.

        Args:
            per_digit: how many.
            draw: which; another draw buys others.
            seed: of the chapter.
        """
        return self.answers.per_class(per_digit, seed=100 * seed + draw)

    def train(self, method: Method, domain: Domain, seed: int, steps: int, batch_size: int = 64) -> History:
        """Train a method in place, by Adam with a rate that falls from 0.002 along half a cosine.

        Args:
            method: what to train.
            domain: what it learns from.
            seed: of the order of the rows.
            steps: of the training.
            batch_size: rows a step.
        """
        adam = partial(torch.optim.Adam, lr=RATE, fused=True)
        how: dict[str, Any] = {"optimizer": adam, "schedule": _falling, "precision": "fp32", "progress": False}
        return fit(method, domain, steps=steps, batch_size=batch_size, seed=seed, **how)


def _falling(progress: float) -> float:
    return (1 + math.cos(math.pi * progress)) / 2


def images(profile: str = "quick") -> Lesson:
    """Scanned digits.

    Args:
        profile: ``"quick"`` for the digits of the package, ``"paper"`` for USPS and more steps.

    Raises:
        TlbookError: for another profile.

    Example:
        >>> lesson = images("quick")
        >>> len(lesson.pool), lesson.pool.y is None, len(lesson.bought(1, draw=0, seed=0))
        (1347, True, 10)
    """
    check_choice("profile", profile, PROFILES)
    name, size, width, steps = ("digits", 14, 128, (200, 600, 100)) if profile == "quick" else PAPER
    answers = load(name).images(channels=1, size=size)
    test = load(name, split="test").images(channels=1, size=size)
    return Lesson(answers.unlabelled(), answers, test, width, *steps)


PAPER = ("usps", 16, 128, (600, 1_000, 250))


def changes() -> nn.Sequential:
    """The views: each image turned, moved and scaled a little, then made lighter or darker.

    Example:
        >>> changes()(torch.zeros(2, 1, 14, 14, dtype=torch.uint8)).shape
        torch.Size([2, 1, 14, 14])
    """
    return nn.Sequential(Affine(degrees=20, pixels=2, scale=0.25), Light(brightness=0.8, contrast=0.8))


def copies(labelled: Domain, views: nn.Module, seed: int) -> Domain:
    """A hundred changed copies of each labelled image.

    Args:
        labelled: the images.
        views: what changes them.
        seed: of the changes.

    Example:
        >>> lesson = images()
        >>> len(copies(lesson.bought(1, 0, 0), changes(), seed=0))
        1000
    """
    torch.manual_seed(seed)
    x = torch.cat([views(labelled.x) for _ in range(COPIES)])
    return Domain(labelled.name, x, labelled.labels().repeat(COPIES), labelled.classes)


def stamped(domain: Domain) -> Domain:
    """The images with a small bright mark in the upper left corner.

    Args:
        domain: the images.

    Example:
        >>> stamped(images().test).x[0, 0, :2, :2].tolist()
        [[255, 255], [255, 255]]
    """
    x = domain.x.clone()
    x[:, :, :2, :2] = 255
    return Domain(domain.name, x, domain.y, domain.classes)
