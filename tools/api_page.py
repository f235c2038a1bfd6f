"""The reference of the package as a page of the book: what each module says of itself, and where the book uses it."""

from pathlib import Path

import nbformat

from tools.imports import files_named


def generate(root: Path) -> str:
    """Markdown for every public module of ``tlbook``, with links to the chapters that import it."""
    users = {notebook: _files_used(notebook, root) for notebook in sorted((root / "book").glob("*.ipynb"))}
    sections = []
    for file in sorted((root / "tlbook").rglob("*.py")):
        if file.stem.startswith("_") or "__all__" not in file.read_text():
            continue
        module = ".".join(file.relative_to(root).with_suffix("").parts)
        links = [f"[{_title(notebook)}]({notebook.name})" for notebook, files in users.items() if file in files]
        used = f"Used in {', '.join(links)}.\n\n" if links else ""
        directive = f"```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n   :member-order: bysource\n```"
        sections.append(f"\n## `{module}`\n\n{used}{directive}\n")
    return "".join(sections)


def _files_used(notebook: Path, root: Path) -> set[Path]:
    cells = nbformat.read(notebook, as_version=4).cells
    return files_named("\n".join(cell.source for cell in cells if cell.cell_type == "code"), root)


def _title(notebook: Path) -> str:
    first = nbformat.read(notebook, as_version=4).cells[0].source
    return first.splitlines()[0].removeprefix("# ")
