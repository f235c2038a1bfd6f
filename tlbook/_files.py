"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tlbook.errors import TlbookError

__all__ = ["half_folder", "whole_file", "write_text"]


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
        ...     print(Path(folder, "a.txt").read_text(encoding="utf-8"))
        False
        all of it
    """
    half = _half(path)
    with _one_line(path):
        try:
            with half.open("wb") as file:
                yield file
            os.replace(half, path)
        finally:
            half.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text in UTF-8, whole or not at all, whatever the locale.

    Raises:
        TlbookError: as :func:`whole_file`.
    """
    with whole_file(path) as file:
        file.write(text.encode())


@contextmanager
def half_folder(path: Path) -> Iterator[Path]:
    """A folder beside a file's place, for a program that writes the file by its name; gone at the end.

    What lies in the folder under the file's own name when the block ends without an error takes the file's place.

    Args:
        path: where the file will be; folders on the way are made.

    Raises:
        TlbookError: as :func:`whole_file`.
    """
    folder = _half(path)
    with _one_line(path):
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            yield folder
            if (folder / path.name).exists():
                os.replace(folder / path.name, path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _half(path: Path) -> Path:
    return path.with_name(f".{path.name}.half")


@contextmanager
def _one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError) as error:  # torch.save wraps an OSError in a RuntimeError
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError):
            raise
        raise TlbookError(
            f"cannot write {path} ({cause.strerror}); expected a folder that is there, may be written to and has "
            "space: free some, or give another path"
        ) from error
