"""The command says what it did, and answers bad input in one line."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tlbook import cli

Command = Callable[..., tuple[int | str | None, str]]


@pytest.fixture
def tlbook(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command; its exit status (or the line that it stops with) and what it printed."""

    def run(*arguments: str) -> tuple[int | str | None, str]:
        monkeypatch.setattr("sys.argv", ["tlbook", *arguments])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code, capsys.readouterr().out

    return run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    parameters = v4.new_code_cell("seed = 0\nprofile = 'quick'", metadata={"tags": ["parameters"]})
    claim = v4.new_code_cell("print('claim holds: it is', profile, seed)\nprint('else')\nassert seed != 'x'")
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (tmp_path / "book").mkdir()
    notebook = v4.new_notebook(cells=[parameters, claim], metadata={"kernelspec": kernel})
    nbformat.write(notebook, tmp_path / "book" / "dann.ipynb")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_run_executes_with_parameters_and_shows_the_claims(folder: Path, tlbook: Command) -> None:
    status, printed = tlbook("run", "dann", "-p", "seed=3", "--profile", "paper", "-o", "out.ipynb")
    assert status in (0, None)
    assert printed == "claim holds: it is paper 3\nwrote out.ipynb\n"
    assert (folder / "out.ipynb").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["run", "dan"], "tlbook: no chapter 'dan' in book/, expected one such as dann"),
        (["run", "dann", "-p", "sead=1"], "tlbook: chapter 'dann' has no parameter 'sead', expected seed"),
        (["run", "dann", "-p", "seed"], "tlbook: parameter 'seed' cannot be read, expected NAME=VALUE such as seed=3"),
    ],
)
def test_bad_input_is_answered_in_one_line(folder: Path, tlbook: Command, arguments: list[str], line: str) -> None:
    assert tlbook(*arguments) == (line, "")


def test_a_failing_chapter_stops_the_command_with_its_traceback(folder: Path, tlbook: Command) -> None:
    status, _ = tlbook("run", "dann", "-p", "seed=x")
    assert str(status).startswith("tlbook: chapter 'dann' failed in cell [3]:")


def test_doctor_finds_nothing_wrong_here(tlbook: Command) -> None:
    status, printed = tlbook("doctor")
    assert status == 0
    assert [line.split()[:2] for line in printed.splitlines()] == [
        ["ok", name] for name in ("python", "tlbook", "torch", "torchvision", "training", "data", "book")
    ]


def test_doctor_says_what_is_broken(tlbook: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise OSError("no such library")

    monkeypatch.setattr(cli, "_torchvision", broken)
    status, printed = tlbook("doctor")
    assert status == 1
    assert "FAIL  torchvision  OSError: no such library" in printed
