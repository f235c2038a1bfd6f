"""Heads of linear layers."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from tlbook._checks import check_whole
from tlbook.errors import TlbookError

__all__ = ["ClasswiseMLP", "mlp"]


def mlp(*widths: int) -> nn.Sequential:
    """A stack of linear layers with ReLU between them; ``mlp(768, 10)`` is a linear classifier.

    Args:
        widths: input width, hidden widths, output width; at least two numbers.

    Returns:
        A module from N×first to N×last, with one named child a layer (``fc1``, ``fc2``, …).

    Raises:
        TlbookError: for fewer than two widths, or a width that is not a whole number from 1 on.

    Example:
        >>> mlp(768, 100, 10)(torch.zeros(2, 768)).shape
        torch.Size([2, 10])
    """
    if len(widths) < 2:
        raise TlbookError(f"mlp got widths {widths}; expected at least two: mlp(inputs, outputs)")
    for width in widths:
        check_whole("a width of the mlp", width, at_least=1)
    layers: list[tuple[str, nn.Module]] = []
    last = len(widths) - 1
    for i in range(1, last + 1):
        linear = nn.Linear(widths[i - 1], widths[i])
        layers.append((f"fc{i}", linear if i == last else nn.Sequential(linear, nn.ReLU())))
    return nn.Sequential(OrderedDict(layers))


class ClasswiseMLP(nn.Module):
    """K two-layer perceptrons of one output each, computed together: linear, ReLU, linear for every class.

    Two batched matrix products take the place of a loop over K modules. Each perceptron starts as ``nn.Linear`` does.

    Args:
        width: D, of the features.
        hidden: of each perceptron's hidden layer.
        classes: K.

    Raises:
        TlbookError: for a number below 1.

    Example:
        >>> ClasswiseMLP(5, 8, 3)(torch.zeros(2, 5)).shape  # N×D to N×K
        torch.Size([2, 3])
    """

    def __init__(self, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        for name, size in {"width": width, "hidden": hidden, "classes": classes}.items():
            check_whole(name, size, at_least=1)
        self.hidden = nn.Linear(width, classes * hidden)
        bound = hidden**-0.5
        self.weight = nn.Parameter(torch.empty(classes, hidden, 1).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(classes).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        classes, hidden, _ = self.weight.shape
        inner = self.hidden(x).relu().view(len(x), classes, hidden).transpose(0, 1)  # K×N×hidden
        outer: Tensor = torch.bmm(inner, self.weight.to(inner.dtype)).squeeze(2).T + self.bias
        return outer
