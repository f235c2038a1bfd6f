"""The oldest versions that are admitted, and Colab's: what is installed, and what is run by turns."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import lowest_versions
from tools.build_book import ROOT
from tools.lowest_versions import SETS, by_turns, check, differing, listed, lowest, versions


def test_the_lowest_version_is_the_one_that_the_requirement_begins_with() -> None:
    requirements = ["numpy>=2.0", "jupyter-book<2,>=1.0.4", "lazy_loader >= 0.4"]
    assert lowest(requirements) == {"numpy": "2.0", "jupyter-book": "1.0.4", "lazy-loader": "0.4"}


def test_a_requirement_without_a_lowest_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^numpy has no lowest version; expected numpy>=…$"):
        lowest(["numpy"])


def test_a_list_is_read_without_remarks_and_builds() -> None:
    assert listed("# ours==1\ntorch==2.11.0+cu128\nlazy_loader==0.5\n") == {"torch": "2.11.0", "lazy-loader": "0.5"}


@pytest.mark.parametrize("kind", SETS)
def test_a_set_holds_what_the_package_needs_and_torch_as_it_is_pinned(kind: str) -> None:
    found = versions(kind, ROOT)
    assert found["torch"] == listed((ROOT / "constraints.txt").read_text())["torch"]
    assert {"numpy", "scikit-learn", "matplotlib", "ipython", "ipykernel", "torchvision"} <= set(found)
    assert found["ipython"].startswith("7.34")
    assert found["numpy"].startswith("2.0")


def test_a_version_that_was_not_taken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def freeze(*_: Any, **__: Any) -> Any:
        return type("Done", (), {"stdout": "numpy==2.0.0\ntorch==2.13.0+cpu\ntqdm==4.70\n"})

    monkeypatch.setattr(lowest_versions.subprocess, "run", freeze)
    wanted = {"numpy": "2.0", "torch": "2.13.0", "tqdm": "4.66", "pooch": "1.8"}
    assert differing(Path("bin"), wanted) == ["tqdm is 4.70, not 4.66"]


def test_by_turns_every_chapter_meets_both_sets() -> None:
    names = list("abcdefghijklm")
    met = {(kind, name) for turn in range(50, 60) for kind, few in [by_turns(turn, names)] for name in few}
    assert met == {(kind, name) for kind in SETS for name in names}
    assert all(len(set(by_turns(turn, names)[1])) == 3 for turn in range(30))


def test_each_run_that_fails_is_told_with_what_it_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    program = tmp_path / "bin" / "tlbook"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$PYTHONPATH$1 $2"\nif [ "$2" = pigs ]; then exit 1; fi\n')
    program.chmod(0o755)
    (failure,) = check(program.parent, ["birds", "pigs"], tmp_path)
    assert failure.splitlines()[1] == "run pigs"


def test_versions_that_do_not_fit_together_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pip(command: list[Any], **_: Any) -> None:
        if "check" in command:
            raise subprocess.CalledProcessError(1, command)

    (tmp_path / "_build" / "versions" / "lowest").mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    monkeypatch.setattr(lowest_versions.subprocess, "run", pip)
    with pytest.raises(subprocess.CalledProcessError):
        lowest_versions.install("lowest", tmp_path)
    held = listed((tmp_path / "_build" / "versions" / "lowest" / "constraints.txt").read_text())
    assert held == versions("lowest", tmp_path)
