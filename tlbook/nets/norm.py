"""Batch normalisation for two domains."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from tlbook._checks import check_choice, check_module, check_number, check_tensor, check_whole
from tlbook.errors import TlbookError

__all__ = ["DomainBatchNorm", "PerDomain", "classify_as"]

Side = Literal["source", "target"]


class PerDomain:
    """What answers for rows of the source otherwise than for rows of the target.

    Attributes:
        domain: whose rows it is given in evaluation; :func:`classify_as` says it.
    """

    domain: Side


class DomainBatchNorm(PerDomain, _BatchNorm):
    """Batch normalisation that keeps the statistics of source and target apart and shares scale and shift.

    In training the batch holds source rows first, then as many target rows; each half is normalised by its own
    mean and variance, so :func:`tlbook.fit` refuses the layer where it is given rows of one domain only. In evaluation
    the running statistics of ``domain`` are used (``"target"`` unless :func:`classify_as` says otherwise). The papers
    of adversarial adaptation are silent on the matter; the idea is that of Li et al., *Revisiting batch normalization
    for practical domain adaptation* (2016). A network that has batch normalisation already, such as a pre-trained one,
    is brought here by :meth:`convert`.

    Args:
        channels: C of the rows N×C or images N×C×….
        eps: what is added to the variance.
        momentum: the part of a batch's statistics in the running ones, 0 … 1; None is the plain mean of all batches.
        affine: whether there are a scale and a shift.

    Raises:
        TlbookError: for settings that mean nothing; in training, for a batch of an odd number of rows.

    Example:
        >>> norm = DomainBatchNorm(1)
        >>> x = torch.cat([torch.randn(8, 1, 2, 2), 5 + torch.randn(8, 1, 2, 2)])
        >>> bool(norm(x)[8:].mean().abs() < 1e-6)
        True
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    source_mean: Tensor
    source_var: Tensor

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True) -> None:
        check_whole("channels", channels, at_least=1)
        check_number("eps", eps, at_least=0)
        if momentum is not None:
            check_number("momentum", momentum, at_least=0, at_most=1, hint="None is the plain mean of all batches")
        check_choice("affine", affine, (True, False))
        super().__init__(channels, eps, momentum, affine)
        self.register_buffer("source_mean", torch.zeros(channels))
        self.register_buffer("source_var", torch.ones(channels))
        self.domain = "target"

    @classmethod
    def convert(cls, module: nn.Module) -> nn.Module:
        """Every batch normalisation in a module made one for two domains, as ``SyncBatchNorm.convert_sync_batchnorm``.

        Scale, shift and settings stay; both domains start from the statistics that are there. The module is changed in
        place, and returned; where it is a batch normalisation itself, what is returned takes its place.

        Args:
            module: any module, such as a pre-trained ResNet; layers of 1, 2 and 3 dimensions are found.

        Raises:
            TlbookError: for a layer without running statistics, one that does not know its width yet, or a subclass
                that computes something else.

        Example:
            >>> net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU())
            >>> [type(layer).__name__ for layer in DomainBatchNorm.convert(net)]
            ['Conv2d', 'DomainBatchNorm', 'ReLU']
        """
        check_module("module", module)
        found = {m: cls._converted(name, m) for name, m in module.named_modules() if isinstance(m, _BatchNorm)}
        for parent in list(module.modules()):
            for name, child in parent._modules.items():
                if isinstance(child, _BatchNorm):
                    parent._modules[name] = found[child]
        return found[module] if isinstance(module, _BatchNorm) else module

    @classmethod
    def _converted(cls, name: str, layer: _BatchNorm) -> nn.Module:
        if isinstance(layer, DomainBatchNorm):
            return layer
        kind = f"{name or 'the module'} is {type(layer).__name__}"
        if isinstance(layer, nn.modules.lazy.LazyModuleMixin):
            raise TlbookError(f"{kind} without a width; expected a layer that has one: call the network once before")
        if layer.running_mean is None or layer.running_var is None:
            raise TlbookError(
                f"{kind} without running statistics; expected track_running_stats=True: evaluation needs those of the "
                "domain that is classified"
            )
        after = [layer.get_submodule(part) for part in ("drop", "act") if part in layer._modules]  # timm's BatchNormAct
        if type(layer).forward is not _BatchNorm.forward and len(after) != 2:
            raise TlbookError(
                f"{kind}, whose forward is its own; expected torch's batch normalisation: replace the layer by "
                "nets.DomainBatchNorm yourself"
            )
        new = cls(layer.num_features, layer.eps, layer.momentum, layer.affine).to(layer.running_mean)
        new.weight, new.bias = layer.weight, layer.bias
        new.running_mean.copy_(layer.running_mean)
        new.running_var.copy_(layer.running_var)
        new.source_mean.copy_(layer.running_mean)
        new.source_var.copy_(layer.running_var)
        if layer.num_batches_tracked is not None:
            new.num_batches_tracked.copy_(layer.num_batches_tracked)
        new.train(layer.training)
        return nn.Sequential(new, *after) if after else new

    def reset_running_stats(self) -> None:
        """Forget both domains' statistics."""
        super().reset_running_stats()
        if "source_mean" in self._buffers:  # not yet when the base class is being built
            self.source_mean.zero_()
            self.source_var.fill_(1)

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2 or x.shape[1] != self.num_features:
            raise TlbookError(
                f"x has shape {tuple(x.shape)}; expected N×{self.num_features}×…, with the channels that the layer was "
                "made for"
            )

    def forward(self, x: Tensor) -> Tensor:
        self._check_input_dim(check_tensor("x", x))
        if not x.is_floating_point():
            raise TlbookError(f"x is {x.dtype}; expected floating point: convert it with x.float()")
        stats = {"source": (self.source_mean, self.source_var), "target": (self.running_mean, self.running_var)}
        if not self.training:
            return self._normalise(x, *stats[self.domain], momentum=0.0)
        if len(x) % 2:
            raise TlbookError(
                f"the batch has {len(x)} rows; expected an even number, source rows first, then as many target "
                "rows: DomainBatchNorm needs a method that trains on both domains"
            )
        if x.numel() <= 2 * x.shape[1]:
            raise TlbookError(
                "the batch has at most one value a channel of each domain; expected two or more, which have a "
                "variance: make the batches larger"
            )
        self.num_batches_tracked.add_(1)
        momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        source, target = (
            self._normalise(half, *stats[domain], momentum) for half, domain in zip(x.chunk(2), stats, strict=True)
        )
        return torch.cat([source, target])

    def _normalise(self, x: Tensor, mean: Tensor, var: Tensor, momentum: float) -> Tensor:
        return F.batch_norm(x, mean, var, self.weight, self.bias, self.training, momentum, self.eps)


def classify_as(module: nn.Module, domain: Side) -> AbstractContextManager[None]:
    """Say which domain the rows come from that ``module`` is to classify.

    Every :class:`DomainBatchNorm` in it uses that domain's statistics in evaluation, and a method with an encoder for
    each domain, ADDA or IWAN, that domain's encoder. It holds from the call on; in a ``with`` statement until its end,
    after which each part is as it was.

    Args:
        module: any module.
        domain: ``"source"`` or ``"target"``.

    Raises:
        TlbookError: for another word, and for what is no module.

    Example:
        >>> net = nn.Sequential(DomainBatchNorm(3))
        >>> with classify_as(net, "source"):
        ...     net[0].domain
        'source'
        >>> net[0].domain
        'target'
    """
    check_module("module", module)
    check_choice("domain", domain, ("source", "target"))
    before: dict[PerDomain, Side] = {part: part.domain for part in module.modules() if isinstance(part, PerDomain)}
    for part in before:
        part.domain = domain
    return _put_back(before)


@contextmanager
def _put_back(before: dict[PerDomain, Side]) -> Iterator[None]:
    try:
        yield
    finally:
        for part, domain in before.items():
            part.domain = domain
