"""The recorded terms of the bound are complete, add up, and are what their own code measures."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist
from typing import Any

import pytest
import torch

from tlbook import experiments
from tlbook.data import Domain
from tlbook.data.catalogue import SOURCES
from tlbook.experiments import theory as table
from tlbook.theory import sample_term

RESULTS = Path(__file__).resolve().parents[2] / "book" / "results" / "tables"
TERMS = {"source_error", "divergence", "sample_term", "joint_error", "bound", "error"}


def test_the_record_is_complete_and_adds_up() -> None:
    content = experiments.read_table("theory", RESULTS)
    assert content is not None
    assert list(content["rows"]) == [f"{source} → {target}" for source, target in table.PAIRS]
    assert tuple(content["seeds"]) == table.SEEDS
    assert content["protocol"] == table.PROTOCOL
    for row in content["rows"].values():
        for hypotheses in ("thresholds", "half-spaces"):
            mean = {term: found["mean"] for term, found in row[hypotheses].items()}
            assert mean.keys() == TERMS
            total = mean["source_error"] + mean["divergence"] / 2 + mean["sample_term"] + mean["joint_error"]
            assert mean["bound"] == pytest.approx(total, abs=3e-4)
    for key, value in content["checksums"].items():
        name, split = key.split()
        assert value == SOURCES[name].checksums[split]


def lines(shift: float, n: int, images: bool) -> Domain:
    """Two classes told apart by the first value; the target's is shifted."""
    y = torch.arange(n) % 2
    x = torch.randn(n, 6, generator=torch.Generator().manual_seed(n))
    x[:, 0] += 4 * y - 2 + shift
    return Domain(f"at {shift}", x[:, :, None, None].expand(-1, -1, 16, 16) if images else x, y, ("a", "b"))


def test_terms_are_measured_on_rows_held_out(monkeypatch: Any) -> None:
    monkeypatch.setattr(
        table, "domain", lambda name, split: lines(float(name), {"train": 500, "test": 300}[split], images=False)
    )
    found = table.measure("0", "1", seed=0)
    exact = 2 * (NormalDist().cdf(0.5) - 0.5)  # at a threshold between the lower class here and there
    for hypotheses, dim, rows in (("thresholds", 2, 300), ("half-spaces", 7, 500)):
        terms = found[hypotheses]
        assert terms.keys() == TERMS
        assert terms["error"] <= terms["bound"]
        assert terms["sample_term"] == sample_term(dim, rows)
        assert terms["source_error"] == pytest.approx(0.023, abs=0.03)
        assert terms["divergence"] < exact + 0.2
        assert terms["joint_error"] < 0.3
    assert found["thresholds"]["divergence"] > exact - 0.15


def test_recording_writes_what_is_read(tmp_path: Path, monkeypatch: Any) -> None:
    term = dict.fromkeys(TERMS, 0.25)
    monkeypatch.setattr(
        table, "measure", lambda source, target, seed: {"thresholds": {k: v + seed for k, v in term.items()}}
    )
    monkeypatch.setattr(table, "load", lambda name, split: lines(0.0, 10, images=False))
    assert experiments.read_table("theory", tmp_path) is None
    table.record(tmp_path)
    content = experiments.read_table("theory", tmp_path)
    assert content is not None
    assert content["rows"]["mnist → usps"]["thresholds"]["error"] == {"mean": 1.25, "sd": 1.0}


def test_digits_are_odd_or_even_and_reviews_are_numbers(monkeypatch: Any) -> None:
    digits = Domain("d", torch.zeros(10, 1, 28, 28, dtype=torch.uint8), torch.arange(10), tuple("0123456789"))
    reviews = Domain("r", torch.ones(2, 8, dtype=torch.uint8), torch.tensor([0, 1]), ("negative", "positive"))
    monkeypatch.setattr(table, "load", lambda name, split: {"d": digits, "r": reviews}[name])
    assert table.domain("d", "train").x.shape == (10, 1, 16, 16)
    assert table.domain("d", "train").labels().tolist() == [0, 1] * 5
    assert table.domain("r", "train").x.dtype == torch.float32
    assert table.network(table.domain("d", "train"), 0)(digits.images(size=16).x).shape == (10, 2)
