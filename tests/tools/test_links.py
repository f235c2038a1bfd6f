"""Prose gets its links at the build: equations, citations, terms, names; a dead one stops it with chapter and cell."""

from pathlib import Path

import nbformat
import pytest
from nbformat import v4

from tools import links

REFERENCES = """# References

- S. Ben-David and J. Wortman Vaughan, *A theory of learning*, Machine Learning 79, 151–175, 2010.
- S. Ben-David and D. Pál, *Impossibility theorems*, AISTATS 2010.
- Y. Ganin, E. Ustinova and V. Lempitsky, *Domain-adversarial training of neural networks*, JMLR 17(59), 2016,
  [arXiv 1505.07818](https://arxiv.org/abs/1505.07818).
- Z. Cao, M. Long and J. Wang, *Partial transfer learning*, CVPR 2018; longer in 2020.
- Z. Cao, L. Ma and J. Wang, *Partial adversarial domain adaptation*, ECCV 2018.
"""
GLOSSARY = """# Glossary

## Foundations

- **target**, 目标域: where a model is needed.
- **negative transfer**, 负迁移: harm.

## Aligning

- **view**, 视图: an image after a change.
- **seen, unseen class**, 可见类: with and without examples.
- **maximum mean discrepancy (MMD)**, 最大均值差异: a distance.
"""
TOC = """
parts:
- caption: Foundations
  chapters: [{file: book/theory}]
- caption: Aligning
  chapters: [{file: book/dann}]
"""
CODE = "from tlbook import fit, nets\nsize = 3"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "book/references.md": REFERENCES,
        "book/glossary.md": GLOSSARY,
        "book/theory.ipynb": "",
        "_toc.yml": TOC,
        "tlbook/__init__.py": "",
        "tlbook/__init__.pyi": "from .train import fit as fit\n",
        "tlbook/train.py": '__all__ = ["fit"]\ndef fit(): ...',
        "tlbook/nets.py": '__all__ = ["Pixels", "mlp", "size"]',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def linked(root: Path, *prose: str, chapter: str = "dann") -> list[str]:
    cells = [v4.new_markdown_cell("# Title"), v4.new_code_cell(CODE), *map(v4.new_markdown_cell, prose)]
    notebook = v4.new_notebook(cells=cells)
    links.Book(root).link(notebook, chapter)
    return [cell.source for cell in notebook.cells[2:]]


def test_an_equation_gets_an_anchor_and_its_mentions_links(root: Path) -> None:
    formula, prose = linked(
        root, "So\n\n$$a = b. \\tag{1}$$\n\nand\n\n> $$c\n> = d \\tag{2}$$", "By eq. 1, equations 1 and 2"
    )
    assert "\n\n(eq-dann-1)=\n$$a = b. \\tag{1}$$" in formula
    assert "\n\n> (eq-dann-2)=\n> $$c\n> = d" in formula
    assert prose == "By [eq. 1](#eq-dann-1), equations [1](#eq-dann-1) and [2](#eq-dann-2)"


def test_the_equation_of_a_paper_is_not_this_page_s(root: Path) -> None:
    text = "It is 2 (Ganin et al., 2016, equation 9), the paper's equation 3"
    assert linked(root, text) == [text.replace("Ganin et al., 2016", "[Ganin et al., 2016](#ref-ganin-2016)")]


def test_an_unknown_or_doubled_equation_stops_the_build(root: Path) -> None:
    with pytest.raises(
        links.BadLink, match=r"chapter 'dann', cell 4: 'equation 7' is not on this page, expected one of 1"
    ):
        linked(root, "$$a \\tag{1}$$", "see equation 7")
    with pytest.raises(links.BadLink, match=r"chapter 'dann': 2 formulas have the number 1"):
        linked(root, "$$a \\tag{1}$$", "$$b \\tag{1}$$")


