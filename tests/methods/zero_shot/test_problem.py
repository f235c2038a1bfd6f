"""No image of a class held out has a say in what is learned, and the rows of a problem belong together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tlbook.data import Domain, load
from tlbook.data.specimens import specimens
from tlbook.errors import TlbookError
from tlbook.methods.zero_shot import problem as table
from tlbook.methods.zero_shot.problem import Digits

HELD = [9, 0, 4]


@pytest.fixture(scope="module")
def digits() -> tuple[Digits, Digits, Digits]:
    """Examples to learn from, printed specimens, and examples to name."""
    return (
        table.describe(load("digits").per_class(40, seed=0)),
        table.describe(specimens()),
        table.describe(load("digits", "test").per_class(20, seed=0)),
    )


def test_ten_draws_no_two_alike() -> None:
    held = table.draws()
    assert len({frozenset(h) for h in held}) == len(held) == 10
    assert all(len(set(h)) == 3 for h in held)
    assert held == table.draws()
    assert held != table.draws(seed=1)


@pytest.mark.parametrize("row", [row for row in table.METHODS if row != "DAP"])
def test_no_image_of_a_class_held_out_is_touched_in_training_or_tuning(
    row: str, digits: tuple[Digits, Digits, Digits]
) -> None:
    train, printed, test = digits
    expected = table.trial(table.METHODS[row], train, printed, test, HELD)
    poison = np.isin(train.y, HELD)
    spoiled = [np.where(poison[:, None], np.nan, part) for part in (train.measures, train.pictures)]
    assert table.trial(table.METHODS[row], Digits(*spoiled, train.y), printed, test, HELD) == expected
    without = train.of(set(range(10)) - set(HELD))
    assert table.trial(table.METHODS[row], without, printed, test, HELD) == expected


def test_what_is_chosen_depends_on_seen_classes_alone(digits: tuple[Digits, Digits, Digits], monkeypatch: Any) -> None:
    """Neither the test images nor the specimens of the classes held out reach a fit or a choice."""
    train, printed, test = digits
    fitted: list[tuple[Any, ...]] = []

    class Spy(table.NearestDescription):
        def _learn(self, x: Any, y: Any, s: Any) -> None:
            fitted.append((x.tobytes(), y.tobytes(), s.tobytes()))

    setting = table.Setting("measures", "measures", [Spy()])
    table.trial(setting, train, printed, test, HELD)
    first, fitted[:] = list(fitted), []
    other_test = test._replace(measures=test.measures[::-1].copy(), pictures=test.pictures[::-1].copy())
    swapped = printed.measures.copy()
    swapped[np.isin(printed.y, HELD)] = 7.0
    table.trial(setting, train, printed._replace(measures=swapped), other_test, HELD)
    assert first == fitted
    assert len(first) == 15  # seven rehearsals to choose, seven for the penalty, and the fit that is scored


def test_a_problem_sets_its_rows_right(digits: tuple[Digits, Digits, Digits]) -> None:
    train, printed, test = digits
    known = [c for c in range(10) if c not in HELD]
    task = table.problem("measures", "measures", train.of(known), printed, test)
    order = np.array([*known, *sorted(HELD)])
    assert np.array_equal(order[task.test_y], test.y)
    assert np.array_equal(np.array(known)[task.y], train.of(known).y)
    assert task.seen.tolist() == [True] * 7 + [False] * 3
    fold = task.fold
    assert np.array_equal(np.array(sorted(HELD))[fold.held_y], test.y[np.isin(test.y, HELD)])
    assert np.array_equal(fold.held_signatures, task.signatures[7:])
    np.testing.assert_allclose(task.x.mean(axis=0), 0, atol=1e-9)
    assert task.test_x.shape[1] == task.x.shape[1]
    for rehearsal in table.rehearsals(table.METHODS["ESZSL"], train.of(known), printed):
        assert rehearsal.seen.tolist() == [True] * 5 + [False] * 2
        assert len(rehearsal.x) == 100
        assert len(rehearsal.test_x) == 140


def test_digits_of_some_classes() -> None:
    y = np.array([3, 1, 3, 2, 1, 3])
    some = Digits(np.arange(6.0)[:, None], np.arange(6.0)[:, None], y)
    assert some.of([3, 2]).measures.ravel().tolist() == [0, 2, 3, 5]
    assert some.of([3, 1], slice(1, None, 2)).y.tolist() == [3, 1]
    domain = Domain("d", torch.zeros(1, 1, 9, 9, dtype=torch.uint8), None, ("0",))
    with pytest.raises(TlbookError):
        table.describe(domain)


def test_the_settings_that_may_be_chosen() -> None:
    grid = [(gamma, alpha) for gamma in (10.0, 100.0, 1000.0, 10_000.0) for alpha in (0.1, 1.0, 10.0)]
    for name, (reads, described_by) in {
        "DAP": ("measures", "measures"),
        "ESZSL": ("measures", "measures"),
        "ESZSL, from pictures": ("pictures", "measures"),
        "Embedding of pictures": ("pictures", "pictures"),
        "nearest description": ("measures", "measures"),
    }.items():
        setting = table.METHODS[name]
        assert (setting.reads, setting.described_by) == (reads, described_by)
        if name.startswith("ESZSL"):
            assert [(each.gamma, each.alpha) for each in setting.candidates] == grid
    assert [each.classifier.C for each in table.METHODS["DAP"].candidates] == [0.001, 0.01, 0.1]
    assert [each.gamma for each in table.METHODS["Embedding of pictures"].candidates] == [1.0, 10.0, 100.0, 1000.0]
    assert len(table.METHODS) == 5
