"""How much memory a domain takes, and whether that much is free."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

import torch

from tlbook.errors import TlbookError

__all__ = ["check_fits", "free_memory", "readable"]


def free_memory() -> int | None:
    """The bytes that this process may still take: free in the machine, in its control group, below its ulimit.

    None where the system does not tell.

    >>> free_memory() is None or free_memory() > 0
    True
    """
    bounds = [_machine(), _group(), _limit()]
    return min((bound for bound in bounds if bound is not None), default=None)


def readable(size: int) -> str:
    """A number of bytes for people.

    >>> readable(150_528_000)
    '151 MB'
    """
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} bytes"


def check_fits(name: str, rows: int, row: Sequence[int], dtype: torch.dtype, hint: str) -> int:
    """The bytes that so many rows of that shape and type take, if they fit into the free memory.

    Raises:
        TlbookError: where they do not.
    """
    size, free = rows * math.prod(row) * dtype.itemsize, free_memory()
    if free is not None and size > free:
        raise TlbookError(
            f"{name}: {rows:,} examples of {'×'.join(map(str, row))} take {readable(size)}; expected at most "
            f"{readable(free)}, which are free: {hint}"
        )
    return size


def _machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return None


def _group() -> int | None:
    """Of the control group in which containers run, second version."""
    try:
        folder = Path("/sys/fs/cgroup")
        limit, used = (int((folder / f"memory.{of}").read_text(encoding="utf-8")) for of in ("max", "current"))
        return max(0, limit - used)
    except (OSError, ValueError):  # "max" where there is no limit
        return None


def _limit() -> int | None:
    """Of the address space, as ``ulimit -v`` sets it."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
    except (ImportError, OSError):
        return None
    return None if limit == resource.RLIM_INFINITY else max(0, limit - pages * os.sysconf("SC_PAGE_SIZE"))
