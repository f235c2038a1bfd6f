"""Charts: sets of images, clouds of points, dots by seed, curves, shaded matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from torch import Tensor

from tlbook.errors import TlbookError
from tlbook.plots.theme import COLOURS, MARKERS

__all__ = ["clouds", "curves", "dots", "images", "matrix", "readings", "spoken"]


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


def readings(ax: Axes, x: Tensor, read: Sequence[object], true: Sequence[object], title: str = "") -> None:
    """Draw images in a row, and under each what it was read as, with a cross where that is wrong.

    Args:
        ax: where.
        x: N×C×H×W, as :func:`images` takes them.
        read: N answers.
        true: N right answers.
        title: above the row.

    Raises:
        TlbookError: where the answers are not as many as the images.
    """
    if not len(x) == len(read) == len(true):
        raise TlbookError(f"{len(x)} images, {len(read)} answers, {len(true)} right ones; expected as many of each")
    images(ax, x, title=title)
    cell = x.shape[-1] + 2
    for place, (answer, right) in enumerate(zip(read, true, strict=True)):
        role = "method" if answer == right else "target"
        below = ax.text((place + 0.5) * cell, x.shape[-2] + 3, str(answer), ha="center", va="top", color=COLOURS[role])
        below.set_fontweight("normal" if answer == right else "bold")
        if answer != right:
            ax.annotate("×", ((place + 0.86) * cell, x.shape[-2] + 3), ha="center", va="top", color=COLOURS[role])
    ax.set_ylim(1.75 * cell, -0.5)


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
    legend = ax.legend(loc="best", markerscale=2.5, frameon=True, framealpha=0.85, edgecolor="none")
    for mark in legend.legend_handles:
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
        ax.annotate(
            f"{value:.2f}",
            (column, row),
            ha="center",
            va="center",
            color="white" if value > 0.6 else "black",
        )
    ax.set_xticks(range(len(columns)), list(columns))
    ax.set_yticks(range(len(rows)), list(rows))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_ylabel(ylabel)
    ax.set_xlabel(xlabel)
    ax.set_title(title)


def spoken(values: Mapping[str, ArrayLike]) -> str:
    """Each name with the mean of its numbers, as one would say them: for the text of a figure.

    Example:
        >>> spoken({"source\\nonly": [0.5, 0.6], "DANN": 0.7})
        'source only 0.55, DANN 0.70'
    """
    return ", ".join(
        f"{' '.join(name.split())} {np.asarray(value, dtype=float).mean():.2f}" for name, value in values.items()
    )