def test_citations_lead_to_their_entries(root: Path) -> None:
    (prose,) = linked(root, "DANN (Ganin et al., JMLR 2016), PADA (Cao, Ma and Wang, 2018), Cao, Long and Wang (2018)")
    assert prose == (
        "DANN ([Ganin et al., JMLR 2016](#ref-ganin-2016)), PADA ([Cao, Ma and Wang, 2018](#ref-cao-2018-2)), "
        "[Cao, Long and Wang (2018)](#ref-cao-2018)"
    )


def test_of_two_entries_alike_the_chapter_s_reading_decides(root: Path) -> None:
    reading = "## Further reading\n\n- S. Ben-David and D. Pál: *Impossibility theorems*, AISTATS 2010. Why."
    prose, read = linked(root, "as Ben-David and co-authors (2010) say", reading)
    assert prose == "as [Ben-David and co-authors (2010)](#ref-ben-david-2010-2) say"
    assert "[*Impossibility theorems*](#ref-ben-david-2010-2), AISTATS" in read


@pytest.mark.parametrize(
    "text", ["by Nobody et al., 2016", "by Ganin et al., 2013", "- N. Body: *A paper of ours*, 2016."]
)
def test_a_citation_without_an_entry_stops_the_build(root: Path, text: str) -> None:
    with pytest.raises(links.BadLink, match=r"chapter 'dann', cell 3: .*book/references.md"):
        linked(root, text)


def test_terms_link_at_their_first_use_where_they_belong(root: Path) -> None:
    first, second = linked(root, "## The target\n\nTwo views of a *target*.", "A target, unseen classes; MMD and MMD.")
    assert first == "## The target\n\nTwo [views](#term-view) of a *[target](#term-target)*."
    mmd = "[MMD](#term-maximum-mean-discrepancy-mmd)"
    assert second == f"A target, [unseen classes](#term-seen); {mmd} and MMD."
    assert linked(root, "in view of $target$, `target`", chapter="theory") == ["in view of $target$, `target`"]


def test_the_line_that_opens_a_fold_is_left_alone(root: Path) -> None:
    fold = "<details><summary>From the notes: the target</summary>\n\nx\n\n</details>"
    assert linked(root, fold) == [fold]


def test_code_names_lead_to_the_reference_by_the_chapter_s_imports(root: Path) -> None:
    (prose,) = linked(root, "`fit`, `nets.mlp`, `Pixels`, `size`, `x`, `tlbook.nets`, `jda.py`\n\n```\nfit\n```")
    assert prose == (
        "{py:obj}`fit <tlbook.train.fit>`, {py:obj}`nets.mlp <tlbook.nets.mlp>`, "
        "{py:obj}`Pixels <tlbook.nets.Pixels>`, "
        "`size`, `x`, {py:obj}`tlbook.nets <tlbook.nets>`, `jda.py`\n\n```\nfit\n```"
    )


def test_a_dead_link_stops_the_build(root: Path) -> None:
    assert linked(root, "[theory](theory.ipynb), [a](https://a.org)") == ["[theory](theory.ipynb), [a](https://a.org)"]
    with pytest.raises(links.BadLink, match=r"chapter 'dann', cell 4: no page 'adda.ipynb' in book/"):
        linked(root, "text", "[ADDA](adda.ipynb#top)")


def test_entries_and_terms_have_the_anchors_that_the_links_name() -> None:
    page = links.anchor_references(REFERENCES)
    assert all(f"- ({reference.label})=\n  " in page for reference in links.references(REFERENCES))
    glossary = links.anchor_terms(GLOSSARY)
    assert all(f"- ({term.label})=\n  **" in glossary for term in links.terms(GLOSSARY, TOC))


def test_every_chapter_of_the_book_can_be_linked() -> None:
    root = Path(__file__).parents[2]
    book = links.Book(root)
    for chapter in sorted((root / "book").glob("*.ipynb")):
        book.link(nbformat.read(chapter, as_version=4), chapter.stem)
