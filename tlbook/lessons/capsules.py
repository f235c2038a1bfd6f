"""What the chapter on capsules runs on: upright digits, poses that nobody has trained on, and networks of one size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from tlbook import nets
from tlbook._checks import check_choice
from tlbook.data import Domain, jitter, load
from tlbook.methods import CapsNet, Method, SourceOnly
from tlbook.methods.capsules import capsule_features, decoder
from tlbook.profiles import PROFILES
from tlbook.train import fit

__all__ = ["Lesson", "capsnet", "cnn", "digits"]

SIDE = 14  # pixels of an image: small, to save time
DATA = {"quick": "digits", "paper": "mnist"}
COPIES = {"quick": 8, "paper": 2}  # of each training digit: itself, and others that are moved by up to one pixel
STEPS = {"quick": 500, "paper": 2500}


@dataclass(frozen=True)
class Lesson:
    """Digits that nobody has turned, and how long a network trains on them.

    Attributes:
        train: labelled, for training; each digit several times, moved by up to one pixel.
        plain: the same digits once each, not moved; a linear reader learns from some of them.
        test: labelled, to score.
        steps: of a training.
    """

    train: Domain
    plain: Domain
    test: Domain
    steps: int

    def fit(self, method: Method, seed: int, steps: int | None = None) -> Method:
        """Train a method in place, by Adam with a learning rate that falls from 0.005 to a fifth, and give it back.

        Args:
            method: what to train.
            seed: of the order of the rows.
            steps: the lesson's own if not given.
        """
        how: dict[str, Any] = {
            "optimizer": partial(torch.optim.Adam, lr=5e-3, fused=True),
            "schedule": lambda progress: 0.2**progress,
            "precision": "fp32",
            "progress": False,
        }
        fit(method, self.train, steps=steps or self.steps, batch_size=64, seed=seed, **how)
        return method


def digits(profile: str = "quick") -> Lesson:
    """Handwritten digits of 14×14 pixels.

    Args:
        profile: ``"quick"`` for the digits of the package, ``"paper"`` for MNIST at that size and five times the steps.

    Raises:
        TlbookError: for another profile.

    Example:
        >>> lesson = digits("quick")
        >>> len(lesson.train) // len(lesson.plain), lesson.test.x.shape[1:], lesson.steps
        (8, torch.Size([1, 14, 14]), 500)
    """
    check_choice("profile", profile, PROFILES)
    plain, test = (load(DATA[profile], split=split).images(channels=1, size=SIDE) for split in ("train", "test"))
    train = jitter(plain, COPIES[profile], seed=0, degrees=0, pixels=1, scale=0)
    return Lesson(train, plain, test, STEPS[profile])


def capsnet(iterations: int = 3) -> CapsNet:
    """A small network of capsules: 72 primary capsules of 8 numbers, ten of 16, and a decoder.

    Args:
        iterations: of the routing; with one, every part speaks equally loudly to every whole.

    Example:
        >>> capsnet()(torch.zeros(2, 1, 14, 14, dtype=torch.uint8)).shape
        torch.Size([2, 10])
    """
    features = capsule_features(size=SIDE, width=16, kinds=8, kernel=5, iterations=iterations)
    return CapsNet(features, decoder(pixels=SIDE**2, hidden=(64, 256)), reconstruction=0.005)


def cnn() -> SourceOnly:
    """A convolutional network with pooling, and as many parameters as the features of :func:`capsnet`.

    Example:
        >>> cnn()(torch.zeros(2, 1, 14, 14, dtype=torch.uint8)).shape
        torch.Size([2, 10])
    """
    features = nn.Sequential(*nets.conv_features(1, (32, 64), kernel=3), nets.mlp(256, 376), nn.ReLU())
    return SourceOnly(features, nets.mlp(376, 10))
