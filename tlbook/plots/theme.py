"""What all figures share: colours, style, and the two versions in which they are shown."""

from __future__ import annotations

import base64
import io
import textwrap
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import display
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import BboxBase

from tlbook.errors import TlbookError

__all__ = ["COLOURS", "DARK", "MARKERS", "STYLE", "figure", "show"]

COLOURS = {
    "source": "#0072B2",
    "target": "#D55E00",
    "baseline": "#6E6E6E",
    "method": "#007A5A",
    "oracle": "#B0682E",
    "other": "#8E4585",
}
MARKERS = {"source": "o", "target": "^", "baseline": "s", "method": "D", "oracle": "*", "other": "v"}
INK, CARD = "#1B1B1B", "#FFFFFF"

# What each colour of a light page is on a dark one.
DARK = {
    "#0072B2": "#56B4E9",
    "#D55E00": "#FF8B4D",
    "#6E6E6E": "#ABABAB",
    "#007A5A": "#35C796",
    "#B0682E": "#E3A365",
    "#8E4585": "#D48FCB",
    INK: "#E8E8E8",
    "#000000": "#E8E8E8",
    CARD: "#121212",
}

PHONE = 358  # CSS pixels that a figure has on a screen of 390
SMALLEST = 11  # CSS pixels that letters must have there
DPI = 110  # CSS pixels to an inch of a figure on a desk

STYLE: dict[Any, Any] = {
    "figure.dpi": DPI,
    "savefig.dpi": 2 * DPI,
    "figure.facecolor": CARD,
    "axes.facecolor": CARD,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
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


def figure(columns: int = 1, rows: int = 1, width: float = 4.7, height: float = 3.4, **axes: Any) -> tuple[Figure, Any]:
    """A figure in the book's style, and its axes: one Axes, or an array of them as ``plt.subplots`` gives.

    Args:
        columns: panels side by side; two at most, so that it can be read on a phone.
        rows: panels one above the other.
        width: of the whole figure, in inches; where it is more than 4.8, :func:`show` will ask for larger letters.
        height: of the whole figure, in inches.
        **axes: what ``plt.subplots`` takes, such as ``sharey=True``.
    """
    # matplotlib's defaults first, whatever the user's matplotlibrc says; for good, since titles are drawn after this
    plt.style.use(["default", STYLE])
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **axes)


@dataclass(frozen=True)
class _Picture:
    light: bytes
    dark: bytes
    size: tuple[int, int]
    alt: str

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        width, height = self.size
        metadata = {"alt": self.alt, "width": width, "height": height, "dark": base64.b64encode(self.dark).decode()}
        return {"image/png": self.light, "text/plain": self.alt}, {"image/png": metadata}


def show(fig: Figure, alt: str) -> None:
    """Show a figure with a text that says what is seen, with the numbers, and close it.

    Titles that are too long for their panel are broken. A notebook gets the picture, with the text and the version for
    dark pages in its metadata; a terminal gets the text.

    Args:
        fig: the figure.
        alt: what one would say on the telephone.

    Raises:
        TlbookError: for an empty text, or letters that would be smaller than 11 pixels on a telephone.

    Example:
        >>> fig, ax = figure()
        >>> show(fig, alt="an empty pair of axes")
        an empty pair of axes
    """
    if not alt.strip():
        raise TlbookError("alt is empty; expected a sentence that says what the figure shows, with its numbers")
    _break_titles(fig)
    _check_letters(fig)
    width, height = (round(inches * DPI) for inches in fig.get_size_inches())
    light = _png(fig)
    _darken(fig)
    display(_Picture(light, _png(fig), (width, height), alt))  # type: ignore[no-untyped-call]
    plt.close(fig)


def _png(fig: Figure) -> bytes:
    image = io.BytesIO()
    fig.savefig(image, format="png", metadata={"Software": None})
    return image.getvalue()


def _break_titles(fig: Figure) -> None:
    """Break each title where it would run off its panel towards another, or off the figure."""
    titles = [(text, None) for text in fig.texts] + [(title, ax) for ax in fig.axes for title in _titles(ax)]
    whole = [(text, text.get_text(), ax) for text, ax in titles]
    for _ in range(2):  # the panels move when the titles take less room
        fig.draw_without_rendering()
        boxes = {ax: ax.get_window_extent() for ax in fig.axes}
        for text, words, ax in whole:
            text.set_text(words)
            letters, right = len(words), fig.bbox.x1
            if ax is not None and any(_to_the_right(box, boxes[ax]) for box in boxes.values()):
                right = boxes[ax].x1
            while text.get_window_extent().x1 > right - 4 and letters > 8:
                letters -= 1
                text.set_text(textwrap.fill(words, letters))


def _titles(ax: Axes) -> list[Text]:
    title = ax.get_title("left") or ax.get_title("center") or ax.get_title("right")
    return [text for text in ax.findobj(Text) if title and isinstance(text, Text) and text.get_text() == title]


def _to_the_right(box: BboxBase, other: BboxBase) -> bool:
    return box.x0 > other.x0 and box.y0 < other.y1 and other.y0 < box.y1


def _check_letters(fig: Figure) -> None:
    scale = min(1, PHONE / (fig.get_figwidth() * DPI))
    for text in fig.findobj(Text):
        points = float(text.get_fontsize())
        pixels = points / 72 * DPI * scale
        if text.get_visible() and text.get_text().strip() and pixels < SMALLEST - 0.05:
            least = points * SMALLEST / pixels
            raise TlbookError(
                f"{text.get_text()!r:.40} has letters of {pixels:.1f} pixels on a telephone; expected {SMALLEST} or "
                f"more: make it {least:.1f} points, or the figure narrower"
            )


def _darken(fig: Figure) -> None:
    """Give every artist the dark page's colour in place of the light one's; words on a picture stay as they are."""
    over_pictures = [text for ax in fig.axes for text in ax.texts if _lies_on_a_picture(ax, text)]
    for artist in fig.findobj(lambda artist: artist not in over_pictures):
        for kind in ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor"):
            _replace(artist, kind)


def _lies_on_a_picture(ax: Axes, text: Text) -> bool:
    middle = text.get_window_extent()
    point = (middle.x0 + middle.x1) / 2, (middle.y0 + middle.y1) / 2
    return any(picture.get_window_extent().contains(*point) for picture in ax.images)


def _replace(artist: Artist, kind: str) -> None:
    get, put = getattr(artist, f"get_{kind}", None), getattr(artist, f"set_{kind}", None)
    if get is None or put is None:
        return
    there = get()
    if isinstance(there, str) and there in ("none", "auto"):
        return
    several = not isinstance(there, str | tuple)
    before = [to_rgba(one) for one in there] if several and getattr(there, "ndim", 2) == 2 else [to_rgba(there)]
    after = [(*_SWAP.get(one[:3], one[:3]), one[3]) for one in before]
    if after != before:
        put(after if len(after) > 1 else after[0])  # a legend's line has the list of one of what it stands for


_SWAP = {to_rgba(light)[:3]: to_rgba(dark)[:3] for light, dark in DARK.items()}
