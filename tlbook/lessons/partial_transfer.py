"""What the chapter on partial transfer runs on: ten classes of digits as source, five of them slanted as target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from tlbook._checks import check_choice
from tlbook.data import Domain, jitter, load
from tlbook.lessons.adda import FEATURES, scanned
from tlbook.methods.dann import mu_schedule
from tlbook.profiles import PROFILES
from tlbook.train import gan_adam

__all__ = ["THERE", "Lesson", "critic", "some_classes"]

THERE = range(5)  # the target's classes


@dataclass(frozen=True)
class Lesson:
    """A source of ten classes, and a target of five, once slanted a little and once more.

    Attributes:
        source: ten classes, labelled, for training.
        target: the digits 0 to 4 of other writers, slanted a little, without labels.
        test: labelled test images of the same kind, to score.
        far_target: the target slanted more and made smaller, without labels.
        far_test: labelled, to score.
        steps: of a training.
        training: the other settings that ``fit`` takes: rows a domain in a step, optimizer, schedule, precision.
    """

    source: Domain
    target: Domain
    test: Domain
    far_target: Domain
    far_test: Domain
    steps: int
    training: dict[str, Any]


def some_classes(profile: str = "quick") -> Lesson:
    """Ten digits with labels, and five of them as another scanner shows them.

    Args:
        profile: ``"quick"`` for the digits of the package, ``"paper"`` for those of MNIST and five times the steps.

    Raises:
        TlbookError: for another profile.

    Example:
        >>> lesson = some_classes("quick")
        >>> lesson.source.y.unique().tolist(), lesson.test.y.unique().tolist(), lesson.steps
        ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 1, 2, 3, 4], 440)
    """
    check_choice("profile", profile, PROFILES)
    name, copies, steps = {"quick": ("digits", 8, 440), "paper": ("mnist", 2, 2_200)}[profile]
    small: dict[str, Any] = {"channels": 1, "size": 14}
    here, there = (half.images(**small) for half in load(name).split(0.5, seed=0))
    moved = jitter(there.subset(THERE), copies, seed=1)
    test = load(name, split="test").images(**small).subset(THERE)
    near, far = ({"zoom": 1.1, "slant": 0.2}, {"zoom": 1.2, "slant": 0.6})
    return Lesson(
        jitter(here, copies, seed=0),
        scanned(moved, **near).unlabelled(),
        scanned(test, **near),
        scanned(moved, **far).unlabelled(),
        scanned(test, **far),
        steps,
        training={"batch_size": 64, "optimizer": gan_adam, "schedule": mu_schedule, "precision": "fp32"},
    )


def critic() -> nn.Sequential:
    """A discriminator for IWAN, with the dropout of the authors' code: features to one logit.

    Example:
        >>> import torch
        >>> critic()(torch.zeros(2, FEATURES)).shape
        torch.Size([2, 1])
    """
    hidden = nn.Linear(FEATURES, FEATURES)
    return nn.Sequential(hidden, nn.ReLU(), nn.Dropout(0.5), nn.Linear(FEATURES, 1))
