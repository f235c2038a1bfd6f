"""The published Office-Caltech10 rows, from the SURF features under TLBOOK_DATA."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tlbook.experiments import classical_adaptation as table
from tlbook.experiments import read, run


@pytest.fixture(autouse=True)
def real_data() -> None:
    if not (Path(os.environ.get("TLBOOK_DATA", "")) / "office-caltech10").is_dir():
        pytest.skip("needs real data: set TLBOOK_DATA to a folder that holds office-caltech10/surf")


def accuracies(title: str, tasks: range = range(12)) -> np.ndarray:
    """In percent, as the table has them."""
    return 100 * np.array([run(table.ROWS[title].name, task)["accuracy"] for task in tasks])


def published(title: str) -> np.ndarray:
    return 100 * np.array([*table.ROWS[title].published.measures.values()])


def test_the_nearest_neighbour_gives_its_row_exactly() -> None:
    assert np.round(accuracies("1-NN"), 1) == pytest.approx(published("1-NN"), abs=1e-9)


def test_tca_gives_its_row() -> None:
    assert accuracies("TCA") == pytest.approx(published("TCA"), abs=0.06)


@pytest.mark.parametrize("title", ["GFK", "JDA"])
def test_the_average_is_within_a_point_and_a_half(title: str) -> None:
    assert accuracies(title).mean() == pytest.approx(published(title).mean(), abs=1.5)


@pytest.mark.parametrize("title", table.ROWS)
def test_a_task_is_as_recorded(title: str) -> None:
    task = table.PAIRS.index("D-W")
    ours = accuracies(title, range(task, task + 1))
    assert ours == pytest.approx(100 * read(table.ROWS[title].name).accuracies[task], abs=1e-3)
