"""What is unchanged is not executed again; what ran is what is shown."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import nbformat
import psutil
import pytest
import yaml
from bs4 import BeautifulSoup
from nbformat import NotebookNode, v4

from tools import build_book, front_page, links

ROOT = Path(__file__).parents[2]


def write_chapter(root: Path, name: str, *code: str) -> Path:
    cells = [v4.new_markdown_cell(f"# {name}"), v4.new_code_cell("seed = 0", metadata={"tags": ["parameters"]})]
    notebook = v4.new_notebook(cells=[*cells, *map(v4.new_code_cell, code)])
    path = root / "book" / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


def change_cell(chapter: Path, number: int, change: Callable[[NotebookNode], object]) -> None:
    notebook = nbformat.read(chapter, as_version=4)
    change(notebook.cells[number])
    nbformat.write(notebook, chapter)


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """A small repository: a package with two methods, and a chapter on each."""
    methods = tmp_path / "tlbook" / "methods"
    methods.mkdir(parents=True)
    (tmp_path / "tlbook" / "__init__.py").touch()
    (methods / "__init__.py").touch()
    (methods / "__init__.pyi").write_text("from .dann import DANN\nfrom .finetune import FineTune")
    (methods / "dann.py").touch()
    (methods / "finetune.py").touch()
    (tmp_path / "constraints.txt").touch()
    results = tmp_path / "book" / "results"
    results.mkdir(parents=True)
    (results / "dann-mnist.json").write_text("{}")
    (results / "other.json").write_text("{}")
    write_chapter(tmp_path, "dann", "from tlbook.methods import DANN", "name = 'dann-mnist'", "print(seed)")
    write_chapter(tmp_path, "finetune", "from tlbook.methods import FineTune")
    return tmp_path


def changed(book: Path, change: Callable[[], object]) -> list[str]:
    """The chapters whose digest a change alters."""
    before = {chapter: build_book.digest(chapter, book) for chapter in build_book.chapters(book)}
    change()
    return [chapter.stem for chapter, digest in before.items() if build_book.digest(chapter, book) != digest]


def test_a_method_concerns_the_chapters_that_import_it(book: Path) -> None:
    assert changed(book, lambda: (book / "tlbook/methods/dann.py").write_text("x = 1")) == ["dann"]
    assert changed(book, lambda: (book / "tlbook/methods/finetune.py").write_text("x = 1")) == ["finetune"]


def test_the_package_itself_and_the_pins_concern_all(book: Path) -> None:
    assert changed(book, lambda: (book / "tlbook/__init__.py").write_text("x = 1")) == ["dann", "finetune"]
    assert changed(book, lambda: (book / "constraints.txt").write_text("torch==2")) == ["dann", "finetune"]


def test_the_profile_concerns_all(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert changed(book, lambda: monkeypatch.setenv("TLBOOK_PROFILE", "paper")) == ["dann", "finetune"]


def test_a_result_concerns_the_chapters_that_name_it(book: Path) -> None:
    assert changed(book, lambda: (book / "book/results/dann-mnist.json").write_text("[]")) == ["dann"]
    assert changed(book, lambda: (book / "book/results/other.json").write_text("[]")) == []


def test_a_result_of_a_chapter_s_own_concerns_it_though_its_name_is_put_together(book: Path) -> None:
    assert changed(book, lambda: (book / "book/results/finetune-a-b.json").write_text("[]")) == ["finetune"]


def test_a_new_chapter_concerns_those_that_look_for_chapters(book: Path) -> None:
    write_chapter(book, "taxonomy", "list(Path().glob('*.ipynb'))")
    assert changed(book, lambda: write_chapter(book, "adda", "1")) == ["taxonomy"]


def test_code_concerns_its_chapter_and_prose_none(book: Path) -> None:
    chapter = book / "book/dann.ipynb"
    assert changed(book, lambda: change_cell(chapter, 0, lambda cell: cell.update(source="# New"))) == []
    assert changed(book, lambda: change_cell(chapter, 4, lambda cell: cell.update(source="print(1)"))) == ["dann"]
    tags = {"tags": ["remove-input"]}
    assert changed(book, lambda: change_cell(chapter, 4, lambda cell: cell.update(metadata=tags))) == ["dann"]


def test_code_that_does_not_parse_still_has_a_digest(book: Path) -> None:
    chapter = book / "book/dann.ipynb"
    assert changed(book, lambda: change_cell(chapter, 4, lambda cell: cell.update(source="print("))) == ["dann"]


def test_only_stale_chapters_are_executed_and_a_failure_is_told(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(book / "tlbook")
    chapter = write_chapter(book, "dann", "value = 40 + 2", "print(value + seed)")
    bad = write_chapter(book, "finetune", "def f():\n    return 1 / 0", "f()")
    (failure,) = build_book.execute_stale(book)
    assert "chapter 'finetune' failed in cell [3]" in failure
    assert "    f()" in failure
    assert "ZeroDivisionError: division by zero" in failure
    copy = build_book.executed_copy(chapter, book)
    assert nbformat.read(copy, as_version=4).metadata.device == build_book.device()
    shown = build_book.with_outputs(chapter, copy)
    assert shown.cells[3].outputs[0].text == "42\n"

    bad.unlink()
    capsys.readouterr()
    assert build_book.execute_stale(book) == []
    assert "to execute: none" in capsys.readouterr().out

    change_cell(chapter, 3, lambda cell: cell.update(source="print('new')"))
    assert build_book.execute_stale(book) == []
    assert build_book.executed_copy(chapter, book).exists()
    assert not copy.exists()


def executed(chapter: Path, *outputs: list[NotebookNode], injected: bool = False) -> Path:
    notebook = nbformat.read(chapter, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell, outs in zip(code, outputs, strict=True):
        cell.outputs = outs
    if injected:
        notebook.cells.insert(2, v4.new_code_cell("seed = 1", metadata={"tags": ["injected-parameters"]}))
    path = chapter.with_suffix(".executed")
    nbformat.write(notebook, path)
    return path


def test_outputs_are_matched_past_the_injected_cell_and_widgets_dropped(book: Path) -> None:
    chapter = write_chapter(book, "dann", "print(seed)")
    widget = v4.new_output("display_data", {build_book.notebook_filter.WIDGET: {}, "text/plain": "0%"})
    line = v4.new_output("stream", text="1\n")
    shown = build_book.with_outputs(chapter, executed(chapter, [], [widget, line], injected=True))
    assert [cell.source for cell in shown.cells] == ["# dann", "seed = 0", "print(seed)"]
    assert shown.cells[2].outputs == [line]


CONFIG = "repository: {url: '', branch: main}\nlaunch_buttons: {colab_url: https://colab.research.google.com}\n"


@pytest.fixture
def site(book: Path) -> Path:
    """The small repository with what its pages need."""
    (book / "_config.yml").write_text(CONFIG)
    (book / "_toc.yml").write_text("parts: []")
    (book / "book/references.md").write_text("- A. Ng, *On rows*, 2008.")
    for name in ("book/api.md", "book/claims.md", "book/glossary.md", "book/results/notes.md"):
        (book / name).write_text("#")
    (book / "book/index.md").write_text(f"# Book\n\n{front_page.PLACE}")
    for number, name in enumerate(front_page.RECORDS.values(), 1):
        record = {"mean": number / 4, "seeds": [1, 2, 3], "experiment": {"published": {"value": number / 8}}}
        (book / f"book/results/{name}.json").write_text(json.dumps(record))
    (book / "book/.ipynb_checkpoints").mkdir()
    mathjax = book / "node_modules/mathjax"
    (mathjax / "es5").mkdir(parents=True)
    (mathjax / "es5/tex-svg-full.js").touch()
    (mathjax / "LICENSE").touch()
    return book


def test_sphinx_reads_a_folder_with_the_book_and_nothing_else(site: Path) -> None:
    (site / "tlbook/methods/dann.py").write_text('__all__ = ["DANN"]')
    build_book.assemble(site, site / "_build/source")
    files = {str(f.relative_to(site / "_build/source")) for f in (site / "_build/source").rglob("*") if f.is_file()}
    vendored = {f"book/_static/vendor/mathjax/{name}" for name in ("tex-svg-full.js", "LICENSE")}
    written = {f"book/{name}.md" for name in ("api", "api/methods/dann", "claims", "glossary", "index", "references")}
    assert files == {"_config.yml", "_toc.yml", "book/dann.ipynb", "book/finetune.ipynb"} | vendored | written
    front = (site / "_build/source/book/index.md").read_text()
    assert "--value: 0.500; --paper: 0.250" in front
    assert "mean of 3 seeds" in front
    assert "(ref-ng-2008)=" in (site / "_build/source/book/references.md").read_text()


def test_there_is_a_launch_button_where_there_is_an_address(site: Path) -> None:
    assembled = site / "_build/source"
    build_book.assemble(site, assembled)
    assert "launch_buttons" not in build_book.configuration(assembled)
    (site / "_config.yml").write_text(CONFIG.replace("''", "https://github.com/a/b"))
    build_book.assemble(site, assembled)
    assert build_book.configuration(assembled)["launch_buttons"] == {"colab_url": "https://colab.research.google.com"}


def test_a_dead_link_stops_the_build_with_chapter_and_cell(site: Path) -> None:
    change_cell(site / "book/dann.ipynb", 0, lambda cell: cell.update(source="# dann\n\n[gone](gone.ipynb)"))
    with pytest.raises(links.BadLink, match=r"chapter 'dann', cell 1: no page 'gone.ipynb'"):
        build_book.assemble(site, site / "_build/source")


def test_the_notebook_to_download_installs_the_package_and_the_committed_one_does_not(site: Path) -> None:
    before = (site / "book/dann.ipynb").read_bytes()
    (site / "_config.yml").write_text(CONFIG.replace("''", "https://github.com/a/b"))
    folder = site / "_build/sources"
    folder.mkdir(parents=True)
    build_book.offer_notebooks(site, folder)
    offered = nbformat.read(folder / "dann.ipynb", as_version=4)
    nbformat.validate(offered)
    assert offered.cells[0].source.splitlines()[-2:] == [
        "except ImportError:",
        "    %pip install --quiet git+https://github.com/a/b",
    ]
    rest = nbformat.read(site / "book/dann.ipynb", as_version=4).cells
    assert [cell.source for cell in offered.cells[1:]] == [cell.source for cell in rest]
    assert (site / "book/dann.ipynb").read_bytes() == before


def test_without_an_address_the_notebook_to_download_installs_from_nowhere(site: Path) -> None:
    folder = site / "_build/sources"
    folder.mkdir(parents=True)
    build_book.offer_notebooks(site, folder)
    first = nbformat.read(folder / "dann.ipynb", as_version=4).cells[0].source
    assert first == "import tlbook  # the book's package: install its wheel first"


def test_the_stamp_says_what_made_a_page(site: Path) -> None:
    chapter = site / "book/dann.ipynb"
    copy = build_book.executed_copy(chapter, site)
    copy.parent.mkdir(parents=True)
    notebook = nbformat.read(chapter, as_version=4)
    notebook.metadata |= {"papermill": {"duration": 41.7}, "device": "CPU, 2 cores"}
    nbformat.write(notebook, copy)
    found = build_book.stamps(site)
    assert found["book/dann.html"].endswith("; executed in 42 s on CPU, 2 cores, with seed 0.")
    assert found[""] == f"Made from tlbook {version('tlbook')}."
    assert set(found) == {"", "book/dann.html"}


def test_outputs_are_written_back_filtered(book: Path) -> None:
    shutil.rmtree(book / "tlbook")
    (book / "book/finetune.ipynb").unlink()
    picture = "from IPython.display import Image\nImage(data=b'\\x89PNG', format='png')"
    chapter = write_chapter(book, "dann", picture, "print('≥')")
    assert build_book.execute_stale(book) == []
    assert build_book.write_outputs(book) == 0
    notebook = json.loads(chapter.read_text(encoding="utf-8"))
    assert [output["text"] for output in notebook["cells"][3]["outputs"]] == [["≥\n"]]
    assert "image/png" not in str(notebook)
    assert notebook["cells"][3]["execution_count"] == 3
    assert build_book.executed_copy(chapter, book).exists(), "writing outputs makes nothing stale"


def test_outputs_that_cannot_be_committed_leave_the_chapter(book: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(book / "tlbook")
    (book / "book/finetune.ipynb").unlink()
    chapter = write_chapter(book, "dann", "print('x' * 200_000)")
    before = chapter.read_bytes()
    assert build_book.execute_stale(book) == []
    assert build_book.write_outputs(book) == 1
    assert chapter.read_bytes() == before
    assert "expected at most" in capsys.readouterr().err


def test_a_copy_that_wrote_to_standard_error_has_failed_and_is_not_kept(
    book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(book / "tlbook")
    (book / "book/finetune.ipynb").unlink()
    chapter = write_chapter(book, "dann", "import os, sys\nif 'BAD' in os.environ: print('a warning', file=sys.stderr)")
    monkeypatch.setenv("BAD", "1")
    (failure,) = build_book.execute_stale(book)
    assert failure.startswith("chapter 'dann' wrote to standard error in cell [2]:\n\n    a warning\n")
    assert not build_book.executed_copy(chapter, book).exists()
    monkeypatch.delenv("BAD")
    assert build_book.execute_stale(book) == []
    assert build_book.executed_copy(chapter, book).exists()


def run_script(book: Path, lines: str, **environment: str) -> subprocess.Popen[str]:
    """Start Python on the book, with ``build_book`` at hand, in a process of its own."""
    shutil.rmtree(book / "tlbook", ignore_errors=True)
    code = f"from pathlib import Path\nfrom tools import build_book\nbuild_book.ROOT = book = Path({str(book)!r})\n"
    code += "build_book.book_violations = lambda root: []\n"  # these chapters are stubs
    command = [sys.executable, "-c", code + textwrap.dedent(lines)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=pipe, stderr=pipe, text=True)


def test_a_chapter_that_breaks_a_rule_stops_the_build_with_chapter_and_cell(
    book: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (book / "_toc.yml").write_text("parts: [{chapters: []}]")
    monkeypatch.setattr(build_book, "ROOT", book)
    monkeypatch.setattr(sys, "argv", ["build_book"])
    assert build_book.main() == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "the book is not built:"
    assert "dann: cell 1: expected the title and the question, in at most 60 words" in told
    assert not (book / "_build").exists()


def test_an_interrupt_stops_at_once_and_ends_the_kernels(book: Path) -> None:
    """Ctrl-C while two chapters of four run: none of the others is started, no process and no half copy stays."""
    started, begun = book / "started", book / "begun"
    started.mkdir()
    begun.mkdir()
    for name in ("adda", "dann", "finetune", "glomo"):
        code = f"import os, time\nopen({str(started)!r} + f'/{{os.getpid()}}', 'w').close()\ntime.sleep(300)"
        write_chapter(book, name, code)
    lines = """
        import os, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs are born deaf to Ctrl-C
        os.cpu_count = lambda: 2
        execute = build_book.execute
        def recorded(chapter, *rest, **options):
            (book / "begun" / chapter.stem).touch()
            return execute(chapter, *rest, **options)
        build_book.execute = recorded
        sys.argv = ["build_book"]
        sys.exit(build_book.main())
    """
    run = run_script(book, lines)
    deadline = time.monotonic() + 120
    while len(list(started.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=150)  # the cells would sleep for 300 s, and the two after them too
    assert run.returncode == 130
    assert errors.splitlines()[-1] == "stopped; what was finished before is kept"
    kernels = [int(path.name) for path in started.iterdir()]
    assert len(kernels) == len(list(begun.iterdir())) == 2
    assert not [pid for pid in kernels if psutil.pid_exists(pid)]
    assert list((book / "_build" / "executed").iterdir()) == []


def test_on_a_full_disk_a_chapter_stays_as_it_was(book: Path) -> None:
    (book / "book/finetune.ipynb").unlink()
    chapter = write_chapter(book, "dann", "print('≥' * 20_000)")
    before = chapter.read_bytes()
    lines = """
        import resource, sys
        assert build_book.execute_stale(book) == []
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
        sys.argv = ["build_book", "--write-outputs"]
        sys.exit(build_book.main())
    """
    run = run_script(book, lines)
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 1
    assert errors.splitlines()[-1].startswith(f"the book is not built: cannot write {chapter} (File too large)")
    assert chapter.read_bytes() == before
    assert list((book / "book").glob(".*")) == []


def test_a_locale_without_the_signs_changes_no_byte(book: Path) -> None:
    (book / "book/finetune.ipynb").unlink()
    chapter = write_chapter(book, "dann", "# σ ≥ 1, 迁移学习\nprint('σ ≥ 1, 迁移学习')")
    run = run_script(
        book,
        "assert build_book.execute_stale(book) == []\nassert build_book.write_outputs(book) == 0",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
        LC_ALL="POSIX",
    )
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 0, errors
    cell = json.loads(chapter.read_bytes().decode("utf-8"))["cells"][2]
    assert cell["source"][0] == "# σ ≥ 1, 迁移学习\n"
    assert cell["outputs"][0]["text"] == ["σ ≥ 1, 迁移学习\n"]


def test_an_address_gives_links_to_colab_and_to_a_hub(book: Path) -> None:
    source = book / "source"
    (source / "book").mkdir(parents=True)
    shutil.copy(book / "book/dann.ipynb", source / "book")
    (source / "_toc.yml").write_text("format: jb-book\nroot: book/dann\n")
    config = build_book.configuration(ROOT)
    config["repository"]["url"] = "https://github.com/someone/tlbook"
    config["launch_buttons"]["jupyterhub_url"] = "https://hub.example.org"
    del config["logo"], config["html"]["favicon"]
    del config["sphinx"]["config"]["html_static_path"]
    (source / "_config.yml").write_text(yaml.safe_dump(config))
    command = [Path(sys.executable).with_name("jupyter-book"), "build", source, "--path-output", book, "--quiet"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True)
    page = BeautifulSoup((book / "_build/html/book/dann.html").read_text(encoding="utf-8"), "html.parser")
    launched = [link["href"] for link in page.select(".dropdown-launch-buttons a")]
    assert launched == [
        "https://hub.example.org/hub/user-redirect/git-pull?repo=https%3A//github.com/someone/tlbook"
        "&urlpath=lab/tree/tlbook/book/dann.ipynb&branch=main",
        "https://colab.research.google.com/github/someone/tlbook/blob/main/book/dann.ipynb",
    ]
