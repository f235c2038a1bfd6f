"""The table of what a reader meets counts what it says."""

from nbformat import v4

from tools.measure_pages import code


def test_lines_are_counted_by_kind() -> None:
    folded = {"tags": ["hide-input"]}
    claims = "# State\nclaim('a', 1, above=0)\nwith also_checked():\n    claim('b', 1, above=0)\n    claim('c', True)"
    cells = [
        v4.new_markdown_cell("claim( in prose"),
        v4.new_code_cell("x = 1\n\ny = 2"),
        v4.new_code_cell("fig, ax = plots.figure()\nplots.show(fig, alt='a')"),
        v4.new_code_cell("claim('a', True)"),
        v4.new_code_cell(claims, metadata=folded),
        v4.new_code_cell("# Draw\nfig = plots.diagram(boxes)  " + "#" * 60, metadata=folded),
    ]
    assert code(v4.new_notebook(cells=cells)) == {
        "method": 2,
        "draws": 2,
        "claims": 1,
        "folded": 7,
        "long": 1,
        "open claims": 2,
        "diagrams": 1,
    }
