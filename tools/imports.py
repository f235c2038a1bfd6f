"""Which files of the package a chapter's code depends on, found by reading imports, without running anything."""

import ast
from collections.abc import Iterator
from pathlib import Path


def files_behind(source: str, root: Path, package: str = "tlbook") -> set[Path]:
    """The package's files that a piece of code imports, directly or through other files of the package.

    A name that a lazy package lists in its ``__init__.pyi`` leads to the module that defines it and to no other.

    Args:
        source: Python code; IPython's ``%`` and ``!`` lines are skipped.
        root: folder that holds the package.
        package: the package's name; other imports are ignored.

    Raises:
        SyntaxError: where the code cannot be parsed.
    """
    found: set[Path] = set()
    waiting = files_named(source, root, package)
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            inside = ".".join(file.relative_to(root).parent.parts)
            waiting |= {
                f for name in _used(file.read_text(encoding="utf-8"), inside, package) for f in files_of(name, root)
            }
    return found


def files_named(source: str, root: Path, package: str = "tlbook") -> set[Path]:
    """The package's files that a piece of code imports directly, as ``files_behind`` finds them."""
    lines = (line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
    return {file for name in _used("\n".join(lines), "", package) for file in files_of(name, root)}


def _used(source: str, inside: str, package: str) -> Iterator[str]:
    """Dotted names below the package that the code uses; relative imports start from the package ``inside``.

    Of a name that only ever stands before a dot, it uses what stands behind: ``lessons.dann`` is no other lesson.
    """
    tree = ast.parse(source)
    parts: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            parts.setdefault(node.value.id, set()).add(node.attr)
    before_a_dot = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    bare = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in before_a_dot}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            dotted = {package} & (parts.keys() - bare)  # what stands behind its dot is found below
            names = [alias.name for alias in node.names if alias.asname or alias.name not in dotted]
        elif isinstance(node, ast.ImportFrom):
            names = []
            for here, name in imported(node, inside).items():
                whole = here in bare or here not in parts
                names += [name.removesuffix(".*")] if whole else [f"{name}.{part}" for part in parts[here]]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == package)


def imported(node: ast.ImportFrom, inside: str) -> dict[str, str]:
    """What a ``from … import …`` binds: the name here, and the dotted name of what it is."""
    parents = inside.split(".")
    base = ".".join([*parents[: len(parents) + 1 - node.level], node.module or ""]) if node.level else node.module
    return {alias.asname or alias.name: f"{base}.{alias.name}".replace("..", ".") for alias in node.names}


def files_of(name: str, root: Path) -> list[Path]:
    """The files that a dotted name needs: the packages on the way, then its module; a bare package: all it lists."""
    files, here = [], root
    for part in name.split("."):
        folder = here / part
        if (folder / "__init__.py").exists():
            files.append(folder / "__init__.py")
            here = folder
        elif (module := here / f"{part}.py").exists():
            return [*files, module]
        else:
            home = listed(here, root).get(part)
            return files + (files_of(home, root) if home else [])
    return files + [file for home in listed(here, root).values() for file in files_of(home, root)]


def listed(folder: Path, root: Path) -> dict[str, str]:
    """The modules of a package and their names that it offers, by its stub where it is lazy, and where each is."""
    stub, init = folder / "__init__.pyi", folder / "__init__.py"
    inside = ".".join(folder.relative_to(root).parts)
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse((stub if stub.exists() else init).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= imported(node, inside)
    return {name: home for name, home in found.items() if home.startswith(f"{inside}.")}
