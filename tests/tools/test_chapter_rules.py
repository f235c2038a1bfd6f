"""Each rule lets a good chapter pass and catches a bad one."""

from collections.abc import Callable

import pytest
from nbformat import NotebookNode, v4

from tools.chapter_rules import OPENINGS, violations


def chapter() -> NotebookNode:
    cells = [
        v4.new_markdown_cell("# Title\n\n> **Cost.** 20 s; 50 % of them for the data."),
        v4.new_code_cell("from tlbook import claim"),
        v4.new_code_cell("seed = 0", metadata={"tags": ["parameters"]}),
        v4.new_markdown_cell("$$a_{0.25} = \\begin{cases}1\\end{cases} \\tag{1}$$ and `x = 0.25`, [p](a_0.25.html)."),
        v4.new_code_cell('claim("one is more than none", 1 > 0)'),
        *[v4.new_markdown_cell(f"## {opening}\n\n```\n# not a heading\n```") for opening in OPENINGS[1:]],
    ]
    cells.insert(1, v4.new_markdown_cell(f"## {OPENINGS[0]}\n\n- measure\n\n### Small"))
    return v4.new_notebook(cells=cells)


def prose(text: str) -> Callable[[NotebookNode], object]:
    return lambda notebook: notebook.cells.insert(4, v4.new_markdown_cell(text))


def code(text: str, *tags: str) -> Callable[[NotebookNode], object]:
    return lambda notebook: notebook.cells.insert(4, v4.new_code_cell(text, metadata={"tags": list(tags)}))


def test_a_good_chapter_passes() -> None:
    assert violations(chapter()) == []


def test_a_page_of_the_back_matter_needs_its_top_and_no_exercises() -> None:
    page = chapter()
    page.cells = [cell for cell in page.cells if not cell.source.startswith("##")]
    assert violations(page)
    assert violations(page, back_matter=True) == []
    page.cells[0].source = "# Title"
    assert violations(page, back_matter=True) == ["cell 1: expected the cost box, a quotation (>), under the title"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (prose(":::{note}\nx\n:::"), "directive"),
        (prose("```{figure} a.png\n```"), "directive"),
        (prose("see {cite}`ganin2016`"), "role"),
        (prose("see {ref}`here`"), "role"),
        (prose("(here)=\n## Here"), "target"),
        (prose("so \\(x\\)"), "instead of dollars"),
        (prose("\\begin{align}x\\end{align}"), "outside dollars"),
        (prose("$$\\begin{aligned}x \\\\ y\\end{aligned} \\tag{2}$$"), "split it"),
        (prose('<img src="a.png">'), "raw HTML"),
        (prose("![a](https://example.org/a.png)"), "from elsewhere"),
        (prose("It reaches 97 % there."), "typed into prose"),
        (prose("It reaches 97\\% there."), "typed into prose"),
        (prose("It reaches 0.913 there."), "typed into prose"),
        (prose("# Second"), "second title"),
        (prose("##### Deep"), "skips a heading level"),
        (code("\n".join(["x = 1"] * 21)), "21 lines"),
        (code("plots.show(a, alt='a')\nplots.show(b, alt='b')"), "two figures"),
        (code("claim('x', True)", "nbval-ignore-output"), "not compared"),
        (code("seed = 1", "parameters"), "one cell tagged"),
        (lambda notebook: notebook.cells.pop(3), "one cell tagged"),
        (lambda notebook: notebook.cells.pop(5), "expected a claim"),
        (lambda notebook: notebook.cells.pop(1), "What you will be able to do"),
        (lambda notebook: notebook.cells.insert(2, notebook.cells.pop()), "in the order"),
        (lambda notebook: notebook.cells.pop(0), "expected the title"),
        (lambda notebook: notebook.cells[0].update(source="# Title"), "cost box"),
    ],
)
def test_a_spoilt_chapter_is_caught(spoil: Callable[[NotebookNode], object], message: str) -> None:
    notebook = chapter()
    spoil(notebook)
    assert any(message in line for line in violations(notebook)), violations(notebook)
