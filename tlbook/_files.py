"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tlbook.errors import TlbookError

__all__ = ["whole_file"]


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that appears under its name, all at once, when it is complete.

    It is written beside its place as ``.NAME.half``. A process killed meanwhile leaves that half behind; the next
    one to write the same file overwrites it.

    Args:
        path: where the file will be; one that is there already is replaced.

    Raises:
        TlbookError: when it cannot be written, say for want of space.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with whole_file(Path(folder, "a.txt")) as file:
        ...         _ = file.write(b"all of it")
        ...         print(Path(folder, "a.txt").exists())
        ...     print(Path(folder, "a.txt").read_text())
        False
        all of it
    """
    half = path.with_name(f".{path.name}.half")
    try:
        try:
            with half.open("wb") as file:
                yield file
            os.replace(half, path)
        finally:
            half.unlink(missing_ok=True)
    except (OSError, RuntimeError) as error:  # torch.save wraps an OSError in a RuntimeError
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError):
            raise
        raise TlbookError(
            f"cannot write {path} ({cause.strerror}); expected a folder that is there, may be written to and has "
            "space: free some, or give another path"
        ) from error
