"""Each rule lets a good chapter pass and catches a bad one."""

from collections.abc import Callable

import pytest
from nbformat import NotebookNode, v4

from tools.chapter_rules import OPENINGS, violations


def page() -> NotebookNode:
    cells = [
        v4.new_markdown_cell("# Title\n\n> **Cost.** 20 s; 50 % of them for the data."),
        v4.new_markdown_cell("## Measure\n\n```\n# not a heading\n```\n\n### Small"),
        v4.new_code_cell("from tlbook import claim"),
        v4.new_code_cell("seed = 0", metadata={"tags": ["parameters"]}),
        v4.new_markdown_cell("$$a_{0.25} = \\begin{cases}1\\end{cases} \\tag{1}$$ and `x = 0.25`, [p](a_0.25.html)."),
        v4.new_code_cell('claim("one is more than none", 1 > 0)'),
    ]
    return v4.new_notebook(cells=cells)


def prose(text: str) -> Callable[[NotebookNode], object]:
    return lambda notebook: notebook.cells.insert(4, v4.new_markdown_cell(text))


def code(text: str, *tags: str) -> Callable[[NotebookNode], object]:
    return lambda notebook: notebook.cells.insert(4, v4.new_code_cell(text, metadata={"tags": list(tags)}))


def test_a_good_page_of_the_back_matter_passes_and_is_no_chapter() -> None:
    assert violations(page(), back_matter=True) == []
    assert violations(page())


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
        (lambda notebook: notebook.cells.pop(0), "expected the title"),
        (lambda notebook: notebook.cells[0].update(source="# Title"), "cost box"),
    ],
)
def test_a_spoilt_page_is_caught(spoil: Callable[[NotebookNode], object], message: str) -> None:
    notebook = page()
    spoil(notebook)
    assert any(message in line for line in violations(notebook, back_matter=True)), violations(notebook, True)


def hidden(source: str, *tags: str) -> NotebookNode:
    return v4.new_code_cell(source, metadata={"tags": ["hide-input", *tags]})


def solution(source: str) -> NotebookNode:
    return v4.new_code_cell(source, metadata={"tags": ["hide-input", "solution"], "jupyter": {"source_hidden": True}})


def chapter() -> NotebookNode:
    diagram = "fig = plots.diagram(boxes)\nplots.show(fig, alt='boxes')"
    cells = [
        v4.new_markdown_cell("# Title\n\nWhat has to change?"),
        hidden("# Set-up: half a minute\nfrom tlbook import claim\nseed = 0", "setup", "parameters"),
        hidden("# Draw the failure\nplots.show(fig, alt='rows of digits')"),
        v4.new_markdown_cell("Train the features to fool a classifier that guesses the domain."),
        v4.new_markdown_cell(f"## {OPENINGS[0]}\n\n- measure"),
        v4.new_code_cell("loss = features.sum()"),
        hidden(f"# Draw the players\n{diagram}"),
        hidden(f"# Draw a GAN beside them\n{diagram}"),
        hidden("# State what was found\nclaim('with λ = 0 equation 2 reads less', gain, above=0.1)"),
        *[v4.new_markdown_cell(f"## {opening}") for opening in OPENINGS[1:4]],
        v4.new_markdown_cell(
            "### Exercise 1: the sign\n\nWrite it.\n\n<details><summary>Hint</summary>\n\nx\n\n</details>"
        ),
        v4.new_code_cell("exercises.dann.the_sign(reverse)"),
        solution("# Solution\nexercises.dann.the_sign(solution)"),
        v4.new_markdown_cell("### Exercise 2, open: λ without labels\n\nTry."),
        *[v4.new_markdown_cell(f"## {opening}") for opening in OPENINGS[4:]],
    ]
    return v4.new_notebook(cells=cells)


def at(number: int, cell: NotebookNode) -> Callable[[NotebookNode], object]:
    return lambda notebook: notebook.cells.insert(number, cell)


def test_a_good_chapter_passes() -> None:
    assert violations(chapter()) == []


CLAIMS = "\n".join(["claim('a', 1, above=0)"] * 5)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda n: n.cells[0].update(source="# Title"), "cell 1: expected the title and the question"),
        (lambda n: n.cells[0].update(source="# Title\n\n" + "word " * 60 + "?"), "in at most 60 words"),
        (lambda n: n.cells.pop(1), "cell 2: expected the set-up"),
        (lambda n: n.cells.pop(4), "What you will be able to do"),
        (lambda n: n.cells.insert(4, n.cells.pop()), "in the order"),
        (lambda n: n.cells.pop(2), "cell 3: expected the picture"),
        (lambda n: n.cells.pop(3), "cell 4: expected the answer"),
        (at(5, v4.new_code_cell("x = 1  " + "#" * 80)), "cell 6: line 1 has 87 columns"),
        (at(5, v4.new_code_cell("claim('a', 1, above=0)")), "cell 6: claim( in the open"),
        (at(5, v4.new_code_cell("fig, ax = plots.figure()")), "cell 6: plots. in the open"),
        (at(5, hidden("plots.figure()")), "cell 6: folded without a word"),
        (lambda n: n.cells[5].update(source="\n".join(["x = 1"] * 14)), "the median cell has 7.5 lines"),
        (lambda n: n.cells.pop(6), "1 diagrams"),
        (at(5, hidden("# State\nclaim('it beats it by ten points', 1, above=0)")), "says 'ten points'"),
        (at(5, hidden("# State\nclaim('it reads 0.3 more', 1, above=0)")), "says '0.3'"),
        (at(5, hidden("# State\nclaim('a quarter is lost', 1, above=0)")), "says 'a quarter'"),
        (at(5, hidden(f"# State\n{CLAIMS}")), "cell 6: 5 claims in the open in 'What you will be able to do'"),
        (
            lambda n: n.cells[12].update(source="### Exercise 1: the sign\n\nWrite it."),
            "'Exercise 1: the sign' has no hint",
        ),
        (lambda n: n.cells.pop(13), "'Exercise 1: the sign' has no check"),
        (lambda n: n.cells.pop(14), "'Exercise 1: the sign' has no solution"),
        (lambda n: n.cells[14].metadata.pop("jupyter"), "cell 15: a solution that lies open in JupyterLab"),
    ],
)
def test_a_spoilt_chapter_is_caught(spoil: Callable[[NotebookNode], object], message: str) -> None:
    notebook = chapter()
    spoil(notebook)
    assert any(message in line for line in violations(notebook)), violations(notebook)


def test_claims_in_a_fold_are_not_in_the_open() -> None:
    notebook = chapter()
    fold = "\n".join(f"    {line}" for line in CLAIMS.splitlines())
    notebook.cells.insert(5, hidden(f"# Check further\nwith also_checked():\n{fold}"))
    assert violations(notebook) == []
