"""Random changes of images, another for every image of a batch: what contrastive pre-training calls views.

A random transform of ``torchvision.transforms.v2`` draws its parameters once a call. Given a batch it cuts the same box
out of every image, and a network can tell two batches of views apart by their boxes. The classes here draw for each
image: :class:`Crop`, :class:`Affine` and :class:`Light` for the whole batch at once, on the device where it lies, and
:class:`PerImage` with any transform of torchvision, image by image, which takes several times as long. Several in a row
are a ``torch.nn.Sequential``.

All take images N×C×H×W, uint8 in 0 … 255 or floats in 0 … 1, and give images of the same type. They draw from torch's
own generator: ``torch.manual_seed`` before, or the seed of ``tlbook.fit``, makes them repeat.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tlbook._checks import check_number, shown
from tlbook.data.augment import affine_maps, check_affine, check_square, moved
from tlbook.data.ranges import check_form, check_range, whole_bytes
from tlbook.errors import TlbookError

__all__ = ["Affine", "Crop", "Light", "PerImage"]


class Crop(nn.Module):
    """Cut a box out of each image and stretch it to the image's size: torchvision's ``RandomResizedCrop``.

    The box has a share of the area that is uniform in ``scale``, and a ratio of width to height whose logarithm is
    uniform between those of ``ratio``; of ten draws the first that fits is taken, and the whole image where none does.

    Args:
        scale: the least and the largest share of the area, above 0 and up to 1.
        ratio: the least and the largest ratio of width to height, above 0.

    Raises:
        TlbookError: for numbers outside these ranges or in the wrong order.

    Example:
        >>> images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8)
        >>> Crop(scale=(0.3, 1.0))(images).shape
        torch.Size([5, 1, 28, 28])
    """

    def __init__(self, scale: tuple[float, float] = (0.08, 1.0), ratio: tuple[float, float] = (3 / 4, 4 / 3)) -> None:
        super().__init__()
        for name, pair, most in (("scale", scale, 1.0), ("ratio", ratio, None)):
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise TlbookError(f"{name} is {shown(pair)}; expected the least and the largest, as (0.3, 1.0)")
            check_number(f"{name}[0]", pair[0], above=0)
            check_number(f"{name}[1]", pair[1], at_least=pair[0], at_most=most)
        self.scale, self.ratio = scale, ratio

    def forward(self, x: Tensor) -> Tensor:
        left, top, width, height = self.boxes(len(_images(x)), x.shape[-2], x.shape[-1], x.device)
        row, column = torch.zeros_like(width), torch.zeros_like(height)
        across = torch.stack([width, row, 2 * left + width - 1], dim=1)  # from −1 … 1 to places in the box, likewise
        down = torch.stack([column, height, 2 * top + height - 1], dim=1)
        return moved(x, torch.stack([across, down], dim=1))

    def boxes(self, n: int, height: int, width: int, device: torch.device | None = None) -> Tensor:
        """Draw n boxes in images of that size: 4×n, left, top, width and height as shares of the image's sides."""
        area = torch.empty(10, n, device=device).uniform_(*self.scale) * (height * width)
        ratio = torch.empty(10, n, device=device).uniform_(*map(math.log, self.ratio)).exp()
        w, h = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
        fits = (w > 0) & (w <= width) & (h > 0) & (h <= height)
        first = fits.int().argmax(dim=0, keepdim=True)
        some = fits.any(dim=0)
        w = torch.where(some, w.gather(0, first)[0], torch.full_like(w[0], width))
        h = torch.where(some, h.gather(0, first)[0], torch.full_like(h[0], height))
        place = torch.rand(2, n, device=device)
        left, top = (place[0] * (width - w + 1)).floor(), (place[1] * (height - h + 1)).floor()
        return torch.stack([left / width, top / height, w / width, h / height])

    def extra_repr(self) -> str:
        """The settings, as they stand in a checkpoint's description of the run."""
        return f"scale={self.scale}, ratio={self.ratio}"


