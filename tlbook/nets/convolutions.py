"""Backbones for small images."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from tlbook._checks import check_numbers, check_whole, shown
from tlbook.errors import TlbookError
from tlbook.nets.pixels import Pixels

__all__ = ["conv_features"]


def conv_features(
    channels: int = 3, widths: tuple[int, ...] = (32, 48), kernel: int = 5, norm: type[nn.Module] | None = None
) -> nn.Sequential:
    """Blocks of convolution, 2×2 max-pooling and ReLU: with the defaults, the digit network of the DANN paper.

    Pooling comes before the ReLU: the two commute, and the ReLU then works on a quarter of the values.

    Args:
        channels: the channels of the image.
        widths: the output channels of each block.
        kernel: the side of the kernels, without padding.
        norm: a normalisation layer after each convolution, such as ``nn.BatchNorm2d`` or ``DomainBatchNorm``.

    Returns:
        A module from N×C×H×W images, uint8 or float, to N×D features; one named child a block (``pixels``,
        ``conv1``, ``conv2``, …, ``flatten``). D is 768 for 28×28 images and the defaults.

    Raises:
        TlbookError: for a number that is not a whole one from 1 on, or no width at all.

    Example:
        >>> import torch
        >>> conv_features()(torch.zeros(2, 3, 28, 28, dtype=torch.uint8)).shape
        torch.Size([2, 768])
    """
    check_whole("channels", channels, at_least=1)
    check_whole("kernel", kernel, at_least=1)
    check_numbers("widths", widths, at_least=1)
    if norm is not None and (not callable(norm) or isinstance(norm, nn.Module)):
        raise TlbookError(f"norm is {shown(norm)}; expected a layer that is made from a width, such as nn.BatchNorm2d")
    for width in widths:
        check_whole("a width", width, at_least=1)
    blocks: list[tuple[str, nn.Module]] = [("pixels", Pixels())]
    for i, width in enumerate(widths, start=1):
        layers = [nn.Conv2d(channels, width, kernel), *([norm(width)] if norm else []), nn.MaxPool2d(2), nn.ReLU()]
        blocks.append((f"conv{i}", nn.Sequential(*layers)))
        channels = width
    return nn.Sequential(OrderedDict([*blocks, ("flatten", nn.Flatten())]))
