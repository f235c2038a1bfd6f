"""Figures come with a text; tables with words; images in a grid."""

import base64
import io
import re
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib.patches import Arc, FancyArrowPatch, FancyBboxPatch
from matplotlib.text import Text
from nbclient import NotebookClient
from PIL import Image

from tlbook import plots
from tlbook.errors import TlbookError


@pytest.fixture
def notebook() -> Iterator[InteractiveShell]:
    """A shell, which makes ``display`` publish what a notebook would get."""
    shell = InteractiveShell.instance()
    yield shell
    InteractiveShell.clear_instance()


def drawn() -> plt.Figure:
    fig, ax = plots.figure()
    ax.plot([0, 1], [2, 3])
    return fig


def test_show_publishes_the_picture_with_its_text(notebook: InteractiveShell) -> None:
    with capture_output() as captured:
        plots.show(drawn(), alt="a line from 2 to 3")
    [out] = captured.outputs
    png = out.data["image/png"]
    assert (base64.b64decode(png) if isinstance(png, str) else png).startswith(b"\x89PNG")
    assert out.data["text/plain"] == "a line from 2 to 3"
    metadata = out.metadata["image/png"]
    assert {key: metadata[key] for key in ("alt", "width", "height")} == {
        "alt": "a line from 2 to 3",
        "width": 517,
        "height": 374,
    }
    assert captured.stdout == captured.stderr == ""


def test_show_without_a_notebook_prints_the_text_alone(capsys: pytest.CaptureFixture[str]) -> None:
    plots.show(drawn(), alt="a line from 2 to 3")
    assert capsys.readouterr().out == "a line from 2 to 3\n"


def test_show_closes_the_figure(capsys: pytest.CaptureFixture[str]) -> None:
    fig = drawn()
    assert plt.fignum_exists(fig.number)
    plots.show(fig, alt="closed")
    assert not plt.fignum_exists(fig.number)


def test_a_real_notebook_gets_the_picture_the_text_and_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TQDM_DISABLE", "0")
    book = nbformat.v4.new_notebook()
    cells = [
        "import torch; from tlbook import Domain, fit, plots; from tlbook.methods import SourceOnly",
        "plots.show(plots.figure()[0], alt='two empty axes')",
        "method = SourceOnly(torch.nn.Identity(), torch.nn.Linear(2, 2))\n"
        "domain = Domain('d', torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]), ('a', 'b'))\n"
        "history = fit(method, domain, steps=3, batch_size=2, seed=0, precision='bf16')",
    ]
    book.cells = [nbformat.v4.new_code_cell(source) for source in cells]
    NotebookClient(book, kernel_name="python3").execute()
    imported, [shown], [bar] = (cell.outputs for cell in book.cells)
    assert imported == []
    assert base64.b64decode(shown.data["image/png"]).startswith(b"\x89PNG")
    assert shown.data["text/plain"] == "two empty axes"
    assert shown.metadata["image/png"]["alt"] == "two empty axes"
    assert "application/vnd.jupyter.widget-view+json" in bar.data


@pytest.mark.parametrize("alt", ["", " ", "\n\t"])
def test_show_refuses_an_empty_text(alt: str) -> None:
    with pytest.raises(TlbookError, match=r"^alt is empty; expected a sentence[^\n]*$"):
        plots.show(drawn(), alt=alt)
    plt.close("all")


def test_the_same_figure_gives_the_same_bytes(notebook: InteractiveShell) -> None:
    with capture_output() as captured:
        plots.show(drawn(), alt="one")
        plots.show(drawn(), alt="one")
    one, two = captured.outputs
    assert one.data == two.data


def test_the_style_stays_inside() -> None:
    before = dict(plt.rcParams)
    plt.close(drawn())
    assert dict(plt.rcParams) == before


