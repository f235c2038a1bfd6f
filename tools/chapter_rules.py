"""What every chapter keeps to, so that it reads right in JupyterLab, on GitHub, in Colab and in the book."""

import ast
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from statistics import median
from typing import TypeGuard

import nbformat
import yaml

LONGEST_CELL = 20
COLUMNS = 79
MEDIAN_CELL = 6  # lines of code in the open
OPEN_CLAIMS = 4  # in a section; further ones stand in also_checked
DIAGRAMS = 2
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


def book_violations(root: Path) -> list[str]:
    """What the chapters of the book do that they must not, each in a line that names chapter and cell."""
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    back_matter = {Path(page["file"]).name for page in contents["parts"][-1]["chapters"]}
    found = []
    for chapter in sorted((root / "book").glob("*.ipynb")):
        wrong = violations(nbformat.read(chapter, as_version=4), back_matter=chapter.stem in back_matter)
        found += [f"{chapter.stem}: {line}" for line in wrong]
    return found


def violations(notebook: nbformat.NotebookNode, back_matter: bool = False) -> list[str]:
    """What a chapter does that it must not, each in a line that says where; empty for a good one.

    Args:
        notebook: the chapter.
        back_matter: whether it is a page of the back matter: it has a title and a cost box in the place of a first
            screen, and need not have the sections, diagrams and exercises of a chapter.
    """
    everywhere = [*_markdown(notebook.cells), *_headings(notebook.cells), *_code(notebook.cells)]
    if back_matter:
        return [*_top(notebook.cells), *everywhere]
    own = (_first_screen, _skeleton, _open_code, _claims, _exercises)
    return [*everywhere, *(line for rule in own for line in rule(notebook.cells))]


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


def _tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _first_screen(cells: list[nbformat.NotebookNode]) -> Iterator[str]:
    """Title and question; the set-up, which the page shows folded after the answer; one picture; the answer."""
    first, rest = cells[0], cells[1:]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        yield "cell 1: expected the title"
    if "?" not in first.source or len(first.source.split()) > 60:
        yield "cell 1: expected the title and the question, in at most 60 words"
    setup = len(list(takewhile(lambda cell: "setup" in _tags(cell), rest)))
    if not setup:
        yield "cell 2: expected the set-up, in cells tagged 'setup' and 'hide-input'"
    picture, answer = (rest[setup : setup + 2] + [nbformat.v4.new_markdown_cell()] * 2)[:2]
    if picture.cell_type != "code" or "plots.show(" not in picture.source:
        yield f"cell {setup + 2}: expected the picture that shows the failure or the idea"
    if answer.cell_type != "markdown" or answer.source.startswith("#") or not 5 <= len(answer.source.split()) <= 60:
        yield f"cell {setup + 3}: expected the answer, in at most 60 words"


def _open_code(cells: list[nbformat.NotebookNode]) -> Iterator[str]:
    """What is visible is the method; what draws, claims and sets up is folded, under a line that says what it does."""
    lengths = []
    for number, cell in enumerate(cells, 1):
        if cell.cell_type != "code":
            continue
        lines = cell.source.splitlines()
        for place, line in enumerate(lines, 1):
            if len(line) > COLUMNS:
                yield f"cell {number}: line {place} has {len(line)} columns, expected at most {COLUMNS}"
        folded = "hide-input" in _tags(cell)
        draws = [word for word in ("plots.", "claim(", "also_checked(") if word in cell.source]
        if draws and not folded:
            yield f"cell {number}: {draws[0]} in the open: expected the tag 'hide-input'"
        if folded and not re.match(r"# \S", cell.source):
            yield f"cell {number}: folded without a word: expected a first line such as '# Draw both clouds'"
        if not folded:
            lengths.append(len(lines))
    if lengths and median(lengths) > MEDIAN_CELL:
        yield f"the median cell has {median(lengths):g} lines in the open, expected at most {MEDIAN_CELL}"
    diagrams = sum("plots.diagram(" in cell.source for cell in cells if cell.cell_type == "code")
    if diagrams < DIAGRAMS:
        yield f"{diagrams} diagrams (plots.diagram), expected at least {DIAGRAMS}"


NUMBER = re.compile(
    r"(?<![\w.,−-])\d+(?:\.\d+)?(?![\w-])(?!\))|\b(?:two|three|four|five|six|seven|eight|nine|ten|twelve|fifteen|twenty|"
    r"thirty|hundred)\s+(?:points?|times|per ?cent)\b|\b(?:a|one) (?:third|quarter|fifth|tenth)\b"
)
NAMED = re.compile(r"equations? \d+|[A-Za-zλαβρμTt]\w* = [\d.]+|=\s*\d+")


def _claims(cells: list[nbformat.NotebookNode]) -> Iterator[str]:
    """A claim's sentence holds no number, which is the bound's to say; in a section few stand in the open."""
    section, count = "the first section", 0
    for number, cell in enumerate(cells, 1):
        if cell.cell_type == "markdown":
            for _, title in HEADING.findall(_prose(cell)):
                section, count = repr(title), 0
            continue
        tree = ast.parse(cell.source)
        count += open_claims(tree)
        for call in filter(_claims_something, ast.walk(tree)):
            sentence = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else ""
            if typed := NUMBER.search(NAMED.sub("", str(sentence))):
                yield f"cell {number}: the claim {sentence!r:.50} says {typed.group()!r}: leave the number to its bound"
        if count > OPEN_CLAIMS:
            yield f"cell {number}: {count} claims in the open in {section}, expected {OPEN_CLAIMS}: use also_checked()"
            count = 0


def open_claims(tree: ast.AST) -> int:
    """How many calls of ``claim`` in a piece of code stand in no ``with also_checked()``."""
    if isinstance(tree, ast.With) and "also_checked" in ast.dump(tree.items[0].context_expr):
        return 0
    return _claims_something(tree) + sum(map(open_claims, ast.iter_child_nodes(tree)))


def _claims_something(node: ast.AST) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "claim"


def _exercises(cells: list[nbformat.NotebookNode]) -> Iterator[str]:
    """Each exercise but an open one has a hint, a check, and a folded solution that the check finds right."""
    title, parts = "", {}
    for number, cell in enumerate([*cells, nbformat.v4.new_markdown_cell("## The end")], 1):
        heads = HEADING.findall(_prose(cell)) if cell.cell_type == "markdown" else []
        if heads:
            if title and "open" not in title.casefold():
                yield from (f"cell {at}: {title!r} has no {part}" for part, (there, at) in parts.items() if not there)
            title = next((head for _, head in heads if head.startswith("Exercise ")), "")
            parts = dict.fromkeys(("hint", "check", "solution"), (False, number))
        if title:
            code, solution = cell.cell_type == "code", "solution" in _tags(cell)
            found = {
                "hint": "<summary>Hint" in cell.source,
                "check": code and not solution and "exercises." in cell.source,
                "solution": code and solution and "exercises." in cell.source,
            }
            if solution and not cell.metadata.get("jupyter", {}).get("source_hidden"):
                yield f"cell {number}: a solution that lies open in JupyterLab: expected jupyter.source_hidden"
            parts = {part: (there or found[part], at) for part, (there, at) in parts.items()}
