"""Backbones, heads and layers as torch modules."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tlbook.errors import TlbookError

__all__ = ["ClasswiseMLP", "DomainBatchNorm", "Pixels", "classify_as", "conv_features", "mlp"]


class Pixels(nn.Module):
    """Bytes to numbers: uint8 images in 0 … 255 become floats in −½ … ½; float images pass unchanged.

    Subtracting a constant is the only normalisation, as in the DANN paper; no statistics of a data set are used,
    so nothing about the target can leak in through them.

    Example:
        >>> Pixels()(torch.tensor([[0, 255]], dtype=torch.uint8))
        tensor([[-0.5000,  0.5000]])
    """

    def forward(self, x: Tensor) -> Tensor:
        return x.float().div_(255).sub_(0.5) if x.dtype == torch.uint8 else x


class DomainBatchNorm(nn.BatchNorm2d):
    """Batch normalisation that keeps the statistics of source and target apart and shares scale and shift.

    In training the batch holds source rows first, then as many target rows; each half is normalised by its own
    mean and variance. In evaluation the running statistics of ``domain`` are used (``"target"`` unless
    :func:`classify_as` says otherwise). The papers of adversarial adaptation are silent on the matter; the idea is
    that of Li et al., *Revisiting batch normalization for practical domain adaptation* (2016).

    Args:
        channels: the number of channels.

    Example:
        >>> norm = DomainBatchNorm(1)
        >>> x = torch.cat([torch.randn(8, 1, 2, 2), 5 + torch.randn(8, 1, 2, 2)])
        >>> bool(norm(x)[8:].mean().abs() < 1e-6)
        True
    """

    source_mean: Tensor
    source_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.register_buffer("source_mean", torch.zeros(channels))
        self.register_buffer("source_var", torch.ones(channels))
        self.domain = "target"

    def reset_running_stats(self) -> None:
        """Forget both domains' statistics."""
        super().reset_running_stats()
        if "source_mean" in self._buffers:  # not yet when the base class is being built
            self.source_mean.zero_()
            self.source_var.fill_(1)

    def forward(self, x: Tensor) -> Tensor:
        stats = {"source": (self.source_mean, self.source_var), "target": (self.running_mean, self.running_var)}
        if not self.training:
            return self._normalise(x, *stats[self.domain])
        if len(x) % 2:
            raise TlbookError(
                f"the batch has {len(x)} rows; expected an even number, source rows first, then as many target "
                "rows: DomainBatchNorm needs a method that trains on both domains"
            )
        source, target = x.chunk(2)
        return torch.cat([self._normalise(source, *stats["source"]), self._normalise(target, *stats["target"])])

    def _normalise(self, x: Tensor, mean: Tensor | None, var: Tensor | None) -> Tensor:
        return F.batch_norm(x, mean, var, self.weight, self.bias, self.training, self.momentum or 0.1, self.eps)


def classify_as(module: nn.Module, domain: str) -> None:
    """Say which domain's statistics every :class:`DomainBatchNorm` in ``module`` uses in evaluation.

    Args:
        module: any module.
        domain: ``"source"`` or ``"target"``.

    Raises:
        TlbookError: for another word.

    Example:
        >>> net = nn.Sequential(DomainBatchNorm(3))
        >>> classify_as(net, "source")
        >>> net[0].domain
        'source'
    """
    if domain not in ("source", "target"):
        raise TlbookError(f"domain is {domain!r}; expected 'source' or 'target'")
    for layer in module.modules():
        if isinstance(layer, DomainBatchNorm):
            layer.domain = domain


def conv_features(
    channels: int = 3, widths: tuple[int, ...] = (32, 48), kernel: int = 5, norm: type[nn.Module] | None = None
) -> nn.Sequential:
    """Blocks of convolution, 2×2 max-pooling and ReLU: with the defaults, the digit network of the DANN paper.

    Pooling comes before the ReLU: the two commute, and the ReLU then works on a quarter of the values.

    Args:
        channels: the channels of the image.
        widths: the output channels of each block.
        kernel: the side of the kernels, without padding.
        norm: a normalisation layer after each convolution, such as ``nn.BatchNorm2d`` or ``DomainBatchNorm``.

    Returns:
        A module from N×C×H×W images, uint8 or float, to N×D features; one named child a block (``pixels``,
        ``conv1``, ``conv2``, …, ``flatten``). D is 768 for 28×28 images and the defaults.

    Example:
        >>> conv_features()(torch.zeros(2, 3, 28, 28, dtype=torch.uint8)).shape
        torch.Size([2, 768])
    """
    blocks: list[tuple[str, nn.Module]] = [("pixels", Pixels())]
    for i, width in enumerate(widths, start=1):
        layers = [nn.Conv2d(channels, width, kernel), *([norm(width)] if norm else []), nn.MaxPool2d(2), nn.ReLU()]
        blocks.append((f"conv{i}", nn.Sequential(*layers)))
        channels = width
    return nn.Sequential(OrderedDict([*blocks, ("flatten", nn.Flatten())]))


class ClasswiseMLP(nn.Module):
    """K two-layer perceptrons of one output each, computed together: linear, ReLU, linear for every class.

    Two batched matrix products take the place of a loop over K modules. Each perceptron starts as ``nn.Linear`` does.

    Args:
        width: D, of the features.
        hidden: of each perceptron's hidden layer.
        classes: K.

    Example:
        >>> ClasswiseMLP(5, 8, 3)(torch.zeros(2, 5)).shape  # N×D to N×K
        torch.Size([2, 3])
    """

    def __init__(self, width: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, classes * hidden)
        bound = hidden**-0.5
        self.weight = nn.Parameter(torch.empty(classes, hidden, 1).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(classes).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        classes, hidden, _ = self.weight.shape
        inner = self.hidden(x).relu().view(len(x), classes, hidden).transpose(0, 1)  # K×N×hidden
        outer: Tensor = torch.bmm(inner, self.weight.to(inner.dtype)).squeeze(2).T + self.bias
        return outer


def mlp(*widths: int) -> nn.Sequential:
    """A stack of linear layers with ReLU between them; ``mlp(768, 10)`` is a linear classifier.

    Args:
        widths: input width, hidden widths, output width; at least two numbers.

    Returns:
        A module from N×first to N×last, with one named child a layer (``fc1``, ``fc2``, …).

    Raises:
        TlbookError: for fewer than two widths.

    Example:
        >>> mlp(768, 100, 10)(torch.zeros(2, 768)).shape
        torch.Size([2, 10])
    """
    if len(widths) < 2:
        raise TlbookError(f"mlp got widths {widths}; expected at least two: mlp(inputs, outputs)")
    layers: list[tuple[str, nn.Module]] = []
    last = len(widths) - 1
    for i in range(1, last + 1):
        linear = nn.Linear(widths[i - 1], widths[i])
        layers.append((f"fc{i}", linear if i == last else nn.Sequential(linear, nn.ReLU())))
    return nn.Sequential(OrderedDict(layers))
