"""The package is built as the page says: a module imports only from floors below it, or from its left neighbours."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "tlbook"
PAGE = (ROOT / "book" / "how_it_is_built.md").read_text(encoding="utf-8")
DRAWN = {int(number): names.split() for number, names in re.findall(r"^(\d)  (\w.*)$", PAGE, re.MULTILINE)}
ORDER = [name for floor in sorted(DRAWN) for name in DRAWN[floor]]
HIDDEN = {path.stem for path in PACKAGE.iterdir() if path.name.startswith("_")}
PARTS = sorted(path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists())
HOMES = {"fit": "train", "History": "train", "load": "data", "Domain": "data", "claim": "claims", "profile": "profiles"}


def imported(source: str, inside: str) -> Iterator[str]:
    """The parts of the package that a module imports, at once or late."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[1] for alias in node.names if alias.name.startswith("tlbook.")]
        elif isinstance(node, ast.ImportFrom) and node.module == "tlbook":
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tlbook."):
            names = [str(node.module).split(".")[1]]
        else:
            continue
        yield from (home for name in names if (home := HOMES.get(name, name)) != inside)


def test_every_part_is_on_the_map() -> None:
    assert [part for part in PARTS if part not in HIDDEN and part not in ORDER] == []
    assert sorted(DRAWN) == list(range(1, len(DRAWN) + 1))


@pytest.mark.parametrize("part", [part for part in PARTS if part not in HIDDEN])
def test_a_part_imports_only_from_below(part: str) -> None:
    files = [PACKAGE / f"{part}.py"] if (PACKAGE / f"{part}.py").exists() else sorted((PACKAGE / part).rglob("*.py"))
    below = {*ORDER[: ORDER.index(part)], *HIDDEN}
    wrong = {
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files
        for name in imported(file.read_text(encoding="utf-8"), part)
        if name not in below
    }
    assert not wrong


def test_the_check_sees_imports_of_every_form() -> None:
    source = "import tlbook.cli\nfrom tlbook import plots, fit\ndef f():\n    from tlbook.methods.dann import DANN"
    assert set(imported(source, "data")) == {"cli", "plots", "train", "methods"}
