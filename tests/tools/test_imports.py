"""The files behind a piece of code are those that it imports, and no others."""

from pathlib import Path

import pytest

from tools.imports import files_behind, files_named

FILES = {
    "__init__.py": "import lazy_loader",
    "__init__.pyi": "from . import plots as plots\nfrom . import methods as methods\nfrom .train import fit as fit",
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
ALL = {"plots.py", "train.py", "methods/__init__.py", "methods/method.py", "methods/dann.py", "methods/finetune.py"}
TRAIN = {"train.py", "methods/__init__.py", "methods/method.py"}
DANN = {"methods/__init__.py", "methods/dann.py", "methods/method.py", "losses.py"}
METHODS = {"methods/__init__.py", "methods/dann.py", "methods/finetune.py", "methods/method.py", "losses.py"}


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
        ("import tlbook", ALL | {"losses.py"}),
        ("import tlbook as t\nt.plots", ALL | {"losses.py"}),
        ("import tlbook\ntlbook.alone.f()", {"alone.py"}),
        ("import tlbook\ntlbook.alone.f(tlbook)", ALL | {"losses.py", "alone.py"}),
        ("from tlbook import *", ALL | {"losses.py"}),
        ("from tlbook import fit, plots", {"plots.py", *TRAIN}),
        ("from tlbook import alone", {"alone.py"}),
        ("import tlbook.alone as a", {"alone.py"}),
        ("from tlbook.methods import DANN", DANN),
        ("from tlbook.methods import L2SP", {"methods/__init__.py", "methods/finetune.py", "methods/method.py"}),
        ("from tlbook.methods.dann import DANN", DANN),
        ("from tlbook import methods", METHODS),
        ("from tlbook.methods import *", METHODS),
        ("from tlbook import methods\nmethods.DANN()", DANN),
        ("from tlbook import methods as m\nm.dann.DANN.places", DANN),
        ("from tlbook import methods\nmethods.DANN()\nprint(methods)", METHODS),
        ("from tlbook import fit as f\nfrom tlbook.methods import L2SP", {*TRAIN, "methods/finetune.py"}),
        ("def f():\n    from tlbook import alone", {"alone.py"}),
        ("%matplotlib inline\n!ls\nfrom tlbook import alone", {"alone.py"}),
    ],
)
def test_files_behind(package: Path, code: str, beside_the_package_itself: set[str]) -> None:
    names = {str(file.relative_to(package / "tlbook")) for file in files_behind(code, package)}
    assert names == {"__init__.py"} | beside_the_package_itself


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
