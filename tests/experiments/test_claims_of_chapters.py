"""No claim of a chapter holds without its record: the cells that read records are run with none, with one seed, with
all."""

import ast
import json
import re
import shutil
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import nbformat
import pytest

from tlbook import experiments

ROOT = Path(__file__).resolve().parents[2]
READS = re.compile(r"\bexperiments\.(read|table)\(")
CHAPTERS = [path for path in sorted((ROOT / "book").glob("*.ipynb")) if READS.search(path.read_text(encoding="utf-8"))]


def recorded_cells(chapter: Path) -> tuple[list[str], list[str]]:
    """The set-up of a chapter, and the cells that read records or use what was read from them."""
    code = [cell for cell in nbformat.read(chapter, as_version=4).cells if cell.cell_type == "code"]
    setup = [cell.source for cell in code[:3] if re.match(r"(import|from) ", cell.source) or _tagged(cell)]
    found, known = [], set[str]()
    for cell in code:
        tree = ast.parse(cell.source)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        if READS.search(cell.source) or used & known:
            found.append(cell.source)
            known |= _assigned(tree)
        else:
            known -= _assigned(tree)
    return setup, found


def _tagged(cell: Any) -> bool:
    return bool({"parameters", "setup"} & set(cell.metadata.get("tags", [])))


def _assigned(tree: ast.Module) -> set[str]:
    """The names that a cell gives to a value at its own level, and to functions."""
    functions = (ast.FunctionDef, ast.ClassDef)
    own = [node for statement in tree.body if not isinstance(statement, functions) for node in ast.walk(statement)]
    names = {node.id for node in own if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return names | {statement.name for statement in tree.body if isinstance(statement, functions)}


def said(chapter: Path, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What these cells print where only these results are there."""
    monkeypatch.setattr(experiments.records, "results_folder", lambda: results)
    matplotlib.use("agg")
    setup, cells = recorded_cells(chapter)
    names: dict[str, Any] = {}
    for source in [*setup, *cells]:
        exec(compile(source, chapter.stem, "exec"), names)
    plt.close("all")
    return capsys.readouterr().out


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_without_a_record_no_claim_holds(
    chapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = said(chapter, tmp_path, monkeypatch, capsys)
    assert "claim not checked: not yet run (" in out
    assert "claim holds" not in out


def test_with_one_seed_of_several_no_claim_holds(
    chapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (ROOT / "book" / "results").glob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        first = content["seeds"][:1]
        cut = content | {"seeds": first, "mean": first[0]["accuracy"], "sd": None}
        (tmp_path / path.name).write_text(json.dumps(cut), encoding="utf-8")
    out = said(chapter, tmp_path, monkeypatch, capsys)
    assert re.search(r"claim not checked: not yet run \([^)]*, 1 of \d+ ", out)
    assert "claim holds" not in out


def test_with_the_books_records_every_claim_holds(
    chapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "book" / "results", tmp_path / "results")
    out = said(chapter, tmp_path / "results", monkeypatch, capsys)
    assert "claim holds: " in out
    assert "not checked" not in out


def test_every_claim_about_a_record_is_among_these() -> None:
    assert len(CHAPTERS) == 10
    assert {path.stem for path in (ROOT / "book").glob("*.ipynb") if "experiments." in path.read_text()} >= {
        path.stem for path in CHAPTERS
    }
    for path in CHAPTERS:
        setup, cells = recorded_cells(path)
        whole = "".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code")
        assert "is None or" not in whole
        assert any("claim(" in source for source in cells)
        assert any(re.search(r"^seed = ", source, re.MULTILINE) for source in setup)
        assert any("from tlbook import" in source for source in setup)
