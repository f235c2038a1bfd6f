"""What the catalogue knows about one set of data, and how its files are found and fetched."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pooch
import requests
from torch import Tensor

from tlbook._progress import tqdm, watched
from tlbook.errors import TlbookError

DIGITS = tuple("0123456789")


def md5_is(expected: str) -> Callable[[Path], bool]:
    """Return a check that a file has this md5."""
    return lambda path: bool(pooch.file_hash(path, "md5") == expected)


@dataclass(frozen=True)
class File:
    """A file of a public data set.

    Args:
        path: where it lies below the data root.
        urls: its public homes, tried in order.
        intact: whether the file at a path has the published content.
    """

    path: str
    urls: tuple[str, ...]
    intact: Callable[[Path], bool]


@dataclass(frozen=True)
class Store:
    """The folder that real data are read from, and fetched into.

    Args:
        root: the folder.
        download: whether a file that is missing or damaged may be fetched.
    """

    root: Path
    download: bool

    def get(self, file: File) -> Path:
        """Return the path of an intact file, fetching it if need be.

        Raises:
            TlbookError: if the file is missing or damaged and cannot be had from any of its homes.
            OSError: if it cannot be written.
        """
        path = self.root / file.path
        there = path.exists()
        if there and file.intact(path):
            return path
        if not self.download:
            raise TlbookError(
                f"{path} is {'damaged' if there else 'missing'} and download=False; "
                f"allow the download, or save {file.urls[0]} under that name"
            )
        failures = []
        for url in file.urls:
            try:
                if any(_fetch(url, path, file.intact) for _ in ("first", "again")):
                    return path
                failures.append(f"{url} came damaged twice")
            except requests.HTTPError as error:
                failures.append(str(error))
            except requests.RequestException:
                failures.append(f"{url} could not be reached")
        raise TlbookError(
            f"cannot fetch {path.name}: {', '.join(failures)}; check the network, save the file by hand "
            f"as {path}, or use data that need no network: digits, rendered-digits, digits-m"
        )


def _fetch(url: str, path: Path, intact: Callable[[Path], bool]) -> bool:
    """Download a file beside its place; if it is intact, move it there in one step; return whether it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(dir=path.parent, prefix=".fetch-") as temporary,
        # The total is pooch's to set, but to a bar without one it would not write.
        tqdm(total=1, unit="B", unit_scale=True, desc=path.name, disable=not watched()) as bar,
    ):
        part = Path(temporary, path.name)
        # Without this header a server may compress the file on its way; what arrives is then not the file.
        downloader = pooch.HTTPDownloader(progressbar=bar, headers={"Accept-Encoding": "identity"})
        try:
            downloader(url, str(part), None)
        except requests.exceptions.ChunkedEncodingError:  # the connection ended before the file did
            return False
        if not intact(part):
            return False
        os.replace(part, path)
        return True


@dataclass(frozen=True)
class Source:
    """One entry of the catalogue.

    Args:
        name: the name that ``load`` takes.
        kind: ``"embedded"`` (made without a network) or ``"real"`` (read from the files of a public set).
        shape: of one example; images are C×H×W.
        classes: the classes' names.
        sizes: number of examples of each split.
        licence: under which the data may be used.
        home: where the data come from.
        checksums: of each split, as ``tlbook.data.checksum`` computes them.
        read: split and store → examples N×… uint8, labels N int64.
        present: root → whether the files are there.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    classes: tuple[str, ...]
    sizes: Mapping[str, int]
    licence: str
    home: str
    checksums: Mapping[str, str]
    read: Callable[[str, Store], tuple[Tensor, Tensor]]
    present: Callable[[Path], bool]


@dataclass(frozen=True)
class Collection:
    """An entry of the catalogue that is no domain by itself: text that needs a vocabulary, features with attributes.

    Args:
        name: the name that ``tlbook data`` takes.
        kind: ``"text"`` or ``"zero-shot"``.
        classes: how many there are; 0 for running text.
        sizes: number of examples of each split, or of lines.
        licence: under which the data may be used.
        home: where the data come from.
        reader: the function that reads it, as one imports it.
        fetch: brings the files into a store, where they are not there yet.
        verify: says how far the files in a store are as published; a TlbookError where they are not.
        present: root → whether the files are there.
    """

    name: str
    kind: str
    classes: int
    sizes: Mapping[str, int]
    licence: str
    home: str
    reader: str
    fetch: Callable[[Store], None]
    verify: Callable[[Store], str]
    present: Callable[[Path], bool]


def collection_of_files(files: tuple[File, ...], **about: Any) -> Collection:
    """A collection of files whose hashes are known."""

    def fetch(store: Store) -> None:
        for file in files:
            store.get(file)

    def verify(store: Store) -> str:
        fetch(replace(store, download=False))
        return "as published"

    def present(root: Path) -> bool:
        return all((root / file.path).exists() for file in files)

    return Collection(**about, fetch=fetch, verify=verify, present=present)
