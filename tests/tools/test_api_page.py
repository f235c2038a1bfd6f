"""The reference names every public module and the chapters that use it."""

from pathlib import Path

import nbformat
from nbformat import v4

from tools.api_page import generate


def test_modules_with_links_to_the_chapters_that_import_them(tmp_path: Path) -> None:
    (tmp_path / "tlbook").mkdir()
    (tmp_path / "book").mkdir()
    (tmp_path / "tlbook/__init__.py").write_text("from tlbook.train import fit\n__all__ = []")
    (tmp_path / "tlbook/train.py").write_text("__all__ = ['fit']")
    (tmp_path / "tlbook/losses.py").write_text("__all__ = ['coral']")
    (tmp_path / "tlbook/private.py").write_text("x = 1")
    cells = [v4.new_markdown_cell("# Adversaries\n\ntext"), v4.new_code_cell("from tlbook import fit")]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "book/dann.ipynb")
    page = generate(tmp_path)
    losses, train = page.split("## `tlbook.train`")
    assert "## `tlbook.losses`" in losses
    assert "Used in" not in losses
    assert "Used in [Adversaries](dann.ipynb)." in train
    assert ".. automodule:: tlbook.train" in train
    assert "private" not in page
