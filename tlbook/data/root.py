"""The folder of real data."""

from __future__ import annotations

import os
from pathlib import Path

import pooch

__all__ = ["data_root"]


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of real data: the argument, else ``TLBOOK_DATA``, else the user's cache.

    >>> data_root("somewhere").name
    'somewhere'
    """
    return Path(root or os.environ.get("TLBOOK_DATA") or pooch.os_cache("tlbook")).expanduser()
