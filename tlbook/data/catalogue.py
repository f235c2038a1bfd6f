"""The catalogue of domains, and the function that loads one."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pooch

from tlbook.data.digits import UCI, UCI_M
from tlbook.data.domain import Domain
from tlbook.data.mnist import FASHION_MNIST, MNIST
from tlbook.data.mnist_m import MNIST_M
from tlbook.data.source import Store
from tlbook.errors import TlbookError

SOURCES = {source.name: source for source in (UCI, UCI_M, MNIST, FASHION_MNIST, MNIST_M)}


def names() -> tuple[str, ...]:
    """Return the names that ``load`` takes.

    >>> "digits" in names()
    True
    """
    return tuple(SOURCES)


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """The folder of real data: the argument, else ``TLBOOK_DATA``, else the user's cache."""
    return Path(root or os.environ.get("TLBOOK_DATA") or pooch.os_cache("tlbook")).expanduser()


def load(
    name: str, split: str = "train", root: str | os.PathLike[str] | None = None, download: bool = True
) -> Domain:
    """Load a domain of the catalogue.

    >>> load("digits", "test")
    Domain('digits': 450 examples of 3×28×28 uint8, 10 classes)
    """
    if name not in SOURCES:
        near = difflib.get_close_matches(name, SOURCES, n=3, cutoff=0.4) or list(SOURCES)
        raise TlbookError(f"unknown data {name!r}, expected one of {', '.join(near)}; `tlbook data list` shows all")
    source = SOURCES[name]
    if split not in source.sizes:
        raise TlbookError(f"{name} has no split {split!r}, expected {' or '.join(source.sizes)}")
    x, y = source.read(split, Store(data_root(root), download))
    return Domain(name, x, y, source.classes)
