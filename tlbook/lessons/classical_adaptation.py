"""What the chapter on classical adaptation runs on: upright digits as source; leaning or unsharp ones as target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from tlbook._checks import check_choice
from tlbook.data import Domain, load
from tlbook.profiles import PROFILES

__all__ = ["Lesson", "leaning", "unsharp"]

SIDE = 14  # pixels of an image
DRAWS = {"quick": 3, "paper": 10}

Piles = tuple[NDArray[np.float64], NDArray[Any], NDArray[np.float64], NDArray[Any]]


@dataclass(frozen=True)
class Lesson:
    """The same digits twice, as they are and changed, from which piles of different digits are drawn.

    Attributes:
        source: every digit as the source has it.
        target: the same digits, in the same order, as the target has them.
        rows: of a pile.
        draws: how often piles are drawn for a comparison.
    """

    source: Domain
    target: Domain
    rows: int
    draws: int

    def piles(self, seed: int) -> Piles:
        """Draw a pile of each domain; no digit is in both.

        Args:
            seed: of the draw.

        Returns:
            Source rows, their labels, target rows, their labels; a row holds the pixels of an image, 0 … 1.

        Example:
            >>> xs, ys, xt, yt = leaning("quick").piles(seed=0)
            >>> xs.shape, ys.shape, float(xs.min()), float(xs.max())
            ((600, 196), (600,), 0.0, 1.0)
        """
        order = torch.randperm(len(self.source), generator=torch.Generator().manual_seed(seed))
        own, other = self.source.take(order[: self.rows]), self.target.take(order[self.rows : 2 * self.rows])
        return *_rows(own), *_rows(other)


def leaning(profile: str = "quick") -> Lesson:
    """Upright digits, and digits sheared to the right: above the middle by up to three pixels, below it to the left.

    Args:
        profile: ``"quick"`` for three draws of the piles, ``"paper"`` for ten.

    Raises:
        TlbookError: for another profile.

    Example:
        >>> leaning("quick").draws
        3
    """
    return _lesson(profile, _lean)


def unsharp(profile: str = "quick") -> Lesson:
    """Digits as they are, and out of focus; arguments and errors as :func:`leaning`."""
    return _lesson(profile, _blur)


def _lesson(profile: str, change: Callable[[Tensor], Tensor]) -> Lesson:
    check_choice("profile", profile, PROFILES)
    digits = load("digits").images(channels=1, size=SIDE)
    x = (255 * change(digits.x.double() / 255).clamp(0, 1)).round().to(torch.uint8)
    return Lesson(digits, Domain("changed", x, digits.y, digits.classes), rows=600, draws=DRAWS[profile])


def _lean(x: Tensor, slope: float = 0.5) -> Tensor:
    shear = torch.tensor([[1.0, slope, 0.0], [0.0, 1.0, 0.0]], dtype=x.dtype).expand(len(x), 2, 3)
    return grid_sample(x, affine_grid(shear, list(x.shape), align_corners=False), align_corners=False)


def _blur(x: Tensor, width: float = 1.5) -> Tensor:
    at = torch.arange(-4, 5, dtype=x.dtype)
    bell = torch.exp(-(at**2) / (2 * width**2))
    kernel = torch.outer(bell, bell) / bell.sum() ** 2
    return torch.conv2d(x, kernel[None, None], padding=4)


def _rows(domain: Domain) -> tuple[NDArray[np.float64], NDArray[Any]]:
    return domain.x.flatten(1).double().numpy() / 255, domain.labels().numpy()
