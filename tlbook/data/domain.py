"""A domain: inputs, perhaps their labels, and the names of the classes."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from tlbook._checks import check_list, check_number, check_path, check_whole, shown
from tlbook.data.arrays import as_labels, as_rows, check_same_order, named_labels
from tlbook.data.disk import DiskRows, Writer, open_folder
from tlbook.data.memory import check_fits
from tlbook.data.ranges import check_images, whole_bytes
from tlbook.errors import TlbookError

CHUNK_BYTES = 16 * 2**20  # of rows that are hashed or written at a time


@dataclass(frozen=True, eq=False, repr=False)
class Domain:
    """Examples of one domain, in memory or on disk.

    Args:
        name: what the domain is called in tables and messages.
        x: inputs, N×…; images are N×C×H×W, uint8 in 0…255 or floating point; tokens are int64. What carries a
            gradient is detached. Of a domain on disk it is a :class:`tlbook.data.disk.DiskRows`, which has a tensor's
            ``shape``, ``dtype`` and ``ndim``, and gives tensors when indexed.
        y: labels, whole numbers in 0…len(classes)−1, one an example (a tensor, an array or a list; they are kept as
            int64), or None for an unlabelled domain.
        classes: the classes' names, all different; the label k means ``classes[k]``.

    Raises:
        TlbookError: if the domain is empty, or shapes, types, lengths or labels do not fit together.

    >>> domain = Domain("toy", torch.zeros(4, 1, 2, 2), torch.tensor([0, 1, 1, 0]), ("cat", "dog"))
    >>> domain
    Domain('toy': 4 examples of 1×2×2 float32, 2 classes: cat, dog)
    >>> len(domain.subset(classes=["dog"]))
    2
    """

    name: str
    x: Tensor
    y: Tensor | None
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or "\n" in self.name:
            raise TlbookError(
                f"name is {shown(self.name)}; expected a word or two for tables and messages: give name='cats'"
            )
        object.__setattr__(self, "classes", self._names())
        x, y = self.x, self.y
        if not isinstance(x, Tensor | DiskRows) or x.ndim < 2:
            given = type(x).__name__ if not isinstance(x, Tensor) else f"shape {tuple(x.shape)}"
            raise TlbookError(
                f"{self.name}: x is {given}, expected a tensor N×… (images N×C×H×W); "
                "convert with Domain.from_arrays, add the missing axis with unsqueeze"
            )
        if x.dtype not in (torch.uint8, torch.int64) and not x.dtype.is_floating_point:
            raise TlbookError(
                f"{self.name}: x has type {x.dtype}, expected uint8, floating point, or int64 for tokens; convert it "
                "with x.float()"
            )
        if isinstance(x, Tensor) and x.requires_grad:
            object.__setattr__(self, "x", x.detach())
        if len(x) == 0:
            raise TlbookError(
                f"{self.name}: 0 examples given, expected at least one; check the filter that made the domain"
            )
        if y is None:
            return
        y = as_labels(self.name, y)
        y = y if isinstance(self.y, Tensor) else y.to(x.device)
        object.__setattr__(self, "y", y)
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
        names = self.classes if len(self.classes) <= 4 else (self.classes[0], "…", self.classes[-1])
        labels = f"{len(self.classes)} classes: {', '.join(names)}" if self.y is not None else "unlabelled"
        where = " on disk" if isinstance(self.x, DiskRows) else ""
        return f"Domain({self.name!r}: {len(self)} examples of {shape} {dtype}{where}, {labels})"

    @classmethod
    def from_arrays(cls, name: str, x: Any, y: Any = None, classes: Iterable[Any] | None = None) -> Domain:
        """Make a domain of arrays, tensors, lists, or tables of pandas.

        Args:
            name: what the domain is called.
            x: N rows of numbers; images as N×C×H×W, uint8 in 0…255 or floats in 0…1. Floats become float32 unless
                they are a tensor, other whole numbers int64.
            y: one label an example, words or whole numbers (1.0 is one); None makes an unlabelled domain.
            classes: the names in the order of their numbers; where not given, the labels that occur, sorted.

        Raises:
            TlbookError: for numbers that are not finite, labels that are not among the classes, unequal lengths,
                tables whose rows are in another order, images N×H×W×C, and whatever :class:`Domain` refuses.

        >>> Domain.from_arrays("pets", [[0.5, 1.0], [1.5, 0.0]], ["dog", "cat"])
        Domain('pets': 2 examples of 2 float32, 2 classes: cat, dog)
        """
        rows = as_rows(name, x)
        if y is None:
            if classes is None:
                raise TlbookError(
                    f"{name}: neither labels nor classes given; expected one of them: an unlabelled target takes "
                    "classes=source.classes"
                )
            return cls(name, rows, None, tuple(map(str, classes)))
        check_same_order(name, x, y)
        labels, names = named_labels(name, y, classes)
        return cls(name, rows, labels.to(rows.device), names)

    @classmethod
    def from_folder(
        cls,
        path: str | os.PathLike[str],
        *,
        size: int = 224,
        channels: int = 3,
        name: str | None = None,
        classes: Iterable[str] | None = None,
        disk: str | os.PathLike[str] | None = None,
    ) -> Domain:
        """Read images from a folder with a folder for each class: ``photos/cat/1.jpg``.

        Pictures may have any size, 8 or 16 bits, grey or colours, and any format that Pillow reads. They are turned
        upright as their EXIF data say, transparent parts become white, the shorter side is brought to ``size`` with
        antialiased bilinear interpolation, and a square is cut out of the middle. Files and folders whose names begin
        with a dot are left out; every other file below a class's folder must be an image.

        Args:
            path: the folder. Where it holds images but no folders, they make an unlabelled domain of the ``classes``.
            size: height and width of the images.
            channels: 3 for colours, 1 for grey.
            name: of the domain; the folder's where not given.
            classes: names in the order of their numbers, so that source and target have the same, also where some do
                not occur; where not given, the folders' names, sorted.
            disk: a new folder that keeps the rows, for what does not fit into memory; as :meth:`to_disk`.

        Returns:
            A domain of N×channels×size×size uint8, class by class.

        Raises:
            TlbookError: for a folder that is missing or empty, files that cannot be read as images (all are counted,
                the first named), folders that are no class, and what does not fit into the free memory.

        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from PIL import Image
        >>> with TemporaryDirectory() as photos:
        ...     for word in ("dog", "cat"):
        ...         Path(photos, word).mkdir()
        ...         Image.new("RGB", (40, 30)).save(Path(photos, word, "1.jpg"))
        ...     Domain.from_folder(photos, size=16, name="photos")
        Domain('photos': 2 examples of 3×16×16 uint8, 2 classes: cat, dog)
        """
        from tlbook.data.reading import read_folder

        return read_folder(check_path("path", path), size, channels, name, classes, disk)

    @classmethod
    def from_dataset(
        cls,
        name: str,
        dataset: Any,
        *,
        size: int | None = None,
        channels: int | None = None,
        columns: tuple[str, str | None] = ("image", "label"),
        classes: Iterable[Any] | None = None,
        disk: str | os.PathLike[str] | None = None,
    ) -> Domain:
        """Read a map-style data set of torch or torchvision, or one part of a data set of Hugging Face, once through.

        What the data set changes by chance is drawn once; random changes of training batches belong to
        ``tlbook.fit(augment=…)``.

        Args:
            name: what the domain is called.
            dataset: has a length, and gives (input, label), an input alone, or a dict when indexed by number. Inputs
                are pictures of Pillow, tensors or arrays; labels words or whole numbers.
            size: for pictures: height and width, as in :meth:`from_folder`. None keeps theirs, if they agree.
            channels: for pictures: 3 or 1. None keeps grey as it is.
            columns: the keys of input and label where examples are dicts; (key, None) makes an unlabelled domain.
            classes: the names; where not given, those that the data set knows, else the labels that occur, sorted.
            disk: a new folder that keeps the rows, for what does not fit into memory; as :meth:`to_disk`.

        Raises:
            TlbookError: for what cannot be indexed, an example that cannot be read or is unlike the first, labels that
                are not among the classes, and what does not fit into the free memory.

        >>> dataset = torch.utils.data.TensorDataset(torch.zeros(4, 3), torch.tensor([1, 0, 0, 1]))
        >>> Domain.from_dataset("toy", dataset, classes=("cat", "dog"))
        Domain('toy': 4 examples of 3 float32, 2 classes: cat, dog)
        """
        from tlbook.data.reading import read_dataset

        return read_dataset(name, dataset, size, channels, columns, classes, disk)

    @classmethod
    def from_disk(cls, folder: str | os.PathLike[str], verify: bool = False) -> Domain:
        """Open a folder that :meth:`to_disk` wrote; the rows stay there and are read when they are needed.

        Args:
            folder: the folder.
            verify: read every byte and compare its sha256; otherwise the files' types, shapes and sizes alone.

        Raises:
            TlbookError: for a folder that is missing or half written, or that has a file not as it was written.

        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     Domain("toy", torch.zeros(4, 3), torch.tensor([0, 1, 1, 0]), ("cat", "dog")).to_disk(folder)
        Domain('toy': 4 examples of 3 float32 on disk, 2 classes: cat, dog)
        """
        name, rows, labels, classes = open_folder(folder, verify)
        return cls(name, cast(Tensor, rows), labels, classes)

    def to_disk(self, folder: str | os.PathLike[str]) -> Domain:
        """Write the domain to a new folder, shard by shard, and return it as it lies there.

        Raises:
            TlbookError: where the folder holds something already, or cannot be written.
        """
        with Writer(folder) as writer:
            for rows in self.batches(self._chunk()):
                writer.append(rows)
            writer.finish(self.name, self.y, self.classes)
        return Domain.from_disk(folder)

    def in_memory(self) -> Domain:
        """Return the domain with its rows in memory; of a domain on disk that takes as much as its files.

        Raises:
            TlbookError: where it does not fit into the free memory.

        >>> Domain("toy", torch.zeros(3, 2), None, ("cat",)).in_memory()
        Domain('toy': 3 examples of 2 float32, unlabelled)
        """
        if isinstance(self.x, DiskRows):
            check_fits(self.name, len(self), self.x.shape[1:], self.x.dtype, "take a part of it: .take or .per_class")
            return replace(self, x=self.x[:])
        return self

    def batches(self, size: int) -> Iterator[Tensor]:
        """The inputs in order, ``size`` at a time, in memory.

        >>> [len(rows) for rows in Domain("toy", torch.zeros(5, 2), None, ("cat",)).batches(2)]
        [2, 2, 1]
        """
        check_whole("size", size, at_least=1)
        return (self.x[begin : begin + size] for begin in range(0, len(self), size))

    def labels(self) -> Tensor:
        """Return ``y``, of length N; a TlbookError says so if the domain is unlabelled.

        >>> Domain("toy", torch.zeros(2, 3), torch.tensor([1, 0]), ("cat", "dog")).labels()
        tensor([1, 0])
        """
        if self.y is None:
            raise TlbookError(f"{self.name}: no labels given, expected some; leave out .unlabelled()")
        return self.y

    def take(self, index: Any) -> Domain:
        """Return the examples at ``index``: positions (whole numbers) or a mask of length N (bool).

        Raises:
            TlbookError: for positions that are not there, or a mask of another length.

        >>> Domain("toy", torch.zeros(3, 2), None, ("cat",)).take([2, 0])
        Domain('toy': 2 examples of 2 float32, unlabelled)
        """
        try:
            at = torch.as_tensor(index, device=self.x.device)
            if at.ndim != 1 or at.dtype not in (torch.bool, torch.int64):
                raise TypeError(f"{at.dtype} of shape {tuple(at.shape)}")
            x = self.x.select(at) if isinstance(self.x, DiskRows) else self.x[at]
        except (IndexError, TypeError, ValueError, RuntimeError) as error:
            raise TlbookError(
                f"{self.name}: index is a {type(index).__name__} that does not fit ({str(error).splitlines()[0]}); "
                f"expected positions below {len(self)}, or a mask of {len(self)} bool: convert with torch.as_tensor"
            ) from None
        return replace(self, x=x, y=None if self.y is None else self.y[at.to(self.y.device)])

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
        wanted = [self._number(c) for c in check_list("classes", classes, "names or numbers of classes")]
        return self.take(torch.isin(self.labels(), torch.tensor(wanted, dtype=torch.int64, device=self.x.device)))

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
        check_whole(f"{self.name}: n", n, at_least=1, at_most=fewest, hint="the smallest class has no more")
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
        check_number(f"{self.name}: fraction", fraction, above=0, below=1, hint="0.5 gives halves")
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
            TlbookError: if x is not N×C×H×W, has floats outside 0…1 or lies on disk, its channels do not turn into
                those asked, or size is below 1.

        >>> Domain("toy", torch.zeros(2, 1, 16, 16), None, ("cat",)).images(channels=3, size=28)
        Domain('toy': 2 examples of 3×28×28 float32, unlabelled)
        """
        if isinstance(self.x, DiskRows):
            raise TlbookError(
                f"{self.name}: images on disk keep their form, expected a domain in memory; resize before .to_disk, "
                "or take a part: .take(index).in_memory()"
            )
        check_images(self.name, self.x)
        have = self.x.shape[1]
        channels = have if channels is None else check_whole("channels", channels, at_least=1)
        if channels != have and (have, channels) not in ((1, 3), (3, 1)):
            raise TlbookError(
                f"{self.name}: channels = {channels} given for images of {have}, expected {have}; "
                "only grey (1) and colour (3) turn into one another"
            )
        if size is not None:
            check_whole(f"{self.name}: size", size, at_least=1, hint="28 is MNIST's size")
        x = self.x
        if channels < have or (size is not None and x.shape[2:] != (size, size)):
            parts = []
            for part in torch.split(x, 4096):  # a part at a time: floating point takes four times the memory
                part = part.float()
                if channels < have:
                    part = part.mean(dim=1, keepdim=True)
                if size is not None:
                    part = interpolate(part, size=(size, size), mode="bilinear", antialias=True)
                parts.append(whole_bytes(part, x.dtype))
            x = torch.cat(parts)
        return replace(self, x=x.expand(-1, channels, -1, -1).contiguous())

    def to(self, device: str | torch.device) -> Domain:
        """Return the domain on a device, images in channels_last order, their type unchanged.

        >>> Domain("toy", torch.zeros(2, 3, 4, 4), None, ("cat",)).to("cpu").x.stride()
        (48, 1, 12, 3)
        """
        if not isinstance(device, str | torch.device):
            raise TlbookError(f"device is {shown(device)}; expected the name of one, such as 'cpu' or 'cuda'")
        try:
            device = torch.device(device)
        except RuntimeError as error:
            raise TlbookError(
                f"device is {shown(device)} ({str(error).splitlines()[0]:.80}); expected one such as 'cpu' or 'cuda'"
            ) from None
        if isinstance(self.x, DiskRows):
            if device.type != "cpu":
                raise TlbookError(
                    f"{self.name}: rows on disk cannot be moved to {device}, expected a domain in memory; fit moves "
                    "each batch by itself, .in_memory() brings all of it"
                )
            return self
        form = torch.channels_last if self.x.ndim == 4 else torch.preserve_format
        return replace(
            self,
            x=self.x.to(device, memory_format=form),
            y=None if self.y is None else self.y.to(device),
        )

    def _names(self) -> tuple[str, ...]:
        """The classes as a tuple of different names."""
        given = self.classes
        names = () if isinstance(given, str) or not isinstance(given, Iterable) else tuple(given)
        if not names or not all(isinstance(c, str) for c in names) or len(set(names)) < len(names):
            raise TlbookError(
                f"{self.name}: classes is {str(given)[:80]!r}, expected one or more names, all different; pass "
                "classes=('cat', 'dog')"
            )
        return tuple(map(str, names))

    def _chunk(self) -> int:
        """How many rows make up a chunk that is hashed or written at a time."""
        return max(1, CHUNK_BYTES // (self.x.dtype.itemsize * math.prod(self.x.shape[1:]) or 1))

    def _number(self, wanted: str | int) -> int:
        """The label number of a class given by its name or number."""
        if isinstance(wanted, str) and wanted in self.classes:
            return self.classes.index(wanted)
        if isinstance(wanted, int) and 0 <= wanted < len(self.classes):
            return wanted
        raise TlbookError(
            f"{self.name}: unknown class {shown(wanted)}, expected one of {', '.join(self.classes)}, "
            f"or a number in 0…{len(self.classes) - 1}"
        )

    def _rank(self, seed: int) -> Tensor:
        """Each example's place, from 0, in a random order of its own class; N, int64."""
        check_whole("seed", seed, at_least=0)
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
        return torch.zeros(len(self), dtype=torch.int64, device=self.x.device) if self.y is None else self.y


def check_domain(name: str, value: Any) -> Domain:
    """The value, where it is a domain.

    Args:
        name: of the argument.
        value: what was given.

    Raises:
        TlbookError: for anything else.

    >>> check_domain("source", [1, 2])
    Traceback (most recent call last):
    tlbook.errors.TlbookError: source is a list; expected a Domain: make one with Domain.from_arrays(name, x, y), of a \
dataset with Domain.from_dataset(name, dataset)
    """
    if isinstance(value, Domain):
        return value
    raise TlbookError(
        f"{name} is a {type(value).__name__}; expected a Domain: make one with Domain.from_arrays(name, x, y), of a "
        "dataset with Domain.from_dataset(name, dataset)"
    )


def checksum(domain: Domain) -> str:
    """The sha256 of a domain's content: type, shape and bytes of x, then of y where there is one.

    Neither the name, the device nor the memory layout enter, so equal arrays have equal checksums.

    >>> checksum(Domain("toy", torch.zeros(2, 3), None, ("cat",)))[:8]
    '0494e76d'
    """
    digest = hashlib.sha256()
    digest.update(f"{domain.x.dtype} {tuple(domain.x.shape)} ".encode())
    for rows in domain.batches(domain._chunk()):
        digest.update(rows.cpu().contiguous().numpy().data)
    if domain.y is not None:
        digest.update(f"{domain.y.dtype} {tuple(domain.y.shape)} ".encode())
        digest.update(domain.y.cpu().contiguous().numpy().data)
    return digest.hexdigest()
