"""What a drawn sign is made of: holes, bays, ends and strokes, measured on its image, and signatures from that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from scipy import ndimage

from tlbook._arrays import Matrix, as_array
from tlbook.errors import TlbookError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["MEASURES", "Signatures", "frame", "measure", "signatures", "skeleton"]

Mask = NDArray[np.bool_]
SIZE = 20  # of the frame that a sign is brought to, in pixels
MARGIN = 2  # empty pixels around it, so that the outside is one piece
LEAST_HOLE = 3  # pixels; what is smaller is a flaw of the scan
FARTHEST = 3.0  # standard deviations that a signature may be away from the seen classes
HALVES = ("top", "bottom")
QUARTERS = ("top left", "top right", "bottom left", "bottom right")
SIDES = ("left", "right", "top", "bottom")
THIRDS = ("top", "middle", "bottom")
DIRECTIONS = ("—", "\\", "|", "/")
MEASURES = (
    "holes",
    *(f"hollow at the {half}" for half in HALVES),
    *(f"bay to the {side}, {half}" for side in SIDES for half in HALVES),
    *(f"ends {quarter}" for quarter in QUARTERS),
    *(f"{direction} at the {third}" for third in THIRDS for direction in DIRECTIONS),
    "width",
)
"""The names of the columns of :func:`measure`."""


def frame(images: ArrayLike | Tensor) -> Matrix:
    """Bring each sign to the same frame: its ink's bounding box, scaled to 20 pixels at its longer side, centred.

    Args:
        images: N×C×H×W, bright signs on a dark ground, uint8 or floating point.

    Returns:
        N×20×20 in 0 … 1.

    Raises:
        TlbookError: for another shape, values that are not finite, or an image without ink.

    Example:
        >>> import torch
        >>> dot = torch.zeros(1, 1, 28, 28)
        >>> dot[0, 0, 3:13, 5:10] = 1  # twice as high as wide
        >>> frame(dot)[0].sum(axis=0)
        array([ 0.,  0.,  0.,  0.,  0., 20., 20., 20., 20., 20., 20., 20., 20.,
               20., 20.,  0.,  0.,  0.,  0.,  0.])
    """
    given: Any = as_array(images)
    if np.ndim(given) != 4 or 0 in np.shape(given):
        raise TlbookError(f"images have shape {np.shape(given)}; expected N×C×H×W, at least one image")
    grey = np.asarray(given, dtype=np.float32).mean(axis=1)
    peak = grey.max(axis=(1, 2))
    if not (np.isfinite(grey).all() and (peak > 0).all()):
        raise TlbookError("an image is empty or not finite; expected bright signs on a dark ground: leave it out")
    framed = np.zeros((len(grey), SIZE, SIZE))
    for place, image, ink in zip(framed, grey, grey > peak[:, None, None] / 2, strict=True):
        rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
        sign = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] / image.max()
        height, width = (max(1, round(side * SIZE / max(sign.shape))) for side in sign.shape)
        scaled = np.asarray(Image.fromarray(sign).resize((width, height), Image.Resampling.BILINEAR))
        top, left = (SIZE - height) // 2, (SIZE - width) // 2
        place[top : top + height, left : left + width] = scaled
    return framed


def skeleton(ink: Mask) -> Mask:
    """Thin strokes to lines one pixel wide, all images at once (Zhang and Suen, Comm. ACM 27(3), 1984).

    Args:
        ink: N×H×W, the outermost pixels False.

    Example:
        >>> bar = np.zeros((1, 7, 9), bool)
        >>> bar[0, 2:5, 1:8] = True
        >>> skeleton(bar)[0].astype(int)[3]
        array([0, 0, 1, 1, 1, 1, 0, 0, 0])
    """
    thin = ink.copy()
    while True:
        before = thin.sum()
        for first in (True, False):
            ring = _ring(thin)
            count = np.sum(ring, axis=0)
            starts = np.sum([~a & b for a, b in zip(ring, ring[1:] + ring[:1], strict=True)], axis=0)
            north, _, east, _, south, _, west, _ = ring
            edge = ~(east & south & (north | west)) if first else ~(north & west & (east | south))
            thin &= ~((count >= 2) & (count <= 6) & (starts == 1) & edge)
        if thin.sum() == before:
            return thin


def _ring(ink: Mask) -> list[Mask]:
    """The eight neighbours of each pixel, clockwise from above; outside the image there is no ink."""
    around = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    height, width = ink.shape[1:]
    steps = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))
    return [around[:, down : down + height, right : right + width] for down, right in steps]


def measure(images: ArrayLike | Tensor) -> Matrix:
    """Measure signs: how many holes, how much is hollow, where bays open, strokes end, and in which direction they run.

    Each number is taken from one image alone, after :func:`frame`. Hollow and bays are shares of the frame's area: a
    *hole* is ground enclosed by ink, a *bay* is ground with ink on three sides and none on the fourth. Ends are those
    of the skeleton. Directions are shares of the edges' strength, — \\ | / in each third of the height.

    Args:
        images: N×C×H×W, as in :func:`frame`.

    Returns:
        N×28, in the order of ``MEASURES``.

    Raises:
        TlbookError: as :func:`frame`.

    Example:
        >>> import torch
        >>> ring = torch.zeros(1, 1, 28, 28)
        >>> ring[..., 4:24, 4:24] = 1
        >>> ring[..., 9:19, 9:19] = 0
        >>> dict(zip(MEASURES, measure(ring)[0].tolist()))["holes"]
        1.0
    """
    grey = np.pad(frame(images), ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))
    ink = grey > 0.5
    inside, holes = _holes(ink)
    ends = skeleton(ink)
    ends &= np.sum(_ring(ends), axis=0) == 1
    bays = [bay & ~inside for bay in _bays(ink)]
    area = SIZE**2
    top, bottom = np.array_split(np.arange(grey.shape[1]), 2)
    return np.column_stack(
        [
            holes,
            *(inside[:, half].sum(axis=(1, 2)) / area for half in (top, bottom)),
            *(bay[:, half].sum(axis=(1, 2)) / area for bay in bays for half in (top, bottom)),
            *(ends[:, half][:, :, side].sum(axis=(1, 2)) for half in (top, bottom) for side in (top, bottom)),
            _directions(grey),
            ink.any(axis=1).sum(axis=1) / SIZE,
        ]
    )


def _holes(ink: Mask) -> tuple[Mask, NDArray[np.int64]]:
    """The ground that ink encloses, N×H×W, and the number of its pieces, N."""
    sideways = np.zeros((3, 3, 3), dtype=int)
    sideways[1] = ndimage.generate_binary_structure(2, 1)  # ground touches along sides, within one image
    pieces, count = ndimage.label(~ink, sideways)
    hole = np.bincount(pieces.ravel(), minlength=count + 1) >= LEAST_HOLE
    hole[0] = False  # ink
    hole[pieces[:, 0, 0]] = False  # the outside
    owner = np.zeros(count + 1, dtype=int)
    owner[pieces] = np.arange(len(ink))[:, None, None]
    return hole[pieces], np.bincount(owner[hole], minlength=len(ink))


def _bays(ink: Mask) -> list[Mask]:
    """The ground that is open to one side only: left, right, top, bottom."""
    left, top = (np.maximum.accumulate(ink, axis=axis) for axis in (2, 1))  # whether there is ink on that side
    right, bottom = (np.flip(np.maximum.accumulate(np.flip(ink, axis), axis=axis), axis) for axis in (2, 1))
    sides = (left, right, top, bottom)
    closed = np.sum(sides, axis=0) == 3
    return [closed & ~ink & ~side for side in sides]


def _directions(grey: Matrix) -> Matrix:
    """The share of the edges' strength in each third of the height and each of four directions, N×12."""
    down, right = np.gradient(ndimage.gaussian_filter(grey, (0, 0.7, 0.7)), axis=(1, 2))
    strength, across = np.hypot(down, right), np.arctan2(down, right)  # a stroke runs at right angles to its edge
    thirds = np.array_split(np.arange(MARGIN, grey.shape[1] - MARGIN), 3)
    along = [np.pi / 2 + quarter * np.pi / 4 for quarter in range(4)]
    parts = [strength * np.cos(2 * (across - angle)).clip(0) ** 2 for angle in along]
    shares = [part[:, third].sum(axis=(1, 2)) for third in thirds for part in parts]
    directions: Matrix = np.column_stack(shares) / strength.sum(axis=(1, 2))[:, None]
    return directions


