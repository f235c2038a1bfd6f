"""Linear probes: how well a linear classifier tells two sets of rows apart. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tlbook._arrays import Matrix, as_pair
from tlbook._checks import check_whole

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["domain_error", "proxy_a_distance"]

Pair = tuple[Matrix, Matrix]


def domain_error(train: Pair, test: Pair, classifiers: Iterable[Any]) -> float:
    """The lowest error of linear classifiers that tell two sets of rows apart, each set counting one half.

    Args:
        train: N×D and M×D rows of the two sets, on which features are standardised and classifiers fitted.
        test: rows of the two sets that were held out.
        classifiers: of scikit-learn, not fitted.

    Example:
        >>> near, far = np.zeros((4, 1)), np.ones((4, 1))
        >>> domain_error((near, far), (near, far), [LogisticRegression()])
        0.0
    """
    scale = StandardScaler().fit(np.concatenate(train))
    rows, held_out = (scale.transform(np.concatenate(pair)) for pair in (train, test))
    second, held_second = (np.repeat([False, True], [len(a), len(b)]) for a, b in (train, test))
    errors = []
    for classifier in classifiers:
        wrong = classifier.fit(rows, second).predict(held_out) != held_second
        errors.append((wrong[held_second].mean() + wrong[~held_second].mean()) / 2)
    return float(min(errors))


def proxy_a_distance(x: ArrayLike | Tensor, y: ArrayLike | Tensor, seed: int = 0) -> float:
    """How well a linear classifier tells two sets of features apart: d_A = 2·(1 − 2ε).

    Half of the rows of each set train logistic regressions on standardised features over a range of C; ε is the
    lowest error on the other half, each set counting one half (Ganin et al., JMLR 17(59), 2016, eq. 3 and the
    procedure below it, where linear SVMs are taken).

    Args:
        x: N×D features of the one domain; they are computed with in float64, whatever their type.
        y: M×D features of the other.
        seed: of the split into halves.

    Returns:
        About 0 when the domains cannot be told apart (a little below 0 by chance), 2 when they always can.

    Raises:
        TlbookError: when a set has fewer than four rows, the widths differ, or a value is not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> round(proxy_a_distance(rng.normal(size=(200, 2)), 9 + rng.normal(size=(200, 2))), 2)
        2.0
    """
    a, b = as_pair(x, y, least=4)
    rng = np.random.default_rng(check_whole("seed", seed, at_least=0))
    a, b = rng.permutation(a), rng.permutation(b)
    half_a, half_b = len(a) // 2, len(b) // 2
    probes = (LogisticRegression(C=c, max_iter=2000, class_weight="balanced") for c in (1e-4, 1e-2, 1.0))
    return 2 * (1 - 2 * domain_error((a[:half_a], b[:half_b]), (a[half_a:], b[half_b:]), probes))
