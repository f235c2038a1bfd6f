"""What every chapter keeps to, so that it reads right in JupyterLab, on GitHub, in Colab and in the book."""

import re
from collections.abc import Iterator

import nbformat

LONGEST_CELL = 20
OPENINGS = (
    "What you will be able to do",
    "When it fails",
    "At the paper's scale",
    "Exercises",
    "What you can do now",
    "Further reading",
)

NOT_PORTABLE = {
    r"^\s*:{3,}": "a directive (:::)",
    r"^\s*[`~]{3,}\s*\{": "a directive (```{…})",
    r"\{[a-z][\w:+-]*\}`": "a role ({…}`…`)",
    r"^\([\w-]+\)=\s*$": "a target ((…)=)",
    r"\\\(|\\\[": "mathematics in \\( or \\[ instead of dollars",
    r"(?i)<(script|iframe|style|img|link)\b": "raw HTML",
    r"!\[[^\]]*\]\(\s*(https?:|//|attachment:)": "a picture from elsewhere",
}
TYPED = re.compile(r"\d\s*(?:\\?%|per\s?cent|percentage points)|(?<![\d.])0\.\d\d+")
FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1`*\s*$", re.MULTILINE | re.DOTALL)
FORMULA = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL)
HEADING = re.compile(r"^(#{1,6}) +(.+?)\s*$", re.MULTILINE)


def violations(notebook: nbformat.NotebookNode, back_matter: bool = False) -> list[str]:
    """What a chapter does that it must not, each in a line that says where; empty for a good one.

    A page of the back matter has the title and the cost box, and no exercises or other sections that every chapter has.
    """
    return [
        *_markdown(notebook.cells),
        *_top(notebook.cells),
        *([] if back_matter else _skeleton(notebook.cells)),
        *_headings(notebook.cells),
        *_code(notebook.cells),
    ]


def _prose(cell: nbformat.NotebookNode) -> str:
    return FENCE.sub("", cell.source)


def _markdown(cells: list[nbformat.NotebookNode]) -> Iterator[str]:
    for number, cell in enumerate(cells, 1):
        if cell.cell_type != "markdown":
            continue
        for pattern, name in NOT_PORTABLE.items():
            if re.search(pattern, cell.source, re.MULTILINE):
                yield f"cell {number}: {name} is not portable Markdown"
        without_formulas = FORMULA.sub("", _prose(cell))
        if r"\begin{" in without_formulas:
            yield f"cell {number}: a \\begin{{…}} outside dollars is not portable Markdown"
        for formula in FORMULA.findall(_prose(cell)):
            if r"\tag{" in formula and r"\\" in formula:
                yield f"cell {number}: a number (\\tag) beside a line break (\\\\) is an error in the book: split it"
        words = re.sub(r"`[^`]*`|\]\([^)]*\)", "", without_formulas)
        found = TYPED.search(words)
        if found and number > 1:
            yield f"cell {number}: {found.group()!r} is typed into prose: compute it, or say more, half, hardly"


def _top(cells: list[nbformat.NotebookNode]) -> Iterator[str]:
    first = cells[0]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        yield "cell 1: expected the title"
    if "\n>" not in first.source:
        yield "cell 1: expected the cost box, a quotation (>), under the title"


def _skeleton(cells: list[nbformat.NotebookNode]) -> Iterator[str]:
    text = "\n\n".join(_prose(cell) for cell in cells if cell.cell_type == "markdown")
    titles = [title for marks, title in HEADING.findall(text) if len(marks) == 2]
    positions = [next((i for i, t in enumerate(titles) if t.startswith(opening)), None) for opening in OPENINGS]
    for opening, position in zip(OPENINGS, positions, strict=True):
        if position is None:
            yield f"expected a section (##) whose title starts with {opening!r}"
    there = [position for position in positions if position is not None]
    if there != sorted(there):
        yield f"expected the sections in the order {', '.join(OPENINGS)}"


def _headings(cells: list[nbformat.NotebookNode]) -> Iterator[str]:
    level = 0
    for number, cell in enumerate(cells, 1):
        if cell.cell_type == "markdown":
            for marks, title in HEADING.findall(_prose(cell)):
                if len(marks) == 1 and level:
                    yield f"cell {number}: {title!r} is a second title (#)"
                if len(marks) > level + 1:
                    yield f"cell {number}: {title!r} skips a heading level"
                level = len(marks)


def _code(cells: list[nbformat.NotebookNode]) -> Iterator[str]:
    code = [(number, cell) for number, cell in enumerate(cells, 1) if cell.cell_type == "code"]
    for number, cell in code:
        lines, tags = len(cell.source.splitlines()), cell.metadata.get("tags", [])
        if lines > LONGEST_CELL:
            yield f"cell {number}: {lines} lines of code, expected at most {LONGEST_CELL}"
        if cell.source.count("plots.show(") > 1:
            yield f"cell {number}: two figures, expected one a cell: the book describes one"
        if "claim(" in cell.source and "nbval-ignore-output" in tags:
            yield f"cell {number}: a claim whose line is not compared: take away the tag nbval-ignore-output"
    if not any(re.search(r"\bclaim\(", cell.source) for _, cell in code):
        yield "expected a claim(…)"
    parameters = [cell for _, cell in code if "parameters" in cell.metadata.get("tags", [])]
    if len(parameters) != 1 or not re.search(r"^seed = \d+$", parameters[0].source, re.MULTILINE):
        yield "expected one cell tagged 'parameters', with a line such as seed = 0"
