"""Tables of many short runs, recorded in one file each; the rows of longer trainings have a file of their own."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tlbook._files import whole_file
from tlbook.experiments.result import results_folder

__all__ = ["read_table", "write_table"]


def write_table(name: str, table: dict[str, Any], folder: Path | None = None) -> dict[str, Any]:
    """Write ``NAME.json`` whole or not at all, with the versions and the date that it was made with.

    Args:
        name: of the file.
        table: title, protocol, selection, rows and what else there is to say.
        folder: ``book/results/tables`` of the checkout that one is in, if not given.

    Returns:
        What was written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = write_table("coins", {"title": "Heads", "rows": {"ours": 0.5}}, Path(folder))
        ...     read_table("coins", Path(folder)) == written
        True
    """
    folder = folder or results_folder() / "tables"
    libraries = ("tlbook", "numpy", "scipy", "scikit-learn", "torch")
    written = table | {
        "versions": {library: version(library) for library in libraries},
        "date": datetime.now(UTC).date().isoformat(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / f"{name}.json") as file:
        file.write((json.dumps(written, indent=1, ensure_ascii=False) + "\n").encode())
    return written


def read_table(name: str, folder: Path | None = None) -> dict[str, Any] | None:
    """The recorded table, or None where it has not been run yet.

    Args:
        name: of the file.
        folder: ``book/results/tables`` of the checkout that one is in, if not given.
    """
    path = (folder or results_folder() / "tables") / f"{name}.json"
    if not path.exists():
        return None
    table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return table
