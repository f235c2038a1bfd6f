"""Batch normalisation for two domains."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tlbook.errors import TlbookError

__all__ = ["DomainBatchNorm", "classify_as"]


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
