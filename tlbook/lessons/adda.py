"""What the chapter on adversarial discriminative adaptation runs on: digits of one scanner, slanted ones of another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from tlbook import nets
from tlbook._checks import check_choice
from tlbook.data import Domain, jitter, load
from tlbook.data.augment import affine
from tlbook.profiles import PROFILES
from tlbook.train import gan_adam

__all__ = ["FEATURES", "Lesson", "encoder", "scanned", "scanners"]

FEATURES = 100  # numbers that an encoder makes of an image


@dataclass(frozen=True)
class Lesson:
    """Two scanners' digits, and how long both phases train.

    Attributes:
        source: labelled, for training.
        target: for training; methods get it unlabelled. No digit of it is in the source.
        source_test: labelled, to score.
        target_test: labelled, to score: the same digits as the source's, slanted.
        first: steps of the first phase, which is ordinary training on the source.
        second: steps of the second phase, the game.
        rate: learning rate of the first phase.
        training: the settings that ``fit`` takes: rows a domain in a step, a GAN's Adam, precision.
    """

    source: Domain
    target: Domain
    source_test: Domain
    target_test: Domain
    first: int
    second: int
    rate: float
    training: dict[str, Any]


def scanners(profile: str = "quick") -> Lesson:
    """Upright digits, and digits of a scanner that slants them and makes them smaller.

    Args:
        profile: ``"quick"`` for the digits of the package, ``"paper"`` for those of MNIST and five times the steps.

    Raises:
        TlbookError: for another profile.

    Example:
        >>> lesson = scanners("quick")
        >>> lesson.source.x.shape[1:], lesson.first, lesson.second
        (torch.Size([1, 14, 14]), 420, 780)
    """
    check_choice("profile", profile, PROFILES)
    name, copies, times = {"quick": ("digits", 8, 1), "paper": ("mnist", 2, 5)}[profile]
    small: dict[str, Any] = {"channels": 1, "size": 14}
    here, there = (half.images(**small) for half in load(name).split(0.5, seed=0))
    test = load(name, split="test").images(**small)
    rate = 2e-3
    return Lesson(
        jitter(here, copies, seed=0),
        scanned(jitter(there, copies, seed=1)),
        test,
        scanned(test),
        first=420 * times,
        second=780 * times,
        rate=rate,
        training={"batch_size": 32, "optimizer": partial(gan_adam, lr=rate), "precision": "fp32"},
    )


def scanned(domain: Domain, zoom: float = 1.2, slant: float = 0.6) -> Domain:
    """Every image slanted and made smaller, as another machine would.

    Args:
        domain: of images.
        zoom: how many times smaller a digit comes out.
        slant: how far it leans; 0 is upright.

    Example:
        >>> scanned(load("digits").images(channels=1, size=14), zoom=1.0, slant=0.0).x.shape[1:]
        torch.Size([1, 14, 14])
    """
    return affine(domain, zoom=zoom, slant=slant)


def encoder(norm: Callable[[int], nn.Module] = nn.BatchNorm2d) -> nn.Module:
    """A new network that turns images 1×14×14 into a hundred features.

    Args:
        norm: the normalisation after each of the two convolutions.

    Example:
        >>> import torch
        >>> encoder()(torch.zeros(2, 1, 14, 14, dtype=torch.uint8)).shape
        torch.Size([2, 100])
    """
    one = nn.Sequential(nn.Conv2d(1, 16, 3), nn.MaxPool2d(2), norm(16), nn.ReLU())
    two = nn.Sequential(nn.Conv2d(16, 24, 3), norm(24), nn.ReLU())
    return nn.Sequential(nets.Pixels(), one, two, nn.Flatten(), nets.mlp(384, FEATURES), nn.ReLU())
