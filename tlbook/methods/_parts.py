"""What every method asks of the parts that it is given, and of the rows that it puts together."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from tlbook._checks import check_module, check_tensor
from tlbook.errors import TlbookError

__all__ = ["both", "check_domain_head", "check_rows", "encode"]

SQUASHED = (
    nn.Sigmoid,
    nn.LogSigmoid,
    nn.Hardsigmoid,
    nn.Softmax,
    nn.LogSoftmax,
    nn.Softmax2d,
    nn.Softmin,
)
SHAPING = (nn.Identity, nn.Dropout, nn.Flatten, nn.Unflatten)  # these leave the numbers as they are


def check_rows(source: Any, target: Any) -> None:
    """Refuse rows of two domains that do not belong together: of other types, shapes or devices, or of one domain only.

    Raises:
        TlbookError: as said; uint8 0…255 beside floats 0…1 would be told apart by their size alone.
    """
    for name, x in (("source", source), ("target", target)):
        if not isinstance(x, Tensor):
            raise TlbookError(f"the {name} rows are {type(x).__name__}; expected a tensor N×…")
        if not len(x):
            raise TlbookError(f"the {name} batch is empty; expected rows of the {name}: give fit a {name}")
    kinds = [f"{x.dtype} rows of shape {tuple(x.shape[1:])} on {x.device}" for x in (source, target)]
    if kinds[0] != kinds[1]:
        raise TlbookError(
            f"the source has {kinds[0]}, the target {kinds[1]}; expected the same of both: convert one of them, "
            "images as uint8 0…255 or floats 0…1"
        )


def both(source: Tensor, target: Tensor) -> Tensor:
    """The rows of both domains in one batch, source rows first; errors as for :func:`check_rows`.

    Example:
        >>> both(torch.zeros(2, 3), torch.ones(1, 3)).shape
        torch.Size([3, 3])
    """
    check_rows(source, target)
    return torch.cat([source, target])


def encode(features: nn.Module, x: Tensor, *heads: nn.Module) -> Tensor:
    """What a backbone gives for rows x, where it is one tensor of as many rows that the heads can read.

    Raises:
        TlbookError: for a backbone that gives a tuple, a dictionary or an object, or rows of a form that a head which
            begins with a linear layer does not take; and for bytes that would enter a convolution.

    Example:
        >>> encode(nn.LSTM(4, 8), torch.zeros(2, 3, 4))
        Traceback (most recent call last):
        tlbook.errors.TlbookError: the features are a tuple; expected one tensor N×D: take the part that is meant, in \
a module around LSTM
    """
    check_tensor("x", x, "a tensor of rows N×…")
    first = _first(features)
    if x.dtype == torch.uint8 and isinstance(first, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
        raise TlbookError(
            f"the rows are uint8, and the features begin with {first}; expected numbers: put nets.Pixels() before it"
        )
    found = features(x)
    if not isinstance(found, Tensor):
        raise TlbookError(
            f"the features are a {type(found).__name__}; expected one tensor N×D: take the part that is meant, in a "
            f"module around {type(features).__name__}"
        )
    shape = tuple(found.shape)
    if found.dim() < 2 or len(found) != len(x):
        raise TlbookError(f"the features have shape {shape} for {len(x)} rows; expected N×D, one row for each")
    for head in heads:
        layer = _first(head)
        if isinstance(layer, nn.Linear) and not isinstance(layer, nn.LazyLinear):
            if found.dim() != 2:
                raise TlbookError(
                    f"the features have shape {shape}, and a head begins with {layer}; expected N×D: end the features "
                    "in pooling and nn.Flatten()"
                )
            if found.shape[1] != layer.in_features:
                raise TlbookError(
                    f"the features have {found.shape[1]} numbers a row, and a head begins with {layer}; expected as "
                    f"many: build the head for {found.shape[1]}"
                )
    return found


def check_domain_head(name: str, head: nn.Module, one: bool = True) -> None:
    """Refuse a discriminator that does not end in logits, where that can be told before it has seen a row.

    Args:
        name: of the argument.
        head: the discriminator.
        one: whether it gives one logit a row.

    Raises:
        TlbookError: where it ends in a sigmoid or soft-max, which the loss has already, or in several units in place
            of one.
    """
    last, chain = check_module(name, head), True
    while parts := [part for part in last.children() if not isinstance(part, SHAPING)]:
        chain, last = chain and isinstance(last, nn.Sequential), parts[-1]
    wanted = "nn.Linear(…, 1)" if one else "nn.Linear(…, classes)"
    if isinstance(last, SQUASHED):
        raise TlbookError(f"{name} ends in {last}; expected a logit: end it in {wanted}")
    if one and chain and isinstance(last, nn.Linear) and last.out_features != 1:
        raise TlbookError(f"{name} ends in {last}; expected one logit a row: end it in {wanted}")


def _first(module: nn.Module) -> nn.Module:
    """The layer that sees the rows first, as far as the order in which layers were made tells it."""
    while parts := [part for part in module.children() if not isinstance(part, nn.Identity | nn.Dropout)]:
        module = parts[0]
    return module
