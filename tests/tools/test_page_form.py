"""On its way to the page a chapter gets its figures as files, words on its folds, and the number of its claims."""

import base64
import re
from pathlib import Path

from nbformat import NotebookNode, v4

from tools.page_form import claims, claims_page, paged

LIGHT, DARK = (base64.b64encode(content).decode() for content in (b"light", b"dark"))


def chapter(*cells: NotebookNode) -> NotebookNode:
    return v4.new_notebook(cells=[v4.new_markdown_cell("# Title\n\n> cost"), *cells])


def code(source: str, *outputs: NotebookNode, tags: tuple[str, ...] = ()) -> NotebookNode:
    return v4.new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags)})


def said(*lines: str) -> NotebookNode:
    return v4.new_output("display_data", {"text/plain": "\n".join(lines), "text/html": "<p>"})


def test_a_figure_becomes_two_files_of_which_the_theme_shows_one(tmp_path: Path) -> None:
    metadata = {"image/png": {"alt": 'a "line" < 2', "width": 517, "height": 374, "dark": DARK}}
    picture = v4.new_output("display_data", {"image/png": LIGHT, "text/plain": "a line"}, metadata=metadata)
    notebook = chapter(code("show()", picture))
    paged(notebook, "dann", tmp_path)
    html = notebook.cells[1].outputs[0].data["text/html"]
    found = re.findall(r'class="figure only-(\w+)" src="\.\./([^"]+)" alt="([^"]+)" width="517" height="374"', html)
    assert [theme for theme, _, _ in found] == ["light", "dark"]
    assert {alt for _, _, alt in found} == {"a &quot;line&quot; &lt; 2"}
    assert [(tmp_path / file).read_bytes() for _, file, _ in found] == [b"light", b"dark"]
    assert "image/png" not in notebook.cells[1].outputs[0].data


def test_a_picture_of_one_version_is_shown_on_both(tmp_path: Path) -> None:
    notebook = chapter(code("show()", v4.new_output("display_data", {"image/png": LIGHT})))
    paged(notebook, "dann", tmp_path)
    assert notebook.cells[1].outputs[0].data["text/html"].count("dann-") == 2


def test_folded_code_is_opened_by_its_first_comment(tmp_path: Path) -> None:
    cells = [
        code("# Draw both clouds\nplot()", tags=("hide-input",)),
        code("# in the open\nfit()"),
        code("plot()", tags=("hide-input",)),
    ]
    notebook = chapter(*cells)
    paged(notebook, "dann", tmp_path)
    prompts = [cell.metadata.get("mystnb", {}).get("code_prompt_show") for cell in notebook.cells[1:]]
    assert prompts == ["Draw both clouds", None, None]


def test_a_page_ends_with_the_number_of_its_claims(tmp_path: Path) -> None:
    fold = said("What else was checked:", "claim holds: c")
    stream = v4.new_output("stream", text="claim holds: a [0.140, above 0.1]\nnot a claim: x\n")
    notebook = chapter(code("claim()", stream, said("claim not checked: not yet run (r): b")), code("more()", fold))
    assert claims(notebook) == [
        ("holds", "a", "0.140, above 0.1"),
        ("not checked", "not yet run (r): b", ""),
        ("holds", "c", ""),
    ]
    paged(notebook, "dann", tmp_path)
    assert "states 3 findings" in notebook.cells[-1].source
    assert "(#claims-dann)" in notebook.cells[-1].source


def test_a_chapter_without_claims_has_no_foot(tmp_path: Path) -> None:
    notebook = chapter(code("1"))
    paged(notebook, "dann", tmp_path)
    assert len(notebook.cells) == 2


def test_the_list_of_claims_names_each_with_its_measure() -> None:
    page = claims_page({"dann": chapter(code("claim()", said("claim holds: f_s < f_t [0.1, above 0]")))})
    assert page.startswith("(claims-dann)=\n\n## [Title](dann.ipynb)")
    assert "- ✓ f\\_s \\< f\\_t <small>0.1, above 0</small>" in page
