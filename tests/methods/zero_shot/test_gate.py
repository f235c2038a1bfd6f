"""The gate raises as many false alarms as it was told, and finds what is far from anything seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.svm import OneClassSVM

from tlbook.errors import TlbookError
from tlbook.methods.zero_shot.gate import Gate

DETECTORS = [
    None,
    KernelDensity(bandwidth=0.5),
    GaussianMixture(3, random_state=0),
    LocalOutlierFactor(n_neighbors=5, novelty=True),
    OneClassSVM(nu=0.1),
]


def clusters(n: int, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) + np.array([[0, 0], [6, 0], [0, 6]])[rng.integers(0, 3, n)]


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: type(d).__name__)
@pytest.mark.parametrize("alarms", [0.05, 0.3])
def test_alarms_are_as_frequent_as_asked_and_novelties_are_found(detector: Any, alarms: float) -> None:
    gate = Gate(detector, alarms=alarms).fit(clusters(3000, 0))
    usual, novel = clusters(2000, 1), np.random.default_rng(2).normal(6, 1, size=(300, 2))
    assert gate.predict(usual).mean() == pytest.approx(alarms, abs=0.03)
    scores = gate.score_samples(np.concatenate([usual, novel]))
    assert np.array_equal(gate.predict(usual), gate.score_samples(usual) < gate.threshold_)
    assert roc_auc_score(np.arange(2300) < 2000, scores) > 0.85


def test_the_threshold_is_not_set_on_what_the_detector_learned_from() -> None:
    """A detector that remembers its examples finds them all usual; on new ones it must be wrong as often as asked."""
    gate = Gate(KernelDensity(bandwidth=0.01), alarms=0.1).fit(clusters(1000, 0))
    assert gate.predict(clusters(3000, 1)).mean() == pytest.approx(0.1, abs=0.05)


def test_conventions() -> None:
    gate = Gate(alarms=0.2, seed=3)
    assert clone(gate).get_params() == gate.get_params()
    with pytest.raises(NotFittedError):
        gate.predict(np.zeros((2, 2)))
    x = clusters(100, 0)
    assert gate.fit(x) is gate
    assert np.array_equal(gate.predict(torch.from_numpy(x)), gate.predict(x))


@pytest.mark.parametrize("alarms", [0, 1, -0.1, float("nan"), "few"])
def test_the_share_of_alarms_is_a_share(alarms: Any) -> None:
    with pytest.raises(TlbookError, match=r"^alarms is [^\n]*above 0 and below 1: it is a share[^\n]*$"):
        Gate(alarms=alarms).fit(clusters(50, 0))


def test_bad_input_is_one_line() -> None:
    with pytest.raises(TlbookError, match=r"^detector is LogisticRegression\(\), which has no score_samples[^\n]*$"):
        Gate(LogisticRegression()).fit(clusters(50, 0))
    with pytest.raises(TlbookError, match=r"^detector is the class LocalOutlierFactor; [^\n]*$"):
        Gate(LocalOutlierFactor).fit(clusters(50, 0))
    with pytest.raises(TlbookError, match=r"^Gate is not fitted; expected it fitted: call fit first$"):
        Gate().predict(clusters(50, 0))
    for x in (clusters(9, 0), np.full((20, 2), np.nan), np.zeros(20), np.zeros((20, 2, 2))):
        with pytest.raises(TlbookError, match=r"^x cannot be used: [^\n]*; expected finite numbers, N×D,[^\n]*$"):
            Gate().fit(x)


def test_what_is_as_usual_as_the_threshold_is_not_novel() -> None:
    class Same(KernelDensity):
        def score_samples(self, X: Any) -> Any:
            return np.zeros(len(X))

    gate = Gate(Same()).fit(clusters(50, 0))
    assert gate.threshold_ == 0
    assert not gate.predict(clusters(50, 1)).any()
