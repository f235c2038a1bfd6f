"""What several tests share."""

import os
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
