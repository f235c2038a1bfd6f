"""What is committed of a notebook is what stays the same from run to run."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4

from tools.notebook_filter import LIMIT, Rejected, dumps, filter_file, filtered, main


def cell(*outputs: Any, source: str = "x", **metadata: Any) -> nbformat.NotebookNode:
    return v4.new_code_cell(source, outputs=list(outputs), execution_count=3, metadata=metadata)


def kept(*outputs: Any) -> list[Any]:
    return filtered(v4.new_notebook(cells=[cell(*outputs)]), "a").cells[0].outputs


def test_text_stays() -> None:
    table = v4.new_output("execute_result", {"text/plain": "t", "text/markdown": "| t |"}, execution_count=7)
    out = kept(v4.new_output("stream", name="stdout", text="seen\n"), table)
    assert out[0].text == "seen\n"
    assert out[1].data == {"text/plain": "t", "text/markdown": "| t |"}
    assert out[1].execution_count == 1


def test_a_picture_leaves_its_description() -> None:
    metadata = {"image/png": {"alt": "a line"}}
    out = kept(v4.new_output("display_data", {"image/png": "iVBO", "text/plain": "a line"}, metadata=metadata))
    assert out == [{"output_type": "display_data", "data": {"text/plain": "a line"}, "metadata": {}}]


@pytest.mark.parametrize(
    "output",
    [
        v4.new_output("stream", name="stderr", text="warning"),
        v4.new_output("display_data", {"image/png": "iVBO"}),
        v4.new_output("display_data", {"image/svg+xml": "<svg/>"}),
        v4.new_output(
            "display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "0%"}
        ),
    ],
)
def test_what_changes_or_is_no_text_goes(output: Any) -> None:
    assert kept(output) == []


def test_metadata_is_kept_by_an_allow_list() -> None:
    metadata = {"tags": ["parameters"], "nbgrader": {"grade": True}, "papermill": {"duration": 1}, "collapsed": False}
    notebook = v4.new_notebook(cells=[cell(**metadata)], metadata={"papermill": {}, "widgets": {}})
    result = filtered(notebook, "a")
    assert result.cells[0].metadata == {"tags": ["parameters"], "nbgrader": {"grade": True}}
    assert result.cells[0].execution_count is None
    assert set(result.metadata) == {"kernelspec", "language_info"}
    assert result.metadata.kernelspec.name == "python3"


def test_cells_are_numbered_as_a_fresh_run_numbers_them_where_there_is_any_output() -> None:
    cells = [cell(), v4.new_markdown_cell("a"), cell(v4.new_output("stream", text="1"))]
    assert [c.get("execution_count") for c in filtered(v4.new_notebook(cells=cells), "a").cells] == [1, None, 2]
    assert filtered(v4.new_notebook(cells=cells[:2]), "a").cells[0].execution_count is None


def test_identifiers_are_the_same_every_time_and_stay_when_the_source_changes() -> None:
    cells = [v4.new_markdown_cell("one"), v4.new_markdown_cell("one"), v4.new_code_cell("two")]
    first = filtered(v4.new_notebook(cells=cells), "dann")
    again = filtered(v4.new_notebook(cells=[v4.new_markdown_cell(c.source) for c in cells]), "dann")
    identifiers = [c.id for c in first.cells]
    assert identifiers == [c.id for c in again.cells]
    assert len(set(identifiers)) == 3
    assert all(identifier.startswith("dann-") for identifier in identifiers)
    first.cells[2].source = "three"
    assert [c.id for c in filtered(first, "dann").cells] == identifiers
    assert not set(identifiers) & {c.id for c in filtered(first, "adda").cells}


def test_a_copied_cell_gets_an_identifier_of_its_own() -> None:
    notebook = filtered(v4.new_notebook(cells=[cell(source="a")]), "dann")
    notebook.cells.append(notebook.cells[0].copy())
    assert len({c.id for c in filtered(notebook, "dann").cells}) == 2


def test_filtering_twice_changes_nothing() -> None:
    notebook = v4.new_notebook(cells=[cell(v4.new_output("stream", text="é\n")), v4.new_markdown_cell("# T\n\n")])
    once = dumps(filtered(notebook, "a"))
    assert dumps(filtered(nbformat.reads(once, as_version=4), "a")) == once
    nbformat.validate(nbformat.reads(once, as_version=4))


def test_a_stored_error_is_rejected_unless_it_is_meant() -> None:
    error = v4.new_output("error", ename="ValueError", evalue="no", traceback=[])
    with pytest.raises(Rejected, match="holds an error"):
        filtered(v4.new_notebook(cells=[cell(error)]), "a")
    meant = filtered(v4.new_notebook(cells=[cell(error, tags=["raises-exception"])]), "a")
    assert meant.cells[0].outputs[0].ename == "ValueError"


def test_an_objects_address_is_rejected() -> None:
    with pytest.raises(Rejected, match="address"):
        kept(v4.new_output("execute_result", {"text/plain": "<Axes at 0x7f12ab34cd56>"}))


def test_the_command_writes_in_place_and_says_what_it_changed(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "dann.ipynb"
    nbformat.write(v4.new_notebook(cells=[cell(v4.new_output("display_data", {"image/png": "iVBO"}))]), path)
    assert main([str(path)]) == 1
    assert "iVBO" not in path.read_text()
    assert main([str(path)]) == 0
    assert "filtered" in capsys.readouterr().out


def test_a_large_notebook_is_rejected_and_left_as_it_is(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "dann.ipynb"
    nbformat.write(v4.new_notebook(cells=[cell(v4.new_output("stream", text="x" * LIMIT))]), path)
    before = path.read_bytes()
    with pytest.raises(Rejected, match="at most 100000"):
        filter_file(path)
    assert main([str(path)]) == 1
    assert path.read_bytes() == before
    assert "bytes" in capsys.readouterr().err
