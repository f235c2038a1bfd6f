"""Images seen otherwise: copies that are turned, moved and scaled a little by chance, or all images in one pose."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from tlbook._checks import check_number, check_whole
from tlbook.data.disk import DiskRows
from tlbook.data.domain import Domain, check_domain
from tlbook.data.ranges import check_images, whole_bytes
from tlbook.errors import TlbookError

__all__ = ["affine", "affine_maps", "check_affine", "check_square", "jitter", "moved"]


def jitter(
    domain: Domain, times: int, seed: int, degrees: float = 10.0, pixels: float = 2.0, scale: float = 0.1
) -> Domain:
    """Return the images and ``times − 1`` copies of each, every copy turned, scaled and moved by chance.

    It needs no label, so it may be done to a target as well. Turn, scale and both shifts are uniform and independent;
    what comes in over the edge repeats the edge.

    Args:
        domain: square images N×C×S×S, uint8 or floats in 0…1.
        times: how many times as many images come back; 1 returns them as they are.
        seed: of the draw; the same seed gives the same images.
        degrees: the largest turn, to either side.
        pixels: the largest shift, in each direction.
        scale: the largest change of size, as a fraction.

    Returns:
        A domain of ``times``·N images, the N given ones first.

    Raises:
        TlbookError: when the domain holds no square images, floats outside 0…1, or lies on disk; for settings out of
            range.

    >>> domain = Domain("toy", torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]), ("cat", "dog"))
    >>> jitter(domain, times=3, seed=0).y
    tensor([0, 1, 0, 1, 0, 1])
    """
    check_domain("domain", domain)
    if isinstance(domain.x, DiskRows):
        raise TlbookError(f"{domain.name} lies on disk; expected a domain in memory: take a part, .take(i).in_memory()")
    check_square(domain.name, check_images(domain.name, domain.x))
    check_whole("times", times, at_least=1, hint="8 gives eight times as many")
    check_whole("seed", seed, at_least=0)
    check_affine(degrees, pixels, scale)
    generator = torch.Generator().manual_seed(seed)
    copies = [domain.x]
    for _ in range(times - 1):
        turns = affine_maps(len(domain), domain.x.shape[-1], degrees, pixels, scale, generator).to(domain.x.device)
        parts = zip(
            torch.split(domain.x, 4096), torch.split(turns, 4096), strict=True
        )  # floating point takes four times the memory
        copies += [moved(x, turn) for x, turn in parts]
    return replace(domain, x=torch.cat(copies), y=None if domain.y is None else domain.y.repeat(times))


def affine(domain: Domain, turn: float = 0.0, slant: float = 0.0, zoom: float = 1.0, right: float = 0.0) -> Domain:
    """Every image of a domain in another pose, with black coming in over the edge.

    Args:
        domain: square images N×C×S×S, uint8.
        turn: degrees, against the clock.
        slant: how far the top moves to one side and the bottom to the other, as a part of the height.
        zoom: above 1 the image becomes smaller, below 1 larger.
        right: pixels to the right.

    Raises:
        TlbookError: when the domain holds no square images of bytes, or a setting is no number; for a zoom that is not
            above 0.

    >>> domain = Domain("dot", torch.zeros(1, 1, 4, 4, dtype=torch.uint8), torch.tensor([0]), ("dot",))
    >>> domain.x[0, 0, 0, 0] = 255
    >>> affine(domain, right=2).x[0, 0, 0]
    tensor([  0,   0, 255,   0], dtype=torch.uint8)
    """
    check_domain("domain", domain)
    if domain.x.dtype != torch.uint8 or isinstance(domain.x, DiskRows):
        raise TlbookError(f"{domain.name} holds {domain.x.dtype}; expected images of bytes (uint8) in memory")
    check_square(domain.name, check_images(domain.name, domain.x))
    check_number("zoom", zoom, above=0, hint="1 leaves the size as it is")
    angle, slant, right = (check_number(n, v) for n, v in (("turn", turn), ("slant", slant), ("right", right)))
    cos, sin = zoom * math.cos(math.radians(angle)), zoom * math.sin(math.radians(angle))
    turns = torch.tensor([[cos, slant - sin, -2 * right / domain.x.shape[-1]], [sin, cos, 0.0]])
    grid = affine_grid(turns.expand(len(domain), 2, 3), list(domain.x.shape), align_corners=False)
    seen = grid_sample(domain.x.float(), grid.to(domain.x.device), align_corners=False)
    return replace(domain, x=seen.round().to(torch.uint8))


def check_square(name: str, x: Tensor) -> None:
    """Images that are turned are square."""
    if x.shape[2] != x.shape[3]:
        raise TlbookError(f"{name} has shape {tuple(x.shape)}; expected square images N×C×S×S: crop others first")


def check_affine(degrees: float, pixels: float, scale: float) -> None:
    """The largest turn and shift are at least 0; so is the largest change of size, which is below 1."""
    check_number("degrees", degrees, at_least=0)
    check_number("pixels", pixels, at_least=0)
    check_number("scale", scale, at_least=0, below=1)


def affine_maps(
    n: int, size: int, degrees: float, pixels: float, scale: float, generator: torch.Generator | None
) -> Tensor:
    """Affine maps N×2×3 from places in the copy to places in the image, both from −1 to 1."""
    draws = torch.rand(4, n, generator=generator) * 2 - 1
    angle, zoom = draws[0] * math.radians(degrees), 1 + draws[1] * scale
    shift = draws[2:] * pixels * 2 / size
    top = torch.stack([zoom * angle.cos(), -zoom * angle.sin(), shift[0]], dim=1)
    bottom = torch.stack([zoom * angle.sin(), zoom * angle.cos(), shift[1]], dim=1)
    return torch.stack([top, bottom], dim=1)


def moved(x: Tensor, turn: Tensor) -> Tensor:
    """Each image seen through its map; what comes in over the edge repeats the edge."""
    with torch.autocast(x.device.type, enabled=False):  # bfloat16 knows a place to a tenth of a pixel only
        grid = affine_grid(turn, list(x.shape), align_corners=False)
        sampled = grid_sample(x.float(), grid, padding_mode="border", align_corners=False)
    return whole_bytes(sampled, x.dtype)