def test_readings_stand_under_their_images_with_a_cross_where_they_are_wrong() -> None:
    fig, ax = plots.figure()
    plots.readings(ax, torch.zeros(3, 1, 4, 4), [1, 7, 3], [1, 2, 3])
    assert [text.get_text() for text in ax.texts] == ["1", "7", "×", "3"]
    assert [text.get_color() for text in ax.texts[:2]] == [plots.COLOURS["method"], plots.COLOURS["target"]]
    plots.show(fig, alt="three")
    assert ax.texts[0].get_color() != plots.COLOURS["method"]  # under the picture, not on it: it follows the theme
    with pytest.raises(TlbookError, match=r"^3 images, 2 answers, 3 right ones; expected as many of each$"):
        plots.readings(ax, torch.zeros(3, 1, 4, 4), [1, 7], [1, 2, 3])


# two versions, letters, titles


def pixels(png: bytes | str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(png) if isinstance(png, str) else png)).convert("RGB"))


def colours(picture: np.ndarray) -> set[str]:
    values, counts = np.unique(picture.reshape(-1, 3), axis=0, return_counts=True)
    return {"#{:02X}{:02X}{:02X}".format(*value) for value, count in zip(values, counts, strict=True) if count > 50}


def test_each_figure_has_a_version_for_dark_pages(notebook: InteractiveShell) -> None:
    fig, ax = plots.figure()
    for role, colour in plots.COLOURS.items():
        ax.bar(role, 1, color=colour)
    ax.axhline(0.5, color="black", linewidth=4)
    ax.hlines(0.7, 0, 1, color=plots.COLOURS["source"], label="in a legend")
    ax.legend()
    ax.set_title("a title")
    with capture_output() as captured:
        plots.show(fig, alt="bars")
    [out] = captured.outputs
    light, dark = colours(pixels(out.data["image/png"])), colours(pixels(out.metadata["image/png"]["dark"]))
    assert light >= {*plots.COLOURS.values(), "#FFFFFF", "#000000"}
    assert dark >= {plots.DARK[colour] for colour in (*plots.COLOURS.values(), "#FFFFFF", "#000000")}
    assert not dark & set(plots.DARK)


def test_words_over_a_picture_keep_their_colour(notebook: InteractiveShell) -> None:
    fig, ax = plots.figure()
    plots.matrix(ax, [[0.0]], ["a"], ["b"])
    plots.show(fig, alt="one cell")
    assert [text.get_color() for text in ax.texts] == ["black"]
    assert ax.yaxis.label.get_color() != plots.STYLE["text.color"]


@pytest.mark.parametrize("role", plots.COLOURS)
def test_colours_can_be_read_on_dark_pages(role: str) -> None:
    card, colour = luminance(plots.DARK[plots.STYLE["axes.facecolor"]]), luminance(plots.DARK[plots.COLOURS[role]])
    assert (colour + 0.05) / (card + 0.05) > 4.5


@pytest.mark.parametrize(
    ("width", "size", "fits"), [(4.7, 10.5, True), (4.7, 9, False), (6.4, 11, False), (3, 8, True)]
)
def test_letters_can_be_read_on_a_telephone(width: float, size: float, fits: bool) -> None:
    fig, ax = plots.figure(width=width)
    ax.tick_params(labelsize=20)
    ax.set_xlabel("small words", fontsize=size)
    if fits:
        plots.show(fig, alt="words")
    else:
        with pytest.raises(
            TlbookError, match=r"^'small words' has letters of [^\n]* pixels on a telephone; expected 11"
        ):
            plots.show(fig, alt="words")


def test_a_title_is_broken_where_it_would_be_cut() -> None:
    fig, panels = plots.figure(2)
    panels[0].set_title("a title that would run into the panel beside it")
    panels[1].set_title("short")
    plots.show(fig, alt="titles")
    assert "\n" in panels[0].get_title(loc="left")
    assert panels[1].get_title(loc="left") == "short"
    fig.draw_without_rendering()
    titles = [text for text in panels[0].findobj(Text) if text.get_text() == panels[0].get_title(loc="left")]
    assert titles[0].get_window_extent().x1 < panels[1].get_window_extent().x0


# diagrams

