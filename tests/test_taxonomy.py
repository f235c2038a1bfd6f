"""Tests of tlbook.taxonomy: where each method stands, found without a list."""

from dataclasses import replace
from types import SimpleNamespace
from typing import get_args, get_type_hints

import pytest

import tlbook.methods
from tlbook import taxonomy
from tlbook.errors import TlbookError
from tlbook.methods import Place


def package(**places: Place) -> SimpleNamespace:
    """A package with a method for each place, each in a module of its own name in small letters."""
    made = {
        name: type(name, (), {"place": place, "__module__": f"tlbook.methods.{name.lower()}"})
        for name, place in places.items()
    }
    return SimpleNamespace(__all__=["Helper", *made], Helper=object, **made)


BOTH = Place(target_labels="none", transfers=("instances", "features"))
STREAM = Place(
    target_labels="all", transfers=("models",), spaces="heterogeneous", arrival="online", source_labels=False
)


def test_every_public_method_with_a_place_is_found() -> None:
    names = {entry.name for entry in taxonomy.entries()}
    assert {"DANN", "FineTune", "SourceOnly"} <= names
    assert names == {n for n in tlbook.methods.__all__ if hasattr(getattr(tlbook.methods, n), "place")}
    assert not names & {"Batch", "Method", "Place"}


def test_every_place_is_told_in_the_words_there_are() -> None:
    hints = get_type_hints(Place)
    (transfers, _) = get_args(hints["transfers"])
    for entry in taxonomy.entries():
        place = getattr(tlbook.methods, entry.name).place
        for name in ("target_labels", "spaces", "arrival"):
            assert getattr(place, name) in get_args(hints[name]), (entry.name, name)
        assert place.transfers
        assert set(place.transfers) <= set(get_args(transfers)), entry.name


def test_the_parts_of_a_package_share_its_chapter() -> None:
    chapters = {entry.name: entry.chapter for entry in taxonomy.entries()}
    assert {chapters[name] for name in ("TCA", "GFK", "SubspaceAlignment", "JDA", "BDA")} == {"classical_adaptation"}


def test_a_new_method_appears_by_itself() -> None:
    table = taxonomy.table(chapters=["iwan"], package=package(IWAN=BOTH, Drift=STREAM))
    assert table.columns == ("methods", "source labels", *taxonomy.CLASSIFICATIONS)
    assert table.rows == (
        ("Drift", "none", "supervised", "models", "heterogeneous", "online"),
        ("[IWAN](iwan.ipynb)", "all", "unsupervised", "instances, features", "homogeneous", "offline"),
    )


def test_a_column_without_information_is_left_out() -> None:
    other = replace(BOTH, transfers=("models",))
    table = taxonomy.table(chapters=[], package=package(IWAN=BOTH, ADDA=other))
    assert table.columns == ("methods", "what is transferred")
    assert table.rows == (("ADDA", "models"), ("IWAN", "instances, features"))


def test_methods_of_a_chapter_that_stand_alike_share_a_row() -> None:
    methods = [row[0] for row in taxonomy.table(chapters=[]).rows]
    assert "BDA, GFK, JDA, SubspaceAlignment, TCA" in methods
    assert sorted(", ".join(methods).split(", ")) == sorted(entry.name for entry in taxonomy.entries())


def test_a_method_may_be_in_two_classes_of_one_classification() -> None:
    entries = taxonomy.entries(package(IWAN=BOTH))
    assert taxonomy.members("instances", entries) == taxonomy.members("features", entries) == entries


def test_every_place_belongs_to_one_class_of_each_classification_and_to_one_cell() -> None:
    for place in (BOTH, STREAM):
        for name, classes in taxonomy.CLASSIFICATIONS.items():
            expected = len(place.transfers) if name == "what is transferred" else 1
            assert sum(belongs(place) for belongs in classes.values()) == expected
        assert sum(belongs(place) for belongs in taxonomy.SQUARE.values()) == 1


def test_an_unknown_class_is_an_error() -> None:
    with pytest.raises(TlbookError, match="supervised"):
        taxonomy.members("lifelong", [])
