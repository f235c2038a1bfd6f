"""The files behind a piece of code are those that it imports, and no others."""

from pathlib import Path

import pytest

from tools.imports import files_behind, files_named

FILES = {
    "__init__.py": "from tlbook import plots\nfrom tlbook.train import fit",
    "plots.py": "import matplotlib",
    "train.py": "from tlbook.methods.method import Method",
    "alone.py": "",
    "methods/__init__.py": "import lazy_loader",
    "methods/__init__.pyi": "from .dann import DANN as DANN\nfrom .finetune import L2SP, FineTune",
    "methods/method.py": "",
    "methods/dann.py": "from tlbook.methods.method import Method\nfrom ..losses import reverse",
    "methods/finetune.py": "def late():\n    from . import method",
    "losses.py": "",
}
ALWAYS = {"__init__.py", "plots.py", "train.py", "methods/__init__.py", "methods/method.py"}


@pytest.fixture
def package(tmp_path: Path) -> Path:
    for name, source in FILES.items():
        file = tmp_path / "tlbook" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)
    return tmp_path


@pytest.mark.parametrize(
    ("code", "beside_the_package_itself"),
    [
        ("import tlbook", set()),
        ("from tlbook import fit, plots", set()),
        ("from tlbook import alone", {"alone.py"}),
        ("import tlbook.alone as a", {"alone.py"}),
        ("from tlbook.methods import DANN", {"methods/dann.py", "losses.py"}),
        ("from tlbook.methods import L2SP", {"methods/finetune.py"}),
        ("from tlbook.methods.dann import DANN", {"methods/dann.py", "losses.py"}),
        ("from tlbook import methods", {"methods/dann.py", "methods/finetune.py", "losses.py"}),
        ("from tlbook.methods import *", {"methods/dann.py", "methods/finetune.py", "losses.py"}),
        ("import tlbook\ntlbook.methods.L2SP()", {"methods/dann.py", "methods/finetune.py", "losses.py"}),
        ("def f():\n    from tlbook import alone", {"alone.py"}),
        ("%matplotlib inline\n!ls\nfrom tlbook import alone", {"alone.py"}),
    ],
)
def test_files_behind(package: Path, code: str, beside_the_package_itself: set[str]) -> None:
    names = {str(file.relative_to(package / "tlbook")) for file in files_behind(code, package)}
    assert names == ALWAYS | beside_the_package_itself


@pytest.mark.parametrize("code", ["", "import torch", "from tlbookish import x", "x.tlbook.alone"])
def test_other_code_needs_nothing(package: Path, code: str) -> None:
    assert files_behind(code, package) == set()


def test_files_named_stop_at_what_is_imported_directly(package: Path) -> None:
    named = files_named("from tlbook import fit\nfrom tlbook.methods import DANN", package)
    names = {str(file.relative_to(package / "tlbook")) for file in named}
    assert names == {"__init__.py", "train.py", "methods/__init__.py", "methods/dann.py"}


def test_code_that_does_not_parse_is_said(package: Path) -> None:
    with pytest.raises(SyntaxError):
        files_behind("from tlbook import", package)