class Signatures(NamedTuple):
    """Descriptions of classes.

    Attributes:
        seen: C×B, in ascending order of the seen classes.
        others: K×B, in the order asked for.
        kept: A, which of the measures the B columns are.
    """

    seen: Matrix
    others: Matrix
    kept: Mask


def signatures(
    x: Matrix,
    y: ArrayLike,
    specimens: Matrix,
    specimen_classes: ArrayLike,
    classes: ArrayLike,
    scale: bool = True,
) -> Signatures:
    """Describe seen classes by their own examples and other classes by printed specimens.

    The mean of each measure over a class is its description. Print and handwriting differ as a whole, so each is
    standardised by itself over the seen classes, which both have. Measures that do not vary over the seen classes, in
    either, say nothing and are left out.

    Args:
        x: N×A measures of examples of the seen classes.
        y: N, their classes.
        specimens: M×A measures of printed specimens of the seen and the other classes.
        specimen_classes: M, their classes.
        classes: the other classes, in the order wanted.
        scale: whether columns are divided by their spread; leave that out where all share a unit, as grey values do.

    Raises:
        TlbookError: when one of the other classes has examples in x, a class has no specimen, or nothing varies.

    Example:
        >>> x = np.array([[1.0, 5.0], [3.0, 5.0]])
        >>> signatures(x, [0, 1], 10 * np.array([[1.0, 0.0], [3.0, 1.0], [2.0, 2.0]]), [0, 1, 2], [2])
        Signatures(seen=array([[-1.], [ 1.]]), others=array([[0.]]), kept=array([ True, False]))
    """
    names, printed, others = np.asarray(y), np.asarray(specimen_classes), np.asarray(classes)
    seen = np.unique(names)
    if not others.size or np.isin(others, seen).any() or not np.isin([*seen, *others], printed).all():
        raise TlbookError(
            f"classes {seen.tolist()} have examples, {np.unique(printed).tolist()} have specimens, {others.tolist()} "
            "are to be held out; expected at least one to hold out, without examples, and specimens of all"
        )
    own = np.stack([x[names == c].mean(axis=0) for c in seen])
    print_of_seen, print_of_others = (
        np.stack([specimens[printed == c].mean(axis=0) for c in g]) for g in (seen, others)
    )
    varies = (np.ptp(own, axis=0) > 0) & (np.ptp(print_of_seen, axis=0) > 0)
    if not varies.any():
        raise TlbookError(f"none of {x.shape[1]} measures varies over the seen classes; expected some that do")
    own, print_of_seen, print_of_others = (m[:, varies] for m in (own, print_of_seen, print_of_others))
    described, read = own - own.mean(axis=0), print_of_others - print_of_seen.mean(axis=0)
    if not scale:
        return Signatures(described, read, varies)
    others_z = (read / print_of_seen.std(axis=0)).clip(-FARTHEST, FARTHEST)
    return Signatures(described / own.std(axis=0), others_z, varies)
