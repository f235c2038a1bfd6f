"""The reference names every public module and the chapters that use it."""

import re
from pathlib import Path

import nbformat
from nbformat import v4

from tools.api_page import generate

FILES = {
    "__init__.py": "from tlbook.data import load\nfrom tlbook.train import fit\n__all__ = ['fit', 'load']",
    "train.py": "__all__ = ['fit']",
    "losses.py": "__all__ = ['coral']",
    "internal.py": "x = 1",
    "_private.py": "__all__ = ['x']",
    "data/__init__.py": "from tlbook.data.catalogue import load\n__all__ = ['load']",
    "data/catalogue.py": "__all__ = ['load']",
    "methods/__init__.py": "__getattr__, __dir__, __all__ = attach_stub()",
    "methods/__init__.pyi": "from .dann import DANN",
    "methods/dann.py": "__all__ = ['DANN']",
}


def test_modules_with_links_to_the_chapters_that_import_them(tmp_path: Path) -> None:
    for name, source in FILES.items():
        file = tmp_path / "tlbook" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source.replace("__all__ = ['", "__all__ = [\n'"))
    (tmp_path / "book").mkdir()
    code = "from tlbook import fit, load\nfrom tlbook.methods import DANN"
    cells = [v4.new_markdown_cell("# Adversaries\n\ntext"), v4.new_code_cell(code)]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "book/dann.ipynb")
    sections = dict(re.findall(r"## `(.*?)`\n\n(.*?)\n", generate(tmp_path)))
    used, unused = "Used in [Adversaries](dann.ipynb).", "```{eval-rst}"
    assert sections == {
        "tlbook.data": used,
        "tlbook.losses": unused,
        "tlbook.methods.dann": used,
        "tlbook.train": used,
    }
