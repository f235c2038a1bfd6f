"""Rows on disk: a folder of shards, of which at most one is mapped into memory at a time.

The folder holds ``rows-00000.npy``, ``rows-00001.npy``, …, each at most 64 MB, ``labels.npy`` where there are labels,
and ``domain.json``, which is written last: name, classes, type and shape of a row, and of each file its rows and its
sha256 (the file's own, so that ``sha256sum`` tells the same). A folder without ``domain.json`` is half written.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tlbook._checks import check_path
from tlbook._files import whole_file
from tlbook.errors import TlbookError

__all__ = ["DiskRows", "Writer", "open_folder"]

SHARD_BYTES = 64 * 2**20
LIST, LABELS = "domain.json", "labels.npy"
TYPES = {
    "uint8": torch.uint8,
    "float16": torch.float16,
    "float32": torch.float32,
    "float64": torch.float64,
    "int64": torch.int64,
}
VERSION = 1


class NotInMemoryError(TlbookError, AttributeError):
    """What only a tensor in memory can do was asked of rows on disk."""


@dataclass(frozen=True)
class Shard:
    """One file of rows: its path, where its first row stands in the domain, how many it has, where they begin."""

    path: Path
    first: int
    rows: int
    offset: int


class DiskRows:
    """The rows of a domain on disk: has the shape and type of a tensor, and gives tensors in memory when indexed.

    Nothing is kept between two calls, so that several threads and processes may read.

    Args:
        shards: the files, in order.
        row: the shape of one row.
        dtype: of the rows.
        index: which rows, in which order, int64; None means all as they lie.
    """

    device = torch.device("cpu")

    def __init__(
        self, shards: tuple[Shard, ...], row: tuple[int, ...], dtype: torch.dtype, index: Tensor | None = None
    ) -> None:
        self._shards, self._row, self._index = shards, row, index
        self._firsts = np.array([shard.first for shard in shards])
        self.dtype = dtype

    def __len__(self) -> int:
        return self._shards[-1].first + self._shards[-1].rows if self._index is None else len(self._index)

    @property
    def shape(self) -> torch.Size:
        """N×…, as a tensor's."""
        return torch.Size((len(self), *self._row))

    @property
    def ndim(self) -> int:
        """How many axes there are, as a tensor's."""
        return 1 + len(self._row)

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        """The rows at positions (int64), in a slice, or under a mask (bool), as a tensor in memory."""
        wanted = self._places(index).numpy()
        out = np.empty((len(wanted), *self._row), dtype=str(self.dtype).removeprefix("torch."))
        order = np.argsort(wanted, kind="stable")  # shard by shard, and each from its begin to its end
        cuts = np.searchsorted(wanted[order], [*self._firsts, len(self._all())])
        for shard, begin, end in zip(self._shards, cuts[:-1], cuts[1:], strict=True):
            if begin < end:
                places = order[begin:end]
                mapped = np.memmap(shard.path, out.dtype, "r", shard.offset, (shard.rows, *self._row))
                out[places] = mapped[wanted[places] - shard.first]
                del mapped  # before the next one is mapped
        return torch.from_numpy(out)

    def select(self, index: Tensor | slice) -> DiskRows:
        """These rows alone, still on disk; indexed as above."""
        return DiskRows(self._shards, self._row, self.dtype, self._places(index))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotInMemoryError(
            f"rows on disk have no .{name}; expected a domain in memory: domain.in_memory(), of a part where the whole "
            "does not fit, domain.take(index).in_memory()"
        )

    def _all(self) -> range:
        return range(self._shards[-1].first + self._shards[-1].rows)

    def _places(self, index: Tensor | slice) -> Tensor:
        """Where the rows asked for lie in the shards, int64."""
        if isinstance(index, slice):
            at = torch.arange(*index.indices(len(self)))
        elif isinstance(index, Tensor) and index.dtype == torch.bool and index.shape == (len(self),):
            at = index.cpu().nonzero()[:, 0]
        elif isinstance(index, Tensor) and index.dtype == torch.int64 and index.ndim == 1:
            at = index.cpu()
            if len(at) and not -len(self) <= int(at.min()) <= int(at.max()) < len(self):
                raise IndexError(f"positions run from {at.min()} to {at.max()} for {len(self)} rows")
            at = torch.where(at < 0, at + len(self), at)
        else:
            given = f"{index.dtype} of shape {tuple(index.shape)}" if isinstance(index, Tensor) else repr(index)[:80]
            raise TlbookError(
                f"rows on disk are indexed with {given}; expected a slice, N int64 positions, or a mask of "
                f"{len(self)} bool: convert with torch.as_tensor"
            )
        return at if self._index is None else self._index[at]


