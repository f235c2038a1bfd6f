"""The files that describe the project agree with each other, and what they describe works."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINS = {
    Requirement(line).name.lower().replace("_", "-"): next(iter(Requirement(line).specifier)).version
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
}
COLAB = {
    canonicalize_name(one.name): next(iter(one.specifier)).version
    for one in map(Requirement, re.findall(r"^[^#\n].*", (ROOT / "tests" / "colab.txt").read_text(), re.MULTILINE))
}
EXTRAS = PROJECT["optional-dependencies"]
REQUIREMENTS = [*PROJECT["dependencies"], *(line for extra in EXTRAS.values() for line in extra)]


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_every_dependency_is_pinned_to_a_version_that_it_allows(requirement: str) -> None:
    wanted = Requirement(requirement)
    assert wanted.specifier.contains(PINS[wanted.name.lower().replace("_", "-")])


@pytest.mark.parametrize("requirement", PROJECT["dependencies"])
def test_installing_on_colab_changes_nothing_that_is_there(requirement: str) -> None:
    wanted = Requirement(requirement)
    assert wanted.specifier.contains(COLAB[canonicalize_name(wanted.name)]), "pip install tlbook would replace it"


def test_colab_runs_a_python_that_is_allowed() -> None:
    assert SpecifierSet(PROJECT["requires-python"]).contains("3.12.12")


def test_torch_is_pinned_and_its_predecessor_allowed() -> None:
    assert (PINS["torch"], PINS["torchvision"]) == ("2.13.0", "0.28.0")
    core = {Requirement(line).name: Requirement(line).specifier for line in PROJECT["dependencies"]}
    assert core["torch"].contains("2.11.0")
    assert core["torchvision"].contains("0.26.0")


def test_pins_hold_on_every_platform() -> None:
    assert not [version for version in PINS.values() if "+" in version]


def test_the_conda_environment_takes_the_same_pins() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    *conda, pip = environment["dependencies"]
    for line in conda:
        name, _, version = re.fullmatch(r"([\w-]+)(=|>=)?(.*)", line).groups()
        assert name != "python" or SpecifierSet(PROJECT["requires-python"]).contains(version)
        assert name not in PINS, f"{name} is taken by pip, with its pin"
    assert pip["pip"] == ["--constraint constraints.txt", "--editable .[book,test]"]
    assert "pip" in conda
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert '--constraint constraints.txt --editable ".[book,test]"' in makefile, "make and conda install the same"


def test_the_lock_file_fits_and_names_no_host() -> None:
    wanted, lock = (
        json.loads((ROOT / name).read_text(encoding="utf-8")) for name in ("package.json", "package-lock.json")
    )
    for name, version in (wanted["dependencies"] | wanted["devDependencies"]).items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    assert "://" not in json.dumps(lock["packages"])


def test_versions_and_licences_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert PROJECT["license"] in citation["license"]
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("BSD 3-Clause License")
    assert "Attribution 4.0 International" in (ROOT / "LICENSE-text").read_text(encoding="utf-8")


def test_the_readme_names_targets_that_exist_and_all_of_them() -> None:
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)`", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named == targets


def test_make_alone_lists_the_targets() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(r"^  make book +\S", listed, re.MULTILINE)


def test_continuous_integration_runs_what_a_developer_runs() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").rstrip().endswith("make test")


def test_every_page_is_in_the_contents_and_exists() -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = [contents["root"], *(page["file"] for part in contents["parts"] for page in part["chapters"])]
    pages = [path for kind in ("ipynb", "md") for path in (ROOT / "book").glob(f"*.{kind}")]
    assert sorted(listed) == sorted(str(page.relative_to(ROOT).with_suffix("")) for page in pages)


@pytest.mark.parametrize("page", ["README.md", "book/index.md"])
def test_the_front_doors_name_every_chapter_in_the_order_of_the_contents(page: str) -> None:
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [Path(c["file"]).name for part in contents["parts"][:-1] for c in part["chapters"]]
    named = re.findall(r"\]\((?:book/)?(\w+)\.(?:ipynb|md)\)", (ROOT / page).read_text(encoding="utf-8"))
    assert [name for name in dict.fromkeys(named) if name in chapters] == chapters


def test_the_wheel_works_outside_the_checkout(site: Path, tmp_path: Path) -> None:
    shipped = {str(file.relative_to(site)) for file in site.rglob("*")}
    stubs = {"tlbook/__init__.pyi", "tlbook/methods/__init__.pyi"}
    assert {"tlbook/py.typed", "tlbook/experiments/result.schema.json", *stubs} <= shipped
    assert {"tlbook/data/fonts/cmti10.ttf", "tlbook/data/fonts/LICENSE"} <= shipped
    assert not [name for name in shipped if name.startswith(("tools", "tests", "book", "setup"))]
    recorded = ROOT / "book" / "results"
    for record in recorded.rglob("*.json"):
        assert (site / "tlbook" / "_results" / record.relative_to(recorded)).read_bytes() == record.read_bytes()

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    run = {"cwd": elsewhere, "env": os.environ | {"PYTHONPATH": str(site)}, "text": True, "check": True}
    where = "import tlbook; from tlbook.methods import DANN; print(tlbook.__file__)"
    imported = subprocess.run([sys.executable, "-c", where], stdout=subprocess.PIPE, **run).stdout
    assert imported.strip() == str(site / "tlbook" / "__init__.py")
    doctor = subprocess.run([site / "bin" / "tlbook", "doctor"], stdout=subprocess.PIPE, **run).stdout
    assert "FAIL" not in doctor
    assert str(site) in doctor


def test_a_clone_that_converts_line_ends_can_start_the_scripts(tmp_path: Path) -> None:
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    scripts = ("Makefile", ".ci/run", "tools/test.sh")
    for name in (".gitattributes", *scripts):
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, origin / name)

    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *who, *words], cwd=origin, check=True, capture_output=True)

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "all")
    git("clone", "--quiet", "--config", "core.autocrlf=true", str(origin), str(clone))
    assert [name for name in scripts if b"\r" in (clone / name).read_bytes()] == []


def stub(path: Path, *lines: str) -> Path:
    """A command that is a few lines of shell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("left", ["nothing", "a folder", "no pip", "no interpreter", "a whole one"])
