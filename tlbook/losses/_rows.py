"""What every loss asks of its rows and labels, and the precision in which it sums."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from tlbook.errors import TlbookError


def tensor(name: str, x: Any) -> Tensor:
    """A tensor as it is; numpy's arrays and lists of numbers as tensors."""
    if isinstance(x, Tensor):
        return x
    try:
        return torch.as_tensor(x)
    except (TypeError, ValueError, RuntimeError):
        raise TlbookError(f"{name} is {type(x).__name__}; expected a tensor, or an array or list of numbers") from None


def floating(name: str, given: Any) -> Tensor:
    """Real numbers in float32 or float64: half precision and whole numbers are widened."""
    x = tensor(name, given)
    if x.is_complex():
        raise TlbookError(f"{name} has the type {x.dtype}; expected real numbers: give their real part")
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def double(x: Tensor) -> Tensor:
    """In float64, where the device has it."""
    return x if x.device.type == "mps" else x.double()


def logit_rows(name: str, given: Any) -> Tensor:
    """N×K logits, N and K at least 1."""
    x = floating(name, given)
    if x.dim() != 2 or not x.numel():
        raise TlbookError(f"{name} has shape {tuple(x.shape)}; expected N×K, one row of logits an example")
    return x


def labelled(name: str, rows: Tensor, y: Any) -> tuple[Tensor, Tensor]:
    """N×K rows and their N labels as int64; rows whose label is outside 0 … K−1 are refused.

    On the CPU in a line; elsewhere, where the host would have to wait, they become NaN, which ``fit`` finds.
    """
    y = tensor(name, y) if isinstance(y, Tensor) else tensor(name, y).to(rows.device)
    n, classes = rows.shape
    if y.shape != (n,):
        raise TlbookError(f"{name} has shape {tuple(y.shape)} for {n} rows; expected one label a row")
    if y.is_floating_point() or y.is_complex():
        raise TlbookError(f"{name} has the type {y.dtype}; expected whole numbers: convert the labels with .long()")
    if y.device != rows.device:
        raise TlbookError(f"{name} lies on {y.device}, the rows on {rows.device}; expected both on the same device")
    y = y.long()
    if y.device.type != "cpu":
        outside = (y < 0) | (y >= classes)
        return rows.masked_fill(outside[:, None], math.nan), y.clamp(0, classes - 1)
    low, high = int(y.numpy().min()), int(y.numpy().max())
    if low < 0 or high >= classes:
        raise TlbookError(
            f"{name} has labels from {low} to {high}; expected 0 … {classes - 1}, one of the columns: leave rows "
            "without a label out, and make the head as wide as there are classes"
        )
    return rows, y


def weighted(losses: Tensor, weights: Any) -> Tensor:
    """The mean of N losses, each times its weight, which is a constant; None weighs all alike."""
    if weights is None:
        return losses.mean()
    w = tensor("weights", weights)
    w = (w if isinstance(weights, Tensor) else w.to(losses.device)).detach()
    if w.shape != losses.shape or w.device != losses.device:
        raise TlbookError(
            f"weights has shape {tuple(w.shape)} on {w.device} for {len(losses)} rows on {losses.device}; expected one "
            "number a row"
        )
    if w.device.type == "cpu" and not (w >= 0).logical_and(w < math.inf).all():
        raise TlbookError("weights has numbers below 0 or not finite; expected finite ones, at least 0")
    return (w * losses).mean()


def pair(x: Any, y: Any, least: int) -> tuple[Tensor, Tensor]:
    """Two samples N×D and M×D of the same type, on the same device."""
    x, y = floating("x", x), floating("y", y)
    for name, z in (("x", x), ("y", y)):
        if z.dim() != 2:
            raise TlbookError(f"{name} has shape {tuple(z.shape)}; expected N×D, one row an example: flatten(1) it")
        if len(z) < least:
            raise TlbookError(f"{name} has {len(z)} rows; expected at least {least}: make the batches larger")
    if x.shape[1] != y.shape[1] or not x.shape[1]:
        raise TlbookError(f"x has rows of {x.shape[1]} numbers, y of {y.shape[1]}; expected the same features of both")
    if x.dtype != y.dtype or x.device != y.device:
        raise TlbookError(
            f"x is {x.dtype} on {x.device}, y {y.dtype} on {y.device}; expected the same of both: convert one with .to"
        )
    return x, y


def check_finite(x: Tensor, y: Tensor, sums: tuple[Tensor, Tensor] | None = None) -> None:
    """Refuse what is not finite, on the CPU only: elsewhere the host would wait, and ``fit`` finds it.

    Sums over rows that are there already save a pass.
    """
    for name, z, total in zip("xy", (x, y), sums or (x, y), strict=True):
        if z.device.type != "cpu" or math.isfinite(total.detach().sum().item()):
            continue
        if not z.isfinite().all():  # a sum of large numbers can leave the range
            raise TlbookError(f"{name} has values that are not finite; expected finite features: drop those rows")
