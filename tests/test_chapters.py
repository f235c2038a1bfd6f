"""A chapter is found, its parameters are checked, and a failure says where it was."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tlbook.chapters import ChapterFailed, check_parameters, execute, find
from tlbook.errors import TlbookError

ROOT = Path(__file__).resolve().parent.parent


def write(path: Path, *code: str) -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = v4.new_notebook(cells=list(map(v4.new_code_cell, code)), metadata={"kernelspec": kernel})
    nbformat.write(notebook, path)


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
    write(folder / "bad.ipynb", source)
    with pytest.raises(ChapterFailed, match=f"^chapter 'bad' failed: .*{message}"):
        execute(folder / "bad.ipynb", folder / "out.ipynb", timeout=2)


def test_the_kernel_is_the_interpreters_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another kernel called python3, first on JUPYTER_PATH, is not asked."""
    foreign = folder / "jupyter" / "kernels" / "python3"
    foreign.mkdir(parents=True)
    spec = {"argv": ["false", "{connection_file}"], "display_name": "Python 3", "language": "python"}
    (foreign / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
    write(folder / "who.ipynb", "import sys\nprint(sys.executable)")
    executed = execute(folder / "who.ipynb", folder / "out.ipynb")
    assert executed.cells[0].outputs[0].text == f"{sys.executable}\n"


def test_nobodys_own_settings_reach_the_kernel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A matplotlibrc that warns, a start-up file of IPython, a locale without the book's signs."""
    home = folder / "home"
    startup = home / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("import builtins\nbuiltins.mine = True", encoding="utf-8")
    (home / "matplotlibrc").write_text("no.such.key: 1\nfont.size: 33\n", encoding="utf-8")
    monkeypatch.setenv("IPYTHONDIR", str(home / "ipython"))
    monkeypatch.setenv("MPLCONFIGDIR", str(home))
    monkeypatch.setenv("MATPLOTLIBRC", str(home / "matplotlibrc"))
    for name, value in {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "POSIX"}.items():
        monkeypatch.setenv(name, value)
    text = folder / "text"
    seen = "(m.rcParams['font.size'], 'mine' in dir(__builtins__))"
    write(
        folder / "mine.ipynb",
        f"import matplotlib as m\nopen('{text}', 'w').write('≥')\n{seen}",
    )
    (cell,) = execute(folder / "mine.ipynb", folder / "out.ipynb").cells
    assert [(output.output_type, output.get("data")) for output in cell.outputs] == [
        ("execute_result", {"text/plain": "(10.0, False)"})
    ]
    assert text.read_text(encoding="utf-8") == "≥"


def test_a_copy_is_there_whole_or_not_at_all(folder: Path) -> None:
    write(folder / "long.ipynb", "print('x' * 200_000)")
    (folder / "out.ipynb").write_text("before", encoding="utf-8")
    code = textwrap.dedent(f"""
        import resource
        from tlbook.chapters import execute
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        execute("{folder}/long.ipynb", "{folder}/out.ipynb")
    """)
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert f"TlbookError: cannot write {folder}/out.ipynb (File too large)" in run.stderr
    assert (folder / "out.ipynb").read_text(encoding="utf-8") == "before"
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