@pytest.mark.parametrize("venv", [".venv", ".venv-bench"])
def test_a_virtual_environment_left_half_made_is_made_again(tmp_path: Path, venv: str, left: str) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    whole = stub(tmp_path / "whole", 'echo "python $*" >>installed', "exit 0")
    python = stub(  # as `python3`: makes an environment only where there is none, or where it may clear it
        tmp_path / "bin" / "python",
        'for place do :; done; echo "python3 $*" >>installed',
        '[ "$3" = --clear ] && rm -rf "$place"',
        f'mkdir -p "$place/bin" && [ -e "$place/bin/python" ] || cp {whole} "$place/bin/python"',
    )
    inside = tmp_path / venv / "bin" / "python"
    if left == "a folder":
        inside.parent.mkdir(parents=True)
    elif left == "no pip":
        stub(inside, 'case "$*" in *pip*) exit 1;; esac')
    elif left == "no interpreter":
        inside.parent.mkdir(parents=True)
        inside.symlink_to("/nowhere/python3")
    elif left == "a whole one":
        stub(inside, 'echo "python $*" >>installed')
    make = ["make", f"PYTHON={python}", f"{venv}/.installed"]
    subprocess.run(make, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / venv / ".installed").exists()
    done = (tmp_path / "installed").read_text(encoding="utf-8").splitlines()
    assert done[-1].startswith("python -m pip install")
    assert [line for line in done if line.startswith("python3")] == (
        [] if left == "a whole one" else [f"python3 -m venv --clear {venv}"]
    )
