"""The terms of the bound on real data: digits of two post offices, reviews of films and of goods (chapter ``theory``).

The labels of the targets are used to measure the joint error and the error that is bounded, for nothing else.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial

import numpy as np
import torch
from torch import nn

from tlbook import evaluate, nets
from tlbook.data import Domain, load
from tlbook.experiments.experiment import Experiment, Run, Training, seeded
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

__all__ = ["PAIRS", "ROWS", "domain", "half_spaces", "thresholds"]

PAIRS = (
    ("mnist", "usps"),
    ("usps", "mnist"),
    ("movie-reviews", "customer-reviews"),
    ("customer-reviews", "movie-reviews"),
)
"""Source and target; of a digit it is asked whether it is odd, of a review whether it praises."""

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


def split_domains(seed: int, source: str, target: str) -> tuple[Domain, Domain, Domain]:
    """Training splits of source and target, and the target's test split; the same for every seed."""
    return domain(source, "train"), domain(target, "train").unlabelled(), domain(target, "test")


def image_network() -> SourceOnly:
    """Two convolutions, for digits 16×16."""
    features = nets.conv_features(channels=1, widths=(16, 24), kernel=3)
    width = features(torch.zeros(1, 1, 16, 16)).shape[1]
    return SourceOnly(features, nets.mlp(width, 64, 2))


def text_network() -> SourceOnly:
    """One linear layer, for 4,096 counts."""
    return SourceOnly(nn.Flatten(), nets.mlp(4096, 2))


def thresholds(run: Run, source: str) -> dict[str, float]:
    """The bound for thresholds on the score of a network, the error that it bounds, and the accuracy.

    Args:
        run: with the trained network; ``run.test`` is labelled: an analysis.
        source: the name of the source, whose held-out examples are used.
    """
    (xs, ys), (xt, yt) = (
        (np.diff(evaluate.apply(run.method, d.x).double().numpy()), d.labels().numpy())
        for d in (domain(source, "test"), run.test)
    )
    bound = Bound(
        source_error=float(((xs[:, 0] > 0) != ys).mean()),
        divergence=stump_pair_divergence(xs, xt),
        sample_term=sample_term(vc_stumps(1), min(len(xs), len(xt))),
        joint_error=joint_error(best_stump, xs, ys, xt, yt),
    )
    return _terms(bound, float(((xt[:, 0] > 0) != yt).mean()))


def half_spaces(run: Run, source: str, target: str) -> dict[str, float]:
    """The bound for half-spaces of the inputs, as far as it can be found, the error that it bounds, and the accuracy.

    Args:
        run: ``run.method`` is the learner, ``run.seed`` is of the halves of the divergence.
        source: the name of the source.
        target: the name of the target, whose labels are used: an analysis.
    """
    (xs, ys), (xt, yt), (xs_test, ys_test), (xt_test, yt_test) = (
        (d.x.flatten(1).double().numpy(), d.labels().numpy())
        for d in (run.source, domain(target, "train"), domain(source, "test"), run.test)
    )
    h = run.method(xs, ys)
    weights = np.repeat([1 / len(xs), 1 / len(xt)], [len(xs), len(xt)])
    h_star = run.method(np.concatenate([xs, xt]), np.concatenate([ys, yt]), weights)
    bound = Bound(
        source_error=float((h(xs_test) != ys_test).mean()),
        divergence=max(linear_pair_divergence(xs, xt, run.seed), evaluate.proxy_a_distance(xs, xt, run.seed)),
        sample_term=sample_term(vc_linear(xs.shape[1]), min(len(xs), len(xt))),
        joint_error=float((h_star(xs_test) != ys_test).mean() + (h_star(xt_test) != yt_test).mean()),
    )
    return _terms(bound, float((h(xt_test) != yt_test).mean()))


def _terms(bound: Bound, error: float) -> dict[str, float]:
    return asdict(bound) | {"bound": bound.value, "error": error, "accuracy": 1 - error}


def row(source: str, target: str, hypotheses: str) -> Experiment:
    """A pair of domains and a class of hypotheses."""
    described = Experiment(
        name=f"theory-{source}-{target}-{hypotheses}",
        title=hypotheses,
        paper="Ben-David et al., A theory of learning from different domains, Machine Learning 79, 2010",
        table="none: no published numbers are known to us",
        task=f"{source} → {target}",
        protocol=PROTOCOL,
        network="none: logistic regressions",
        selection="none: every setting is fixed beforehand and the same for all pairs",
        published=None,
        domains=partial(split_domains, source=source, target=target),
        method=lambda seed: best_linear,
        measures=partial(half_spaces, source=source, target=target),
    )
    if hypotheses == "half-spaces":
        return described
    images = "reviews" not in source
    return replace(
        described,
        network="conv 16×3×3, pool, conv 24×3×3, pool, 64, labels 2" if images else "one linear layer",
        method=seeded(image_network if images else text_network),
        training=Training(1_500, precision="fp32"),
        measures=partial(thresholds, source=source),
    )


ROWS = {
    (source, target, hypotheses): row(source, target, hypotheses)
    for source, target in PAIRS
    for hypotheses in ("thresholds", "half-spaces")
}
"""The rows of the table, by source, target and class of hypotheses."""
