"""Divergences against closed forms and a search over every hypothesis; the bound against the error it bounds."""

import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tlbook import evaluate, theory
from tlbook.errors import TlbookError
from tlbook.theory import Bound, Stump, best_linear, best_stump, joint_error

PHI = NormalDist().cdf
GRID = (np.arange(20_000) + 0.5) / 20_000  # a sample of the uniform distribution without chance


def normal(mean=0.0, sd=1.0):
    """A sample of a normal distribution without chance, N×1."""
    quantile = NormalDist(mean, sd).inv_cdf
    return np.array([quantile(p) for p in GRID])[:, None]


def every_stump(x):
    """All the ways in which stumps label the rows: 2·D·(N + 1) rows of labels."""
    found = []
    for column in x.T:
        for threshold in [-np.inf, *np.unique(column)]:
            found += [column > threshold, column <= threshold]
    return np.array(found)


def searched(x, y, pairs):
    """The divergence by trying every stump, or every pair of them."""
    labels = every_stump(np.concatenate([x, y]))
    if pairs:
        labels = np.array([g ^ h for g, h in itertools.combinations_with_replacement(labels, 2)])
    return 2 * np.abs(labels[:, : len(x)].mean(axis=1) - labels[:, len(x) :].mean(axis=1)).max()


# d_H


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_two_gaussians_differ_for_stumps_as_for_the_best_rule(shift):
    expected = 2 * (2 * PHI(shift / 2) - 1)
    assert theory.stump_divergence(normal(), normal(shift)) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("shift", [0.0, 0.25, 1.0, 3.0])
def test_two_intervals_differ_by_what_does_not_overlap(shift):
    x = GRID[:, None]
    assert theory.stump_divergence(x, x + shift) == pytest.approx(2 * min(shift, 1), abs=1e-3)
    assert theory.stump_pair_divergence(x, x + shift) == pytest.approx(2 * min(shift, 1), abs=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_stumps_are_searched_to_the_last(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(9, 3)), rng.normal(size=(6, 3)) * [1, 2, 1]
    x[:, 1], y[:, 1] = x[:, 1].round(), y[:, 1].round()  # ties
    assert theory.stump_divergence(x, y) == pytest.approx(searched(x, y, pairs=False))
    assert theory.stump_pair_divergence(x, y) == pytest.approx(searched(x, y, pairs=True))


# d_HΔH


@pytest.mark.parametrize("sd", [1.0, 2.0, 4.0])
def test_a_wider_gaussian_differs_on_an_interval(sd):
    if sd == 1:
        edge = single = 0.0
    else:
        edge = sd * math.sqrt(2 * math.log(sd) / (sd**2 - 1))  # where the densities are equal
        single = 2 * (PHI(edge) - PHI(edge / sd))
    assert theory.stump_divergence(normal(), normal(0, sd)) == pytest.approx(single, abs=1e-3)
    assert theory.stump_pair_divergence(normal(), normal(0, sd)) == pytest.approx(2 * single, abs=1e-3)


def test_the_checkerboard_is_seen_by_pairs_only():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, (400, 2)) * np.repeat([[1, 1], [-1, -1]], 200, axis=0)
    y = rng.uniform(0, 1, (400, 2)) * np.repeat([[1, -1], [-1, 1]], 200, axis=0)
    assert theory.stump_divergence(x, y) < 0.25
    assert theory.stump_pair_divergence(x, y) == 2.0


def test_divergences_are_symmetric_and_grow_with_the_features():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 3)), rng.normal(size=(70, 3))
    y[:, 1] += 0.3
    for divergence in (theory.stump_divergence, theory.stump_pair_divergence):
        assert divergence(x, y) == pytest.approx(divergence(y, x))
        assert divergence(x, x) == 0
        assert divergence(x[:, :1], y[:, :1]) <= divergence(x, y)
    assert theory.stump_divergence(x, y) <= theory.stump_pair_divergence(x, y)


def test_too_many_thresholds_are_refused():
    x = np.random.default_rng(0).normal(size=(4000, 2))
    with pytest.raises(TlbookError, match=r"^features 0 and 1 have 8000 and 8000 values[^\n]*take a sample[^\n]*$"):
        theory.stump_pair_divergence(x, x + 1)
    assert theory.stump_pair_divergence(x[:, :1], x[:, :1] + 9) == 2.0


def turned(x, seed=0):
    """Rows in another basis, in which no axis is special."""
    return x @ np.linalg.qr(np.random.default_rng(seed).normal(size=(x.shape[1],) * 2))[0]


