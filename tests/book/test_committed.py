"""The chapters as they are committed."""

from pathlib import Path

import nbformat
import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from tools.chapter_rules import book_violations
from tools.notebook_filter import LIMIT, dumps, filtered

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
BACK_MATTER = {
    Path(page["file"]).name for page in yaml.safe_load((ROOT / "_toc.yml").read_text())["parts"][-1]["chapters"]
}
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.stem)


def test_the_chapters_keep_the_rules() -> None:
    found = book_violations(ROOT)
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


@pytest.mark.parametrize(
    "chapter", [c for c in CHAPTERS if c.stem not in BACK_MATTER], ids=lambda chapter: chapter.stem
)
def test_what_a_chapter_recommends_is_in_the_references(chapter: Path) -> None:
    cells = nbformat.read(chapter, as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    reading = MarkdownIt().parse(text.partition("## Further reading")[2])
    emphasised = [_emphasised(token.children) for token in reading if token.type == "inline"]
    titles = {title.rstrip(".?").casefold() for found in emphasised for title in found if title.count(" ") > 1}
    references = " ".join((chapter.parent / "references.md").read_text().split()).casefold()
    assert titles
    assert not [title for title in titles if title not in references]


def _emphasised(tokens: list[Token]) -> list[str]:
    """What stands between single asterisks."""
    starts = [place for place, token in enumerate(tokens) if token.type == "em_open"]
    ends = [place for place, token in enumerate(tokens) if token.type == "em_close"]
    pairs = zip(starts, ends, strict=True)
    return ["".join(token.content or " " for token in tokens[start + 1 : end]) for start, end in pairs]
