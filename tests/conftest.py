"""What several tests share."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tlbook._torchvision import declare_missing_operators

declare_missing_operators()  # tests import torchvision in the order of the alphabet, before tlbook

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture
def data_root() -> Path:
    """The folder of real data; where there is none, the test is skipped, or fails in continuous integration."""
    given = os.environ.get("TLBOOK_DATA", "")
    if given and Path(given).is_dir():
        return Path(given)
    reason = f"needs real data: set TLBOOK_DATA to a folder of it (it is {given!r})"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package's wheel installed in it, and nothing else of the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    source, installed = folder / "source", folder / "site"
    shutil.copytree(ROOT / "tlbook", source / "tlbook", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "book" / "results", source / "book" / "results")
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source], check=True)
    (built,) = folder.glob("tlbook-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", installed, built], check=True)
    return installed