PLACES = {"x": (0, 0, "images"), "f": (1, 0, "features", "method"), "d": (1, 1, "domain\nhead", "target")}
LINES = [("x", "f"), ("f", "d"), ("d", "f", "reversed gradient", "× −λ")]


def test_a_diagram_has_its_boxes_arrows_words_and_locks() -> None:
    fig = plots.diagram(PLACES, LINES, locked=["f"])
    [ax] = fig.axes
    assert [text.get_text() for text in ax.texts] == ["images", "features", "domain\nhead", "× −λ"]
    assert sum(isinstance(patch, FancyBboxPatch) for patch in ax.patches) == 3
    assert sum(isinstance(patch, FancyArrowPatch) for patch in ax.patches) == 3
    assert sum(isinstance(patch, Arc) for patch in ax.patches) == 1
    assert [text.get_text() for text in fig.legends[0].get_texts()] == ["values", "reversed gradient"]
    plots.show(fig, alt="three boxes")


def test_a_word_stands_on_the_side_to_which_its_arrow_bends() -> None:
    fig = plots.diagram(PLACES, LINES)
    fig.draw_without_rendering()
    [ax] = fig.axes
    bent = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)][-1].get_window_extent()
    word = ax.texts[-1].get_window_extent()
    straight = ax.transData.transform((1, 0.5))[0]
    assert bent.x0 + bent.width / 2 != pytest.approx(straight, abs=1)
    assert (bent.x0 + bent.width / 2 < straight) == (word.x0 + word.width / 2 < straight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"arrows": [("x", "g")]}, r"^there is no box 'g'; expected one of x, f, d$"),
        ({"locked": ["y"]}, r"^there is no box 'y'; expected one of x, f, d$"),
        ({"arrows": [("x", "f", "water")]}, r"^an arrow means 'water'; expected one of values, gradient, reversed"),
        ({"box": (0.2, 0.5)}, r"^'images' does not fit its box; expected shorter lines"),
    ],
)
def test_what_cannot_be_drawn_is_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TlbookError, match=message):
        plots.diagram(PLACES, **arguments)


# table


def test_a_table_as_text_and_as_markdown() -> None:
    table = plots.table(["method", "accuracy", "n"], [["DANN", 0.91234, 3], ["a|b", None, "[x](y.ipynb)"]])
    assert repr(table).splitlines() == [
        "method  accuracy  n",
        "DANN    0.912     3",
        "a|b     None      [x](y.ipynb)",
    ]
    assert table._repr_markdown_().splitlines() == [
        "| method | accuracy | n |",
        "|  --- | --- | ---  |",
        "| DANN | 0.912 | 3 |",
        r"| a\|b | None | [x](y.ipynb) |",
    ]


def test_numpy_numbers_are_numbers() -> None:
    assert plots.table(["a", "b"], [[np.float64(1 / 3), np.float32(1 / 3)]]).rows == (("0.333", "0.333"),)


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(TlbookError, match=r"has 1 cells; expected 2"):
        plots.table(["a", "b"], [["x"]])


# images


def shown(x: torch.Tensor, columns: int | None = None) -> np.ndarray:
    fig, ax = plots.figure()
    plots.images(ax, x, columns)
    [picture] = ax.get_images()
    plt.close(fig)
    return np.asarray(picture.get_array())


def test_images_stand_in_a_grid_row_by_row() -> None:
    x = torch.randint(256, (5, 3, 4, 6), dtype=torch.uint8)
    grid = shown(x, columns=2)
    assert grid.shape == (3 * 6, 2 * 8, 3)
    for i, image in enumerate(x.numpy()):
        top, left = 6 * (i // 2) + 1, 8 * (i % 2) + 1
        np.testing.assert_allclose(grid[top : top + 4, left : left + 6], image.transpose(1, 2, 0) / 255, atol=1e-6)
    assert (grid[12:, 8:] == 1).all()  # the sixth place is empty


def test_grey_images_of_floats() -> None:
    x = torch.rand(3, 1, 2, 2)
    grid = shown(x)
    assert grid.shape == (4, 12, 3)
    np.testing.assert_allclose(grid[1:3, 1:3], x[0, 0, :, :, None].expand(-1, -1, 3), atol=1e-6)
    assert (grid[..., 0] == grid[..., 2]).all()


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 2, 4, 4)])
def test_what_is_no_image_is_refused(shape: tuple[int, ...]) -> None:
    fig, ax = plots.figure()
    with pytest.raises(TlbookError, match=r"expected images N×C×H×W"):
        plots.images(ax, torch.zeros(shape))
    plt.close(fig)


