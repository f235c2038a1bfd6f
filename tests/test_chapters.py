"""A chapter is found, its parameters are checked, and a failure says where it was."""

from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tlbook.chapters import ChapterFailed, check_parameters, execute, find
from tlbook.errors import TlbookError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    parameters = v4.new_code_cell("seed = 0\nprofile = 'quick'", metadata={"tags": ["parameters"]})
    cells = [parameters, v4.new_code_cell("print(seed, profile)"), v4.new_code_cell("assert seed < 5, seed")]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for name in ("dann", "finetune"):
        nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), tmp_path / f"{name}.ipynb")
    return tmp_path


def test_a_chapter_is_found_by_name_or_path(folder: Path) -> None:
    assert find("dann", folder) == folder / "dann.ipynb"
    assert find(str(folder / "dann.ipynb")) == folder / "dann.ipynb"


def test_an_unknown_chapter_is_answered_with_the_nearest(folder: Path) -> None:
    with pytest.raises(TlbookError, match=r"no chapter 'dan' in .*, expected one such as dann"):
        find("dan", folder)


def test_where_there_are_no_chapters_the_error_says_so(tmp_path: Path) -> None:
    with pytest.raises(TlbookError, match="no notebooks in"):
        find("dann", tmp_path)


def test_an_unknown_parameter_is_an_error_with_the_nearest_name(folder: Path) -> None:
    check_parameters(folder / "dann.ipynb", {"seed": 1, "profile": "paper"})
    with pytest.raises(TlbookError, match=r"^chapter 'dann' has no parameter 'sed', expected seed$"):
        execute(folder / "dann.ipynb", folder / "out.ipynb", {"sed": 1})
    assert not (folder / "out.ipynb").exists()


def test_parameters_reach_the_cells_and_every_cell_is_reported(folder: Path) -> None:
    ran = []
    notebook = execute(folder / "dann.ipynb", folder / "out" / "a.ipynb", {"seed": 3}, on_cell=lambda: ran.append(1))
    assert (folder / "out" / "a.ipynb").exists()
    assert notebook.cells[2].outputs[0].text == "3 quick\n"
    assert len(ran) == 4


def test_a_failure_names_chapter_cell_source_and_traceback(folder: Path) -> None:
    with pytest.raises(ChapterFailed) as caught:
        execute(folder / "dann.ipynb", folder / "out.ipynb", {"seed": 7})
    message = str(caught.value)
    assert message.startswith("chapter 'dann' failed in cell [4]:\n\n    assert seed < 5, seed\n")
    assert "AssertionError: 7" in message
    assert "\x1b" not in message
    assert (folder / "out.ipynb").exists()


@pytest.mark.parametrize(
    ("source", "message"), [("import os; os._exit(1)", "[Kk]ernel died"), ("import time; time.sleep(60)", "timed out")]
)
def test_a_dead_or_hanging_kernel_is_a_failure_too(folder: Path, source: str, message: str) -> None:
    nbformat.write(v4.new_notebook(cells=[v4.new_code_cell(source)]), folder / "bad.ipynb")
    with pytest.raises(ChapterFailed, match=f"^chapter 'bad' failed: .*{message}"):
        execute(folder / "bad.ipynb", folder / "out.ipynb", timeout=2)
