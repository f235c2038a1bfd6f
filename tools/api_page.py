"""The reference of the package as pages of the book: one a room, what each module says of itself and who uses it."""

import ast
from pathlib import Path

import nbformat

from tools import names
from tools.imports import files_named

# scikit-learn gives each estimator the methods set_…_request, whose texts link to its own guide.
VERBS = ("fit", "decision_function", "predict", "predict_proba", "predict_log_proba", "score", "transform")
FOREIGN = ", ".join(f"set_{verb}_request" for verb in VERBS)
# autodata would describe the type of a constant that another module defines.
DIRECTIVES = {"class": "autoclass", "function": "autofunction", "constant": "py:data"}
MEMBERS = f"   :members:\n   :member-order: bysource\n   :exclude-members: {FOREIGN}\n"


def pages(root: Path) -> dict[str, str]:
    """Markdown of the reference, by the name of its page below ``book``.

    ``api`` lists the rooms, of which ``api/losses`` is one: a module or a subpackage. Each method has its own,
    ``api/methods/dann``.
    """
    code = {notebook: _code(notebook) for notebook in sorted((root / "book").glob("*.ipynb"))}
    reference = names.documented(root)
    used = {notebook: names.used(text, reference) for notebook, text in code.items()}
    files = {notebook: files_named(text, root) for notebook, text in code.items()}
    rooms: dict[str, list[Path]] = {}
    for place in names.public_modules(root / "tlbook"):
        parts = place.relative_to(root / "tlbook").with_suffix("").parts
        room = parts[: 2 if parts[0] == "methods" else 1]
        rooms.setdefault("/".join(["api", *room]), []).append(place)
    made = {page: _room(page, places, root, reference, used, files) for page, places in rooms.items()}
    rows = [f"| [`{page[4:].replace('/', '.')}`]({page}.md) | {_first_line(page, root)} |\n" for page in rooms]
    return {"api": "\n| room | what is there |\n| --- | --- |\n" + "".join(rows)} | made


def _room(
    page: str,
    places: list[Path],
    root: Path,
    reference: dict[str, str],
    used: dict[Path, set[str]],
    files: dict[Path, set[Path]],
) -> str:
    title = f"tlbook.{page[4:].replace('/', '.')}"
    text = f"# `{title}`\n"
    for place in places:
        module = names.dotted(place, root)
        if module != title:
            text += f"\n## `{module}`\n"
        here = {place, *place.rglob("*.py")}
        up = "../" * page.count("/")
        links = [f"[{_title(notebook)}]({up}{notebook.name})" for notebook, some in files.items() if some & here]
        text += f"\nUsed in {', '.join(links)}.\n" if links else ""
        text += f"\n```{{eval-rst}}\n.. automodule:: {module}\n"
        file = names.source_of(place)
        for name in names.listed_names(file):
            home = reference[f"{module}.{name}"]
            if home != f"{module}.{name}":
                text += f"\nAlso here: :py:obj:`{home}`.\n"
                continue
            kind, said = names.definition(name, file, root)
            text += f"\n.. {DIRECTIVES[kind]}:: {module}.{name}\n" + (MEMBERS if kind == "class" else "")
            text += f"\n   {' '.join(said.split())}\n" if said else ""
            chapters = [
                f":doc:`{_title(n)} </book/{n.stem}>`" for n, some in used.items() if f"{module}.{name}" in some
            ]
            text += f"\n   In the chapters: {', '.join(chapters)}.\n" if chapters else ""
        text += "```\n"
    return text


def _first_line(page: str, root: Path) -> str:
    """The first sentence of the room's own documentation."""
    place = root / "tlbook" / page[4:]
    file = names.source_of(place if place.is_dir() else place.with_suffix(".py"))
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return " ".join(said.split("\n\n")[0].split())


def _code(notebook: Path) -> str:
    cells = nbformat.read(notebook, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "code")


def _title(notebook: Path) -> str:
    first = nbformat.read(notebook, as_version=4).cells[0].source
    return first.splitlines()[0].removeprefix("# ")
