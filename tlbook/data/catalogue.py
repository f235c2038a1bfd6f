"""The catalogue of data, and the function that loads a domain of it.

What is known of a set (its files and their hashes, its public homes, its size and licence) stands in the set's own
module, once; ``SOURCES`` are the domains, ``COLLECTIONS`` what becomes one only with a vocabulary or with attributes.
``tlbook data list`` shows all of it.
"""

from __future__ import annotations

import difflib
import os

from tlbook._checks import shown
from tlbook.data.digits import BLENDED, HANDWRITTEN
from tlbook.data.domain import Domain
from tlbook.data.mnist import FASHION_MNIST, MNIST
from tlbook.data.mnist_m import MNIST_M
from tlbook.data.office_caltech import OFFICE_CALTECH
from tlbook.data.rendered import RENDERED
from tlbook.data.reviews import REVIEWS
from tlbook.data.root import data_root
from tlbook.data.source import Collection, Source, Store
from tlbook.data.text import TEXTS
from tlbook.data.usps import USPS_DIGITS
from tlbook.data.xlsa17 import XLSA17
from tlbook.errors import TlbookError

SOURCES = {
    source.name: source
    for source in (
        HANDWRITTEN,
        RENDERED,
        BLENDED,
        MNIST,
        USPS_DIGITS,
        FASHION_MNIST,
        MNIST_M,
        *OFFICE_CALTECH,
        *REVIEWS,
    )
}
COLLECTIONS = {collection.name: collection for collection in (*TEXTS, XLSA17)}


def names() -> tuple[str, ...]:
    """Return the names that ``load`` takes.

    >>> "digits-m" in names()
    True
    """
    return tuple(SOURCES)


def find(name: str) -> Source | Collection:
    """Return the catalogue's entry; for an unknown name a TlbookError tells the nearest.

    >>> find("usps").licence
    'free for research'
    """
    known = SOURCES | COLLECTIONS
    if not isinstance(name, str) or name not in known:
        near = " or ".join(difflib.get_close_matches(str(name), known, n=3) or SOURCES)
        raise TlbookError(f"unknown data {shown(name)}, expected {near}; `tlbook data list` shows them all")
    return known[name]


def load(name: str, split: str = "train", root: str | os.PathLike[str] | None = None, download: bool = True) -> Domain:
    """Load a domain into memory, its images or counts as uint8.

    Embedded sets (``digits``, ``rendered-digits``, ``digits-m``) need no files. Real sets are read from the
    root and, where files are missing or damaged, fetched into it from their public homes.

    Args:
        name: one of ``names()``.
        split: ``"train"`` or ``"test"``; sets that come in one piece have ``"train"`` only.
        root: folder of the real sets; None means the environment's ``TLBOOK_DATA``, else the user's cache.
        download: whether files may be fetched.

    Raises:
        TlbookError: if the name or split is unknown, or files are missing and cannot be fetched or written.

    >>> load("digits", "test")
    Domain('digits': 450 examples of 3×28×28 uint8, 10 classes: 0, …, 9)
    """
    source = find(name)
    if isinstance(source, Collection):
        raise TlbookError(f"{name} is no domain by itself, expected one of the others; {source.reader} reads it")
    if not isinstance(split, str) or split not in source.sizes:
        splits = " or ".join(source.sizes)
        raise TlbookError(f"{name} has no split {shown(split)}, expected {splits}; choose one of them")
    folder = data_root(root)
    try:
        x, y = source.read(split, Store(folder, download))
    except OSError as error:
        raise TlbookError(
            f"cannot load {name}: {error}; make room, "
            "or name a folder that can be read and written with root= or TLBOOK_DATA"
        ) from error
    return Domain(name, x, y, source.classes)
