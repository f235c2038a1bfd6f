"""TCA against dense solvers, its own definition and the published table."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from sklearn.base import clone
from sklearn.metrics.pairwise import rbf_kernel

from tlbook.errors import TlbookError
from tlbook.methods import TCA

Matrix = NDArray[np.float64]
MUS = [0.1, 1.0, 10.0, 100.0]


def rows(n_s: int = 30, n_t: int = 21, d: int = 8, seed: int = 0) -> tuple[Matrix, NDArray[np.int64], Matrix]:
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(d, d))
    y = rng.integers(0, 3, n_s)
    return rng.normal(size=(n_s, d)) @ mix + y[:, None], y, rng.normal(size=(n_t, d)) @ mix + 1.5


def matrices(xs: Matrix, xt: Matrix, kernel: str, bandwidth: float = 3.0) -> tuple[Matrix, Matrix, Matrix]:
    """K, L and H from their definitions, element by element."""
    x, n_s, n_t = np.concatenate([xs, xt]), len(xs), len(xt)
    n = n_s + n_t
    k = x @ x.T if kernel == "linear" else rbf_kernel(x, gamma=1 / (2 * bandwidth**2))
    mmd = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            same = (i < n_s) == (j < n_s)
            mmd[i, j] = (1 / n_s**2 if i < n_s else 1 / n_t**2) if same else -1 / (n_s * n_t)
    return k, mmd, np.eye(n) - 1 / n


@pytest.mark.parametrize("mu", MUS)
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
@pytest.mark.parametrize("shape", [(30, 21, 8), (12, 9, 40), (90, 60, 5)])
def test_the_vectors_solve_the_nonsymmetric_problem(shape: tuple[int, int, int], kernel: str, mu: float) -> None:
    xs, ys, xt = rows(*shape)
    xs, xt = xs / 10, xt / 10
    k, mmd, h = matrices(xs, xt, kernel)
    problem = np.linalg.solve(k @ mmd @ k + mu * np.eye(len(k)), k @ h @ k)
    tca = TCA(dim=4, mu=mu, kernel=kernel, bandwidth=3.0).fit(xs, ys, xt)
    assert np.linalg.norm(tca.weights_, axis=0) == pytest.approx(np.ones(4))
    residual = problem @ tca.weights_ - tca.weights_ * tca.eigenvalues_
    assert np.linalg.norm(residual, axis=0).max() < 1e-8
    leading = np.sort(np.linalg.eigvals(problem).real)[::-1][:4]
    assert tca.eigenvalues_ == pytest.approx(leading, rel=1e-8)


# With 2·dim + 1 of the n samples and more the problem is solved whole, below that by iterations.
@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("dim", [1, 9, 10, 11, 20])
@pytest.mark.parametrize("mu", [0.01, 1.0])
def test_as_many_vectors_as_there_are_solve_the_problem_too(mu: float, dim: int, whiten: bool) -> None:
    xs, ys, xt = rows(12, 9, 6)
    xs, xt = xs / 10, xt / 10
    k, mmd, h = matrices(xs, xt, "rbf", bandwidth=0.5)
    penalty, scatter = k @ mmd @ k + mu * np.eye(21), k @ h @ k
    values, vectors = scipy.linalg.eigh(scatter, penalty)
    tca = TCA(dim, mu=mu, kernel="rbf", bandwidth=0.5, whiten=whiten).fit(xs, ys, xt)
    assert tca.eigenvalues_ == pytest.approx(values[::-1][:dim], rel=1e-8)
    expected = vectors[:, ::-1][:, :dim]
    scale = np.sqrt(np.diag(expected.T @ scatter @ expected)) if whiten else np.linalg.norm(expected, axis=0)
    assert np.abs(tca.weights_) == pytest.approx(np.abs(expected / scale), abs=1e-6 * (1 / scale).max())
    assert tca.source_z_ == pytest.approx(k[:12] @ tca.weights_)
    assert tca.transform(xt) == pytest.approx(k[12:] @ tca.weights_)


@pytest.mark.parametrize("mu", MUS)
@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_no_other_solver_has_a_better_objective(kernel: str, mu: float) -> None:
    xs, ys, xt = rows()
    k, mmd, h = matrices(xs, xt, kernel)
    penalty, scatter = k @ mmd @ k + mu * np.eye(len(k)), k @ h @ k

    def objective(w: Matrix) -> float:
        """tr Wᵀ(KLK + μI)W after W has been brought to WᵀKHKW = I, whatever its scaling was."""
        return float(np.trace(np.linalg.solve(w.T @ scatter @ w, w.T @ penalty @ w)))

    tca = TCA(dim=3, mu=mu, kernel=kernel, bandwidth=3.0, whiten=True).fit(xs, ys, xt)
    ours = objective(tca.weights_)
    assert ours == pytest.approx((1 / tca.eigenvalues_).sum(), rel=1e-8)
    dense = scipy.linalg.eigh(scatter, penalty)[1][:, ::-1][:, :3]
    assert ours <= objective(dense) * (1 + 1e-9)
    nonsymmetric = np.linalg.solve(penalty, scatter)
    wrong = np.linalg.eigh(nonsymmetric)[1][:, ::-1][:, :3]  # the mistake: it reads one triangle only
    assert objective(wrong) > (1.01 if kernel == "linear" else 1) * ours
    rng = np.random.default_rng(0)
    for step in (1e-3, 0.1, 1.0):
        for _ in range(20):
            near = tca.weights_ + step * np.abs(tca.weights_).max() * rng.normal(size=tca.weights_.shape)
            assert objective(near) >= ours * (1 - 1e-9)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_whitened_it_keeps_the_constraint_as_written(kernel: str) -> None:
    xs, ys, xt = rows()
    k, _, h = matrices(xs, xt, kernel)
    tca = TCA(dim=5, mu=7.0, kernel=kernel, bandwidth=3.0, whiten=True).fit(xs, ys, xt)
    assert tca.weights_.T @ k @ h @ k @ tca.weights_ == pytest.approx(np.eye(5), abs=1e-8)
    z = np.concatenate([tca.source_z_, tca.transform(xt)])
    assert len(z) * np.cov(z.T, bias=True) == pytest.approx(np.eye(5), abs=1e-8)
    assert z == pytest.approx(k @ tca.weights_, abs=1e-8)
    plain = TCA(dim=5, mu=7.0, kernel=kernel, bandwidth=3.0).fit(xs, ys, xt)
    ratio = plain.weights_ / tca.weights_
    assert np.ptp(ratio, axis=0) == pytest.approx(np.zeros(5), abs=1e-6 * ratio.max())  # the same directions


@pytest.mark.parametrize(
    "settings", [{}, {"kernel": "rbf"}, {"kernel": "rbf", "landmarks": 20}, {"kernel": "rbf", "bandwidth": 2.0}]
)
def test_new_rows_are_mapped_as_the_old_ones(settings: dict[str, object]) -> None:
    xs, ys, xt = rows()
    tca = TCA(dim=3, **settings).fit(xs, ys, xt)  # type: ignore[arg-type]
    assert tca.transform(xs) == pytest.approx(tca.source_z_)
    assert tca.transform(xt)[4:7] == pytest.approx(tca.transform(xt[4:7]))


def test_every_sample_a_landmark_is_the_exact_kernel() -> None:
    xs, ys, xt = rows()
    exact = TCA(dim=4, kernel="rbf").fit(xs, ys, xt)
    nystroem = clone(exact).set_params(landmarks=51).fit(xs, ys, xt)
    assert exact.bandwidth_ == nystroem.bandwidth_
    assert nystroem.eigenvalues_ == pytest.approx(exact.eigenvalues_, rel=1e-6)
    assert nystroem.transform(xt) == pytest.approx(exact.transform(xt), abs=1e-6)


def test_landmarks_come_near_the_exact_kernel() -> None:
    xs, ys, xt = rows(300, 200, 3)
    exact = TCA(dim=2, kernel="rbf").fit(xs, ys, xt)
    few, many = (TCA(dim=2, kernel="rbf", landmarks=m).fit(xs, ys, xt).eigenvalues_ for m in (5, 100))
    assert many == pytest.approx(exact.eigenvalues_, rel=0.01)
    assert np.abs(few - exact.eigenvalues_).max() > 2 * np.abs(many - exact.eigenvalues_).max()


def peak(settings: dict[str, object], n: int) -> int:
    """Bytes at the highest point of a fit on n samples of 10 features."""
    rng = np.random.default_rng(0)
    xs, xt, ys = rng.normal(size=(n // 2, 10)), rng.normal(size=(n // 2, 10)) + 1, np.arange(n // 2) % 5
    tracemalloc.start()
    TCA(dim=5, **settings).fit(xs, ys, xt)  # type: ignore[arg-type]
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return highest


@pytest.mark.parametrize("settings", [{}, {"kernel": "rbf", "landmarks": 50, "bandwidth": 3.0}])
def test_the_memory_grows_linearly(settings: dict[str, object]) -> None:
    small, large = peak(settings, 4_000), peak(settings, 16_000)
    assert large < 4.5 * small
    assert large < 16_000 * 8 * 200  # a sixteenth of K


def test_the_same_call_gives_the_same_bits() -> None:
    xs, ys, xt = rows()
    a, b = (TCA(dim=3, kernel="rbf", landmarks=25).fit(xs, ys, xt).transform(xt) for _ in range(2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, TCA(dim=3, kernel="rbf", landmarks=25, seed=1).fit(xs, ys, xt).transform(xt))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mu": 0.0}, "mu is 0.0; expected a number, above 0"),
        ({"mu": float("nan")}, "mu is nan; expected a number, above 0"),
        ({"kernel": "cosine"}, "kernel is 'cosine'; expected 'linear' or 'rbf'"),
        ({"kernel": "rbf", "bandwidth": -1.0}, "bandwidth is -1.0; expected a number, above 0"),
        ({"landmarks": 10}, "landmarks is 10 with kernel 'linear'; expected None"),
        ({"kernel": "rbf", "landmarks": 0}, "landmarks is 0; expected a whole number, at least 1"),
        (
            {"kernel": "rbf", "landmarks": 52},
            "at least 1 and at most 51: there are 51 samples",
        ),
        ({"dim": 51}, "dim is 51; expected a whole number, at least 1 and at most 50: there are 51 sample"),
        (
            {"dim": 9},
            "dim is 9; expected a whole number, at least 1 and at most 8: rows vary",
        ),
        ({"dim": 0}, "dim is 0; expected a whole number, at least 1 and at most 50"),
        ({"kernel": "rbf", "landmarks": 3, "dim": 4}, "dim is 4; expected a whole number, at least 1 and at most 3"),
    ],
)
def test_settings_out_of_range_are_one_line(settings: dict[str, object], words: str) -> None:
    xs, ys, xt = rows()
    with pytest.raises(TlbookError) as caught:
        TCA(**{"dim": 3} | settings).fit(xs, ys, xt)  # type: ignore[arg-type]
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_median_distance_of_0_asks_for_a_bandwidth() -> None:
    xs, xt = np.zeros((10, 2)), np.concatenate([np.zeros((9, 2)), np.ones((1, 2))])
    with pytest.raises(TlbookError, match=r"^the median distance between samples is 0[^\n]*give a bandwidth$"):
        TCA(dim=1, kernel="rbf").fit(xs, np.arange(10) % 2, xt)
    z = TCA(dim=1, kernel="rbf", bandwidth=1.0).fit(xs, np.arange(10) % 2, xt).transform(xt)
    assert np.isfinite(z).all()


@pytest.mark.parametrize(("n", "exact"), [(1000, True), (1001, False)])
def test_the_median_is_that_of_all_samples_up_to_a_thousand(n: int, exact: bool) -> None:
    x = np.random.default_rng(0).normal(size=(n, 2))
    tca = TCA(dim=1, kernel="rbf", landmarks=5).fit(x[:500], np.arange(500) % 2, x[500:])
    assert (tca.bandwidth_ == np.median(pdist(x))) == exact
    assert tca.bandwidth_ == pytest.approx(np.median(pdist(x)), rel=0.01)
