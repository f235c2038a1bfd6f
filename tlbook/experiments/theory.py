"""The terms of the bound on real data: digits of two post offices, reviews of films and of goods (chapter ``theory``).

``python -m tlbook.experiments.theory`` measures every pair over three seeds and writes the table that the chapter
reads. The labels of the targets are used to measure the joint error and the error that is bounded, for nothing else.
"""

from __future__ import annotations

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tlbook import evaluate, fit, nets
from tlbook.data import Domain, checksum, load
from tlbook.experiments.tables import write_table
from tlbook.methods import SourceOnly
from tlbook.theory import (
    Bound,
    best_linear,
    best_stump,
    joint_error,
    linear_pair_divergence,
    sample_term,
    stump_pair_divergence,
    vc_linear,
    vc_stumps,
)

__all__ = ["PAIRS", "SEEDS", "domain", "half_spaces", "measure", "thresholds"]

Matrix = NDArray[np.float64]
PAIRS = (
    ("mnist", "usps"),
    ("usps", "mnist"),
    ("movie-reviews", "customer-reviews"),
    ("customer-reviews", "movie-reviews"),
)
"""Source and target; of a digit it is asked whether it is odd, of a review whether it praises."""

SEEDS = (0, 1, 2)
PROTOCOL = (
    "Digits in grey, 16×16, odd or even; reviews as counts of 4096 hashed words, praise or blame; all examples of the "
    "training splits. Thresholds: H compares the score of a network with a threshold; the network (two convolutions "
    "for digits, one linear layer for reviews; 1,500 steps of Adam, batches of 64) learns from the source's training "
    "split alone, every term is measured on the test splits, exactly. Half-spaces: H divides the inputs; h and h* "
    "are logistic regressions fitted to training splits and scored on test splits, the divergence is the larger "
    "of two lower bounds, from pairs of half-spaces and from single ones (proxy A-distance), trained on half of the "
    "training splits and scored on the other half. δ = 0.05"
)


def domain(name: str, split: str) -> Domain:
    """A domain with two classes: digits N×1×16×16 uint8, or reviews N×4096 float."""
    given = load(name, split)
    if given.x.ndim == 2:
        return replace(given, x=given.x.float())
    return replace(given.images(channels=1, size=16), y=given.labels() % 2, classes=("even", "odd"))


def network(source: Domain, seed: int) -> SourceOnly:
    """A small network trained on the source."""
    torch.manual_seed(seed)
    images = source.x.ndim == 4
    features: nn.Module = nets.conv_features(channels=1, widths=(16, 24), kernel=3) if images else nn.Flatten()
    width = features(source.x[:1]).shape[1]
    method = SourceOnly(features, nets.mlp(width, 64, 2) if images else nets.mlp(width, 2))
    fit(method, source, steps=1500, batch_size=64, seed=seed, precision="fp32", progress=False)
    return method


def thresholds(train: Domain, source: Domain, target: Domain, seed: int) -> tuple[Bound, float]:
    """The bound for thresholds on the score of a network, and the error that it bounds.

    Args:
        train: what the network learns from.
        source: held-out examples of the same domain.
        target: labelled examples of the other: an analysis.
        seed: of the network.
    """
    method = network(train, seed)
    (xs, ys), (xt, yt) = (
        (np.diff(evaluate.apply(method, d.x).double().numpy()), d.labels().numpy()) for d in (source, target)
    )
    bound = Bound(
        source_error=float(((xs[:, 0] > 0) != ys).mean()),
        divergence=stump_pair_divergence(xs, xt),
        sample_term=sample_term(vc_stumps(1), min(len(xs), len(xt))),
        joint_error=joint_error(best_stump, xs, ys, xt, yt),
    )
    return bound, float(((xt[:, 0] > 0) != yt).mean())


def half_spaces(
    source: Domain, target: Domain, source_test: Domain, target_test: Domain, seed: int
) -> tuple[Bound, float]:
    """The bound for half-spaces of the inputs, as far as it can be found, and the error that it bounds.

    Args:
        source: training split of the source.
        target: training split of the target, with labels: an analysis.
        source_test: held-out examples of the source.
        target_test: held-out examples of the target.
        seed: of the halves of the divergence.
    """
    (xs, ys), (xt, yt), (xs_test, ys_test), (xt_test, yt_test) = (
        (d.x.flatten(1).double().numpy(), d.labels().numpy()) for d in (source, target, source_test, target_test)
    )
    h = best_linear(xs, ys)
    weights = np.repeat([1 / len(xs), 1 / len(xt)], [len(xs), len(xt)])
    h_star = best_linear(np.concatenate([xs, xt]), np.concatenate([ys, yt]), weights)
    bound = Bound(
        source_error=float((h(xs_test) != ys_test).mean()),
        divergence=max(linear_pair_divergence(xs, xt, seed), evaluate.proxy_a_distance(xs, xt, seed)),
        sample_term=sample_term(vc_linear(xs.shape[1]), min(len(xs), len(xt))),
        joint_error=float((h_star(xs_test) != ys_test).mean() + (h_star(xt_test) != yt_test).mean()),
    )
    return bound, float((h(xt_test) != yt_test).mean())


def measure(source: str, target: str, seed: int) -> dict[str, dict[str, float]]:
    """For both classes of hypotheses the four terms, their sum, and the target's error."""
    train = {name: domain(name, "train") for name in (source, target)}
    test = {name: domain(name, "test") for name in (source, target)}
    found = {
        "thresholds": thresholds(train[source], test[source], test[target], seed),
        "half-spaces": half_spaces(train[source], train[target], test[source], test[target], seed),
    }
    return {name: asdict(bound) | {"bound": bound.value, "error": error} for name, (bound, error) in found.items()}


def record(folder: Path | None = None) -> dict[str, Any]:
    """Measure every pair with every seed and write the table."""
    rows: dict[str, Any] = {}
    for source, target in PAIRS:
        start = time.perf_counter()
        runs = [measure(source, target, seed) for seed in SEEDS]
        row = {
            hypotheses: {
                term: {"mean": round(float(np.mean(values)), 4), "sd": round(float(np.std(values, ddof=1)), 4)}
                for term in first
                for values in [[run[hypotheses][term] for run in runs]]
            }
            for hypotheses, first in runs[0].items()
        }
        rows[f"{source} → {target}"] = row | {"seconds": round(time.perf_counter() - start, 1)}
        print(source, target, {h: {k: v["mean"] for k, v in row[h].items()} for h in row})
    table = {
        "title": "The terms of the Ben-David bound on real pairs of domains",
        "protocol": PROTOCOL,
        "selection": "none: every setting is fixed beforehand and the same for all pairs",
        "seeds": SEEDS,
        "rows": rows,
        "checksums": {
            f"{name} {split}": checksum(load(name, split))
            for name in dict.fromkeys(name for pair in PAIRS for name in pair)
            for split in ("train", "test")
        },
    }
    return write_table("theory", table, folder)


if __name__ == "__main__":
    record()
