"""Build the book: execute the chapters that changed, then render them all to ``_build/html``.

Run it from the root of the repository: ``python -m tools.build_book``. What is unchanged is neither executed nor
rendered again. A chapter changes with its code cells, with the files of the package that it imports, with the recorded
results that it or they name or that bear its name, with the pinned versions and with the profile; prose alone does not
execute anything.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import yaml
from tqdm import tqdm

from tlbook._files import write_text
from tlbook._kernel import SETTINGS, kill_all
from tlbook.chapters import ChapterFailed, execute
from tlbook.errors import TlbookError
from tools import api_page, front_page, links, notebook_filter, page_form, pages
from tools.chapter_rules import book_violations
from tools.imports import files_behind

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT = 600  # seconds a cell may take; a whole chapter is meant to take 60
INJECTED = "injected-parameters"
# The first cell of a chapter that somebody downloads. Without an address of our own it names none: a public index may
# have another's package by this name.
INSTALL = """\
try:
    import tlbook  # the book's package
except ImportError:
    %pip install --quiet git+{address}"""
INSTALL_BY_HAND = """\
import tlbook  # the book's package: install its wheel first"""
# Jupyter Book's own page at the root has no icon, so browsers ask for one that is not there.
FRONT_DOOR = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Transfer learning</title>
<link rel="icon" href="_static/favicon.svg">
<meta http-equiv="refresh" content="0; url=book/index.html">
<a href="book/index.html">Transfer learning</a>
</html>
"""


def chapters(root: Path) -> list[Path]:
    """The notebooks of the book."""
    return sorted((root / "book").glob("*.ipynb"))


def digest(chapter: Path, root: Path) -> str:
    """A hash of everything that a chapter's outputs depend on."""
    cells = [cell for cell in nbformat.read(chapter, as_version=4).cells if cell.cell_type == "code"]
    code = "\n".join(cell.source for cell in cells)
    try:
        behind = sorted(files_behind(code, root))
    except SyntaxError:
        behind = []  # it will fail where its reader can see it: when it is executed
    everything = "\n".join([code, *(file.read_text(encoding="utf-8") for file in behind)])
    own = chapter.stem.replace("_", "-")
    results = [
        file
        for file in sorted((root / "book" / "results").glob("*.json"))
        if file.stem in everything or file.stem.startswith(own)  # one name in five rooms
    ]
    hashed = hashlib.sha256()
    for cell in cells:
        hashed.update(json.dumps([cell.source, cell.metadata.get("tags", [])]).encode())
    hashed.update(os.environ.get("TLBOOK_PROFILE", "").encode())
    if ".ipynb" in code:  # it looks which chapters there are
        hashed.update(" ".join(other.stem for other in chapters(root)).encode())
    return _hash_files([*behind, *results, root / "constraints.txt"], root, hashed)


def _hash_files(files: Iterable[Path], root: Path, hashed: "hashlib._Hash") -> str:
    for file in files:
        hashed.update(f"\0{file.relative_to(root)}\0".encode() + file.read_bytes())
    return hashed.hexdigest()


def executed_copy(chapter: Path, root: Path) -> Path:
    """Where the executed copy of a chapter lies once it is up to date."""
    return root / "_build" / "executed" / chapter.stem / f"{digest(chapter, root)[:20]}.ipynb"


def execute_stale(root: Path) -> list[str]:
    """Execute the chapters whose copies are out of date, in parallel over the cores, with one progress bar.

    An interrupt (Ctrl-C) ends the kernels that run and starts no other.

    Returns:
        What failed, a message a chapter.
    """
    copies = {chapter: executed_copy(chapter, root) for chapter in chapters(root)}
    stale = {chapter: copy for chapter, copy in copies.items() if not copy.exists()}
    print(f"{len(copies)} chapters, to execute: {', '.join(chapter.stem for chapter in stale) or 'none'}")
    if not stale:
        return []
    workers = min(os.cpu_count() or 1, len(stale))
    failures = []
    with (
        tqdm(total=sum(map(_code_cells, stale)), unit="cell", disable=None) as bar,
        ThreadPoolExecutor(workers) as pool,
    ):
        runs = {pool.submit(_execute, chapter, copy, bar): chapter for chapter, copy in stale.items()}
        try:
            for run in as_completed(runs):
                error = run.exception()
                if error is None:
                    bar.write(f"executed {runs[run].stem} in {run.result():.0f} s")
                else:
                    bar.write(f"FAILED   {runs[run].stem}")
                    failures.append(str(error))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            while not all(run.done() for run in runs):  # again and again: a kernel may be about to start
                kill_all()
                time.sleep(0.1)
            raise
    return failures


