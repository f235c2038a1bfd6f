"""What an executed chapter becomes on its way to its page: figures in two versions, words on what is folded, a foot."""

import base64
import hashlib
import re
from html import escape
from pathlib import Path

import nbformat

from tlbook.chapters import printed

FIGURES = Path("_static", "figures")  # within the book's folder
COMMENT = re.compile(r"# +(.+)")
CLAIM = re.compile(r"^claim (holds|not checked): (.+?)(?: \[([^\]]*)\])?$", re.MULTILINE)


def paged(notebook: nbformat.NotebookNode, chapter: str, book: Path) -> None:
    """Give a chapter the form in which Sphinx reads it.

    Args:
        notebook: with its outputs; changed in place.
        chapter: its name.
        book: the folder that Sphinx reads, where the pictures are laid down.
    """
    _answer_first(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            _name_fold(cell)
            for number, output in enumerate(cell.outputs):
                if "image/png" in output.get("data", {}):
                    cell.outputs[number] = _figure(output, chapter, book)
    if found := claims(notebook):
        text = f"*This page states {len(found)} findings, each checked by its code: [see the list](#claims-{chapter}).*"
        notebook.cells.append(nbformat.v4.new_markdown_cell(text))


def claims(notebook: nbformat.NotebookNode) -> list[tuple[str, str, str]]:
    """The claims of an executed chapter: the fate, the sentence and what was measured of each."""
    return CLAIM.findall(printed(notebook))


def claims_page(chapters: dict[str, nbformat.NotebookNode]) -> str:
    """The list of all claims, chapter by chapter, as Markdown.

    Args:
        chapters: by their names, each with its outputs.
    """
    parts = []
    for name, notebook in chapters.items():
        found = claims(notebook)
        title = notebook.cells[0].source.partition("\n")[0].removeprefix("# ")
        lines = [f"(claims-{name})=\n\n## [{title}]({name}.ipynb)\n\n{len(found)} claims.\n"]
        for fate, sentence, measured in found:
            sign = "✓" if fate == "holds" else "○ not checked:"
            lines.append(f"- {sign} {_plain(sentence)}" + (f" <small>{_plain(measured)}</small>" if measured else ""))
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Text in which Markdown finds nothing to set."""
    return re.sub(r"([\\`*_{}\[\]<>$#|])", r"\\\1", text)


def _answer_first(notebook: nbformat.NotebookNode) -> None:
    """Show the set-up, which a notebook needs at its top, after the picture and the answer."""
    setup = [cell for cell in notebook.cells if "setup" in cell.metadata.get("tags", [])]
    if setup:
        others = [cell for cell in notebook.cells if cell not in setup]
        answer = next(i for i, cell in enumerate(others) if i and cell.cell_type == "markdown")
        notebook.cells = [*others[: answer + 1], *setup, *others[answer + 1 :]]


def _name_fold(cell: nbformat.NotebookNode) -> None:
    """The line that opens folded code is the comment with which the code begins."""
    comment = COMMENT.match(cell.source)
    if comment and "hide-input" in cell.metadata.get("tags", []):
        cell.metadata.setdefault("mystnb", {}).update(code_prompt_show=comment[1], code_prompt_hide=comment[1])


def _figure(output: nbformat.NotebookNode, chapter: str, book: Path) -> nbformat.NotebookNode:
    """A picture as two files, of which the theme shows one."""
    said = output.get("metadata", {}).get("image/png", {})
    versions = {"light": output.data["image/png"], "dark": said.get("dark", output.data["image/png"])}
    tags = []
    for theme, png in versions.items():
        content = base64.b64decode(png)
        file = book / FIGURES / f"{chapter}-{hashlib.sha256(content).hexdigest()[:12]}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        size = "".join(f' {side}="{said[side]}"' for side in ("width", "height") if side in said)
        source = f"../{(FIGURES / file.name).as_posix()}"
        alt = escape(said.get("alt", ""))
        tags.append(f'<img class="figure only-{theme}" src="{source}" alt="{alt}"{size}>')
    data = {"text/html": "\n".join(tags), "text/plain": output.data.get("text/plain", "")}
    return nbformat.v4.new_output("display_data", data)
