"""From the bytes of an image to numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Pixels"]


class Pixels(nn.Module):
    """Bytes to numbers: uint8 images in 0 … 255 become floats in −½ … ½; float images pass unchanged.

    Subtracting a constant is the only normalisation, as in the DANN paper; no statistics of a data set are used,
    so nothing about the target can leak in through them.

    Example:
        >>> Pixels()(torch.tensor([[0, 255]], dtype=torch.uint8))
        tensor([[-0.5000,  0.5000]])
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.float().div_(255).sub_(0.5) if x.dtype == torch.uint8 else x
