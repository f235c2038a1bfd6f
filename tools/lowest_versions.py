"""Does the book run with the oldest versions that pyproject.toml admits, and with those that Colab has?

Run it from the root of the repository: ``python -m tools.lowest_versions [lowest|colab …] [--chapters NAME …]``. Each
set of versions gets an environment of its own in ``_build/versions``. There ``tlbook doctor`` loads every embedded set
of data, and three chapters are executed, their claims included. torch and torchvision alone are as in constraints.txt:
older ones for the CPU are not on PyPI, and what is there for Linux brings gigabytes of CUDA.
"""

import argparse
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from tqdm import tqdm

from tlbook._files import whole_file
from tools.build_book import ROOT, chapters
from tools.claims_everywhere import turn

SETS = ("lowest", "colab")
AS_PINNED = ("torch", "torchvision")
COLAB = Path("tests", "colab.txt")


def lowest(requirements: Iterable[str]) -> dict[str, str]:
    """The oldest version that each requirement admits, by its package's name.

    Raises:
        ValueError: for a requirement without a ``>=``.
    """
    found = {}
    for requirement in map(Requirement, requirements):
        bounds = [one.version for one in requirement.specifier if one.operator == ">="]
        if not bounds:
            raise ValueError(f"{requirement} has no lowest version; expected {requirement.name}>=…")
        found[canonicalize_name(requirement.name)] = bounds[0]
    return found


def listed(text: str) -> dict[str, str]:
    """The versions in a list such as ``pip freeze`` prints, by package; a ``+cu128`` at the end is left out."""
    lines = re.findall(r"^([\w.-]+)==([^\s+]+)", text, re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


def versions(kind: str, root: Path) -> dict[str, str]:
    """The versions of a set, with torch and torchvision as they are pinned."""
    from tlbook.chapters import NEEDED

    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tools = [one for one in project["optional-dependencies"]["book"] if Requirement(one).name in NEEDED]
    found = (
        lowest([*project["dependencies"], *tools])
        if kind == "lowest"
        else listed((root / COLAB).read_text(encoding="utf-8"))
    )
    pins = listed((root / "constraints.txt").read_text(encoding="utf-8"))
    return found | {name: pins[name] for name in AS_PINNED}


def install(kind: str, root: Path) -> Path:
    """An environment with the versions of a set, with this package and with what runs chapters; its programs' folder.

    Raises:
        subprocess.CalledProcessError: where the versions cannot be had together.
    """
    from tlbook.chapters import NEEDED

    folder = root / "_build" / "versions" / kind
    if not (folder / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    held = folder / "constraints.txt"
    with whole_file(held) as file:
        file.write("".join(f"{name}=={version}\n" for name, version in versions(kind, root).items()).encode())
    pip = [folder / "bin" / "python", "-m", "pip"]
    subprocess.run([*pip, "install", "--quiet", "--constraint", held, "--editable", root, *NEEDED], check=True)
    subprocess.run([*pip, "check"], check=True, stdout=subprocess.DEVNULL)
    return folder / "bin"


def differing(programs: Path, wanted: dict[str, str]) -> list[str]:
    """Which packages of an environment have another version than wanted; what is not installed does not matter."""
    command = [programs / "python", "-m", "pip", "freeze", "--all", "--exclude-editable"]
    there = listed(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return [
        f"{name} is {there[name]}, not {version}"
        for name, version in wanted.items()
        if name in there and Version(there[name]) != Version(version)
    ]


def by_turns(turn: int, names: Sequence[str]) -> tuple[str, list[str]]:
    """What CI runs at a turn: one of the sets, and three chapters, which move on by three when the sets are through."""
    start = 3 * (turn // len(SETS))
    return SETS[turn % len(SETS)], [names[(start + i) % len(names)] for i in range(min(3, len(names)))]


def check(programs: Path, names: Sequence[str], root: Path) -> list[str]:
    """Run the doctor and the chapters; what failed, a message each."""
    runs = [["doctor"], *(["run", name, "-o", str(programs.parent / f"{name}.ipynb")] for name in names)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    failures = []
    for arguments in tqdm(runs, unit="run", disable=None):
        start = time.monotonic()
        done = subprocess.run(
            [programs / "tlbook", *arguments], cwd=root, env=environment, capture_output=True, text=True
        )
        fate = "FAILED" if done.returncode else "ran"
        tqdm.write(f"{fate} tlbook {' '.join(arguments[:2])} in {time.monotonic() - start:.0f} s")
        if done.returncode:
            failures.append(f"tlbook {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return failures


def main() -> int:
    """Install and run what the arguments say; the exit status."""
    names = [chapter.stem for chapter in chapters(ROOT)]
    now, few = by_turns(turn(ROOT), names)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", choices=SETS, default=SETS, help="which versions; both if none is given")
    parser.add_argument("--chapters", nargs="+", default=few, choices=names, metavar="NAME", help="three by turns")
    parser.add_argument("--turn", action="store_true", help="what CI runs at this commit: one of the sets")
    arguments = parser.parse_args()
    failures = []
    for kind in [now] if arguments.turn else arguments.sets:
        print(f"{kind}: {', '.join(arguments.chapters)}")
        programs = install(kind, ROOT)
        wanted = versions(kind, ROOT)
        print(", ".join(f"{name} {version}" for name, version in wanted.items()))
        wrong = differing(programs, wanted)
        failures += [f"{kind}: {line}" for line in [*wrong, *check(programs, arguments.chapters, ROOT)]]
    print("\n".join(failures) or "the versions are in order")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
