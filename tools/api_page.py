"""The reference of the package as a page of the book: what each module says of itself, and where the book uses it."""

from collections.abc import Iterator
from pathlib import Path

import nbformat

from tools.imports import files_named

# scikit-learn gives each estimator the methods set_…_request, whose texts link to its own guide.
VERBS = ("fit", "decision_function", "predict", "predict_proba", "predict_log_proba", "score", "transform")
FOREIGN = ", ".join(f"set_{verb}_request" for verb in VERBS)
OPTIONS = f"   :member-order: bysource\n   :exclude-members: {FOREIGN}\n"


def generate(root: Path) -> str:
    """Markdown for every public module of ``tlbook``, with links to the chapters that import it."""
    users = {notebook: _files_used(notebook, root) for notebook in sorted((root / "book").glob("*.ipynb"))}
    sections = []
    for place in _public(root / "tlbook"):
        module = ".".join(place.relative_to(root).with_suffix("").parts)
        files = {place, *place.rglob("*.py")}
        links = [f"[{_title(notebook)}]({notebook.name})" for notebook, used in users.items() if used & files]
        line = f"Used in {', '.join(links)}.\n\n" if links else ""
        directive = f"```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n{OPTIONS}```"
        sections.append(f"\n## `{module}`\n\n{line}{directive}\n")
    return "".join(sections)


def _public(package: Path) -> Iterator[Path]:
    """What a reader imports from: modules that list their names, and packages that list those of their modules."""
    for place in sorted(package.iterdir()):
        init = place / "__init__.py"
        file = init if init.exists() else place
        if file.suffix == ".py" and (file is init or not file.stem.startswith("_")) and _lists_names(file):
            yield place
        elif file is init:
            yield from _public(place)


def _lists_names(file: Path) -> bool:
    return "\n__all__ = [" in f"\n{file.read_text(encoding='utf-8')}"


def _files_used(notebook: Path, root: Path) -> set[Path]:
    cells = nbformat.read(notebook, as_version=4).cells
    return files_named("\n".join(cell.source for cell in cells if cell.cell_type == "code"), root)


def _title(notebook: Path) -> str:
    first = nbformat.read(notebook, as_version=4).cells[0].source
    return first.splitlines()[0].removeprefix("# ")
