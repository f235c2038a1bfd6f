"""Every file is read and written in UTF-8, and what is committed or kept is written whole or not at all."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("tlbook", "tools", "bench") for path in sorted((ROOT / folder).rglob("*.py"))]
OF_TEXT = {"open", "read_text", "write_text", "NamedTemporaryFile", "TextIOWrapper", "fdopen"}
BINARY_OPEN = {
    "gzip",
    "tarfile",
    "zipfile",
    "Image",
    "os",
    "packed",
}  # their open is another, of bytes


def calls(source: str) -> Iterator[tuple[ast.Call, str, str]]:
    """Each call of a name, with the name and what it is taken from."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            function = node.func
            if isinstance(function, ast.Attribute):
                yield node, function.attr, ast.unparse(function.value)
            elif isinstance(function, ast.Name):
                yield node, function.id, ""


def without_encoding(source: str) -> list[str]:
    """The calls that open a text in whatever encoding the locale has."""
    return [
        ast.unparse(call)
        for call, name, owner in calls(source)
        if name in OF_TEXT
        and owner not in BINARY_OPEN
        and not any(keyword.arg == "encoding" for keyword in call.keywords)
        and not any(isinstance(a, ast.Constant) and isinstance(a.value, str) and "b" in a.value for a in _mode(call))
        and not (name == "write_text" and not owner)  # tlbook._files.write_text, always in UTF-8
    ]


def _mode(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]


def not_whole(source: str) -> list[str]:
    """The calls that write a file in its place, where half of it would stay."""
    return [
        ast.unparse(call)
        for call, name, owner in calls(source)
        if (name in ("write_text", "write_bytes") and owner)
        or (name == "write" and owner == "nbformat")
        or (name == "open" and any(isinstance(a, ast.Constant) and a.value in ("w", "wb", "w+") for a in _mode(call)))
    ]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_text_is_opened_in_utf_8(path: Path) -> None:
    assert without_encoding(path.read_text(encoding="utf-8")) == []


# Where a file in its place is meant: the half itself, and folders that are made anew and moved or read when complete.
SCRATCH = {
    "tlbook/_files.py": 1,
    "tlbook/data/mnist.py": 1,
    "tools/build_book.py": 6,
    "tools/claims_everywhere.py": 2,
    "tools/page_form.py": 1,
    "tools/pages.py": 1,
}


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if "bench" not in path.parts], ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_file_is_written_whole_or_not_at_all(path: Path) -> None:
    found = not_whole(path.read_text(encoding="utf-8"))
    assert len(found) == SCRATCH.get(str(path.relative_to(ROOT)), 0), found


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("path.read_text()", True),
        ("path.read_text(encoding='utf-8')", False),
        ("open(p)", True),
        ("open(p, 'rb')", False),
        ("p.open('wb')", False),
        ("p.open('w')", True),
        ("tarfile.open(p)", False),
        ("p.write_text('a')", True),
        ("write_text(p, 'a')", False),
    ],
)
def test_the_check_of_encodings_catches_what_it_should(source: str, caught: bool) -> None:
    assert bool(without_encoding(source)) == caught


@pytest.mark.parametrize("source", ["p.write_text('a', encoding='utf-8')", "open(p, 'w')", "nbformat.write(n, p)"])
def test_the_check_of_whole_files_catches_what_it_should(source: str) -> None:
    assert not_whole(source)