class Affine(nn.Module):
    """Turn, move and scale each image a little: torchvision's ``RandomAffine`` for square images, without shear.

    The scale is uniform as turn and shift are, and what comes in over the edge repeats the edge.

    Args:
        degrees: the largest turn, to either side.
        pixels: the largest shift, in each direction.
        scale: the largest change of size, as a fraction below 1.

    Raises:
        TlbookError: for a number below 0, or a scale of 1 or more.

    Example:
        >>> images = torch.randint(0, 256, (5, 1, 28, 28), dtype=torch.uint8)
        >>> torch.equal(Affine(degrees=0, pixels=0, scale=0)(images), images)
        True
    """

    def __init__(self, degrees: float = 15.0, pixels: float = 3.0, scale: float = 0.2) -> None:
        super().__init__()
        check_affine(degrees, pixels, scale)
        self.degrees, self.pixels, self.scale = degrees, pixels, scale

    def forward(self, x: Tensor) -> Tensor:
        check_square("x", _images(x))
        return moved(x, affine_maps(len(x), x.shape[-1], self.degrees, self.pixels, self.scale, None).to(x.device))

    def extra_repr(self) -> str:
        """The settings."""
        return f"degrees={self.degrees}, pixels={self.pixels}, scale={self.scale}"


class Light(nn.Module):
    """Change brightness and contrast of each image: torchvision's ``ColorJitter``, always in this order.

    Brightness multiplies the pixels; contrast multiplies their distance from the image's mean. All channels are
    treated alike.

    Args:
        brightness: the largest change of the factor, as a fraction, 0 … 1; the factor is uniform.
        contrast: the same for contrast.

    Raises:
        TlbookError: for a number outside 0 … 1.

    Example:
        >>> images = torch.full((5, 1, 8, 8), 100, dtype=torch.uint8)
        >>> len(Light(brightness=0.5)(images).unique()) > 1  # each image has a brightness of its own
        True
    """

    def __init__(self, brightness: float = 0.4, contrast: float = 0.4) -> None:
        super().__init__()
        check_number("brightness", brightness, at_least=0, at_most=1)
        check_number("contrast", contrast, at_least=0, at_most=1)
        self.brightness, self.contrast = brightness, contrast

    def forward(self, x: Tensor) -> Tensor:
        draws = torch.rand(2, len(_images(x)), 1, 1, 1, device=x.device) * 2 - 1
        top = 255.0 if x.dtype == torch.uint8 else 1.0
        bright = (x.float() * (1 + self.brightness * draws[0])).clamp(0, top)
        mean = bright.mean(dim=(1, 2, 3), keepdim=True)
        changed = (mean + (bright - mean) * (1 + self.contrast * draws[1])).clamp(0, top)
        return whole_bytes(changed, x.dtype)

    def extra_repr(self) -> str:
        """The settings."""
        return f"brightness={self.brightness}, contrast={self.contrast}"


class PerImage(nn.Module):
    """Any transform of torchvision, called once for each image, so that each image has its own draw.

    Args:
        transform: from an image C×H×W to an image.

    Example:
        >>> from torchvision.transforms import v2
        >>> flip = PerImage(v2.RandomHorizontalFlip())
        >>> flip(torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)).shape
        torch.Size([5, 3, 8, 8])
    """

    def __init__(self, transform: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.transform = transform

    def forward(self, x: Tensor) -> Tensor:
        changed = [self.transform(image) for image in _images(x)]
        if odd := {type(image).__name__ for image in changed if not isinstance(image, Tensor)}:
            raise TlbookError(
                f"the transform gives {odd.pop()}; expected a tensor C×H×W: leave out what makes pictures"
            )
        if len(shapes := {tuple(image.shape) for image in changed}) > 1:
            raise TlbookError(f"the transform gives images of {len(shapes)} shapes; expected one: crop to a fixed size")
        return torch.stack(changed)


def _images(x: Tensor) -> Tensor:
    """Images in their range, which is not looked at on a GPU: every step would wait for it."""
    check_form("x", x)
    return check_range("x", x) if x.device.type == "cpu" else x
