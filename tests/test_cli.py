"""The command says what it did, and answers bad input in one line."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import requires
from pathlib import Path

import nbformat
import pytest
from nbformat import v4
from packaging.requirements import Requirement

from tlbook import cli
from tlbook.chapters import NEEDED
from tlbook.data.catalogue import SOURCES

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


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("dan", "no chapter 'dan' in BOOK/, expected one such as dann"),
        ("dan.ipynb", "no chapter 'dan.ipynb' in BOOK/, expected one such as dann"),
        ("../book/dan.ipynb", "no chapter '../book/dan.ipynb' in ../book/, expected one such as ../book/dann.ipynb"),
        ("nowhere/dan.ipynb", "no chapter 'nowhere/dan.ipynb' in BOOK/, expected one such as dann"),
        ("book/dann", "no chapter 'book/dann' in BOOK/, expected one such as dann"),
    ],
)
def test_an_unknown_chapter_is_answered_with_the_nearest_from_anywhere(
    folder: Path, tlbook: Command, monkeypatch: pytest.MonkeyPatch, given: str, line: str
) -> None:
    (folder / "tests").mkdir()
    monkeypatch.chdir(folder / "tests")
    assert tlbook("run", given) == ("tlbook: " + line.replace("BOOK", str(folder / "book")), "")


def test_from_outside_the_repository_the_chapters_of_the_checkout_are_found(
    tlbook: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line, _ = tlbook("run", "dan")
    assert "expected one such as dann" in str(line)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["rum"], "tlbook: No such command 'rum'"),
        (["run"], "tlbook: Missing argument"),
        (["run", "dann", "--profile", "huge"], "tlbook: Invalid value for '--profile'"),
        (["run", "dann", "--nope"], "tlbook: No such option: --nope"),
        (["run", "dann", "-p"], "tlbook: Option '-p' requires an argument"),
        (["doctor", "x"], "tlbook: Got unexpected extra argument"),
        (["data", "lst"], "tlbook: No such command 'lst'"),
        (["data", "fetch", "--every"], "tlbook: No such option: --every"),
        (["reproduce", "x", "--seeds", "two"], "tlbook: Invalid value for '--seeds'"),
    ],
)
def test_wrong_use_is_answered_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], line: str
) -> None:
    monkeypatch.setattr("sys.argv", ["tlbook", *arguments])
    with pytest.raises(SystemExit, match=r"^2$"):
        cli.main()
    written = capsys.readouterr().err.strip()
    assert written.startswith(line)
    assert written.endswith("; see tlbook --help")
    assert "\n" not in written


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("book", "it is a folder"),
        ("book/dann.ipynb", "the executed copy would replace the chapter"),
        ("book/dann.ipynb/out.ipynb", "Not a directory"),
    ],
)
def test_a_place_that_cannot_take_the_copy_is_told_before_anything_runs(
    folder: Path, tlbook: Command, monkeypatch: pytest.MonkeyPatch, output: str, line: str
) -> None:
    monkeypatch.setattr("papermill.execute_notebook", None)
    before = (folder / "book" / "dann.ipynb").read_bytes()
    status, _ = tlbook("run", "dann", "-o", output)
    assert line in str(status)
    assert "\n" not in str(status)
    assert (folder / "book" / "dann.ipynb").read_bytes() == before
    assert [path.name for path in folder.rglob("*")] == ["book", "dann.ipynb"]


@pytest.mark.parametrize("content", [b"", b"no json", b"[]", b"{}", b"\xff\xfe", b'{"nbformat": 4, "cells": 3}'])
def test_what_is_no_notebook_is_told_in_one_line(folder: Path, tlbook: Command, content: bytes) -> None:
    (folder / "notes.ipynb").write_bytes(content)
    status, _ = tlbook("run", "notes.ipynb")
    assert str(status).startswith(f"tlbook: {folder / 'notes.ipynb'} is no notebook (")
    assert "\n" not in str(status)


@pytest.mark.parametrize("name", NEEDED)
def test_without_what_chapters_run_with_run_and_doctor_name_a_cure(
    folder: Path, tlbook: Command, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("tlbook.chapters.find_spec", lambda module: None if module == name else module)
    monkeypatch.setattr("tlbook.cli.find_spec", lambda module: None if module == name else module)
    cure = f"pip install {' '.join(NEEDED)}"
    for arguments in (["run", "dann"], ["run", "dann", "-p", "seed=1"]):
        status, _ = tlbook(*arguments)
        assert str(status) == f"tlbook: {name} is not installed; expected what chapters run with: {cure}"
    status, printed = tlbook("doctor")
    assert status == 0
    assert f"{name} missing; only needed to run chapters: {cure}" in printed


def test_the_cure_is_what_the_book_requires() -> None:
    book = {Requirement(line).name for line in requires("tlbook") or [] if 'extra == "book"' in line}
    assert set(NEEDED) <= book


def test_a_locale_without_the_signs_stops_nothing(folder: Path) -> None:
    plain = {"PYTHONUTF8": "0", "PYTHONIOENCODING": "latin-1:strict"}
    command = [sys.executable, "-c", "from tlbook.cli import main; main()", "data", "list"]
    environment = os.environ | plain | {"PYTHONPATH": str(Path(cli.__file__).parents[1])}
    run = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (0, b"")
    assert b"digits" in run.stdout


def test_a_failing_chapter_stops_the_command_with_its_traceback(folder: Path, tlbook: Command) -> None:
    status, _ = tlbook("run", "dann", "-p", "seed=x")
    assert str(status).startswith("tlbook: chapter 'dann' failed in cell [3]:")


def test_doctor_finds_nothing_wrong_here(tlbook: Command) -> None:
    status, printed = tlbook("doctor")
    assert status == 0
    assert [line.split()[:2] for line in printed.splitlines()] == [
        ["ok", name] for name in ("python", "tlbook", "torch", "torchvision", "training", "embedded", "data", "book")
    ]


def test_doctor_says_what_is_broken(tlbook: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise OSError("no such library")

    monkeypatch.setattr(cli, "_torchvision", broken)
    status, printed = tlbook("doctor")
    assert status == 1
    assert "FAIL  torchvision  OSError: no such library" in printed


@pytest.mark.parametrize("name", [source.name for source in SOURCES.values() if source.kind == "embedded"])
def test_doctor_loads_every_embedded_set(tlbook: Command, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def unreadable(split: str, store: object) -> None:
        raise OSError("cannot open resource")

    monkeypatch.setitem(SOURCES, name, replace(SOURCES[name], read=unreadable))
    status, printed = tlbook("doctor")
    assert status == 1
    (line,) = [line for line in printed.splitlines() if "embedded" in line]
    assert line.startswith("FAIL  embedded")
    assert f"{name} (" in line
    assert "cannot open resource" in line
