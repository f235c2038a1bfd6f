"""The recorded terms of the bound are complete, add up, and are what their own code measures."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import pytest
import torch

from tlbook import evaluate, experiments, fit
from tlbook.data import Domain
from tlbook.experiments import Run
from tlbook.experiments import theory as table
from tlbook.methods import SourceOnly
from tlbook.theory import sample_term

TERMS = {"source_error", "divergence", "sample_term", "joint_error", "bound", "error"}


def test_the_records_add_up() -> None:
    assert list(table.ROWS) == [(*pair, kind) for pair in table.PAIRS for kind in ("thresholds", "half-spaces")]
    for (source, target, _), row in table.ROWS.items():
        record = experiments.read(row.name)
        assert record.complete
        for entry in record.entries:
            terms = entry["measures"]
            assert terms.keys() == TERMS
            total = terms["source_error"] + terms["divergence"] / 2 + terms["sample_term"] + terms["joint_error"]
            assert terms["bound"] == pytest.approx(total, abs=3e-4)
            assert terms["error"] == pytest.approx(1 - entry["accuracy"], abs=1e-4)
        assert row.task == f"{source} → {target}"


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
    exact = 2 * (NormalDist().cdf(0.5) - 0.5)  # at a threshold between the lower class here and there
    torch.manual_seed(0)
    network = SourceOnly(torch.nn.Flatten(), torch.nn.Linear(6, 2))
    run = Run(0, network, *table.split_domains(0, "0", "1"))
    fit(network, run.source, steps=300, batch_size=64, seed=0, precision="fp32")
    half = run._replace(method=table.ROWS["mnist", "usps", "half-spaces"].method(0))
    found = {"thresholds": table.thresholds(run, "0"), "half-spaces": table.half_spaces(half, "0", "1")}
    for hypotheses, dim, rows in (("thresholds", 2, 300), ("half-spaces", 7, 500)):
        terms = found[hypotheses]
        assert terms.keys() == TERMS | {"accuracy"}
        assert terms["accuracy"] == 1 - terms["error"]
        assert terms["error"] <= terms["bound"]
        assert terms["sample_term"] == sample_term(dim, rows)
        assert terms["source_error"] == pytest.approx(0.023, abs=0.03)
        assert terms["divergence"] < exact + 0.2
        assert terms["joint_error"] < 0.3
    assert found["thresholds"]["divergence"] > exact - 0.15
    assert found["thresholds"]["accuracy"] == pytest.approx(evaluate.accuracy(network, run.test))
    held_out = table.domain("0", "test")
    assert found["thresholds"]["source_error"] == pytest.approx(1 - evaluate.accuracy(network, held_out))


def test_digits_are_odd_or_even_and_reviews_are_numbers(monkeypatch: Any) -> None:
    digits = Domain("d", torch.zeros(10, 1, 28, 28, dtype=torch.uint8), torch.arange(10), tuple("0123456789"))
    reviews = Domain("r", torch.ones(2, 8, dtype=torch.uint8), torch.tensor([0, 1]), ("negative", "positive"))
    monkeypatch.setattr(table, "load", lambda name, split: {"d": digits, "r": reviews}[name])
    assert table.domain("d", "train").x.shape == (10, 1, 16, 16)
    assert table.domain("d", "train").labels().tolist() == [0, 1] * 5
    assert table.domain("r", "train").x.dtype == torch.float32
    assert table.image_network()(digits.images(size=16).x).shape == (10, 2)
