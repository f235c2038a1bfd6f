"""The recorded Office-Caltech10 table is complete and is what its own code makes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import Normalizer

from tlbook import experiments
from tlbook.data import Domain
from tlbook.data.catalogue import SOURCES
from tlbook.experiments import Run
from tlbook.experiments import classical_adaptation as table


def test_the_record_is_what_the_table_prints() -> None:
    for title, row in table.ROWS.items():
        record = experiments.read(row.name)
        assert record.complete, title
        assert [entry["seed"] for entry in record.entries] == list(range(len(table.PAIRS)))
        for entry, pair in zip(record.entries, table.PAIRS, strict=True):
            source, target = (f"office-caltech-{table.LETTERS[letter]}" for letter in pair.split("-"))
            assert entry["checksums"]["source"] == SOURCES[source].checksums["train"]
            assert entry["checksums"]["test"] == SOURCES[target].checksums["train"]
        published = row.published
        assert (published is None) == (row.name.removeprefix("classical-adaptation-") not in table.PUBLISHED)
        if published:
            assert published.value == pytest.approx(np.mean(list(published.measures.values())), abs=1e-6)


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
    method = table.ROWS["PCA"].method(0).fit(xs, np.arange(40) % 3, xt)
    scores = PCA(30, svd_solver="full").fit_transform(np.concatenate([xs, xt]))
    assert np.abs(np.concatenate([method.source_z_, method.transform(xt)])) == pytest.approx(np.abs(scores), abs=1e-9)
    assert isinstance(method.classifier_[0], Normalizer)


def test_without_adaptation_the_nearest_source_row_decides() -> None:
    rng = np.random.default_rng(0)
    xs, xt, ys = rng.normal(size=(40, 5)), rng.normal(size=(50, 5)), rng.integers(3, size=40)
    nearest = ((xt[:, None] - xs) ** 2).sum(axis=2).argmin(axis=1)
    assert table.ROWS["1-NN"].method(0).fit(xs, ys, xt).predict(xt).tolist() == ys[nearest].tolist()


def test_every_row_runs_and_never_fits_on_target_labels(monkeypatch: Any) -> None:
    rng = np.random.default_rng(0)
    labels = torch.arange(150) % 3

    def small(letter: str) -> Domain:
        x = torch.from_numpy(rng.integers(1, 200, (150, 120)).astype(np.uint8))
        return Domain(letter, x, labels, ("a", "b", "c"))

    monkeypatch.setattr(table, "domain", small)
    for row in table.ROWS.values():
        source, target, test = row.domains(0)
        assert target.y is None
        run = Run(0, row.method(0), source, target, test)
        [(name, accuracy)] = row.measures(run).items()
        assert name == "accuracy"
        wrong = replace(test, y=(test.labels() + 1) % 3)
        predicted = run.method.predict(table.prepare(test.x.numpy().astype(float), unit=row.title != "1-NN"))
        row.measures(run._replace(test=wrong))
        again = run.method.predict(table.prepare(test.x.numpy().astype(float), unit=row.title != "1-NN"))
        assert (predicted == again).all()
        assert accuracy == (predicted == labels.numpy()).mean()
