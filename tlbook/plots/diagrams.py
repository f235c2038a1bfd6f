"""Diagrams of networks and set-ups: boxes on a grid, arrows for values and gradients, locks for what is frozen."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Arc, FancyArrowPatch, FancyBboxPatch, Rectangle

from tlbook.errors import TlbookError
from tlbook.plots.theme import CARD, COLOURS, INK, figure

__all__ = ["diagram"]

# What an arrow means, and how it is drawn: colour, line.
ARROWS: dict[str, tuple[str, Any]] = {
    "values": (INK, "-"),
    "gradient": (COLOURS["method"], (0, (4, 2))),
    "reversed gradient": (COLOURS["target"], (0, (1.5, 1.5))),
    "agreement": (COLOURS["method"], (0, (5, 2, 1, 2))),
}
BEND = 0.28  # how far the arrow of what comes back bends away from that of the values


def diagram(
    boxes: Mapping[str, tuple[float, float, str] | tuple[float, float, str, str]],
    arrows: Sequence[tuple[str, str] | tuple[str, str, str] | tuple[str, str, str, str]] = (),
    locked: Collection[str] = (),
    box: tuple[float, float] = (0.8, 0.56),
    row_height: float = 0.95,
) -> Figure:
    """A drawing of boxes and arrows on a grid, to be given to :func:`show` with its text.

    Args:
        boxes: for each key the column and the row of its middle, counted from the upper left, its words, and, if it
            has one, its role in ``COLOURS``; a box without words is an invisible joint.
        arrows: from which box to which, what goes along it (``"values"`` if nothing is said, ``"gradient"``,
            ``"reversed gradient"`` or ``"agreement"``), and a word beside it.
        locked: the boxes whose weights rest; they get a padlock.
        box: width and height of a box, in columns and rows.
        row_height: in inches.

    Raises:
        TlbookError: for an arrow or a lock at a box that is not there, an arrow that means something else, or words
            that are wider than their box.

    Example:
        >>> fig = diagram({"x": (0, 0, "images"), "f": (1, 0, "features", "method")}, [("x", "f")], locked=["f"])
    """
    kinds = list(dict.fromkeys(_kind(arrow) for arrow in arrows))
    if strange := [kind for kind in kinds if kind not in ARROWS]:
        raise TlbookError(f"an arrow means {strange[0]!r}; expected one of {', '.join(ARROWS)}")
    if strange := [end for ends in [*(arrow[:2] for arrow in arrows), locked] for end in ends if end not in boxes]:
        raise TlbookError(f"there is no box {strange[0]!r}; expected one of {', '.join(boxes)}")
    columns = 1 + max(place[0] for place in boxes.values())
    rows = 1 + max(place[1] for place in boxes.values())
    fig, ax = figure(height=rows * row_height + (0.3 if len(kinds) > 1 else 0))
    ax.set_xlim(-0.5, columns - 0.5)
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_axis_off()
    inch = columns / fig.get_figwidth(), 1 / row_height  # in columns and in rows
    patches = {key: _box(ax, *place, size=box) for key, place in boxes.items()}
    for arrow in arrows:
        _arrow(ax, patches[arrow[0]], patches[arrow[1]], _kind(arrow), arrow[3] if len(arrow) > 3 else "", inch)
    for key in locked:
        _padlock(ax, boxes[key][0] + box[0] / 2, boxes[key][1] - box[1] / 2, *inch)
    if len(kinds) > 1:
        lines = [Line2D([], [], color=ARROWS[kind][0], linestyle=ARROWS[kind][1]) for kind in kinds]
        fig.legend(lines, kinds, loc="outside lower center", ncols=len(kinds), columnspacing=1.2, handlelength=1.8)
    _check_words(fig, ax, patches)
    return fig


def _kind(arrow: Sequence[str]) -> str:
    return arrow[2] if len(arrow) > 2 else "values"


def _box(
    ax: Axes, column: float, row: float, words: str, role: str = "baseline", *, size: tuple[float, float]
) -> FancyBboxPatch:
    width, height = size if words else (0.02, 0.02)
    corner = (column - width / 2, row - height / 2)
    colour = COLOURS[role] if words else "none"
    patch = FancyBboxPatch(
        corner,
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.06",
        edgecolor=colour,
        facecolor=CARD,
        linewidth=1.8,
    )
    ax.add_patch(patch)
    ax.text(column, row, words, ha="center", va="center", linespacing=1.15)
    return patch


def _arrow(
    ax: Axes, start: FancyBboxPatch, end: FancyBboxPatch, kind: str, words: str, inch: tuple[float, float]
) -> None:
    colour, line = ARROWS[kind]
    (x0, y0), (x1, y1) = (
        (patch.get_x() + patch.get_width() / 2, patch.get_y() + patch.get_height() / 2) for patch in (start, end)
    )
    bend = 0 if kind == "values" else BEND
    patch = FancyArrowPatch(
        (x0, y0), (x1, y1), patchA=start, patchB=end, arrowstyle="-|>", mutation_scale=13, shrinkA=2, shrinkB=2,
        connectionstyle=f"arc3,rad={bend}", color=colour, linestyle=line, linewidth=1.8,
    )  # fmt: skip
    ax.add_patch(patch)
    if words:
        # A bent arrow's middle lies half its bend beside the line between its ends, to the left of who walks along it.
        across, up = inch[0] / inch[1], inch[1] / inch[0]
        middle = (x0 + x1) / 2 - 0.9 * bend * across * (y1 - y0), (y0 + y1) / 2 + 0.9 * bend * up * (x1 - x0)
        ax.annotate(words, middle, ha="center", va="center", color=colour)


def _padlock(ax: Axes, x: float, y: float, inch_x: float, inch_y: float) -> None:
    """A padlock on the upper right corner of a box; the vertical axis runs down."""
    width, height = 0.17 * inch_x, 0.13 * inch_y
    left, top = x - 0.7 * width, y - 0.3 * height
    ax.add_patch(
        Arc((left + width / 2, top), 0.6 * width, 1.4 * height, theta1=180, theta2=360, color=INK, linewidth=1.8)
    )
    ax.add_patch(Rectangle((left, top), width, height, facecolor=INK, edgecolor=CARD, linewidth=1))


def _check_words(fig: Figure, ax: Axes, patches: Mapping[str, FancyBboxPatch]) -> None:
    fig.draw_without_rendering()
    for text, patch in zip(ax.texts, patches.values(), strict=False):
        words, room = text.get_window_extent(), patch.get_window_extent()
        if text.get_text() and (words.width > room.width or words.height > room.height):
            raise TlbookError(f"{text.get_text()!r} does not fit its box; expected shorter lines, or a larger box=")
