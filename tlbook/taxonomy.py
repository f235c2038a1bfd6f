"""The classifications of transfer learning, filled in from what the methods say of themselves.

A method has its ``place`` (:class:`tlbook.methods.Place`); its chapter bears the name of its module, or of the package
that holds its module. Every public name of ``tlbook.methods`` that has a place is found here, so a new method needs no
entry anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from tlbook import methods, plots
from tlbook.errors import TlbookError
from tlbook.methods import Place

__all__ = ["CLASSIFICATIONS", "SQUARE", "Entry", "entries", "members", "table"]

CLASSIFICATIONS: dict[str, dict[str, Callable[[Place], bool]]] = {
    "target labels": {
        "supervised": lambda place: place.target_labels == "all",
        "semi-supervised": lambda place: place.target_labels == "few",
        "unsupervised": lambda place: place.target_labels == "none",
    },
    "what is transferred": {
        "instances": lambda place: "instances" in place.transfers,
        "features": lambda place: "features" in place.transfers,
        "models": lambda place: "models" in place.transfers,
        "relations": lambda place: "relations" in place.transfers,
    },
    "input spaces": {
        "homogeneous": lambda place: place.spaces == "homogeneous",
        "heterogeneous": lambda place: place.spaces == "heterogeneous",
    },
    "arrival of data": {
        "offline": lambda place: place.arrival == "offline",
        "online": lambda place: place.arrival == "online",
    },
}
"""For each classification its classes, and for each class which places belong to it."""

SQUARE: dict[str, Callable[[Place], bool]] = {
    "labelled source, labelled target": lambda place: place.source_labels and place.target_labels != "none",
    "labelled source, unlabelled target": lambda place: place.source_labels and place.target_labels == "none",
    "unlabelled source, labelled target": lambda place: not place.source_labels and place.target_labels != "none",
    "unlabelled source, unlabelled target": lambda place: not place.source_labels and place.target_labels == "none",
}
"""The four cells of the 2×2 of labelled and unlabelled source and target."""


@dataclass(frozen=True)
class Entry:
    """A method of the book and where it stands.

    Attributes:
        name: of the method's class.
        chapter: the name of its module, or of the package around it, which is that of its chapter.
        place: what the method says of itself.
    """

    name: str
    chapter: str
    place: Place

    def link(self, chapters: Collection[str]) -> str:
        """The method's name in Markdown, as a link where its chapter is one of ``chapters``."""
        return f"[{self.name}]({self.chapter}.ipynb)" if self.chapter in chapters else self.name


def entries(package: object = methods) -> list[Entry]:
    """Every method of the book, by chapter and name.

    Args:
        package: what to search, an object with ``__all__``.

    Example:
        >>> [entry.chapter for entry in entries() if entry.name == "DANN"]
        ['dann']
    """
    public: Iterable[str] = getattr(package, "__all__", ())
    found = [getattr(package, name) for name in public]
    placed = [
        Entry(each.__name__, each.__module__.split(".")[2], each.place)  # tlbook.methods.CHAPTER, or a part of it
        for each in found
        if isinstance(getattr(each, "place", None), Place)
    ]
    return sorted(placed, key=lambda entry: (entry.chapter, entry.name))


def members(class_: str, among: Iterable[Entry]) -> list[Entry]:
    """The methods of one class, such as ``"online"``, or of one cell of the square.

    Raises:
        TlbookError: for a class that no classification has.

    Example:
        >>> "DANN" in [entry.name for entry in members("features", entries())]
        True
    """
    for classes in (*CLASSIFICATIONS.values(), SQUARE):
        if class_ in classes:
            return [entry for entry in among if classes[class_](entry.place)]
    known = [name for classes in (*CLASSIFICATIONS.values(), SQUARE) for name in classes]
    raise TlbookError(f"class is {class_!r}; expected one of {known}")


def table(chapters: Collection[str], package: object = methods) -> plots.Table:
    """Where every method stands, one row for those of a chapter that stand alike.

    The columns are the labels of the source and the classifications; a column that is the same in every row tells
    nothing and is left out.

    Args:
        chapters: the chapters that there are; others are not linked.
        package: what to search, see :func:`entries`.

    Example:
        >>> table(chapters=[]).columns
        ('methods', 'source labels', 'target labels', 'what is transferred')
    """
    rows: dict[tuple[str, ...], list[str]] = {}
    for entry in entries(package):
        classes = [
            ", ".join(name for name, belongs in classes.items() if belongs(entry.place))
            for classes in CLASSIFICATIONS.values()
        ]
        key = (entry.chapter, "all" if entry.place.source_labels else "none", *classes)
        rows.setdefault(key, []).append(entry.link(chapters))
    heads = ["source labels", *CLASSIFICATIONS]
    telling = [i for i in range(len(heads)) if len({key[1 + i] for key in rows}) > 1]
    return plots.table(
        ["methods", *(heads[i] for i in telling)],
        [[", ".join(names), *(key[1 + i] for i in telling)] for key, names in rows.items()],
    )
