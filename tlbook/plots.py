"""Figures for learners: one colour for one thing through the whole book, a message for a title, alt text always.

The colours are those of Okabe and Ito, told apart in grey and by the colour-blind; each has a marker of its own as
well. Figures are drawn on a light card that reads on light and dark pages alike.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from tlbook.errors import TlbookError

__all__ = ["COLOURS", "MARKERS", "Table", "clouds", "curves", "dots", "figure", "images", "matrix", "show", "table"]

COLOURS = {
    "source": "#0072B2",
    "target": "#D55E00",
    "baseline": "#6E6E6E",
    "method": "#007A5A",
    "oracle": "#B0682E",
    "other": "#8E4585",
}
MARKERS = {"source": "o", "target": "^", "baseline": "s", "method": "D", "oracle": "*", "other": "v"}

STYLE: dict[Any, Any] = {
    "figure.dpi": 110,
    "savefig.dpi": 160,
    "figure.facecolor": "#FCFCFA",
    "axes.facecolor": "#FCFCFA",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.labelsize": 11,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "font.size": 11,
    "lines.linewidth": 2.0,
    "svg.hashsalt": "tlbook",
}


def figure(columns: int = 1, rows: int = 1, width: float = 6.4, height: float = 3.4, **axes: Any) -> tuple[Figure, Any]:
    """A figure in the book's style, and its axes: one Axes, or an array of them as ``plt.subplots`` gives.

    Args:
        columns: panels side by side; two at most, so that it can be read on a phone.
        rows: panels one above the other.
        width: of the whole figure, in inches.
        height: of the whole figure, in inches.
        **axes: what ``plt.subplots`` takes, such as ``sharey=True``.
    """
    # matplotlib's defaults first, whatever the user's matplotlibrc says; for good, since titles are drawn after this
    plt.style.use(["default", STYLE])
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **axes)


@dataclass(frozen=True)
class _Picture:
    png: bytes
    alt: str

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"image/png": self.png, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def show(fig: Figure, alt: str) -> None:
    """Show a figure with a text that says what is seen, with the numbers, and close it.

    A notebook gets the picture, with the text in its metadata; a terminal gets the text.

    Args:
        fig: the figure.
        alt: what one would say on the telephone.

    Raises:
        TlbookError: for an empty text.

    Example:
        >>> fig, ax = figure()
        >>> show(fig, alt="an empty pair of axes")
        an empty pair of axes
    """
    if not alt.strip():
        raise TlbookError("alt is empty; expected a sentence that says what the figure shows, with its numbers")
    image = io.BytesIO()
    fig.savefig(image, format="png", metadata={"Software": None})
    plt.close(fig)
    display(_Picture(image.getvalue(), alt))  # type: ignore[no-untyped-call]


def images(ax: Axes, x: Tensor, columns: int | None = None, title: str = "") -> None:
    """Draw images in a row or a grid.

    Args:
        ax: where.
        x: N×C×H×W, uint8 or float in 0 … 1, with C = 1 or 3.
        columns: how many a row; all in one row if not given.
        title: above the grid.

    Raises:
        TlbookError: for another shape.
    """
    if x.dim() != 4 or x.shape[1] not in (1, 3):
        raise TlbookError(f"x has shape {tuple(x.shape)}; expected images N×C×H×W with 1 or 3 channels")
    n, channels, height, width = x.shape
    columns = columns or n
    rows = -(-n // columns)
    grid = torch.full((rows * columns, channels, height + 2, width + 2), 255 if x.dtype == torch.uint8 else 1.0)
    grid[:n, :, 1:-1, 1:-1] = x.cpu()
    picture = grid.view(rows, columns, channels, height + 2, width + 2).permute(0, 3, 1, 4, 2)
    picture = picture.reshape(rows * (height + 2), columns * (width + 2), channels).expand(-1, -1, 3)
    ax.imshow((picture / 255 if x.dtype == torch.uint8 else picture).clip(0, 1).numpy(), interpolation="nearest")
    ax.set_axis_off()
    ax.set_title(title)


def clouds(ax: Axes, points: Mapping[str, ArrayLike], title: str = "", size: float = 9) -> None:
    """Draw sets of points in the plane, each in the colour and shape of its name, with the name beside it.

    Args:
        ax: where.
        points: for each name of ``COLOURS`` an N×2 array.
        title: the message.
        size: of a marker.
    """
    for name, xy in points.items():
        x, y = np.asarray(xy).T
        ax.scatter(x, y, s=size, c=COLOURS[name], marker=MARKERS[name], alpha=0.55, linewidths=0, label=name)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(title)
    for mark in ax.legend(loc="best", markerscale=2.5).legend_handles:
        if mark is not None:
            mark.set_alpha(1)


def dots(
    ax: Axes, values: Mapping[str, Sequence[float]], roles: Sequence[str], title: str = "", unit: str = "accuracy"
) -> None:
    """Draw one column a setting: every seed a dot, the mean a bar through them with its number.

    Args:
        ax: where.
        values: for each setting the numbers of its seeds, in the order baseline, method, oracle.
        roles: for each setting its name in ``COLOURS``.
        title: the message.
        unit: of the vertical axis.
    """
    for place, ((_, seeds), role) in enumerate(zip(values.items(), roles, strict=True)):
        spread = np.linspace(-0.12, 0.12, len(seeds)) if len(seeds) > 1 else np.zeros(1)
        ax.scatter(place + spread, seeds, c=COLOURS[role], marker=MARKERS[role], s=42, zorder=3)
        mean = float(np.mean(seeds))
        ax.hlines(mean, place - 0.25, place + 0.25, color=COLOURS[role], linewidth=2.5)
        ax.annotate(f"{mean:.2f}", (place + 0.28, mean), va="center", color=COLOURS[role], fontweight="bold")
    ax.set_xticks(range(len(values)), list(values))
    ax.set_xlim(-0.5, len(values) - 0.2)
    ax.set_ylabel(unit)
    ax.set_title(title)


def curves(
    ax: Axes,
    x: ArrayLike,
    lines: Mapping[str, ArrayLike],
    roles: Sequence[str],
    title: str = "",
    xlabel: str = "step",
    ylabel: str = "",
) -> None:
    """Draw lines over a common axis, each named at its right end instead of in a legend.

    Args:
        ax: where.
        x: N positions.
        lines: for each name N values.
        roles: for each line its name in ``COLOURS``.
        title: the message.
        xlabel: what runs to the right, with its unit.
        ylabel: what runs up, with its unit.
    """
    at = np.asarray(x)
    for (name, values), role in zip(lines.items(), roles, strict=True):
        y = np.asarray(values)
        ax.plot(at, y, color=COLOURS[role])
        ax.annotate(name, (at[-1], y[-1]), xytext=(5, 0), textcoords="offset points", va="center", color=COLOURS[role])
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.set_title(title)


def matrix(
    ax: Axes,
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    title: str = "",
    ylabel: str = "source",
    xlabel: str = "target",
) -> None:
    """Draw a matrix of numbers in 0 … 1 as shaded cells, each with its number.

    Args:
        ax: where.
        values: R×C numbers, such as ``evaluate.transfer_matrix`` gives.
        rows: R names.
        columns: C names.
        title: the message.
        ylabel: what the rows are.
        xlabel: what the columns are.

    Raises:
        TlbookError: when the names are not as many as the rows and columns.
    """
    cells = np.asarray(values)
    if cells.shape != (len(rows), len(columns)):
        raise TlbookError(f"values have shape {cells.shape}; expected {len(rows)}×{len(columns)}, a name for each")
    ax.imshow(cells, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(cells):
        ax.annotate(f"{value:.2f}", (column, row), ha="center", va="center", color="white" if value > 0.6 else "black")
    ax.set_xticks(range(len(columns)), list(columns))
    ax.set_yticks(range(len(rows)), list(rows))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_ylabel(ylabel)
    ax.set_xlabel(xlabel)
    ax.set_title(title)


@dataclass(frozen=True)
class Table:
    """A small table that a notebook shows as HTML and a terminal as text.

    Attributes:
        columns: the head.
        rows: the cells, as text; ``[words](page.ipynb)`` becomes a link.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        return "\n".join(
            "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines
        )

    def _repr_markdown_(self) -> str:
        rule = "|".join([" --- "] * len(self.columns))
        body = [" | ".join(cell.replace("|", "\\|") for cell in line) for line in self.rows]
        return "\n".join(f"| {line} |" for line in [" | ".join(self.columns), rule, *body])


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table of words and numbers; floats are shown with three digits after the point.

    Args:
        columns: the head.
        rows: as many cells each as there are columns.

    Raises:
        TlbookError: when a row has another number of cells.

    Example:
        >>> table(["method", "accuracy"], [["DANN", 0.91234]])
        method  accuracy
        DANN    0.912
    """
    for row in rows:
        if len(row) != len(columns):
            raise TlbookError(f"row {list(row)} has {len(row)} cells; expected {len(columns)}, one for each column")
    return Table(
        tuple(columns),
        tuple(tuple(f"{c:.3f}" if isinstance(c, float | np.floating) else str(c) for c in row) for row in rows),
    )
