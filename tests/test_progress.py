"""A bar is nobody's trouble: where ipywidgets is absent it is one of text, without a warning."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tlbook._progress import watched

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK_WITHOUT_WIDGETS = """
import sys
sys.modules["ipywidgets"] = None
from ipykernel.zmqshell import ZMQInteractiveShell  # by which tqdm knows a notebook; earlier ones ask the settings
ZMQInteractiveShell.instance().config.IPKernelApp.live = True
import tlbook.{module}
from tlbook._progress import tqdm
for _ in tqdm(range(3), disable=False):
    pass
"""


@pytest.mark.parametrize("module", ["data", "data.root", "train", "experiments", "cli"])
def test_without_ipywidgets_nothing_is_warned_of(module: str) -> None:
    command = [sys.executable, "-c", NOTEBOOK_WITHOUT_WIDGETS.format(module=module)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)
    assert "Warning" not in run.stderr
    assert "3/3" in run.stderr
    assert run.returncode == 0


@pytest.mark.parametrize("path", sorted((ROOT / "tlbook").rglob("*.py")), ids=lambda path: path.stem)
def test_bars_come_from_one_place(path: Path) -> None:
    """tqdm.auto warns when it is imported, so one module imports it."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    taken = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and "tqdm" in str(node.module)]
    assert not taken or path.name == "_progress.py"


def test_a_bar_is_shown_to_who_watches_unless_he_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TQDM_DISABLE", "0")
    assert watched()
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert not watched()
