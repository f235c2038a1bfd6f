"""What the catalogue knows about one set of data, and how its files are found and fetched."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pooch
import requests
from torch import Tensor
from tqdm.auto import tqdm

from tlbook.errors import TlbookError

DIGITS = tuple("0123456789")


class DamagedError(Exception):
    """A file's content is not what was published: fetching it again may help."""


@dataclass(frozen=True)
class File:
    """A file of a public data set.

    Args:
        path: where it lies below the data root.
        urls: its public homes, tried in order.
        known_hash: its hash as pooch writes it (``"md5:…"``), or None where only the content is checked.
    """

    path: str
    urls: tuple[str, ...]
    known_hash: str | None = None


@dataclass(frozen=True)
class Store:
    """The data root that a source reads from.

    Args:
        root: folder that holds the files.
        download: whether a missing file may be fetched into it.
        again: whether files that are there are fetched anew, because they proved damaged.
    """

    root: Path
    download: bool
    again: bool = False

    def get(self, file: File) -> Path:
        """Return the path of a file, fetching it if need be; a TlbookError says why it cannot be had."""
        path = self.root / file.path
        if path.exists() and not self.again:
            return path
        if not self.download:
            raise TlbookError(
                f"{path} is missing and download=False; allow the download, or save {file.urls[0]} under that name"
            )
        failures = []
        for url in file.urls:
            try:
                return _fetch(url, file.known_hash, path)
            except requests.exceptions.RequestException as error:
                failures.append(type(error).__name__)
        raise TlbookError(
            f"cannot fetch {' or '.join(file.urls)} ({', '.join(failures)}); try again with a network, save the file "
            f"as {path}, or use the embedded digits, rendered-digits and digits-m"
        )


def _fetch(url: str, known_hash: str | None, path: Path) -> Path:
    """Download a file beside its place, check its hash and move it there in one step."""
    part = path.with_name(path.name + ".part")
    silent = not (sys.stderr.isatty() or "ipykernel" in sys.modules)
    bar = tqdm(total=0, unit="B", unit_scale=True, desc=path.name, disable=silent)
    try:
        part.unlink(missing_ok=True)
        pooch.get_logger().setLevel("WARNING")
        downloader = pooch.HTTPDownloader(progressbar=bar)
        pooch.retrieve(url, known_hash, fname=part.name, path=part.parent, downloader=downloader)
        os.replace(part, path)
    except ValueError as error:
        raise DamagedError(f"{url} does not have the published hash") from error
    finally:
        bar.close()
    return path


@dataclass(frozen=True)
class Source:
    """One entry of the catalogue.

    Args:
        name: the name that ``load`` takes.
        kind: ``"embedded"`` (made without a network) or ``"real"`` (read from a public set's files).
        shape: of one image, C×H×W.
        classes: the classes' names.
        sizes: number of examples of each split.
        licence: what the data may be used for.
        home: where the data come from.
        checksums: of each split, as ``checksum`` computes it.
        read: (split, store) → images N×C×H×W uint8 and labels N int64.
        present: root → whether the files are there.
    """

    name: str
    kind: str
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    sizes: Mapping[str, int]
    licence: str
    home: str
    checksums: Mapping[str, str]
    read: Callable[[str, Store], tuple[Tensor, Tensor]]
    present: Callable[[Path], bool] = lambda root: True
