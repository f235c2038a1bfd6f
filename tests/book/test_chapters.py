"""The chapters as they are committed."""

from pathlib import Path

import nbformat
import pytest

from tools.chapter_rules import violations
from tools.notebook_filter import LIMIT, dumps, filtered

CHAPTERS = sorted((Path(__file__).parents[2] / "book").glob("*.ipynb"))
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)


@each_chapter
def test_a_chapter_keeps_the_rules(chapter: Path) -> None:
    found = violations(nbformat.read(chapter, as_version=4))
    assert not found, "\n".join(found)


@each_chapter
def test_a_chapter_is_committed_as_the_filter_leaves_it(chapter: Path) -> None:
    text = chapter.read_text()
    clean = dumps(filtered(nbformat.reads(text, as_version=4), chapter.stem))
    assert text == clean, f"run python -m tools.notebook_filter book/{chapter.name}"
    assert len(text.encode()) <= LIMIT


@each_chapter
def test_a_chapter_is_committed_with_what_it_prints(chapter: Path) -> None:
    cells = nbformat.read(chapter, as_version=4).cells
    claims = [cell for cell in cells if cell.cell_type == "code" and cell.source.startswith("claim(")]
    silent = [cell.source for cell in claims if not cell.outputs]
    assert not silent, "run make outputs"
