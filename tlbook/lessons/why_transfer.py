"""What the chapter on why to transfer runs on: made-up weather, and digits on black and over photographs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tlbook import nets
from tlbook.data import Domain, load
from tlbook.methods import SourceOnly

__all__ = ["City", "Lesson", "cities", "digits", "network"]


@dataclass(frozen=True)
class City:
    """A city's made-up weather: a wave through the year, and a random disturbance each day.

    Attributes:
        mean: of the whole year, in °C.
        swing: how far the warmest day of the wave lies above the mean, in °C.
        side: 1 north of the equator, where it is warmest in July, and −1 south of it.
        noise: standard deviation of the disturbance, in °C.
    """

    mean: float
    swing: float
    side: int
    noise: float = 3.0

    def law(self, day: NDArray[np.int64]) -> NDArray[np.float64]:
        """The temperature of each day without the disturbance, in °C.

        Args:
            day: whole numbers; 0 is the first of January, and 365 is so again.
        """
        return np.asarray(self.mean + self.swing * self.side * np.cos(2 * np.pi * (day - 200) / 365))

    def read(self, day: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
        """What a thermometer shows on these days, in °C.

        Args:
            day: as in :meth:`law`.
            rng: draws the disturbance.

        Example:
            >>> wuhan = cities()["Wuhan"]
            >>> wuhan.read(np.array([15, 196]), np.random.default_rng(0)).round(1)
            array([ 5.4, 28.6])
        """
        return self.law(day) + rng.normal(0, self.noise, len(day))


def cities() -> dict[str, City]:
    """Four cities, three of them north of the equator; no number is measured."""
    return {
        "Wuhan": City(17, 12, +1),
        "Beijing": City(13, 15, +1),
        "New York": City(13, 12, +1),
        "Buenos Aires": City(18, 7, -1),
    }


@dataclass(frozen=True)
class Lesson:
    """Digits that somebody has labelled, and those that one wants to read.

    Attributes:
        source: handwritten digits on black, labelled, for training.
        target: digits by the same hands over photographs; a chapter takes a few labels of it.
        source_test: labelled, to score.
        target_test: labelled, to score.
        fonts: as many printed digits as the source has, in all colours.
    """

    source: Domain
    target: Domain
    source_test: Domain
    target_test: Domain
    fonts: Domain


def digits() -> Lesson:
    """Handwritten digits on black and over photographs, and printed ones.

    Example:
        >>> lesson = digits()
        >>> len(lesson.source), len(lesson.fonts)
        (1347, 1347)
    """
    source, target = load("digits"), load("digits-m")
    printed = load("rendered-digits")
    fonts = printed.take(torch.arange(len(source)))
    return Lesson(source, target, load("digits", "test"), load("digits-m", "test"), fonts)


def network() -> SourceOnly:
    """A new network for these images: two convolutions, and a head of two layers.

    Example:
        >>> network()(torch.zeros(2, 3, 28, 28, dtype=torch.uint8)).shape
        torch.Size([2, 10])
    """
    return SourceOnly(nets.conv_features(widths=(16, 32)), nets.mlp(512, 64, 10))
