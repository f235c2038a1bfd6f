"""The terms of a generalisation bound for adaptation, measured on two samples.

Theorem 2 of S. Ben-David, J. Blitzer, K. Crammer, A. Kulesza, F. Pereira and J. Wortman Vaughan, *A theory of learning
from different domains*, Machine Learning 79, 2010: with probability 1 − δ, for every hypothesis h of a class H of VC
dimension d,

    ε_T(h) ≤ ε_S(h) + ½ d_HΔH(U_S, U_T) + 4 √((2 d ln 2m + ln 2/δ) / m) + λ,    λ = min over H of ε_S + ε_T,

where U_S and U_T are m unlabelled examples of each domain. Two classes are here. *Decision stumps*, which compare one
feature with a threshold, are simple enough to find every supremum and minimum exactly. For *half-spaces* nobody can do
that in general, so what is found by training is a lower bound of a divergence and an upper bound of λ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tlbook._arrays import Labels, Matrix, as_array, as_classes, as_labels, as_matrix, as_pair
from tlbook._checks import check_function, check_number, check_numbers, check_whole
from tlbook.errors import TlbookError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "Bound",
    "Stump",
    "best_linear",
    "best_stump",
    "joint_error",
    "linear_pair_divergence",
    "sample_term",
    "stump_divergence",
    "stump_pair_divergence",
    "vc_linear",
    "vc_stumps",
]

Learner = Callable[[Matrix, Labels, Matrix], Callable[[Matrix], Labels]]
"""Takes N×D features, N labels and N weights; gives a predictor of labels from features."""

LARGEST_GRID = 40_000_000


def _cumulative_difference(a: Matrix, b: Matrix) -> Labels:
    """N·M·(F_a(t) − F_b(t)) of two samples of one feature, at t below all values and at each value: integers."""
    values = np.unique(np.concatenate([a, b]))
    below_a, below_b = (np.searchsorted(np.sort(v), values, side="right") for v in (a, b))
    return np.concatenate([[0], below_a * len(b) - below_b * len(a)])


def stump_divergence(x: ArrayLike, y: ArrayLike) -> float:
    """The empirical d_H of decision stumps, exactly: ``2 · |P_x(h = 1) − P_y(h = 1)|`` at its largest.

    On one feature this is twice the Kolmogorov–Smirnov statistic; over several it is the largest of them.

    Args:
        x: N×D features of the one domain, no labels.
        y: M×D features of the other.

    Returns:
        0 where no stump tells the samples apart, 2 where one always does.

    Raises:
        TlbookError: when a sample is not a matrix, is empty or not finite, or the widths differ.

    Example:
        >>> round(stump_divergence([[0.0], [1.0], [2.0], [3.0]], [[1.0], [2.0], [3.0], [4.0]]), 3)
        0.5
    """
    a, b = as_pair(x, y)
    largest = max(np.abs(_cumulative_difference(f, g)).max() for f, g in zip(a.T, b.T, strict=True))
    return float(2 * largest / (len(a) * len(b)))


def stump_pair_divergence(x: ArrayLike, y: ArrayLike) -> float:
    """The empirical d_HΔH of decision stumps, exactly: ``2 · |P_x(h ≠ h') − P_y(h ≠ h')|`` at its largest.

    Two stumps on one feature disagree on an interval or outside it, so one feature gives twice Kuiper's statistic,
    max(F_x − F_y) − min(F_x − F_y). Two stumps on two features disagree on two opposite quadrants, and every pair of
    thresholds is tried.

    Args:
        x: N×D features of the one domain, no labels.
        y: M×D features of the other.

    Returns:
        0 … 2, never less than :func:`stump_divergence`.

    Raises:
        TlbookError: as :func:`stump_divergence`, and when two features have too many values to try every pair.

    Example:
        >>> inner, outer = [[1.0], [2.0]], [[0.0], [3.0]]
        >>> stump_divergence(inner, outer), stump_pair_divergence(inner, outer)
        (1.0, 2.0)
    """
    a, b = as_pair(x, y)
    differences = [_cumulative_difference(f, g) for f, g in zip(a.T, b.T, strict=True)]
    largest = max(np.ptp(difference) for difference in differences)
    both = np.concatenate([a, b])
    weights = np.repeat([len(b), -len(a)], [len(a), len(b)])
    ranks = [np.unique(column, return_inverse=True)[1] for column in both.T]
    for j, f in enumerate(differences):
        for k, g in enumerate(differences[:j]):
            if f.size * g.size > LARGEST_GRID:
                raise TlbookError(
                    f"features {k} and {j} have {g.size - 1} and {f.size - 1} values; expected at most "
                    f"{LARGEST_GRID:,} pairs of them: take a sample of the rows, or round the features"
                )
            below = np.zeros((f.size, g.size), dtype=np.int64)  # N·M·(P_x − P_y) of what is below both thresholds
            np.add.at(below, (ranks[j] + 1, ranks[k] + 1), weights)
            below = below.cumsum(axis=0).cumsum(axis=1)
            largest = max(largest, np.abs(f[:, None] + g - 2 * below).max())
    return float(2 * largest / (len(a) * len(b)))


def linear_pair_divergence(x: ArrayLike, y: ArrayLike, seed: int = 0, starts: int = 8, steps: int = 200) -> float:
    """A lower bound of d_HΔH for half-spaces: ``2 · |P_x(h ≠ h') − P_y(h ≠ h')|`` of the best pair found by training.

    Half of the rows of each domain train pairs of half-spaces u, v so that the sign of u·v tells the domains apart
    (logistic loss, Adam, from random starts and from one logistic regression beside a constant v). The pair that
    does best on this half is scored on the other. The supremum is hard to find, so the value may be too small, but
    apart from chance it is never too large. With v constant the pair is a single half-space, for which
    :func:`tlbook.evaluate.proxy_a_distance` bounds d_H from below in the same way.

    Args:
        x: N×D features of the one domain, no labels.
        y: M×D features of the other.
        seed: of the split and the starts.
        starts: random starts.
        steps: of the training.

    Returns:
        0 … 2.

    Raises:
        TlbookError: when a sample has fewer than four rows or is not a finite matrix, or the widths differ.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> inner, outer = rng.normal(size=(400, 2)), 9 * rng.normal(size=(400, 2))
        >>> linear_pair_divergence(inner, outer) > 1.5
        True
    """
    import torch  # here, so that the rest of the module works without it
    from torch.nn.functional import softplus

    a, b = as_pair(x, y, least=4)
    starts, steps = check_whole("starts", starts, at_least=0), check_whole("steps", steps, at_least=0)
    rng = np.random.default_rng(check_whole("seed", seed, at_least=0))
    halves = [np.array_split(rng.permutation(sample), 2) for sample in (a, b)]
    train = np.concatenate([half for half, _ in halves])
    is_y = np.repeat([0, 1], [len(half) for half, _ in halves])
    scale = StandardScaler().fit(train)
    probe = LogisticRegression(C=0.01, max_iter=1000, class_weight="balanced").fit(scale.transform(train), is_y)

    width = a.shape[1]
    planes = rng.normal(size=(starts + 1, 2, width + 1)) / math.sqrt(width + 1)
    planes[0] = 0
    planes[0, 0] = [*probe.coef_[0], *probe.intercept_]
    planes[0, 1, -1] = 1
    u = torch.tensor(planes, dtype=torch.float32, requires_grad=True)

    def inputs(rows: Matrix) -> Tensor:
        ones = np.ones((len(rows), 1))
        return torch.tensor(np.concatenate([scale.transform(rows), ones], axis=1), dtype=torch.float32)

    rows, sign = inputs(train), torch.from_numpy(2 * is_y - 1)[:, None]
    weight = torch.from_numpy(np.where(is_y, 1 / is_y.sum(), 1 / (1 - is_y).sum()))[:, None]
    optimizer = torch.optim.Adam([u], lr=0.03)
    for _ in range(steps):
        logit = torch.einsum("nd,spd->nsp", rows, u).prod(dim=2)
        loss = (weight * softplus(-sign * logit)).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def gaps(first: Matrix, second: Matrix) -> Matrix:
        """P(h ≠ h') of the second sample minus that of the first, for every start."""
        with torch.no_grad():
            shares = [
                (torch.einsum("nd,spd->nsp", inputs(v), u).prod(dim=2) > 0).double().mean(dim=0)
                for v in (first, second)
            ]
        difference: Matrix = (shares[1] - shares[0]).numpy()
        return difference

    (a_train, a_test), (b_train, b_test) = halves
    best = np.abs(gaps(a_train, b_train)).argmax()
    return float(2 * abs(gaps(a_test, b_test)[best]))


@dataclass(frozen=True)
class Stump:
    """One feature against one threshold: the label is 1 where ``sign · (x − threshold) > 0``, else 0.

    Example:
        >>> Stump(feature=1, threshold=0.5, sign=1)(np.array([[9.0, 0.0], [9.0, 1.0]]))
        array([0, 1])
    """

    feature: int
    threshold: float
    sign: int

    def __call__(self, x: Matrix) -> Labels:
        above = x[:, self.feature] > self.threshold
        return (above if self.sign > 0 else ~above).astype(np.int64)


def best_stump(x: Matrix, y: Labels, weights: Matrix | None = None) -> Stump:
    """The decision stump of the smallest weighted training error: no other has a smaller one.

    Args:
        x: N×D features.
        y: N labels, 0 or 1.
        weights: N weights that are not negative; all alike if not given.

    Raises:
        TlbookError: when x is no finite matrix, or y holds anything but 0 and 1, N of them.

    Example:
        >>> best_stump(np.array([[0.0], [1.0], [4.0]]), np.array([0, 0, 1]))
        Stump(feature=0, threshold=2.5, sign=1)
    """
    x = as_matrix("x", x)
    y = as_classes("y", y, len(x), classes=2)
    weights = _weights(weights, len(x))
    best, lowest = Stump(0, -math.inf, 1), math.inf
    for feature, column in enumerate(x.T):
        values, rank = np.unique(column, return_inverse=True)
        thresholds = np.concatenate([[-math.inf], (values[1:] + values[:-1]) / 2, [math.inf]])
        change = np.bincount(rank, weights=np.where(y == 1, weights, -weights), minlength=len(values))
        error = weights[y == 0].sum() + np.concatenate([[0.0], change.cumsum()])  # of sign 1, threshold by threshold
        for sign, errors in ((1, error), (-1, weights.sum() - error)):
            place = int(errors.argmin())
            if errors[place] < lowest:
                best, lowest = Stump(feature, float(thresholds[place]), sign), float(errors[place])
    return best


def _weights(weights: Any, n: int) -> Matrix:
    if weights is None:
        return np.ones(n)
    found = np.array(check_numbers("weights", as_array(weights), at_least=0, hint="one a row of x"))
    if len(found) != n or not found.any():
        raise TlbookError(f"weights are {len(found)} numbers with sum {found.sum()}; expected {n}, not all of them 0")
    return found


def best_linear(x: Matrix, y: Labels, weights: Matrix | None = None) -> Callable[[Matrix], Labels]:
    """A linear classifier of small weighted training error: the best of logistic regressions over a range of C.

    To minimise the error itself over half-spaces is hard, so this is no minimum but close to one.

    Args:
        x: N×D features.
        y: N labels, two classes or more.
        weights: N weights that are not negative; all alike if not given.

    Returns:
        The predictor, from M×D features to M labels.

    Example:
        >>> best_linear(np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1]))(np.array([[9.0]]))
        array([1])
    """
    x = as_matrix("x", x)
    y = as_labels("y", y, len(x))
    weights = _weights(weights, len(x))
    weights = weights / weights.mean()
    if len(np.unique(y)) < 2:
        raise TlbookError(f"y has the one class {y[0]}; expected two or more: a constant needs no classifier")
    errors, fitted = [], []
    for c in (1e-4, 1e-2, 1.0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000))
        model.fit(x, y, logisticregression__sample_weight=weights)
        errors.append(np.average(model.predict(x) != y, weights=weights))
        fitted.append(model)
    predict: Callable[[Matrix], Labels] = fitted[int(np.argmin(errors))].predict
    return predict


