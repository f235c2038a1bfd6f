"""Digits drawn with the fonts that matplotlib carries.

The recipe is that of Syn Numbers (Ganin and Lempitsky, 2015): position, orientation, blur, and the colours
of stroke and background vary. The fonts are fewer, and an image has one digit, not one to three.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tlbook.data.source import DIGITS, Source, Store

SIZES = {"train": 4000, "test": 1000}
FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmb10", "cmmi10", "cmr10", "cmss10", "cmti10", "cmtt10"),
)
HEIGHTS = tuple(range(20, 31))  # of the type, in pixels; its digits are about three quarters as tall
ANGLE = 20.0  # the largest rotation, in degrees
SHIFT = 3  # the largest shift from the centre, in pixels
BLUR = 1.2  # the largest standard deviation of the blur, in pixels
CONTRAST = 60  # the least difference in brightness between stroke and background, of 255


def font_file(name: str) -> Path:
    """Where a font of ``FONTS`` lies; some releases of matplotlib lack one, of which the package has the digits."""
    from matplotlib import get_data_path

    own = Path(__file__).with_name("fonts") / f"{name}.ttf"
    return own if own.exists() else Path(get_data_path(), "fonts", "ttf", f"{name}.ttf")


def read_rendered_digits(split: str, store: Store) -> tuple[Tensor, Tensor]:
    """Draw one split; the same digits every time, as many of each class."""
    from PIL import Image, ImageDraw, ImageFilter, ImageFont

    fonts = [[ImageFont.truetype(font_file(name), height) for height in HEIGHTS] for name in FONTS]
    random = np.random.RandomState(("train", "test").index(split))
    n = SIZES[split]
    labels = random.permutation(np.arange(n) % 10)

    masks = np.empty((n, 28, 28), np.uint8)
    for mask, label in zip(masks, labels, strict=True):
        font = fonts[random.randint(len(FONTS))][random.randint(len(HEIGHTS))]
        left, top, right, bottom = font.getbbox(str(label))
        dx, dy = random.uniform(-SHIFT, SHIFT, size=2)
        image = Image.new("L", (28, 28))
        corner = (14 + dx - (left + right) / 2, 14 + dy - (top + bottom) / 2)
        ImageDraw.Draw(image).text(corner, str(label), fill=255, font=font)
        image = image.rotate(random.uniform(-ANGLE, ANGLE), Image.Resampling.BILINEAR)
        mask[:] = np.asarray(image.filter(ImageFilter.GaussianBlur(random.uniform(0, BLUR))))

    stroke, background = _colours(n, random)
    share = masks[:, None].astype(np.int64)
    images = (share * stroke + (255 - share) * background + 127) // 255
    return torch.from_numpy(images.astype(np.uint8)), torch.from_numpy(labels).long()


def _colours(n: int, random: np.random.RandomState) -> NDArray[np.int64]:
    """Colours of stroke and background, 2×n×3×1×1 in 0…255, different enough in brightness to be read."""
    colours = random.randint(256, size=(2, n, 3, 1, 1))
    while True:
        brightness = colours.mean(axis=2)
        alike = (abs(brightness[0] - brightness[1]) < CONTRAST).ravel()
        if not alike.any():
            return colours
        colours[:, alike] = random.randint(256, size=(2, alike.sum(), 3, 1, 1))


RENDERED = Source(
    name="rendered-digits",
    kind="embedded",
    shape=(3, 28, 28),
    classes=DIGITS,
    sizes=SIZES,
    licence="free; fonts under the Bitstream Vera, STIX and BaKoMa licences",
    home="https://matplotlib.org/stable/users/explain/text/fonts.html",
    checksums={
        "train": "f9a33ea6440ef0e8620ed97471c0d7429c198a82414a8339b0f608b558bbb2bb",
        "test": "458031930e0eab6ab61993b5264941a8f6b5f535fb9a042104d67efa5b30a4a5",
    },
    read=read_rendered_digits,
    present=lambda root: True,
)
