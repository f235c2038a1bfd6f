"""Digits blended with photographs: the recipe of MNIST-M (Ganin et al., JMLR 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tlbook.errors import TlbookError

Bytes = NDArray[np.uint8]


def blend(digits: Tensor, photographs: Sequence[Bytes], seed: int) -> Tensor:
    """Return |digit − patch| for each digit and a patch cut at random from the photographs, colour by colour.

    Args:
        digits: grey images, N×1×H×W uint8.
        photographs: colour images, each at least H×W, of shape rows×columns×3, uint8.
        seed: of numpy's RandomState, whose stream is frozen, so that the patches are the same for ever.

    Returns:
        Images N×3×H×W, uint8.

    Raises:
        TlbookError: for digits or photographs of another form, or a photograph that is smaller than a digit.

    >>> white, dark = torch.full((1, 1, 2, 2), 255, dtype=torch.uint8), np.full((4, 4, 3), 55, np.uint8)
    >>> blend(white, [dark], seed=0).unique()
    tensor([200], dtype=torch.uint8)
    """
    if digits.ndim != 4 or digits.shape[1] != 1 or digits.dtype != torch.uint8:
        raise TlbookError(
            f"digits are {tuple(digits.shape)} {digits.dtype}; expected grey images N×1×H×W uint8: of floats 0…1 take "
            "(255 * x).round().to(torch.uint8)"
        )
    n, _, height, width = digits.shape
    for photo in photographs:
        if (
            photo.ndim != 3
            or photo.shape[2] != 3
            or photo.dtype != np.uint8
            or min(photo.shape[0] - height, photo.shape[1] - width) < 0
        ):
            raise TlbookError(
                f"a photograph is {photo.shape} {photo.dtype}; expected rows×columns×3 uint8, at least "
                f"{height}×{width}: leave it out, or convert it"
            )
    if not photographs:
        raise TlbookError("no photographs given; expected at least one to cut patches from")
    rows, columns = np.array([photo.shape[:2] for photo in photographs]).T
    starts = np.cumsum(rows * columns) - rows * columns
    pixels = np.concatenate([photo.reshape(-1, 3) for photo in photographs])

    random = np.random.RandomState(seed)
    chosen = random.randint(len(photographs), size=n)
    top = random.randint(0, rows[chosen] - height + 1)
    left = random.randint(0, columns[chosen] - width + 1)
    stride = columns[chosen, None, None]
    corner = (starts[chosen] + top * columns[chosen] + left)[:, None, None]

    out = torch.empty(n, 3, height, width, dtype=torch.uint8)
    for begin in range(0, n, 4096):  # a part at a time: the places take 8 bytes a pixel
        part = slice(begin, begin + 4096)
        places = corner[part] + stride[part] * np.arange(height)[:, None] + np.arange(width)
        patch = torch.from_numpy(pixels[places]).permute(0, 3, 1, 2)
        digit = digits[part]
        out[part] = torch.where(digit > patch, digit - patch, patch - digit)
    return out
