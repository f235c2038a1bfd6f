"""The published Office-Caltech10 rows, from the SURF features under TLBOOK_DATA."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tlbook.experiments import classical_adaptation as table

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def real_data() -> None:
    if not (Path(os.environ.get("TLBOOK_DATA", "")) / "office-caltech10").is_dir():
        pytest.skip("needs real data: set TLBOOK_DATA to a folder that holds office-caltech10/surf")


def test_the_nearest_neighbour_gives_its_row_exactly() -> None:
    assert np.round(100 * np.array(table.accuracies("1-NN")), 1).tolist() == list(table.PUBLISHED["1-NN"][1])


def test_tca_gives_its_row() -> None:
    ours = 100 * np.array(table.accuracies("TCA"))
    assert ours == pytest.approx(np.array(table.PUBLISHED["TCA"][1]), abs=0.06)


@pytest.mark.parametrize("name", ["GFK", "JDA"])
def test_the_average_is_within_a_point_and_a_half(name: str) -> None:
    ours = 100 * np.mean(table.accuracies(name))
    assert ours == pytest.approx(np.mean(table.PUBLISHED[name][1]), abs=1.5)


def test_a_fixed_balance_and_an_estimated_one_run() -> None:
    pairs = ("D-W",)
    fixed, estimated = (table.accuracies(name, pairs)[0] for name in ("BDA, balance 0.5", "BDA, balance estimated"))
    assert min(fixed, estimated) > 0.85
