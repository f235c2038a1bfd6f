"""The reference has a page a room; each entry names the chapters that use it."""

from pathlib import Path

import nbformat
import pytest
import yaml
from nbformat import v4

from tools import api_page, names

ROOT = Path(__file__).parents[2]
FILES = {
    "__init__.py": "from tlbook.data import load\nfrom tlbook.train import fit\n__all__ = ['fit', 'load']",
    "train.py": '"""The loop.\n\nMore."""\nfrom tlbook.losses import coral\n__all__ = ["coral", "fit"]\ndef fit(): ...',
    "losses/__init__.py": 'from tlbook.losses.rows import TIMES, coral\n__all__ = ["TIMES", "coral"]',
    "losses/rows.py": 'TIMES = (1, 2)\n"""How often."""\ndef coral(): ...',
    "internal.py": "x = 1",
    "_private.py": '__all__ = ["x"]',
    "data/__init__.py": 'from tlbook.data.catalogue import load\n__all__ = ["load"]',
    "data/catalogue.py": '__all__ = ["load"]\ndef load(): ...',
    "methods/__init__.py": "__getattr__, __dir__, __all__ = attach_stub()",
    "methods/__init__.pyi": "from .dann import DANN",
    "methods/dann.py": '__all__ = ["DANN"]\nclass DANN: ...',
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, source in FILES.items():
        file = tmp_path / "tlbook" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    (tmp_path / "tlbook/__init__.py").write_text("__getattr__, __dir__, __all__ = attach_stub()")
    (tmp_path / "tlbook/__init__.pyi").write_text("from .data import load\nfrom .train import fit\n")
    (tmp_path / "book").mkdir()
    code = "from tlbook import fit, load\nfrom tlbook.methods import DANN\nfit(DANN(), load('digits'))"
    cells = [v4.new_markdown_cell("# Adversaries\n\ntext"), v4.new_code_cell(code)]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "book/dann.ipynb")
    return tmp_path


def test_a_page_for_each_room(root: Path) -> None:
    made = api_page.pages(root)
    assert list(made) == ["api", "api/data", "api/losses", "api/methods/dann", "api/train"]
    assert "| [`train`](api/train.md) | The loop. |" in made["api"]
    assert made["api/methods/dann"].startswith("# `tlbook.methods.dann`\n\nUsed in [Adversaries](../../dann.ipynb).\n")


def test_an_entry_links_to_the_chapters_that_use_it_and_to_no_other(root: Path) -> None:
    made = api_page.pages(root)
    chapters = "In the chapters: :doc:`Adversaries </book/dann>`."
    assert f".. autofunction:: tlbook.train.fit\n\n   {chapters}\n" in made["api/train"]
    assert ".. autoclass:: tlbook.methods.dann.DANN\n   :members:" in made["api/methods/dann"]
    assert chapters in made["api/methods/dann"]
    assert (
        ".. py:data:: tlbook.losses.TIMES\n\n   How often.\n\n.. autofunction:: tlbook.losses.coral\n"
        in made["api/losses"]
    )
    assert chapters not in made["api/losses"]


def test_what_a_module_passes_on_is_documented_once(root: Path) -> None:
    assert "Also here: :py:obj:`tlbook.losses.coral`." in api_page.pages(root)["api/train"]
    assert names.documented(root)["tlbook.train.coral"] == "tlbook.losses.coral"


def test_names_lead_to_where_they_are_documented(root: Path) -> None:
    documented = names.documented(root)
    assert documented["tlbook.fit"] == "tlbook.train.fit"
    assert documented["tlbook.methods.DANN"] == documented["tlbook.methods.dann.DANN"] == "tlbook.methods.dann.DANN"
    assert "tlbook._private.x" not in documented
    code = "import numpy\nfrom tlbook import train as t\nt.fit()\n!ls"
    assert names.used(code, documented) == {"tlbook.train", "tlbook.train.fit"}
    assert names.used("def (", documented) == set()


def test_the_table_of_contents_has_every_room() -> None:
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))["parts"]
    reference = next(entry for part in parts for entry in part["chapters"] if entry["file"] == "book/api")
    listed = [section["file"] for section in reference["sections"]]
    assert listed == [f"book/{page}" for page in api_page.pages(ROOT) if page != "api"]
