"""What the chapter on the theory of transfer runs on: three places where digits come from, and a checkerboard."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from tlbook import nets
from tlbook._arrays import Matrix
from tlbook._checks import check_choice
from tlbook.data import Domain, load
from tlbook.methods import SourceOnly
from tlbook.profiles import PROFILES
from tlbook.train import fit

__all__ = ["Lesson", "checkerboard", "places"]

SIDE = 14  # pixels of an image
STEPS = {"quick": 600, "paper": 1500}
HANDWRITTEN = {"quick": ("digits", "digits-m"), "paper": ("mnist", "mnist-m")}


@dataclass(frozen=True)
class Lesson:
    """Three places, and of each digit the question whether it is odd.

    Attributes:
        names: of the places, in a word each.
        train: labelled, for training, a domain a place.
        tests: labelled, to measure, a domain a place.
        steps: of a training.
    """

    names: tuple[str, ...]
    train: tuple[Domain, ...]
    tests: tuple[Domain, ...]
    steps: int

    def network(self, place: int, seed: int) -> SourceOnly:
        """A network of two convolutions that has learned at one place, with two logits: even, odd.

        Args:
            place: its number among the names.
            seed: of the weights and of the order of the rows.
        """
        torch.manual_seed(seed)
        network = SourceOnly(nets.conv_features(channels=1, widths=(16, 24), kernel=3), nets.mlp(96, 64, 2))
        how: dict[str, Any] = {"batch_size": 64, "precision": "fp32", "progress": False}
        how["optimizer"] = partial(torch.optim.Adam, fused=True)
        fit(network, self.train[place], steps=self.steps, seed=seed, **how)
        return network


def places(profile: str = "quick") -> Lesson:
    """Printed digits, handwritten ones, and the handwritten ones over photographs.

    Args:
        profile: ``"quick"`` for the digits of the package, ``"paper"`` for MNIST and MNIST-M and longer trainings.

    Raises:
        TlbookError: for another profile.

    Example:
        >>> lesson = places("quick")
        >>> lesson.names, lesson.tests[0].classes
        (('printed', 'written', 'photos'), ('even', 'odd'))
    """
    check_choice("profile", profile, PROFILES)
    names = ("rendered-digits", *HANDWRITTEN[profile])
    train, tests = (tuple(_odd_or_even(name, split) for name in names) for split in ("train", "test"))
    return Lesson(("printed", "written", "photos"), train, tests, STEPS[profile])


def _odd_or_even(name: str, split: str) -> Domain:
    domain = load(name, split).images(channels=1, size=SIDE)
    return replace(domain, y=domain.labels() % 2, classes=("even", "odd"))


def checkerboard(seed: int, n: int = 1000) -> tuple[Matrix, Matrix]:
    """Two domains on a square: one fills the fields where both coordinates have the same sign, one the other two.

    Args:
        seed: of the points.
        n: how many of each domain.

    Returns:
        Two arrays n×2 with numbers from -1 to 1.

    Example:
        >>> source, target = checkerboard(seed=0)
        >>> bool((source.prod(axis=1) >= 0).all()), bool((target.prod(axis=1) <= 0).all())
        (True, True)
    """
    rng = np.random.default_rng(seed)
    drawn = rng.uniform(-1, 1, (2, n, 2))
    sign = np.array([1, -1])[:, None] * np.sign(drawn[..., 0])
    source, target = np.stack([drawn[..., 0], sign * np.abs(drawn[..., 1])], axis=-1)
    return source, target