def _code_cells(chapter: Path) -> int:
    cells = nbformat.read(chapter, as_version=4).cells
    return sum(cell.cell_type == "code" and bool(cell.source.strip()) for cell in cells)


def _execute(chapter: Path, copy: Path, bar: "tqdm[None]") -> float:
    """Execute a chapter and put the copy in its place, alone; the seconds that it took.

    A reader would see what was written to standard error as a warning on the page: such a copy has failed.
    """
    start = time.monotonic()
    unfinished = copy.parent.with_suffix(".ipynb")
    executed = execute(chapter, unfinished, timeout=TIMEOUT, on_cell=bar.update)
    for cell in executed.cells:
        if complaint := "".join(out.text for out in cell.get("outputs", []) if out.get("name") == "stderr"):
            raise ChapterFailed(
                f"chapter {chapter.stem!r} wrote to standard error in cell [{cell.execution_count}]:\n\n"
                f"{textwrap.indent(complaint.rstrip(), '    ')}\n\nwhat ran is in {unfinished}"
            )
    executed.metadata["device"] = device()
    nbformat.write(executed, unfinished)
    shutil.rmtree(copy.parent, ignore_errors=True)
    copy.parent.mkdir()
    unfinished.rename(copy)
    return time.monotonic() - start


def device() -> str:
    """What chapters train on here."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"


def with_outputs(chapter: Path, executed: Path) -> nbformat.NotebookNode:
    """A chapter as committed, with the outputs of its executed copy."""
    notebook = nbformat.read(chapter, as_version=4)
    ran = (cell for cell in nbformat.read(executed, as_version=4).cells if cell.cell_type == "code")
    ran = (cell for cell in ran if INJECTED not in cell.metadata.get("tags", []))
    for cell, outcome in zip((cell for cell in notebook.cells if cell.cell_type == "code"), ran, strict=True):
        cell.outputs = [out for out in outcome.outputs if notebook_filter.WIDGET not in out.get("data", {})]
    return notebook


def configuration(root: Path) -> dict[str, Any]:
    """What ``_config.yml`` says."""
    return yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))


def assemble(root: Path, source: Path) -> None:
    """Lay out what Sphinx reads in a folder of its own, where no other notebook can be picked up."""
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(root / "book", source / "book", ignore=shutil.ignore_patterns("*.ipynb", "results", ".*"))
    shutil.copy(root / "_toc.yml", source)
    config = configuration(root)
    if not config["repository"]["url"]:
        del config["launch_buttons"]  # the theme stops where it can build no link
    (source / "_config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    book, contents = links.Book(root), (root / "_toc.yml").read_text(encoding="utf-8")
    notebooks = {}
    for chapter in sorted(chapters(root), key=lambda chapter: contents.find(f"book/{chapter.stem}\n")):
        copy = executed_copy(chapter, root)
        notebooks[chapter.stem] = with_outputs(chapter, copy) if copy.exists() else nbformat.read(chapter, as_version=4)
    for name, text in (api_page.pages(root) | {"claims": page_form.claims_page(notebooks)}).items():
        page = source / "book" / f"{name}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        with page.open("a", encoding="utf-8") as stream:
            stream.write(text)
    for name, notebook in notebooks.items():
        book.link(notebook, name)
        page_form.paged(notebook, name, source / "book")
        nbformat.write(notebook, source / "book" / f"{name}.ipynb")
    for name, anchor in (("references", links.anchor_references), ("glossary", links.anchor_terms)):
        page = source / "book" / f"{name}.md"
        page.write_text(anchor(page.read_text(encoding="utf-8")), encoding="utf-8")
    front = source / "book" / "index.md"
    text = front.read_text(encoding="utf-8").replace(front_page.PLACE, front_page.result(root / "book" / "results"))
    front.write_text(text, encoding="utf-8")
    vendor = source / "book" / "_static" / "vendor" / "mathjax"
    vendor.mkdir(parents=True)
    for name in ("es5/tex-svg-full.js", "LICENSE"):
        shutil.copy(root / "node_modules" / "mathjax" / name, vendor)


def render(root: Path) -> int:
    """Render the book where its sources changed; warnings are errors, and only a good book replaces the last one."""
    build = root / "_build"
    source, rendered, html = build / "source", build / "rendered", build / "html"
    assemble(root, source)
    read = [file for folder in (source, root / "tlbook", root / "tools") for file in _files(folder)]
    state = _hash_files([*read, root / "constraints.txt"], root, hashlib.sha256())
    stamp = html / ".digest"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == state:
        print("pages unchanged")
    else:
        print("rendering")
        shutil.rmtree(rendered, ignore_errors=True)
        command = [Path(sys.executable).with_name("jupyter-book"), "build", source, "--path-output", rendered]
        command += ["--all", "--quiet", "--warningiserror", "--keep-going"]
        environment = os.environ | SETTINGS | {"PYTHONPATH": str(root)}  # the extension in tools, and this tlbook
        code = subprocess.run(command, cwd=root, env=environment, stdout=subprocess.DEVNULL).returncode  # errors show
        if code:
            return code
        new, old = rendered / "_build" / "html", build / "html.old"
        pages.finish(new, stamps(root))
        offer_notebooks(root, new / "_sources" / "book")
        write_text(new / "index.html", FRONT_DOOR)
        write_text(new / stamp.name, state)
        shutil.rmtree(old, ignore_errors=True)
        if html.exists():
            html.rename(old)
        new.rename(html)
        shutil.rmtree(old, ignore_errors=True)
    print(f"the book is in {html.relative_to(root)}/index.html")
    return 0


def stamps(root: Path) -> dict[str, str]:
    """What stands at the foot of each page: what made it, and for a chapter from which seed and in which time."""
    git = ["git", "describe", "--always", "--dirty=, with changes"]
    commit = subprocess.run(git, cwd=root, capture_output=True, text=True, check=False).stdout.strip()
    made = ", ".join([*([f"commit {commit}"] if commit else []), f"tlbook {version('tlbook')}"])
    found = {"": f"Made from {made}."}
    for chapter in chapters(root):
        copy = executed_copy(chapter, root)
        if copy.exists():
            metadata = nbformat.read(copy, as_version=4).metadata
            ran = f"executed in {metadata.papermill.duration:.0f} s on {metadata.get('device', 'CPU')}"
            found[f"book/{chapter.stem}.html"] = f"Made from {made}; {ran}, with seed {_seed(chapter)}."
    return found


def _seed(chapter: Path) -> str:
    cells = nbformat.read(chapter, as_version=4).cells
    parameters = "\n".join(cell.source for cell in cells if "parameters" in cell.metadata.get("tags", []))
    found = re.search(r"^seed = (\d+)", parameters, re.MULTILINE)
    return found.group(1) if found else "none"


def offer_notebooks(root: Path, folder: Path) -> None:
    """Put the chapters to download in the place of what Sphinx read: as committed, with a cell that installs."""
    address = configuration(root)["repository"]["url"]
    install = INSTALL.format(address=address) if address else INSTALL_BY_HAND
    for chapter in chapters(root):
        notebook = nbformat.read(chapter, as_version=4)
        cell = nbformat.v4.new_code_cell(install, id="install")
        notebook.cells.insert(0, cell)
        nbformat.write(notebook, folder / chapter.name)


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file() and "__pycache__" not in file.parts)


def write_outputs(root: Path) -> int:
    """Put the text outputs of the executed copies into the chapters that are committed; 1 where one is rejected."""
    rejected = False
    for chapter in chapters(root):
        try:
            text = notebook_filter.committed(with_outputs(chapter, executed_copy(chapter, root)), chapter.stem)
        except notebook_filter.Rejected as error:
            print(error, file=sys.stderr)
            rejected = True
        else:
            write_text(chapter, text)
    return int(rejected)


def main() -> int:
    """Execute, then render, as the arguments say; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--render-only", action="store_true", help="render with the outputs that are there")
    what.add_argument(
        "--write-outputs", action="store_true", help="write text outputs into the chapters, render nothing"
    )
    arguments = parser.parse_args()
    try:
        if wrong := book_violations(ROOT):
            print("\n".join(["the book is not built:", *wrong]), file=sys.stderr)
            return 1
        failures = [] if arguments.render_only else execute_stale(ROOT)
        for failure in failures:
            print(f"\n{failure}", file=sys.stderr)
        if failures:
            print(f"\n{len(failures)} of {len(chapters(ROOT))} chapters failed", file=sys.stderr)
            return 1
        return write_outputs(ROOT) if arguments.write_outputs else render(ROOT)
    except KeyboardInterrupt:
        print("stopped; what was finished before is kept", file=sys.stderr)
        return 130
    except (OSError, TlbookError) as error:
        print(f"the book is not built: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