class Writer:
    """Writes rows to a folder, shard by shard; the folder is a domain's once :meth:`finish` has been called.

    At most one shard is held in memory. It is used in a ``with``: what an error leaves half written is deleted.

    Args:
        folder: a new or empty one.

    Raises:
        TlbookError: where the folder holds something, or cannot be written.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(check_path("folder", folder))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            something = next(self.folder.iterdir(), None)
        except OSError as error:
            raise TlbookError(
                f"cannot write {self.folder} ({error.strerror}); expected a folder that may be made and written to: "
                "give another"
            ) from None
        if something is not None:
            raise TlbookError(
                f"{self.folder} holds {something.name} already; expected a new or empty folder: delete it, or give "
                "another"
            )
        self.shards: list[dict[str, Any]] = []
        self.buffer: NDArray[Any] = np.empty(0)  # the shard that is being filled
        self.filled = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if not (self.folder / LIST).exists():
            for path in self.folder.iterdir():
                path.unlink()

    def append(self, rows: Tensor) -> None:
        """Add rows, n×…, of one type and shape throughout.

        Raises:
            TlbookError: for another type or shape than before, or a type that no file holds.
        """
        dtype, row = str(rows.dtype).removeprefix("torch."), tuple(rows.shape[1:])
        if dtype not in TYPES:
            raise TlbookError(f"rows of type {dtype} given; expected one of {', '.join(TYPES)}: convert with .float()")
        if self.buffer.ndim == 1:
            per_shard = max(1, SHARD_BYTES // (rows.element_size() * math.prod(row) or 1))
            self.buffer = np.empty((per_shard, *row), dtype)
        if (dtype, row) != (str(self.buffer.dtype), self.buffer.shape[1:]):
            raise TlbookError(
                f"rows of {dtype} and shape {row} given after {self.buffer.dtype} and {self.buffer.shape[1:]}; "
                "expected the same: bring them to one form first"
            )
        array = rows.cpu().numpy()
        while len(array):
            part = array[: len(self.buffer) - self.filled]
            self.buffer[self.filled : self.filled + len(part)] = part
            self.filled += len(part)
            array = array[len(part) :]
            if self.filled == len(self.buffer):
                self._write_shard()

    def finish(self, name: str, y: Tensor | None, classes: tuple[str, ...]) -> None:
        """Write what is left, the labels, and last of all the list of files."""
        if self.filled:
            self._write_shard()
        labels = None if y is None else _save(self.folder / LABELS, y.cpu().numpy())
        content = {"version": VERSION, "name": name, "classes": classes}
        content |= {"dtype": str(self.buffer.dtype), "row": self.buffer.shape[1:]}
        content |= {"shards": self.shards, "labels": labels}
        with whole_file(self.folder / LIST) as file:
            file.write(json.dumps(content, indent=1, ensure_ascii=False).encode())

    def _write_shard(self) -> None:
        self.shards.append(_save(self.folder / f"rows-{len(self.shards):05d}.npy", self.buffer[: self.filled]))
        self.filled = 0


def _save(path: Path, array: NDArray[Any]) -> dict[str, Any]:
    """Write one .npy file; what the list says of it."""
    head = io.BytesIO()
    array = np.ascontiguousarray(array)
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(array))
    digest = hashlib.sha256(head.getvalue())
    digest.update(array.data)
    with whole_file(path) as file:
        file.write(head.getvalue())
        file.write(array.data)
    return {"file": path.name, "rows": len(array), "sha256": digest.hexdigest()}


def open_folder(
    folder: str | os.PathLike[str], verify: bool = False
) -> tuple[str, DiskRows, Tensor | None, tuple[str, ...]]:
    """Name, rows, labels and classes of a folder that :class:`Writer` wrote.

    Args:
        folder: the folder.
        verify: read every byte and compare the sha256 of every file; otherwise only types, shapes and sizes.

    Raises:
        TlbookError: for a folder that is missing, half written, or has a file that is not as it was written.
    """
    folder = Path(check_path("folder", folder))
    content = _list(folder)
    try:
        dtype, row = content["dtype"], tuple(content["row"])
        shards, first = [], 0
        for entry in content["shards"]:
            path = folder / entry["file"]
            shape = (entry["rows"], *row)
            shards.append(Shard(path, first, entry["rows"], _checked(path, dtype, shape, entry["sha256"], verify)))
            first += entry["rows"]
        labels = None
        if content["labels"] is not None:
            _checked(folder / LABELS, "int64", (first,), content["labels"]["sha256"], verify=True)
            labels = torch.from_numpy(np.load(folder / LABELS))
        rows = DiskRows(tuple(shards), row, TYPES[dtype])
        return str(content["name"]), rows, labels, tuple(content["classes"])
    except (KeyError, TypeError, IndexError) as error:
        raise _unreadable(folder, repr(error)) from None


def _list(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "is not there"
        raise TlbookError(f"{folder} {what}; expected a folder that Domain.to_disk wrote: mend the path")
    try:
        content = json.loads((folder / LIST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        what = "is half written: it has rows" if next(folder.glob("*.npy"), None) else "is no domain: it has files"
        raise TlbookError(
            f"{folder} {what} but no {LIST}; expected a folder that Domain.to_disk wrote to the end: delete it, and "
            "write it again"
        ) from None
    except (OSError, ValueError) as error:
        raise _unreadable(folder, str(error)) from None
    if not isinstance(content, dict) or content.get("version") != VERSION:
        raise _unreadable(folder, "another version")
    return content


def _unreadable(folder: Path, why: str) -> TlbookError:
    return TlbookError(
        f"{folder / LIST} cannot be read ({why}); expected what Domain.to_disk of this version wrote: delete the "
        "folder, and write it again"
    )


def _checked(path: Path, dtype: str, shape: tuple[int, ...], sha256: str, verify: bool) -> int:
    """Where the numbers of a .npy file begin, if it is what the list says of it."""
    try:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            given = np.lib.format.read_array_header_1_0(file)
            offset = file.tell()
            size = os.fstat(file.fileno()).st_size
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest() if verify else sha256
    except (OSError, ValueError) as error:
        raise TlbookError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); expected a shard of {'×'.join(map(str, shape))} "
            f"{dtype}: copy the folder again, or write it anew with Domain.to_disk"
        ) from None
    expected = offset + np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64))
    if given != (shape, False, np.dtype(dtype)) or size != expected or digest != sha256:
        raise TlbookError(
            f"{path} is not as it was written ({size} bytes, {given[0]} {given[2]}); expected {expected} bytes, "
            f"{shape} {dtype}, sha256 {sha256[:12]}…: copy the folder again, or write it anew with Domain.to_disk"
        )
    return offset
