"""Figures for learners: one colour for one thing through the whole book, a message for a title, alt text always.

The colours are those of Okabe and Ito, told apart in grey and by the colour-blind; each has a marker of its own as
well. Every figure comes in two versions, for light and for dark pages, and can be read on a telephone.
"""

from tlbook.plots.charts import clouds, curves, dots, images, matrix, readings, spoken
from tlbook.plots.diagrams import diagram
from tlbook.plots.tables import Table, table
from tlbook.plots.theme import COLOURS, DARK, MARKERS, STYLE, figure, show

__all__ = [
    "COLOURS",
    "DARK",
    "MARKERS",
    "STYLE",
    "Table",
    "clouds",
    "curves",
    "diagram",
    "dots",
    "figure",
    "images",
    "matrix",
    "readings",
    "show",
    "spoken",
    "table",
]
