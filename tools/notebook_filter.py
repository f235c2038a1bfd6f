"""Keep in a committed notebook what a reader of the source needs, and nothing that changes from run to run.

Text outputs stay; images, widgets, standard error and all metadata that no tool of the book reads are dropped. Cells
are numbered as a fresh run from top to bottom would. Used by pre-commit and by ``make outputs``:
``python -m tools.notebook_filter book/*.ipynb``.
"""

import hashlib
import re
import sys
from pathlib import Path

import nbformat

from tlbook._files import write_text
from tlbook.errors import TlbookError

LIMIT = 100_000
CELL_METADATA = ("tags", "nbgrader", "mystnb", "slideshow", "jupyter")
TEXT = ("text/plain", "text/markdown", "text/latex", "text/html")
WIDGET = "application/vnd.jupyter.widget-view+json"
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
VOLATILE = re.compile(r" at 0x[0-9a-f]{6,}")


class Rejected(ValueError):
    """A notebook that cannot be committed as it is; the message says why."""


def filtered(notebook: nbformat.NotebookNode, chapter: str) -> nbformat.NotebookNode:
    """A copy that can be committed.

    Args:
        notebook: any notebook of format 4.
        chapter: its name; the cells' identifiers start with it.

    Raises:
        Rejected: for a stored error, or an object's address in a text output.
    """
    result = nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": NOTEBOOK_METADATA, "cells": []})
    taken: set[str] = set()
    for cell in notebook.cells:
        metadata = {key: cell.metadata[key] for key in CELL_METADATA if cell.metadata.get(key)}
        kept = {"cell_type": cell.cell_type, "id": _identifier(cell, chapter, taken), "metadata": metadata}
        kept["source"] = cell.source.rstrip()
        if cell.cell_type == "code":
            kept |= {"execution_count": None, "outputs": [out for out in map(_text_only, cell.outputs) if out]}
            _check(kept, chapter)
        result.cells.append(nbformat.from_dict(kept))
    _number([cell for cell in result.cells if cell.cell_type == "code"])
    return result


def _number(cells: list[nbformat.NotebookNode]) -> None:
    """Number the code cells where any has an output; nbval takes a cell without a number for one that never ran."""
    if any(cell.outputs for cell in cells):
        for number, cell in enumerate(cells, 1):
            cell.execution_count = number
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = number


def _identifier(cell: nbformat.NotebookNode, chapter: str, taken: set[str]) -> str:
    """The cell's own identifier once it has one of ours, else one made from its first source."""
    own = cell.get("id", "")
    digest = hashlib.sha256(cell.source.encode()).hexdigest()
    candidates = [own] if own.startswith(f"{chapter}-") else []
    candidates += [f"{chapter}-{digest[start : start + 8]}" for start in range(0, 56, 4)]
    identifier = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(identifier)
    return identifier


def _text_only(output: nbformat.NotebookNode) -> dict[str, object] | None:
    """The output without what is not text, or None where nothing is left."""
    if output.output_type == "stream":
        return dict(output) if output.name == "stdout" else None
    if output.output_type == "error":
        return dict(output)
    data = {} if WIDGET in output.data else {kind: output.data[kind] for kind in TEXT if kind in output.data}
    if not data:
        return None
    count = {"execution_count": None} if output.output_type == "execute_result" else {}
    return {"output_type": output.output_type, "data": data, "metadata": {}, **count}


def _check(cell: dict[str, object], chapter: str) -> None:
    tags = cell["metadata"].get("tags", [])
    for output in cell["outputs"]:
        if output["output_type"] == "error" and "raises-exception" not in tags:
            raise Rejected(f"{chapter}: cell {cell['id']} holds an error ({output['ename']}): run the chapter again")
        if VOLATILE.search(str(output.get("text") or output.get("data"))):
            raise Rejected(f"{chapter}: cell {cell['id']} prints an object's address: print what it holds instead")


def dumps(notebook: nbformat.NotebookNode) -> str:
    """The one way a notebook is written."""
    return nbformat.writes(notebook, version=4).rstrip("\n") + "\n"


def committed(notebook: nbformat.NotebookNode, chapter: str) -> str:
    """The text of the file that is committed.

    Raises:
        Rejected: as ``filtered``, and where it is too large.
    """
    text = dumps(filtered(notebook, chapter))
    size = len(text.encode())
    if size > LIMIT:
        raise Rejected(f"{chapter}: {size} bytes, expected at most {LIMIT}: print less, or tables of fewer rows")
    return text


def filter_file(path: Path) -> bool:
    """Filter a notebook in place, whole or not at all.

    Returns:
        Whether the file changed.

    Raises:
        Rejected: where it cannot be committed.
    """
    before = path.read_text(encoding="utf-8")
    after = committed(nbformat.reads(before, as_version=4), path.stem)
    if after != before:
        write_text(path, after)
    return after != before


def main(paths: list[str]) -> int:
    """Filter the notebooks; 1 where any changed or was rejected, as pre-commit expects."""
    failed = False
    for path in map(Path, paths):
        try:
            changed = filter_file(path)
        except (Rejected, TlbookError) as error:
            print(error, file=sys.stderr)
            failed = True
        else:
            if changed:
                print(f"filtered {path}")
            failed |= changed
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
