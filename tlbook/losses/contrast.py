"""Two views of an image against all others."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from tlbook._checks import check_number, check_whole
from tlbook.errors import TlbookError
from tlbook.losses._rows import check_finite, pair

__all__ = ["nt_xent"]


def nt_xent(x: Tensor, y: Tensor, temperature: float = 0.5, rows: int = 4096) -> Tensor:
    """The normalised temperature-scaled cross-entropy of two views of each image, in nats.

    ℓ(i, j) = −log exp(sim(z_i, z_j)/τ) / Σ_{k≠i} exp(sim(z_i, z_k)/τ) for the two views i and j of one image, where sim
    is the cosine and k runs over the other 2N − 1 views of the batch; the mean over all 2N ordered pairs (Chen et al.,
    *A simple framework for contrastive learning of visual representations*, ICML 2020, eq. 1 and algorithm 1).

    Above ``rows`` views the 2N×2N cosines are never held at once: so many rows of them are formed, and formed again on
    the way back, so that a batch of many thousands fits on one device.

    Args:
        x: N×D projections of one view of each image, N at least 2; they need not be normalised.
        y: N×D projections of the other view, in the same order.
        temperature: τ > 0.
        rows: how many rows of the cosines lie in memory at a time.

    Returns:
        A scalar, at least 0; log(2N − 1) where all views are alike.

    Raises:
        TlbookError: when the shapes differ, N is below 2, or τ is not above 0; on the CPU also when a value is not
            finite.

    Example:
        >>> round(nt_xent(torch.ones(4, 3), torch.ones(4, 3)).item(), 4)  # log 7
        1.9459
    """
    x, y = pair(x, y, least=2)
    check_finite(x, y)
    if len(x) != len(y):
        raise TlbookError(f"x has {len(x)} rows, y {len(y)}; expected as many: two views of each image")
    check_number("temperature", temperature, above=0)
    check_whole("rows", rows, at_least=1)
    z = torch.cat([x, y])
    length = torch.linalg.vector_norm(z, dim=1, keepdim=True)
    z = z / length.where(length > 0, 1.0)  # a row of zeros has no direction: its cosines are 0, its gradient finite
    views = torch.arange(len(z), device=z.device)
    partner = views.roll(len(x))

    def total(i: Tensor) -> Tensor:
        with torch.autocast(z.device.type, enabled=False):
            s = (z[i] @ z.T / temperature).masked_fill(i[:, None] == views, -math.inf)  # k ≠ i
        return F.cross_entropy(s, partner[i], reduction="sum")

    if len(z) <= rows:
        return total(views) / len(z)
    parts: list[Tensor] = [
        checkpoint(total, i, use_reentrant=False, preserve_rng_state=False) for i in torch.split(views, rows)
    ]
    return torch.stack(parts).sum() / len(z)
