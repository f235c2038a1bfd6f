"""The recorded zero-shot table is complete, and no image of a class held out has a say in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from tlbook import experiments
from tlbook.data import load, xlsa17
from tlbook.data.catalogue import SOURCES
from tlbook.errors import TlbookError
from tlbook.evaluate import harmonic_mean
from tlbook.experiments import zero_shot as table
from tlbook.methods.zero_shot import problem
from tlbook.methods.zero_shot.selection import choose


def test_the_record_is_complete_and_far_above_chance() -> None:
    for (name, _), row in table.DIGIT_ROWS.items():
        record = experiments.read(row.name)
        assert record.complete
        for kind in ("", ", calibrated"):
            seen, unseen, harmonic = (record.measure(f"{key}{kind}") for key in ("seen", "unseen", "harmonic"))
            expected = [harmonic_mean(*halves) for halves in zip(seen, unseen, strict=True)]
            assert harmonic == pytest.approx(expected, abs=2e-4)
        assert record.mean > 1 / 3 + 0.15
        for entry in record.entries:
            assert entry["checksums"]["test"] == SOURCES[name].checksums["test"]


def test_a_seed_is_a_draw_of_the_digits_held_out(monkeypatch: Any) -> None:
    monkeypatch.setattr(table, "load", lambda name, split="train": load("digits", split))
    monkeypatch.setattr(table, "EXAMPLES", 20)
    for seed, held in enumerate(problem.draws()):
        source, target, test = table.digits(seed, "mnist")
        assert set(source.labels().tolist()) == set(range(10)) - set(held)
        assert source.labels().bincount().max() == 20
        assert target is None
        assert set(test.labels().tolist()) == set(range(10))


@pytest.mark.parametrize("row", table.METHODS)
def test_every_row_runs(row: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(table, "load", lambda name, split="train": load("digits", split))
    monkeypatch.setattr(table, "EXAMPLES", 20)
    table.tests.cache_clear()
    settings = {row: s._replace(candidates=s.candidates[-1:]) for row, s in table.METHODS.items()}
    monkeypatch.setattr(table, "METHODS", settings)
    found = experiments.run(table.DIGIT_ROWS["mnist", row].name, 2)
    table.tests.cache_clear()
    assert found["accuracy"] > 1 / 3
    assert found["harmonic"] == pytest.approx(harmonic_mean(found["seen"], found["unseen"]))


# the standard benchmarks, on small files of their layout


@pytest.fixture
def benchmark_root(tmp_path: Path, monkeypatch: Any) -> Path:
    """AwA2 in small: 12 classes, 6 attributes of which one does not vary among the seen, 240 images."""
    rng = np.random.default_rng(0)
    monkeypatch.setitem(xlsa17.BENCHMARKS, "AWA2", (12, 6))
    attributes = 0.4 * rng.choice([-1.0, 1.0], size=(12, 6))
    attributes[9:, :3] = 0.4 - 0.8 * np.eye(3)
    attributes[:, 5] = np.where(np.arange(12) < 9, 0.5, 0.6)
    y = np.repeat(np.arange(12), 20)
    x = 2.5 * attributes[y] @ rng.normal(size=(6, 40)) + 0.3 * rng.normal(size=(240, 40))
    names = np.empty((12, 1), object)
    names[:, 0] = [f"animal {i}" for i in range(12)]
    at = np.arange(240)
    test_seen = (y < 9) & (at % 4 == 0)
    parts = {
        "train_loc": (y < 6) & ~test_seen,
        "val_loc": (y >= 6) & (y < 9) & ~test_seen,
        "trainval_loc": (y < 9) & ~test_seen,
        "test_seen_loc": test_seen,
        "test_unseen_loc": y >= 9,
    }
    locations = {key: np.flatnonzero(rows)[:, None] + 1 for key, rows in parts.items()}
    folder = tmp_path / "xlsa17" / "data" / "AWA2"
    folder.mkdir(parents=True)
    savemat(folder / "att_splits.mat", {"allclasses_names": names, "att": attributes.T} | locations)
    savemat(folder / "res101.mat", {"features": x.T, "labels": y[:, None] + 1})
    return tmp_path


def test_what_hardly_varies_among_the_seen_is_kept_and_what_does_not_is_left_out(
    benchmark_root: Path, monkeypatch: Any
) -> None:
    monkeypatch.setenv("TLBOOK_DATA", str(benchmark_root))
    monkeypatch.setattr(table, "DECADES", (1.0, 100.0))
    folds: list[Any] = []
    monkeypatch.setattr(table, "choose", lambda candidates, given: folds.extend(given) or choose(candidates, given))
    experiments.run(table.BENCHMARK_ROWS["AWA2", "ESZSL"].name)
    [fold] = folds
    assert fold.signatures.shape == (6, 5)
    assert fold.held_signatures.shape == (3, 5)
    assert np.ptp(fold.signatures, axis=0).max() == pytest.approx(0.8)
    assert sorted(set(fold.y)) == list(range(6))
    assert sorted(set(fold.held_y)) == list(range(3))


def test_with_the_features_a_row_of_a_benchmark_runs(benchmark_root: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TLBOOK_DATA", str(benchmark_root))
    monkeypatch.setattr(table, "DECADES", (0.01, 1.0, 100.0))
    for method in ("ESZSL", "DAP"):
        found = experiments.run(table.BENCHMARK_ROWS["AWA2", method].name)
        assert found["harmonic"] == pytest.approx(harmonic_mean(found["seen"], found["unseen"]), abs=1e-3)
        if method == "ESZSL":
            assert found["accuracy"] > 0.8
            assert {found["gamma"], found["alpha"]} <= {0.01, 1.0, 100.0}


@pytest.mark.parametrize("row", table.BENCHMARK_ROWS.values(), ids=lambda row: row.name)
def test_without_the_features_it_says_so_in_one_line(row: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("TLBOOK_DATA", str(tmp_path))
    with pytest.raises(TlbookError, match=r"^att_splits\.mat of \w+ is missing[^\n]*$"):
        experiments.run(row.name)


def test_the_published_numbers_agree_with_themselves() -> None:
    for rows in table.PUBLISHED.values():
        for row in rows.values():
            assert row["harmonic"] == pytest.approx(harmonic_mean(row["seen"], row["unseen"]), abs=0.06)
