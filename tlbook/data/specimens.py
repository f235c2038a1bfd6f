"""Printed specimens: each digit once in each font that matplotlib carries, upright and clean."""

from __future__ import annotations

import numpy as np
import torch

from tlbook.data.domain import Domain
from tlbook.data.rendered import FONTS, font_file
from tlbook.data.source import DIGITS

__all__ = ["specimens"]

SIZE = 28
HEIGHT = 26  # of the type, in pixels


def specimens() -> Domain:
    """The ten digits as a type foundry would show them: 1×28×28 uint8, white on black, 22 of each.

    >>> specimens()
    Domain('specimens': 220 examples of 1×28×28 uint8, 10 classes: 0, …, 9)
    """
    from PIL import Image, ImageDraw, ImageFont

    pages = []
    for name in FONTS:
        font = ImageFont.truetype(font_file(name), HEIGHT)
        for digit in DIGITS:
            left, top, right, bottom = font.getbbox(digit)
            page = Image.new("L", (SIZE, SIZE))
            corner = ((SIZE - left - right) / 2, (SIZE - top - bottom) / 2)
            ImageDraw.Draw(page).text(corner, digit, fill=255, font=font)
            pages.append(np.asarray(page))
    x = torch.from_numpy(np.stack(pages))[:, None]
    return Domain("specimens", x, torch.arange(len(DIGITS)).repeat(len(FONTS)), DIGITS)