# the rest


def test_dots_show_every_seed_and_the_mean() -> None:
    fig, ax = plots.figure()
    plots.dots(ax, {"one": [0.1, 0.3], "two": [0.5]}, roles=["baseline", "method"], title="m")
    places = [collection.get_offsets() for collection in ax.collections if len(collection.get_offsets()) > 0]
    values = sorted(float(v) for offsets in places for v in np.asarray(offsets)[:, 1])
    assert {0.1, 0.3, 0.5} <= set(values)
    assert [t.get_text() for t in ax.texts] == ["0.20", "0.50"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["one", "two"]
    plt.close(fig)


def test_curves_are_named_at_their_ends() -> None:
    fig, ax = plots.figure()
    plots.curves(ax, [0, 1, 2], {"a": [1, 2, 3], "b": [3, 2, 1]}, roles=["source", "target"])
    assert [(t.get_text(), t.xy) for t in ax.texts] == [("a", (2, 3)), ("b", (2, 1))]
    plt.close(fig)


def test_clouds_have_the_colour_and_the_marker_of_their_name() -> None:
    fig, ax = plots.figure()
    plots.clouds(ax, {"source": np.zeros((4, 2)), "target": np.ones((3, 2))})
    assert [len(c.get_offsets()) for c in ax.collections] == [4, 3]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["source", "target"]
    plt.close(fig)


def luminance(colour: str) -> float:
    channels = [int(h, 16) / 255 for h in re.findall("..", colour[1:])]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("role", plots.COLOURS)
def test_colours_can_be_read_as_text_on_the_card(role: str) -> None:
    card = luminance(plots.STYLE["axes.facecolor"])
    contrast = (card + 0.05) / (luminance(plots.COLOURS[role]) + 0.05)
    assert contrast > 3  # WCAG 2.2 for large text and graphics
    assert plots.MARKERS[role]


def test_what_is_drawn_later_keeps_the_style() -> None:
    _, ax = plots.figure()
    ax.plot([0, 1], label="a line")
    ax.set_title("the message")
    assert ax.get_title(loc="left") == "the message"
    assert not ax.legend().get_frame_on()


def test_a_matrix_has_its_numbers_where_they_belong() -> None:
    _, ax = plots.figure()
    plots.matrix(ax, np.array([[0.1, 0.2, 0.9], [0.4, 0.5, 0.6]]), ["a", "b"], ["p", "q", "r"], title="message")
    written = {tuple(int(v) for v in text.xy): text.get_text() for text in ax.texts}
    assert written[2, 0] == "0.90"
    assert written[0, 1] == "0.40"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["p", "q", "r"]
    with pytest.raises(TlbookError, match=r"^values have shape \(2, 3\); expected 3×2[^\n]*$"):
        plots.matrix(ax, np.zeros((2, 3)), ["p", "q", "r"], ["a", "b"])


def test_a_figure_is_the_same_whatever_the_users_matplotlibrc_says() -> None:
    def drawn() -> bytes:
        fig, ax = plots.figure()
        ax.plot([0, 1], [1, 0])
        ax.set_title("a title")
        image = io.BytesIO()
        fig.savefig(image, format="png", metadata={"Software": None})
        plt.close(fig)
        return image.getvalue()

    plain = drawn()
    with plt.rc_context({"font.family": "monospace", "axes.grid": True, "lines.marker": "o", "savefig.bbox": "tight"}):
        assert drawn() == plain
