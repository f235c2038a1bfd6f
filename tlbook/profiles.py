"""Which size a chapter runs at."""

from __future__ import annotations

import os

from tlbook.errors import TlbookError

__all__ = ["PROFILES", "profile"]

PROFILES = ("quick", "paper")


def profile() -> str:
    """The profile that the environment variable ``TLBOOK_PROFILE`` asks for, ``"quick"`` where it is silent.

    ``"quick"`` runs on data that comes with the package, in a minute; ``"paper"`` on the paper's data at the
    paper's size.

    Raises:
        TlbookError: for any other word.

    Example:
        >>> profile()
        'quick'
    """
    name = os.environ.get("TLBOOK_PROFILE") or "quick"
    if name not in PROFILES:
        raise TlbookError(f"TLBOOK_PROFILE is {name!r}; expected one of {PROFILES}: unset it for the quick one")
    return name
