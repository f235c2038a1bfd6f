"""What the chapter on domain-adversarial training runs on: two shifts, another ground and another hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from tlbook import nets
from tlbook._checks import check_choice
from tlbook.data import Domain, jitter, load
from tlbook.methods.dann import mu_schedule
from tlbook.profiles import PROFILES
from tlbook.train import gan_adam

__all__ = ["Lesson", "ground", "hand"]

COPIES = 8  # of each of the few digits: itself, and seven that are turned, moved and scaled


@dataclass(frozen=True)
class Lesson:
    """Two domains, a network for their images, and how long it trains.

    Attributes:
        source: labelled, for training.
        target: for training; methods get it unlabelled.
        source_test: labelled, to score.
        target_test: labelled, to score.
        features: makes the layers that adapt, given the kind of normalisation that stands in them.
        width: how many features come out of them.
        steps: of a training.
        training: the other settings that ``fit`` takes: rows a domain in a step, optimizer, schedule, precision.
    """

    source: Domain
    target: Domain
    source_test: Domain
    target_test: Domain
    features: Callable[..., nn.Module]
    width: int
    steps: int
    training: dict[str, Any]


def ground(profile: str = "quick") -> Lesson:
    """Digits on black, and over photographs.

    Args:
        profile: ``"quick"`` for the digits of the package, ``"paper"`` for MNIST → MNIST-M and the paper's network.

    Raises:
        TlbookError: for another profile.
    """
    check_choice("profile", profile, PROFILES)
    if profile == "quick":
        return _small("digits", "digits-m")
    source, target = (load(name).images(channels=3, size=28) for name in PAPER)
    source_test, target_test = (load(name, "test").images(channels=3, size=28) for name in PAPER)
    training = _training(64, 1e-3, "auto")
    return Lesson(source, target, source_test, target_test, _paper_features, 768, 12_000, training)


def hand() -> Lesson:
    """Printed digits, and handwritten ones."""
    return _small("rendered-digits", "digits")


PAPER = ("mnist", "mnist-m")


def _small(source: str, target: str) -> Lesson:
    def images(name: str, split: str, seed: int = 0) -> Domain:
        domain = load(name, split)
        copied = jitter(domain, COPIES, seed=seed) if split == "train" and len(domain) < 2000 else domain
        return copied.images(channels=1, size=14)

    return Lesson(
        images(source, "train"),
        images(target, "train", seed=1),
        images(source, "test"),
        images(target, "test"),
        _small_features,
        width=384,
        steps=800,
        training=_training(32, 3e-3, "fp32"),
    )


def _small_features(norm: Callable[[int], nn.Module] = nn.Identity) -> nn.Module:
    first = nn.Sequential(nn.Conv2d(1, 16, 3), nn.MaxPool2d(2), norm(16), nn.ReLU())
    second = nn.Sequential(nn.Conv2d(16, 24, 3), norm(24), nn.ReLU())
    return nn.Sequential(nets.Pixels(), first, second, nn.Flatten())


def _paper_features(norm: Callable[[int], nn.Module] = nn.Identity) -> nn.Module:
    return nets.conv_features()  # the paper's network has no normalisation


def _training(batch_size: int, rate: float, precision: str) -> dict[str, Any]:
    return {
        "batch_size": batch_size,
        "optimizer": partial(gan_adam, lr=rate),
        "schedule": mu_schedule,
        "precision": precision,
    }
