"""Each page becomes a file, numbered in the order of the contents."""

from pathlib import Path

from tools import pdf
from tools.browser import find

TOC = """
root: book/index
parts:
- chapters:
  - file: book/dann
  - file: book/api
    sections: [{file: book/api/nets}]
"""


def test_the_order_is_that_of_the_contents() -> None:
    assert pdf.page_names(TOC) == ["book/index", "book/dann", "book/api", "book/api/nets"]


def test_pages_are_printed_whole_and_numbered(tmp_path: Path) -> None:
    for name in ("index", "dann"):
        (tmp_path / f"{name}.html").write_text(f"<h1>{name}</h1>" + '<p style="break-after: page">page</p>' * 2)
    browser = find()
    assert browser, "no browser: `.venv/bin/python -m tools.browser` brings one"
    made = pdf.print_pages(tmp_path, ["index", "dann"], tmp_path / "pdf", browser)
    assert [file.name for file in made] == ["01-index.pdf", "02-dann.pdf"]
    assert all(file.read_bytes().count(b"/Type /Page\n") >= 2 for file in made)