def joint_error(learner: Learner, xs: Matrix, ys: Labels, xt: Matrix, yt: Labels) -> float:
    """The joint error λ = ε_S(h*) + ε_T(h*) of the one hypothesis h* that is best for both domains together.

    **Needs the target's labels**: a tool to analyse a pair of domains, never to train or to choose a method.

    Args:
        learner: finds h* from the two samples, each with half of the weight: :func:`best_stump`, with which λ is
            exact on these samples, or :func:`best_linear`, with which it is an upper bound.
        xs: N×D features of the source.
        ys: N labels of the source.
        xt: M×D features of the target.
        yt: M labels of the target.

    Returns:
        0 … 1 for two classes, where a constant answer and its opposite have errors that add up to 2; 0 … 2 at most.

    Raises:
        TlbookError: when the features do not fit together, or a label is missing.

    Example:
        >>> x, y = np.array([[0.0], [1.0]]), np.array([0, 1])
        >>> joint_error(best_stump, x, y, x, y), joint_error(best_stump, x, y, x, 1 - y)
        (0.0, 1.0)
    """
    xs, xt = as_pair(xs, xt)
    if yt is None:
        raise TlbookError("yt is None; expected labels: λ cannot be measured without the labels of the target")
    ys, yt = as_labels("ys", ys, len(xs)), as_labels("yt", yt, len(xt))
    check_function("learner", learner, "a function such as best_linear")
    weights = np.concatenate([np.full(len(xs), 1 / len(xs)), np.full(len(xt), 1 / len(xt))])
    h = learner(np.concatenate([xs, xt]), np.concatenate([ys, yt]), weights)
    return float((h(xs) != ys).mean() + (h(xt) != yt).mean())


