"""More images out of few: each copy turned, moved and scaled a little, its label kept."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from tlbook.data.domain import Domain
from tlbook.errors import TlbookError

__all__ = ["jitter"]


def jitter(
    domain: Domain, times: int, seed: int, degrees: float = 10.0, pixels: float = 2.0, scale: float = 0.1
) -> Domain:
    """Return the images and ``times − 1`` copies of each, every copy turned, scaled and moved by chance.

    It needs no label, so it may be done to a target as well. Turn, scale and both shifts are uniform and independent;
    what comes in over the edge repeats the edge.

    Args:
        domain: square images N×C×S×S, uint8 or float.
        times: how many times as many images come back; 1 returns them as they are.
        seed: of the draw; the same seed gives the same images.
        degrees: the largest turn, to either side.
        pixels: the largest shift, in each direction.
        scale: the largest change of size, as a fraction.

    Returns:
        A domain of ``times``·N images, the N given ones first.

    Raises:
        TlbookError: when the domain holds no square images or ``times`` is below 1.

    >>> domain = Domain("toy", torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]), ("cat", "dog"))
    >>> jitter(domain, times=3, seed=0).y
    tensor([0, 1, 0, 1, 0, 1])
    """
    if domain.x.ndim != 4 or domain.x.shape[2] != domain.x.shape[3]:
        raise TlbookError(
            f"{domain.name}: x has shape {tuple(domain.x.shape)}, expected square images N×C×S×S: crop others first"
        )
    if times < 1:
        raise TlbookError(f"{domain.name}: times = {times} given, expected at least 1; 8 gives eight times as many")
    generator = torch.Generator().manual_seed(seed)
    copies = [domain.x]
    for _ in range(times - 1):
        turns = _maps(len(domain), domain.x.shape[-1], degrees, pixels, scale, generator).to(domain.x.device)
        parts = zip(
            torch.split(domain.x, 4096), torch.split(turns, 4096), strict=True
        )  # floating point takes four times the memory
        copies += [_moved(x, turn) for x, turn in parts]
    return replace(domain, x=torch.cat(copies), y=None if domain.y is None else domain.y.repeat(times))


def _maps(n: int, size: int, degrees: float, pixels: float, scale: float, generator: torch.Generator | None) -> Tensor:
    """Affine maps N×2×3 from places in the copy to places in the image, both from −1 to 1."""
    draws = torch.rand(4, n, generator=generator) * 2 - 1
    angle, zoom = draws[0] * math.radians(degrees), 1 + draws[1] * scale
    shift = draws[2:] * pixels * 2 / size
    top = torch.stack([zoom * angle.cos(), -zoom * angle.sin(), shift[0]], dim=1)
    bottom = torch.stack([zoom * angle.sin(), zoom * angle.cos(), shift[1]], dim=1)
    return torch.stack([top, bottom], dim=1)


def _moved(x: Tensor, turn: Tensor) -> Tensor:
    with torch.autocast(x.device.type, enabled=False):  # bfloat16 knows a place to a tenth of a pixel only
        grid = affine_grid(turn, list(x.shape), align_corners=False)
        moved = grid_sample(x.float(), grid, padding_mode="border", align_corners=False)
    return (moved.round() if x.dtype == torch.uint8 else moved).to(x.dtype)
