"""From the pixels of an image to numbers that a network likes."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from tlbook._checks import check_numbers, check_tensor
from tlbook.data.ranges import check_range, check_type
from tlbook.errors import TlbookError

__all__ = ["Pixels"]


class Pixels(nn.Module):
    """(p − mean) / std of images with pixels p in 0 … 1; uint8 images in 0 … 255 are divided by 255 first.

    By default ½ is subtracted, as in the DANN paper: a constant, so that nothing about the target can leak in through
    statistics of the data. A pre-trained network wants what it was trained with; that of ImageNet is
    ``Pixels(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))``. Both are saved and loaded with the weights.

    Args:
        mean: of the pixels in 0 … 1; a number, or one a channel.
        std: above 0; a number, or one a channel.

    Raises:
        TlbookError: for settings that mean nothing; in the forward pass for another type, other channels, and floats
            outside 0 … 1. The last is looked at on the CPU only, since elsewhere the host would wait;
            :func:`tlbook.fit` looks at all rows once before its first step, on any device.

    Example:
        >>> Pixels()(torch.tensor([[0, 255]], dtype=torch.uint8))
        tensor([[-0.5000,  0.5000]])
        >>> Pixels(mean=(0.5, 0.25), std=0.25)(torch.ones(1, 2, 1, 1)).flatten()
        tensor([2., 3.])
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: float | Sequence[float] = 0.5, std: float | Sequence[float] = 1.0) -> None:
        super().__init__()
        hint = "give those of pixels in 0 … 1, not in 0 … 255"
        means = check_numbers("mean", _numbers(mean), at_least=0, at_most=1, hint=hint)
        deviations = check_numbers("std", _numbers(std), above=0, at_most=1, hint=hint)
        if len({len(means), len(deviations)} - {1}) > 1:
            raise TlbookError(
                f"mean has {len(means)} channels, std {len(deviations)}; expected as many: give one number for all"
            )
        self.register_buffer("mean", _constant(means))
        self.register_buffer("std", _constant(deviations))

    def forward(self, x: Tensor) -> Tensor:
        """Floats of the shape of x, and of its type where that is floating point."""
        check_type("the batch", check_tensor("the batch", x))
        if x.dtype == torch.uint8:
            pixels = x.float().div_(255)
        else:
            pixels = check_range("the batch", x) if x.device.type == "cpu" else x
        channels = max(self.mean.numel(), self.std.numel())
        if channels > 1 and (x.dim() < 3 or x.shape[-3] != channels):
            raise TlbookError(
                f"the batch has shape {tuple(x.shape)}, and Pixels {channels} channels; expected N×{channels}×H×W: "
                f"bring the images to it with .images(channels={channels})"
            )
        return (pixels - self.mean.to(pixels.dtype)).div_(self.std.to(pixels.dtype))

    def extra_repr(self) -> str:
        """The settings, as printing a network shows them."""
        return f"mean={self.mean.flatten().tolist()}, std={self.std.flatten().tolist()}"


def _numbers(value: float | Sequence[float]) -> Any:
    return [value] if isinstance(value, Real) or getattr(value, "ndim", 1) == 0 else value


def _constant(numbers: list[float]) -> Tensor:
    """One number for all, or C×1×1, one a channel."""
    return torch.tensor(numbers).view(-1, 1, 1) if len(numbers) > 1 else torch.tensor(numbers[0])
