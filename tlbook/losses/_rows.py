"""What every loss asks of its rows, and the precision in which it sums."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tlbook.errors import TlbookError


def full(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def logit_rows(name: str, x: Tensor) -> Tensor:
    if x.dim() != 2:
        raise TlbookError(f"{name} has shape {tuple(x.shape)}; expected N×K, one row of logits an example")
    return full(x)


def pair(x: Tensor, y: Tensor, least: int) -> tuple[Tensor, Tensor]:
    for name, z in (("x", x), ("y", y)):
        if z.dim() != 2:
            raise TlbookError(f"{name} has shape {tuple(z.shape)}; expected N×D, one row an example: flatten(1) it")
        if len(z) < least:
            raise TlbookError(f"{name} has {len(z)} rows; expected at least {least}: make the batches larger")
    if x.shape[1] != y.shape[1]:
        raise TlbookError(f"x has rows of {x.shape[1]} numbers, y of {y.shape[1]}; expected the same features of both")
    return full(x), full(y)


def check_finite(x: Tensor, y: Tensor) -> None:
    """On the CPU only: elsewhere the host would wait."""
    for name, z in (("x", x), ("y", y)):
        if z.device.type == "cpu" and not math.isfinite(z.detach().sum().item()):
            raise TlbookError(f"{name} has values that are not finite; expected finite features: drop those rows")