def vc_linear(dim: int) -> int:
    """The VC dimension of half-spaces over ``dim`` features: one more than the features.

    Example:
        >>> vc_linear(2)
        3
    """
    return check_whole("dim", dim, at_least=1) + 1


def vc_stumps(dim: int) -> int:
    """The VC dimension of decision stumps over ``dim`` features; for more than two features, an upper bound.

    Stumps label n examples in at most 2·dim·(n − 1) + 2 ways, and must label them in 2ⁿ to shatter them.

    Example:
        >>> vc_stumps(1), vc_stumps(2), vc_stumps(784)
        (2, 3, 14)
    """
    dim, n = check_whole("dim", dim, at_least=1), 1
    while 2 ** (n + 1) <= 2 * dim * n + 2:
        n += 1
    return n


def sample_term(vc: int, n: int, delta: float = 0.05) -> float:
    """What the bound adds because the divergence is read from samples: 4 √((2 d ln 2m + ln 2/δ) / m).

    Args:
        vc: d, the VC dimension of the hypotheses.
        n: m, the unlabelled examples of each domain; of the smaller sample where they differ.
        delta: δ, the probability with which the bound may fail.

    Raises:
        TlbookError: when vc or n is not positive, or delta not between 0 and 1.

    Example:
        >>> round(sample_term(vc=2, n=100_000), 2)
        0.09
    """
    vc, n = check_whole("vc", vc, at_least=1), check_whole("n", n, at_least=1)
    delta = check_number("delta", delta, above=0, below=1)
    return 4 * math.sqrt((2 * vc * math.log(2 * n) + math.log(2 / delta)) / n)


@dataclass(frozen=True)
class Bound:
    """The four terms of Theorem 2 and their sum.

    Attributes:
        source_error: ε_S(h), on source examples that h was not trained on.
        divergence: d_HΔH, 0 … 2; half of it enters the sum.
        sample_term: see :func:`sample_term`.
        joint_error: λ, see :func:`joint_error`.

    Raises:
        TlbookError: when a term is negative or not finite.

    Example:
        >>> bound = Bound(source_error=0.1, divergence=0.4, sample_term=0.1, joint_error=0.2)
        >>> round(bound.value, 2), bound.vacuous
        (0.6, False)
    """

    source_error: float
    divergence: float
    sample_term: float
    joint_error: float

    def __post_init__(self) -> None:
        for name, term in vars(self).items():
            check_number(name, term, at_least=0)

    @property
    def value(self) -> float:
        """What the target's error does not exceed; not below 0, without a limit above."""
        return self.source_error + self.divergence / 2 + self.sample_term + self.joint_error

    @property
    def vacuous(self) -> bool:
        """Whether the bound promises nothing: no error is larger than 1."""
        return self.value >= 1
