"""JDA against a dense generalised eigenproblem with its matrices written out."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from tlbook.errors import TlbookError
from tlbook.methods import BDA, JDA, TCA
from tlbook.methods.classical_adaptation import jda as module
from tlbook.methods.classical_adaptation.bda import estimate_balance
from tlbook.methods.classical_adaptation.jda import mean_gaps

Matrix = NDArray[np.float64]
Labels = NDArray[np.int64]


def rows(n_s: int = 60, n_t: int = 45, d: int = 9, classes: int = 3) -> tuple[Matrix, Labels, Matrix]:
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(classes, d)) * 2
    ys, yt = rng.integers(0, classes, n_s), rng.integers(0, classes, n_t)
    turn = np.eye(d) + 0.3 * rng.normal(size=(d, d))
    return centres[ys] + rng.normal(size=(n_s, d)), ys, (centres[yt] + rng.normal(size=(n_t, d))) @ turn + 0.5


def mmd_matrix(source: NDArray[np.bool_], target: NDArray[np.bool_]) -> Matrix:
    """M_c entry by entry; all samples give M₀."""
    inside = np.concatenate([source, target])
    n_s, n = len(source), len(inside)
    m = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            if inside[i] and inside[j]:
                a, b = i < n_s, j < n_s
                m[i, j] = 1 / source.sum() ** 2 if a and b else 1 / target.sum() ** 2 if not (a or b) else 0
                if a != b:
                    m[i, j] = -1 / (source.sum() * target.sum())
    return m


def whole(xs: Matrix, xt: Matrix) -> Matrix:
    return mmd_matrix(np.ones(len(xs), bool), np.ones(len(xt), bool))


def of_classes(ys: Labels, guess: Labels) -> Matrix:
    n = len(ys) + len(guess)
    zero = np.zeros((n, n))
    return sum((mmd_matrix(ys == c, guess == c) for c in np.unique(ys) if (guess == c).any()), zero)


def dense(xs: Matrix, xt: Matrix, m: Matrix, lam: float, dim: int) -> Matrix:
    """The smallest solutions of (X M Xᵀ + λI)A = X H Xᵀ A Φ, columns of length 1."""
    x = np.concatenate([xs, xt]).T
    h = np.eye(x.shape[1]) - 1 / x.shape[1]
    a = scipy.linalg.eigh(x @ h @ x.T, x @ m @ x.T + lam * np.eye(len(x)))[1][:, ::-1][:, :dim]
    scaled: Matrix = a / np.linalg.norm(a, axis=0)
    return scaled


def nearest(a: Matrix, xs: Matrix, ys: Labels, xt: Matrix) -> Labels:
    guess: Labels = KNeighborsClassifier(1).fit(xs @ a, ys).predict(xt @ a)
    return guess


@pytest.mark.parametrize("lam", [0.01, 1.0, 10.0])
def test_every_iteration_has_the_whole_and_the_classes(lam: float) -> None:
    xs, ys, xt = rows()
    method = JDA(dim=4, lam=lam, iterations=5).fit(xs, ys, xt)
    m = whole(xs, xt)
    for guess in method.pseudo_labels_:
        a = dense(xs, xt, m, lam, 4)
        assert (guess == nearest(a, xs, ys, xt)).all()
        m = whole(xs, xt) + of_classes(ys, guess)
    assert np.abs(method.weights_) == pytest.approx(np.abs(a), abs=1e-7)
    assert (method.predict(xt) == method.pseudo_labels_[-1]).all()
    forgotten = dense(xs, xt, of_classes(ys, guess), lam, 4)  # the mistake: M₀ overwritten
    assert not np.allclose(np.abs(method.weights_), np.abs(forgotten), atol=1e-3)


def test_the_whole_is_the_same_in_the_first_and_the_last_iteration(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def recorded(scatter: object, gaps: Matrix, *rest: object) -> object:
        seen.append(gaps.copy())
        return solve(scatter, gaps, *rest)  # type: ignore[arg-type]

    solve = module.leading_directions
    monkeypatch.setattr(module, "leading_directions", recorded)
    xs, ys, xt = rows()
    JDA(dim=3, iterations=10).fit(xs, ys, xt)
    assert [gaps.shape[1] for gaps in seen] == [1] + [4] * 9
    for gaps in seen:
        assert gaps[:, 0] == pytest.approx(xs.mean(0) - xt.mean(0))


def test_the_first_iteration_is_a_linear_map_of_tcas_kind() -> None:
    xs, ys, xt = rows()
    first = JDA(dim=2, iterations=1).fit(xs, ys, xt)
    assert np.abs(first.weights_) == pytest.approx(np.abs(dense(xs, xt, whole(xs, xt), 1.0, 2)), abs=1e-7)
    assert first.transform(xt).shape == TCA(dim=2).fit(xs, ys, xt).transform(xt).shape


def test_the_vectors_multiply_to_the_matrices() -> None:
    ys, guess = np.array([0, 0, 1, 2, 2]), np.array([2, 0, 0, 2])  # nobody is taken for a 1
    v = mean_gaps(ys, guess, 4, np.unique(ys))
    assert v.shape == (9, 3)
    expected = whole(np.zeros((5, 1)), np.zeros((4, 1))) + of_classes(ys, guess)
    assert v @ v.T == pytest.approx(expected)


def test_a_class_without_pseudo_labels_stays_out() -> None:
    xs, ys, xt = rows()
    ys = ys.copy()
    xs = np.concatenate([xs, np.full((2, xs.shape[1]), 50.0)])
    ys = np.concatenate([ys, [3, 3]])
    for method in (JDA(dim=3, iterations=4), BDA(dim=3, iterations=4), BDA(dim=3, iterations=4, balance="estimate")):
        method.fit(xs, ys, xt)
        assert not (method.pseudo_labels_ == 3).any()
        assert np.isfinite(method.transform(xt)).all()


def test_whitened_it_keeps_the_constraint_as_written() -> None:
    xs, ys, xt = rows()
    method = JDA(dim=4, lam=3.0, whiten=True).fit(xs, ys, xt)
    z = np.concatenate([method.source_z_, method.transform(xt)])
    assert len(z) * np.cov(z.T, bias=True) == pytest.approx(np.eye(4), abs=1e-8)


def test_where_the_origin_lies_does_not_matter() -> None:
    xs, ys, xt = rows()
    near, far = (JDA(dim=3, iterations=4).fit(xs + offset, ys, xt + offset) for offset in (0, 1e7))
    assert (near.pseudo_labels_ == far.pseudo_labels_).all()
    assert np.abs(far.weights_) == pytest.approx(np.abs(near.weights_), abs=1e-5)


def test_another_classifier_guesses() -> None:
    xs, ys, xt = rows()
    method = JDA(dim=3, iterations=3, classifier=LogisticRegression(max_iter=500)).fit(xs, ys, xt)
    assert isinstance(method.classifier_, LogisticRegression)
    assert (method.predict(xt) == method.pseudo_labels_[-1]).all()


@pytest.mark.parametrize("balance", [0.0, 0.3, 1.0])
def test_bda_weighs_the_whole_against_the_classes(balance: float) -> None:
    xs, ys, xt = rows()
    method = BDA(dim=4, lam=0.5, iterations=4, balance=balance).fit(xs, ys, xt)
    guess = KNeighborsClassifier(1).fit(xs, ys).predict(xt)  # the paper's start
    for given in method.pseudo_labels_:
        m = (1 - balance) * whole(xs, xt) + balance * of_classes(ys, guess)
        a = dense(xs, xt, m, 0.5, 4)
        guess = nearest(a, xs, ys, xt)
        assert (given == guess).all()
    assert np.abs(method.weights_) == pytest.approx(np.abs(a), abs=1e-7)
    assert method.balances_ == [balance] * 4


def test_half_and_half_is_jda_with_twice_the_price() -> None:
    xs, ys, xt = rows()
    bda = BDA(dim=4, lam=1.0, iterations=8, balance=0.5).fit(xs, ys, xt)
    jda = JDA(dim=4, lam=2.0, iterations=9).fit(xs, ys, xt)
    if (bda.pseudo_labels_[-1] == jda.pseudo_labels_[-1]).all():  # both have settled
        assert np.abs(bda.weights_) == pytest.approx(np.abs(jda.weights_), abs=1e-7)
    else:
        pytest.fail("the two did not settle on the same labels")


def test_the_estimate_knows_where_the_shift_is() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(400) % 2
    x, other = rng.normal(size=(400, 3)), rng.normal(size=(400, 3))
    # the classes change places: as wholes the domains are alike
    apart = np.outer(2.0 * y - 1, [8, 0, 0])
    assert estimate_balance(x + apart, y, other - apart, y) > 0.9
    # one class moves far, the other stays: a linear classifier of the whole sees half of it, of the class all
    moved = estimate_balance(x, y, other + 20, y)
    assert moved == pytest.approx(2 / 3, abs=0.01)  # two classes and the whole, all at distance 2
    assert estimate_balance(x[:2], y[:2], other[:1], y[:1]) == 0.5  # nothing to measure
    assert 0 <= estimate_balance(x, y, other, y) <= 1


def line(wrong: int, n: int, side: float) -> Matrix:
    """2n rows: what trains the classifier lies at ±1, what tests it near 0, some of it on the wrong side."""
    held = np.where(np.arange(n) < wrong, -side, side) / 100
    return np.stack([np.full(n, side), held], axis=1).reshape(-1, 1)


def test_the_estimate_counts_the_errors_of_each_domain_by_half() -> None:
    # for each class: of so many held-out source rows so many are taken for target rows, and the reverse
    counts = [(2, 8, 2, 4), (0, 8, 1, 4), (2, 2, 2, 2), (0, 1, 0, 1)]
    xs = np.concatenate([line(wrong, n, -1.0) for wrong, n, _, _ in counts])
    xt = np.concatenate([line(wrong, n, 1.0) for _, _, wrong, n in counts])
    ys, guess = (np.repeat(np.arange(4), [2 * row[i] for row in counts]) for i in (1, 3))
    wrong_s, n_s, wrong_t, n_t = np.transpose(counts)
    distances = 2 - 2 * (wrong_s / n_s + wrong_t / n_t)
    assert distances.tolist() == [0.5, 1.5, -2.0, 2.0]  # worse than a coin is no distance; two rows a domain are enough
    of_classes = distances.clip(0).sum()
    whole = 2 - 2 * (wrong_s.sum() / n_s.sum() + wrong_t.sum() / n_t.sum())
    assert estimate_balance(xs, ys, xt, guess) == pytest.approx(1 - whole / (whole + of_classes))
    # a class of one row on a side stays out, and its rows count in the whole
    xs, ys = np.concatenate([xs, [[-1.0]]]), np.append(ys, 4)
    xt, guess = np.concatenate([xt, line(0, 1, 1.0)]), np.append(guess, [4, 4])
    whole = 2 - 2 * (wrong_s.sum() / n_s.sum() + wrong_t.sum() / (n_t.sum() + 1))
    assert estimate_balance(xs, ys, xt, guess) == pytest.approx(1 - whole / (whole + of_classes))


def test_the_estimate_is_used_and_recorded() -> None:
    xs, ys, xt = rows()
    method = BDA(dim=3, iterations=3, balance="estimate").fit(xs, ys, xt)
    guess = KNeighborsClassifier(1).fit(xs, ys).predict(xt)
    assert method.balances_[0] == estimate_balance(xs, ys, xt, guess)
    assert method.balances_[1] == estimate_balance(xs, ys, xt, method.pseudo_labels_[0])


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (JDA(dim=10), "dim is 10; expected a whole number, at least 1 and at most 9: n_features = 9"),
        (JDA(dim=3, lam=0.0), "lam is 0.0; expected a number, above 0"),
        (JDA(dim=3, iterations=0), "iterations is 0; expected a whole number, at least 1"),
        (BDA(dim=3, balance=1.5), "balance is 1.5; expected a number, at least 0 and at most 1: or give 'estimate'"),
        (BDA(dim=3, balance="guess"), "balance is 'guess'; expected 'estimate': or give a number, 0 … 1"),  # type: ignore[arg-type]
    ],
)
def test_settings_out_of_range_are_one_line(method: JDA, words: str) -> None:
    xs, ys, xt = rows()
    with pytest.raises(TlbookError) as caught:
        method.fit(xs, ys, xt)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
