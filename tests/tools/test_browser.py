"""Which browser the pages are tested with, and how one is brought; every command is a fake, first on an empty PATH."""

import os
from pathlib import Path

import pytest

from tools import browser

SAYS = 'echo "$(basename "$0") $*" >>"{log}"'


class Machine:
    """A folder of commands that is all there is on PATH."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.own = folder / "playwright" / "chrome"
        self.log = folder / "log"
        self.own.parent.mkdir()
        self.bin.mkdir()

    def command(self, name: str, *lines: str) -> str:
        return self.script(self.bin / name, *lines)

    def script(self, path: Path, *lines: str) -> str:
        text = "\n".join(["#!/bin/sh", SAYS.format(log=self.log), *lines, ""])
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
        return str(path)

    def done(self) -> list[str]:
        """What was run to bring a browser."""
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        return [line for line in lines if not line.endswith("--version")]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    monkeypatch.setenv("PATH", f"{machine.bin}{os.pathsep}/bin{os.pathsep}/usr/bin")
    real = browser.shutil.which
    monkeypatch.setattr(browser.shutil, "which", lambda name: real(name, path=str(machine.bin)))
    monkeypatch.setattr(browser, "_of_playwright", lambda: [str(machine.own)] if machine.own.exists() else [])
    monkeypatch.setattr(browser, "PLAYWRIGHT", [machine.command("playwright", "exit 1"), "install"])
    monkeypatch.setattr(browser.os, "geteuid", lambda: 0)
    return machine


@pytest.mark.parametrize("name", ["chromium", "google-chrome"])
def test_the_browser_that_is_here_is_taken(machine: Machine, name: str) -> None:
    path = machine.command(name)
    assert browser.find() == path
    assert browser.main() == 0
    assert machine.done() == []


def test_a_browser_that_does_not_start_is_none(machine: Machine) -> None:
    machine.command("chromium", "exit 127")
    chrome = machine.command("google-chrome")
    assert browser.find() == chrome


def test_where_there_is_none_playwright_fetches_its_own(machine: Machine) -> None:
    made = f"printf '#!/bin/sh\n' >{machine.own}; chmod +x {machine.own}"
    machine.command("playwright", made)
    machine.command("apt-get")
    assert browser.main() == 0
    assert browser.find() == str(machine.own)
    assert machine.done() == ["playwright install"]


@pytest.mark.parametrize("playwright", ["exit 1", "printf '#!/bin/sh\nexit 127\n' >{own}; chmod +x {own}"])
def test_where_it_cannot_be_fetched_or_started_root_takes_it_from_apt(machine: Machine, playwright: str) -> None:
    machine.command("playwright", playwright.format(own=machine.own))
    made = machine.bin / "chromium"
    machine.command("apt-get", f"[ $1 = install ] && printf '#!/bin/sh\n' >{made} && chmod +x {made}")
    assert browser.main() == 0
    assert [line.split()[:2] for line in machine.done()] == [
        ["playwright", "install"],
        ["apt-get", "update"],
        ["apt-get", "install"],
    ]


@pytest.mark.parametrize("who", ["somebody", "root without apt", "root, and apt fails"])
def test_where_none_can_be_had_one_line_says_what_to_do(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], who: str
) -> None:
    if who != "root without apt":
        machine.command("apt-get", "exit 100")
    if who == "somebody":
        monkeypatch.setattr(browser.os, "geteuid", lambda: 1000)
    assert browser.main() == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "sudo apt install chromium" in line
    assert ("apt-get install" in " ".join(machine.done())) == (who == "root, and apt fails")
