"""A domain: inputs, perhaps their labels, and the names of the classes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tlbook.errors import TlbookError


@dataclass(frozen=True, eq=False, repr=False)
class Domain:
    """Examples of one domain, held in memory.

    Args:
        name: what the domain is called in tables and messages.
        x: inputs, N×…; images are N×C×H×W, uint8 in 0…255 or floating point.
        y: labels, int64 of length N with values in 0…len(classes)−1, or None for an unlabelled domain.
        classes: the classes' names; the label k means ``classes[k]``.

    Raises:
        TlbookError: if the domain is empty, or shapes, types, lengths or labels do not fit together.

    >>> domain = Domain("toy", torch.zeros(4, 1, 2, 2), torch.tensor([0, 1, 1, 0]), ("cat", "dog"))
    >>> domain
    Domain('toy': 4 examples of 1×2×2 float32, 2 classes)
    >>> len(domain.subset(classes=["dog"]))
    2
    """

    name: str
    x: Tensor
    y: Tensor | None
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "classes", tuple(self.classes))
        x, y = self.x, self.y
        if not isinstance(x, Tensor) or x.ndim < 2:
            given = f"shape {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__
            raise TlbookError(
                f"{self.name}: x is {given}, expected a tensor N×… (images N×C×H×W); "
                "convert with torch.as_tensor, add the missing axis with unsqueeze"
            )
        if x.dtype != torch.uint8 and not x.dtype.is_floating_point:
            raise TlbookError(
                f"{self.name}: x has type {x.dtype}, expected uint8 or floating point; convert it with x.float()"
            )
        if len(x) == 0:
            raise TlbookError(
                f"{self.name}: 0 examples given, expected at least one; check the filter that made the domain"
            )
        if not self.classes:
            raise TlbookError(f"{self.name}: 0 classes given, expected at least one; pass classes=('cat', 'dog')")
        if y is None:
            return
        if not isinstance(y, Tensor) or y.dtype != torch.int64:
            given = f"{y.dtype}" if isinstance(y, Tensor) else type(y).__name__
            raise TlbookError(f"{self.name}: y is {given}, expected an int64 tensor; convert with y.long()")
        if y.shape != x.shape[:1]:
            raise TlbookError(
                f"{self.name}: y has shape {tuple(y.shape)} for {len(x)} examples, expected ({len(x)},); "
                "pass one label an example"
            )
        low, high = int(y.min()), int(y.max())
        if low < 0 or high >= len(self.classes):
            raise TlbookError(
                f"{self.name}: labels run from {low} to {high}, expected 0…{len(self.classes) - 1} "
                f"for {len(self.classes)} classes; renumber the labels or name every class"
            )

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.x.shape[1:]))
        dtype = str(self.x.dtype).removeprefix("torch.")
        labels = f"{len(self.classes)} classes" if self.y is not None else "unlabelled"
        return f"Domain({self.name!r}: {len(self)} examples of {shape} {dtype}, {labels})"

    def labels(self) -> Tensor:
        """Return ``y``, of length N; a TlbookError says so if the domain is unlabelled.

        >>> Domain("toy", torch.zeros(2, 3), torch.tensor([1, 0]), ("cat", "dog")).labels()
        tensor([1, 0])
        """
        if self.y is None:
            raise TlbookError(f"{self.name}: no labels given, expected some; leave out .unlabelled()")
        return self.y

    def take(self, index: Tensor) -> Domain:
        """Return the examples at ``index``: positions (int64) or a mask of length N (bool).

        >>> Domain("toy", torch.zeros(3, 2), None, ("cat",)).take(torch.tensor([2, 0]))
        Domain('toy': 2 examples of 2 float32, unlabelled)
        """
        return replace(self, x=self.x[index], y=None if self.y is None else self.y[index])

    def subset(self, classes: Iterable[str | int]) -> Domain:
        """Return the examples of the given classes, in their order here.

        Labels keep their numbers and ``classes`` keeps every name, so that the heads of a source with more
        classes and of a target with fewer can be compared unit by unit.

        Args:
            classes: names of classes, or their numbers.

        Raises:
            TlbookError: if a class is unknown, none is given, or the domain is unlabelled.

        >>> domain = Domain("toy", torch.zeros(3, 2), torch.tensor([0, 1, 2]), ("cat", "dog", "owl"))
        >>> domain.subset(classes=["owl", 0]).y
        tensor([0, 2])
        """
        wanted = [self._number(c) for c in classes]
        return self.take(torch.isin(self.labels(), torch.tensor(wanted, device=self.x.device)))

    def per_class(self, n: int, seed: int) -> Domain:
        """Return ``n`` examples of each class that occurs, drawn without replacement, in their order here.

        Raises:
            TlbookError: if a class has fewer than ``n`` examples, or the domain is unlabelled.

        >>> domain = Domain("toy", torch.zeros(6, 2), torch.tensor([0, 1, 0, 1, 0, 1]), ("cat", "dog"))
        >>> domain.per_class(2, seed=0).y.bincount()
        tensor([2, 2])
        """
        counts = self.labels().bincount()
        fewest = int(counts[counts > 0].min())
        if not 1 <= n <= fewest:
            raise TlbookError(f"{self.name}: n = {n} given, expected 1…{fewest} a class; ask for fewer")
        return self.take(self._rank(seed) < n)

    def split(self, fraction: float, seed: int) -> tuple[Domain, Domain]:
        """Cut the domain in two at random, class by class where it is labelled.

        Args:
            fraction: share of the examples that go to the first part, in (0, 1); rounded within each class.
            seed: seed of the draw; the same seed gives the same two parts.

        Raises:
            TlbookError: if ``fraction`` is out of range or leaves a part empty.

        >>> domain = Domain("toy", torch.zeros(8, 2), torch.tensor([0, 1] * 4), ("cat", "dog"))
        >>> [part.y.bincount().tolist() for part in domain.split(0.75, seed=0)]
        [[3, 3], [1, 1]]
        """
        if not 0 < fraction < 1:
            raise TlbookError(f"{self.name}: fraction = {fraction}, expected in (0, 1); 0.5 gives halves")
        groups = self._groups()
        first = self._rank(seed) < (groups.bincount() * fraction).round()[groups]
        if first.all() or not first.any():
            raise TlbookError(
                f"{self.name}: fraction = {fraction} of {len(self)} examples leaves one part empty, "
                "expected some in both; choose a fraction nearer to 0.5"
            )
        return self.take(first), self.take(~first)

    def unlabelled(self) -> Domain:
        """Return the domain without its labels: what an adaptation method may see of the target.

        >>> Domain("toy", torch.zeros(2, 3), torch.tensor([1, 0]), ("cat", "dog")).unlabelled().y is None
        True
        """
        return replace(self, y=None)

    def images(self, channels: int | None = None, size: int | None = None) -> Domain:
        """Return the images with another number of channels or another size.

        Args:
            channels: 3 repeats a grey channel; 1 averages the colours. None keeps the channels.
            size: new height and width, by antialiased bilinear interpolation. None keeps the size.

        Returns:
            A domain N×channels×size×size of the same type; uint8 is rounded to the nearest value.

        Raises:
            TlbookError: if x is not N×C×H×W, its channels do not turn into those asked, or size is below 1.

        >>> Domain("toy", torch.zeros(2, 1, 16, 16), None, ("cat",)).images(channels=3, size=28)
        Domain('toy': 2 examples of 3×28×28 float32, unlabelled)
        """
        if self.x.ndim != 4:
            raise TlbookError(
                f"{self.name}: x has shape {tuple(self.x.shape)}, expected images N×C×H×W; "
                "only domains of images can be resized or coloured"
            )
        have = self.x.shape[1]
        channels = have if channels is None else channels
        if channels != have and (have, channels) not in ((1, 3), (3, 1)):
            raise TlbookError(
                f"{self.name}: channels = {channels} given for images of {have}, expected {have}; "
                "only grey (1) and colour (3) turn into one another"
            )
        if size is not None and size < 1:
            raise TlbookError(f"{self.name}: size = {size} given, expected at least 1; 28 is MNIST's size")
        x = self.x
        if channels < have or (size is not None and x.shape[2:] != (size, size)):
            parts = []
            for part in torch.split(x, 4096):  # a part at a time: floating point takes four times the memory
                part = part.float()
                if channels < have:
                    part = part.mean(dim=1, keepdim=True)
                if size is not None:
                    part = interpolate(part, size=(size, size), mode="bilinear", antialias=True)
                if x.dtype == torch.uint8:
                    part = part.round().clamp(0, 255)
                parts.append(part.to(x.dtype))
            x = torch.cat(parts)
        return replace(self, x=x.expand(-1, channels, -1, -1).contiguous())

    def to(self, device: str | torch.device) -> Domain:
        """Return the domain on a device, images in channels_last order, their type unchanged.

        >>> Domain("toy", torch.zeros(2, 3, 4, 4), None, ("cat",)).to("cpu").x.stride()
        (48, 1, 12, 3)
        """
        form = torch.channels_last if self.x.ndim == 4 else torch.preserve_format
        return replace(
            self,
            x=self.x.to(device, memory_format=form),
            y=None if self.y is None else self.y.to(device),
        )

    def _number(self, wanted: str | int) -> int:
        """The label number of a class given by its name or number."""
        if isinstance(wanted, str) and wanted in self.classes:
            return self.classes.index(wanted)
        if isinstance(wanted, int) and 0 <= wanted < len(self.classes):
            return wanted
        raise TlbookError(
            f"{self.name}: unknown class {wanted!r}, expected one of {', '.join(self.classes)}, "
            f"or a number in 0…{len(self.classes) - 1}"
        )

    def _rank(self, seed: int) -> Tensor:
        """Each example's place, from 0, in a random order of its own class; N, int64."""
        groups = self._groups()
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed)).to(groups.device)
        order = order[groups[order].argsort(stable=True)]
        counts = groups.bincount()
        starts = counts.cumsum(0) - counts
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(self), device=groups.device) - starts[groups[order]]
        return rank

    def _groups(self) -> Tensor:
        """What is drawn from group by group: the labels, or a single group where there are none; N, int64."""
        return self.x.new_zeros(len(self), dtype=torch.int64) if self.y is None else self.y


def checksum(domain: Domain) -> str:
    """The sha256 of a domain's content: type, shape and bytes of x, then of y where there is one.

    Neither the name, the device nor the memory layout enter, so equal arrays have equal checksums.

    >>> checksum(Domain("toy", torch.zeros(2, 3), None, ("cat",)))[:8]
    '0494e76d'
    """
    digest = hashlib.sha256()
    for tensor in (domain.x, domain.y):
        if tensor is not None:
            digest.update(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
            digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()
