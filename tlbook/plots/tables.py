"""Small tables that read well in a notebook and in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlbook.errors import TlbookError

__all__ = ["Table", "table"]


@dataclass(frozen=True)
class Table:
    """A small table that a notebook shows as HTML and a terminal as text.

    Attributes:
        columns: the head.
        rows: the cells, as text; ``[words](page.ipynb)`` becomes a link.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        return "\n".join(
            "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines
        )

    def _repr_markdown_(self) -> str:
        rule = "|".join([" --- "] * len(self.columns))
        body = [" | ".join(cell.replace("|", "\\|") for cell in line) for line in self.rows]
        return "\n".join(f"| {line} |" for line in [" | ".join(self.columns), rule, *body])


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table of words and numbers; floats are shown with three digits after the point.

    Args:
        columns: the head.
        rows: as many cells each as there are columns.

    Raises:
        TlbookError: when a row has another number of cells.

    Example:
        >>> table(["method", "accuracy"], [["DANN", 0.91234]])
        method  accuracy
        DANN    0.912
    """
    for row in rows:
        if len(row) != len(columns):
            raise TlbookError(f"row {list(row)} has {len(row)} cells; expected {len(columns)}, one for each column")
    return Table(
        tuple(columns),
        tuple(tuple(f"{c:.3f}" if isinstance(c, float | np.floating) else str(c) for c in row) for row in rows),
    )
