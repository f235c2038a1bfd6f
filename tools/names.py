"""The public names of the package: what the reference documents, and what a chapter's code means by a name."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tools.imports import files_of, imported, listed

Kind = Literal["class", "function", "constant"]


def public_modules(package: Path) -> Iterator[Path]:
    """What a reader imports from: modules that list their names, and packages that list those of their modules."""
    for place in sorted(package.iterdir()):
        init = place / "__init__.py"
        file = init if init.exists() else place
        if file.suffix == ".py" and (file is init or not file.stem.startswith("_")) and listed_names(file):
            yield place
        elif file is init:
            yield from public_modules(place)


def listed_names(file: Path) -> list[str]:
    """The names of a module's ``__all__``, where it is written out."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return []


def dotted(place: Path, root: Path) -> str:
    """The name under which a module or package is imported."""
    return ".".join(place.relative_to(root).with_suffix("").parts)


def source_of(place: Path) -> Path:
    """The file of a module or of a package."""
    return place / "__init__.py" if place.is_dir() else place


def definition(name: str, file: Path, root: Path) -> tuple[Kind, str]:
    """What a name that a file binds is, and the docstring of a constant; looked up where it is defined."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for node, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return "class", ""
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return "function", ""
        if isinstance(node, ast.ImportFrom) and name in (bound := imported(node, dotted(file.parent, root))):
            home, _, original = bound[name].rpartition(".")
            return definition(original, files_of(home, root)[-1], root)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name and isinstance(after, ast.Expr):
            return "constant", str(ast.literal_eval(after.value))
    return "constant", ""


def documented(root: Path) -> dict[str, str]:
    """Every dotted name that a reader may write, and the name under which the reference documents it.

    ``tlbook.fit`` leads to ``tlbook.train.fit``, and ``tlbook.losses.mmd2`` to itself.
    """
    package = root / "tlbook"
    names = {}
    for place in public_modules(package):
        module = dotted(place, root)
        names[module] = module
        names |= {f"{module}.{name}": f"{module}.{name}" for name in listed_names(source_of(place))}
    for place in public_modules(package):  # what a module passes on from another is documented there
        names |= {name: home for name, home in _passed_on(place, root).items() if name in names and home in names}
    for init in sorted(package.rglob("__init__.py")):
        inside = dotted(init.parent, root)
        for name, home in listed(init.parent, root).items():
            if home in names:
                names.setdefault(f"{inside}.{name}", names[home])
    return names


def _passed_on(place: Path, root: Path) -> dict[str, str]:
    file = source_of(place)
    inside = dotted(file.parent, root)
    found: dict[str, str] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            found |= {f"{dotted(place, root)}.{name}": home for name, home in imported(node, inside).items()}
    return found


def bindings(code: str) -> dict[str, str]:
    """What each name that a piece of code imports from the package stands for.

    >>> bindings("from tlbook import fit, nets as n")
    {'fit': 'tlbook.fit', 'n': 'tlbook.nets'}
    """
    bound: dict[str, str] = {}
    for node in ast.walk(_parsed(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tlbook":
            bound |= imported(node, "")
    return bound


def assigned(code: str) -> set[str]:
    """The names that a piece of code defines itself."""
    found = set()
    for node in ast.walk(_parsed(code)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
    return found


def used(code: str, names: dict[str, str]) -> set[str]:
    """The documented names that a piece of code uses."""
    bound = bindings(code)
    chains = [ast.unparse(node) for node in ast.walk(_parsed(code)) if isinstance(node, ast.Attribute | ast.Name)]
    whole = [".".join([bound[first], *rest]) for first, *rest in (c.split(".") for c in chains) if first in bound]
    return {names[name] for name in whole if name in names}


def _parsed(code: str) -> ast.Module:
    """The code without IPython's lines; nothing where it does not parse, which its execution tells."""
    try:
        return ast.parse("\n".join(line for line in code.splitlines() if not line.lstrip().startswith(("%", "!"))))
    except SyntaxError:
        return ast.Module([], [])