@pytest.mark.parametrize("sd", [1.0, 2.0, 4.0])
def test_pairs_of_half_spaces_find_a_slab_in_any_direction(sd):
    """One of five directions is wider: the best slab is known, and single half-spaces see half of it."""
    n, rng = 4000, np.random.default_rng(1)
    x, y = rng.normal(size=(2, n, 5))
    y[:, 0] *= sd
    edge = sd * math.sqrt(2 * math.log(sd) / (sd**2 - 1)) if sd > 1 else 0.0
    best = 4 * (PHI(edge) - PHI(edge / sd))
    chance = 4 * 2 * math.sqrt(2 * 0.25 / (n / 2))
    found = theory.linear_pair_divergence(turned(x), turned(y))
    assert best - 0.08 - chance < found < best + chance
    assert evaluate.proxy_a_distance(turned(x), turned(y)) < best / 2 + chance


@pytest.mark.parametrize("shift", [0.0, 1.0, 4.0])
def test_pairs_of_half_spaces_find_no_less_than_one(shift):
    """Two Gaussians of one covariance: no pair does better than the single best half-space."""
    n, rng = 3000, np.random.default_rng(0)
    x, y = rng.normal(size=(2, n, 4))
    y[:, 2] += shift
    expected = 2 * (2 * PHI(shift / 2) - 1)
    assert theory.linear_pair_divergence(x, y) == pytest.approx(expected, abs=4 * 2 * math.sqrt(0.5 / (n / 2)))


@pytest.mark.parametrize("sizes", [(4000, 400), (400, 4000)])
def test_a_small_sample_counts_as_much_as_a_large_one(sizes):
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(n, 2)) + np.array([shift, 0]) for n, shift in zip(sizes, (0, 2), strict=True))
    assert theory.linear_pair_divergence(x, y) == pytest.approx(2 * (2 * PHI(1) - 1), abs=0.25)


def test_pairs_of_half_spaces_are_scored_on_rows_held_out():
    x, y = np.random.default_rng(0).normal(size=(2, 100, 300))  # any labelling of 100 rows can be fitted
    assert theory.linear_pair_divergence(x, y) < 0.8


def test_half_spaces_do_not_mind_scale_or_unequal_samples():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2000, 2)), 3 * rng.normal(size=(400, 2))
    plain = theory.linear_pair_divergence(x, y)
    assert theory.linear_pair_divergence(5 + x * [1e-3, 1e4], 5 + y * [1e-3, 1e4]) == pytest.approx(plain, abs=0.02)
    assert plain == theory.linear_pair_divergence(x, y)
    assert 0.5 < plain <= 2


def test_constant_features_are_no_difference():
    x, y = np.ones((20, 3)), np.ones((30, 3))
    assert theory.stump_divergence(x, y) == theory.stump_pair_divergence(x, y) == 0
    assert theory.linear_pair_divergence(x, y) == 0


# hypotheses, λ


@pytest.mark.parametrize("seed", range(5))
def test_the_best_stump_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    x, y, weights = rng.normal(size=(30, 3)).round(1), rng.integers(0, 2, 30), rng.uniform(0, 1, 30)
    lowest = min(weights @ (labels != y) for labels in every_stump(x))
    assert weights @ (best_stump(x, y, weights)(x) != y) == pytest.approx(lowest)


@pytest.mark.parametrize("label", [0, 1])
def test_a_constant_is_a_stump(label):
    x = np.random.default_rng(0).normal(size=(9, 2))
    assert (best_stump(x, np.full(9, label))(np.array([[99.0, -99.0]])) == label).all()


def test_a_stump_has_a_direction():
    x = np.array([[0.0], [1.0]])
    assert Stump(0, 0.5, 1)(x).tolist() == [0, 1]
    assert Stump(0, 0.5, -1)(x).tolist() == [1, 0]


def test_weights_move_the_linear_classifier():
    x, y = np.array([[0.0], [1.0], [1.0]] * 10), np.array([0, 0, 1] * 10)
    for heavy in (0, 1):
        predict = best_linear(x, y, np.where(y == heavy, 5.0, 1.0))
        assert predict(np.array([[1.0]])) == [heavy]


@pytest.mark.parametrize("learner", [best_stump, best_linear])
@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_the_joint_error_of_two_thresholds_is_what_lies_between(learner, shift):
    """The label changes at 0 in the source and at ``shift`` in the target, and inputs are uniform on [−5, 5]."""
    x = 10 * GRID[::10, None] - 5
    found = joint_error(learner, x, (x[:, 0] > 0).astype(int), x, (x[:, 0] > shift).astype(int))
    assert found == pytest.approx(shift / 10, abs=0.01)


def test_the_joint_error_gives_both_domains_one_vote():
    x = 10 * GRID[:, None] - 5
    few = x[::50]
    found = joint_error(best_stump, x, (x[:, 0] > 0).astype(int), few, (few[:, 0] > 1).astype(int))
    assert found == pytest.approx(0.1, abs=0.01)
    blind = np.zeros((100, 1)), np.arange(100) < 30, np.zeros((10, 1)), np.arange(10) < 8
    assert joint_error(best_stump, *blind) == pytest.approx(0.7 + 0.2)  # always 1; always 0 has 0.3 + 0.8


