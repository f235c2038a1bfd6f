"""The one rule for images: uint8 in 0…255, or floating point in 0…1; and what is said where it is broken."""

from __future__ import annotations

import torch
from torch import Tensor

from tlbook._checks import check_tensor
from tlbook.errors import TlbookError

__all__ = ["check_form", "check_images", "check_range", "check_type", "whole_bytes"]


def check_images(name: str, x: Tensor) -> Tensor:
    """The images, where they are N×C×H×W and keep the rule.

    Args:
        name: what the images are called in the message.
        x: the images.

    Raises:
        TlbookError: for another shape or type, floats outside 0…1, and NaN.

    >>> check_images("x", torch.full((1, 1, 2, 2), 2.0))
    Traceback (most recent call last):
    tlbook.errors.TlbookError: x has floats from 2 to 2; expected images in 0…1, or uint8 in 0…255: divide by 255, or \
undo the normalisation
    """
    check_form(name, x)
    return check_range(name, x)


def check_form(name: str, x: Tensor) -> None:
    """The shape and type of images, without a look at the pixels; errors as for :func:`check_images`."""
    if check_tensor(name, x).ndim != 4:
        raise TlbookError(f"{name} has shape {tuple(x.shape)}; expected a batch of images N×C×H×W")
    check_type(name, x)


def check_type(name: str, x: Tensor) -> None:
    """The type of images, whatever their shape; errors as for :func:`check_images`."""
    if x.dtype != torch.uint8 and not x.dtype.is_floating_point:
        raise TlbookError(
            f"{name} has type {x.dtype}; expected images as uint8 0…255 or floats 0…1: convert with x.to(torch.uint8)"
        )


def check_range(name: str, x: Tensor) -> Tensor:
    """The numbers, where they are uint8, or floats in 0…1; otherwise as :func:`check_images`."""
    if x.dtype.is_floating_point and x.numel():
        low, high = (bound.item() for bound in x.detach().aminmax())  # both are NaN where one number is
        if not (low >= 0 and high <= 1):
            raise TlbookError(
                f"{name} has floats from {low:g} to {high:g}; expected images in 0…1, or uint8 in 0…255: divide by "
                "255, or undo the normalisation"
            )
    return x


def whole_bytes(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Floating point results as images of a type again: rounded to bytes for uint8, and always inside the range.

    >>> whole_bytes(torch.tensor([254.7, 256.0]), torch.uint8)
    tensor([255, 255], dtype=torch.uint8)
    """
    return x.round().clamp(0, 255).to(dtype) if dtype == torch.uint8 else x.to(dtype).clamp(0, 1)
