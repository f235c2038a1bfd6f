"""The recorded Office-Caltech10 table is complete and is what its own code makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from tlbook import experiments
from tlbook.data import Domain
from tlbook.data.catalogue import SOURCES
from tlbook.experiments import classical_adaptation as table

RESULTS = Path(__file__).resolve().parents[2] / "book" / "results" / "tables"


def test_the_record_is_complete() -> None:
    content = experiments.read_table("office-caltech10", RESULTS)
    assert content is not None
    assert list(content["rows"]) == [*table.BASELINES, *table.METHODS]
    assert tuple(content["pairs"]) == table.PAIRS
    assert content["protocol"] == table.PROTOCOL
    for name, row in content["rows"].items():
        assert len(row["accuracy"]) == len(table.PAIRS)
        assert row["mean"] == pytest.approx(np.mean(row["accuracy"]), abs=1e-4)
        assert (row["published"] is None) == (name not in table.PUBLISHED)
        if row["published"]:
            assert row["published"] == pytest.approx([v / 100 for v in table.PUBLISHED[name][1]])
    for letter in table.LETTERS.values():
        assert content["checksums"][letter] == SOURCES[f"office-caltech-{letter}"].checksums["train"]


def test_rows_are_scaled_as_the_papers_do() -> None:
    x = np.random.default_rng(0).integers(0, 9, (30, 7)).astype(float)
    x[:, 3] = 0  # a word that never occurs
    z = table.prepare(x, unit=False)
    assert z.mean(axis=0) == pytest.approx(np.zeros(7))
    assert z.std(axis=0) == pytest.approx([1, 1, 1, 0, 1, 1, 1])
    assert table.prepare(3 * x, unit=False) == pytest.approx(z)
    assert np.linalg.norm(table.prepare(x), axis=1) == pytest.approx(np.ones(30))


def test_pca_is_that_of_both_domains_and_ends_with_unit_lengths() -> None:
    rng = np.random.default_rng(0)
    xs, xt = rng.normal(size=(40, 35)), rng.normal(size=(50, 35)) + 1
    zs, zt = table.pooled_pca(xs, xt)
    scores = PCA(30, svd_solver="full").fit_transform(np.concatenate([xs, xt]))
    scores /= np.linalg.norm(scores, axis=1, keepdims=True)
    assert np.abs(np.concatenate([zs, zt])) == pytest.approx(np.abs(scores), abs=1e-9)


def test_recording_runs_every_row_and_never_shows_target_labels(tmp_path: Path, monkeypatch: Any) -> None:
    rng = np.random.default_rng(0)

    def small(letter: str) -> Domain:
        x = torch.from_numpy(rng.integers(1, 200, (150, 120)).astype(np.uint8))
        return Domain(letter, x, torch.arange(150) % 3, ("a", "b", "c"))

    monkeypatch.setattr(table, "domain", small)
    monkeypatch.setattr(table, "PAIRS", ("C-A",))
    monkeypatch.setattr(table.accuracies, "__defaults__", (("C-A",),))
    assert experiments.read_table("office-caltech10", tmp_path) is None
    content = table.record(tmp_path)
    assert [len(row["accuracy"]) for row in content["rows"].values()] == [1] * len({**table.BASELINES, **table.METHODS})
    assert experiments.read_table("office-caltech10", tmp_path) is not None