def test_the_linear_classifier_is_the_best_of_three_on_its_own_rows():
    best = set()
    for seed in (0, 1, 5, 19, 36):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=(60, 6)), rng.integers(0, 2, 60)
        x[:, 0] += 0.5 * y
        errors = []
        for c in (1e-4, 1e-2, 1.0):
            model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=1000)).fit(x, y)
            errors.append((model.predict(x) != y).mean())
        best.add(int(np.argmin(errors)))
        assert (best_linear(x, y)(x) != y).mean() == min(errors)
    assert best == {0, 1, 2}


def test_the_joint_error_of_two_classes_of_gaussians():
    """Classes at ±1 in the source, at 1 ± 1 in the target: the best threshold is halfway between the two best ones."""
    xs, xt = np.concatenate([normal(-1), normal(1)]), np.concatenate([normal(0), normal(2)])
    y = np.repeat([0, 1], len(GRID))
    expected = PHI(-0.5) + PHI(-1.5)  # at ½ each domain errs on half of its rows with each
    assert joint_error(best_stump, xs, y, xt, y) == pytest.approx(expected, abs=1e-3)


# the sample term, VC dimensions, the bound


def test_the_sample_term_is_the_formula():
    assert theory.sample_term(3, 500, 0.1) == pytest.approx(4 * ((6 * np.log(1000) + np.log(20)) / 500) ** 0.5)
    assert theory.sample_term(3, 500) > theory.sample_term(3, 5000) > theory.sample_term(2, 5000)


@pytest.mark.parametrize("dim", [1, 2])
def test_stumps_shatter_as_many_points_as_their_vc_dimension_and_no_more(dim):
    rng = np.random.default_rng(0)
    vc = theory.vc_stumps(dim)

    def shattered(n):
        return any(len({tuple(v) for v in every_stump(rng.normal(size=(n, dim)))}) == 2**n for _ in range(200))

    assert shattered(vc)
    assert not shattered(vc + 1)


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, 2.0])
def test_the_bound_holds_and_says_when_it_is_empty(shift):
    xs, xt = (np.concatenate([normal(-1 + at), normal(1 + at)]) for at in (0.0, shift))
    y = np.repeat([0, 1], len(GRID))
    h = best_stump(xs, y)
    bound = Bound(
        source_error=float((h(xs) != y).mean()),
        divergence=theory.stump_pair_divergence(xs, xt),
        sample_term=theory.sample_term(theory.vc_stumps(1), 10**9),
        joint_error=joint_error(best_stump, xs, y, xt, y),
    )
    error = (h(xt) != y).mean()
    assert error <= bound.value
    assert bound.value == pytest.approx(
        bound.source_error + bound.divergence / 2 + bound.sample_term + bound.joint_error
    )
    assert bound.vacuous == (bound.value >= 1) == (shift == 2)


# bad input


@pytest.mark.parametrize(
    "divergence", [theory.stump_divergence, theory.stump_pair_divergence, theory.linear_pair_divergence]
)
@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((9, 2)), np.zeros((9, 3)), r"x has shape \(9, 2\), y \(9, 3\)"),
        (np.zeros(9), np.zeros(9), "one row an example"),
        (np.zeros((0, 2)), np.zeros((9, 2)), r"0 sample\(s\)"),
        (np.zeros((9, 0)), np.zeros((9, 0)), r"0 feature\(s\)"),
        (np.full((9, 2), np.nan), np.zeros((9, 2)), "x [^\n]*NaN"),
        (np.zeros((9, 2)), np.full((9, 2), np.inf), "y [^\n]*infinity"),
    ],
)
def test_bad_samples_are_refused(divergence, x, y, message):
    with pytest.raises(TlbookError, match=rf"^[^\n]*{message}[^\n]*$"):
        divergence(x, y)


def test_half_spaces_need_something_to_train_on_and_to_score():
    with pytest.raises(TlbookError, match="a minimum of 4"):
        theory.linear_pair_divergence(np.zeros((3, 2)), np.zeros((9, 2)))


@pytest.mark.parametrize("y", [np.array([0, 1, 2]), np.array([0, 1]), np.array([-1, 1, 1])])
def test_a_stump_learns_two_classes(y):
    with pytest.raises(TlbookError, match=r"^y has [^\n]*; expected 3 whole numbers 0 … 1, the class of each row$"):
        best_stump(np.zeros((3, 1)), y)


def test_no_joint_error_without_target_labels():
    x, y = np.zeros((3, 1)), np.zeros(3, dtype=int)
    with pytest.raises(TlbookError, match=r"^[^\n]*λ cannot be measured without the labels of the target$"):
        joint_error(best_stump, x, y, x, None)


@pytest.mark.parametrize(("vc", "n", "delta"), [(0, 9, 0.1), (1, 0, 0.1), (1, 9, 0.0), (1, 9, 1.0)])
def test_a_sample_term_out_of_range_is_refused(vc, n, delta):
    with pytest.raises(TlbookError, match=r"^(vc|n|delta) is [^\n]*; expected a (whole )?number, [^\n]*$"):
        theory.sample_term(vc, n, delta)
