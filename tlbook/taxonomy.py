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

__all__ = ["CLASSIFICATIONS", "COMING", "Entry", "by_class", "by_method", "entries", "members", "square"]

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

COMING = {
    "supervised": "multitask",
    "semi-supervised": "few_target_labels",
    "instances": "instance_transfer",
    "relations": "glomo",
    "heterogeneous": "heterogeneous_transfer",
    "online": "online_transfer",
    "unlabelled source, labelled target": "self_supervised",
    "unlabelled source, unlabelled target": "glomo",
}
"""The chapter that brings a class its first method, or more of them; it is named until it is there."""


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


def by_method(chapters: Collection[str], package: object = methods) -> plots.Table:
    """One row a method: its class in every classification, and a link to its chapter.

    Args:
        chapters: the chapters that there are; others are not linked.
        package: what to search, see :func:`entries`.
    """
    rows = []
    for entry in entries(package):
        places = [
            ", ".join(name for name, belongs in classes.items() if belongs(entry.place))
            for classes in CLASSIFICATIONS.values()
        ]
        rows.append([entry.link(chapters), *places])
    return plots.table(["method", *CLASSIFICATIONS], rows)


def by_class(chapters: Collection[str], package: object = methods) -> plots.Table:
    """One row a class: its methods, and the chapter that is still to bring some.

    Args:
        chapters: the chapters that there are.
        package: what to search, see :func:`entries`.
    """
    rows = [
        [classification, class_, _filled(class_, chapters, package)]
        for classification, classes in CLASSIFICATIONS.items()
        for class_ in classes
    ]
    return plots.table(["classified by", "class", "methods"], rows)


def square(chapters: Collection[str], package: object = methods) -> plots.Table:
    """The 2×2 of labelled and unlabelled source and target, with the methods of each cell.

    Args:
        chapters: the chapters that there are.
        package: what to search, see :func:`entries`.
    """
    cells = [_filled(cell, chapters, package) for cell in SQUARE]
    rows = [["**labelled source**", *cells[:2]], ["**unlabelled source**", *cells[2:]]]
    return plots.table(["", "labelled target", "unlabelled target"], rows)


def _filled(class_: str, chapters: Collection[str], package: object) -> str:
    """The methods of a class, then the chapter that is to come."""
    names = [entry.link(chapters) for entry in members(class_, entries(package))]
    coming = COMING.get(class_)
    if coming and coming not in chapters:
        names.append(f"*coming:* {coming}")
    return ", ".join(names)
