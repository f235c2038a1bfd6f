"""GFK against numerical quadrature of the flow, with the geodesic built another way."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from tlbook.methods import GFK

Matrix = NDArray[np.float64]


def flow(p_s: Matrix, p_t: Matrix, nodes: int = 40) -> Matrix:
    """∫₀¹ Φ(t)Φ(t)ᵀ dt by Gauss-Legendre, with the geodesic of Edelman, Arias and Smith (1998).

    Its velocity is the logarithm of the map from P_S to P_T: by the horizontal part of P_T(P_SᵀP_T)⁻¹.
    """
    u, tan, vt = np.linalg.svd(p_t @ np.linalg.inv(p_s.T @ p_t) - p_s, full_matrices=False)
    theta = np.arctan(tan)
    ts, weights = np.polynomial.legendre.leggauss(nodes)
    total = np.zeros((len(p_s), len(p_s)))
    for t, weight in zip((ts + 1) / 2, weights / 2, strict=True):
        phi = p_s @ vt.T * np.cos(t * theta) + u * np.sin(t * theta)
        assert phi.T @ phi == pytest.approx(np.eye(phi.shape[1]), abs=1e-9)
        total += weight * phi @ phi.T
    return total


@pytest.mark.parametrize(("d", "dim"), [(12, 3), (12, 6), (12, 9), (12, 12), (5, 1), (40, 10)])
def test_the_closed_form_is_the_integral(d: int, dim: int) -> None:
    rng = np.random.default_rng(d + dim)
    xs, xt = (rng.normal(size=(60, d)) @ rng.normal(size=(d, d)) for _ in range(2))
    gfk = GFK(dim=dim).fit(xs, rng.integers(0, 2, 60), xt)
    p_s, p_t = (PCA(dim).fit(x).components_.T for x in (xs, xt))
    assert gfk.kernel_ == pytest.approx(flow(p_s, p_t), abs=1e-6)
    assert np.sort(gfk.angles_) == pytest.approx(np.sort(scipy.linalg.subspace_angles(p_s, p_t)), abs=1e-6)
    assert gfk.kernel_ == pytest.approx(gfk.kernel_.T)
    assert np.linalg.eigvalsh(gfk.kernel_).min() > -1e-12
    z = gfk.transform(xt)
    assert z @ z.T == pytest.approx(xt @ gfk.kernel_ @ xt.T)


def turned(angles: list[float], d: int) -> tuple[Matrix, Matrix]:
    """Two sets of rows whose principal subspaces have these angles: axis i turns towards axis k + i."""
    rng, k = np.random.default_rng(0), len(angles)
    base = np.linalg.qr(rng.normal(size=(d, d)))[0]
    p_s = base[:, :k]
    p_t = p_s * np.cos(angles)
    for i, angle in enumerate(angles):
        if angle:
            p_t[:, i] += np.sin(angle) * base[:, k + i]
    scores = np.linalg.qr(rng.normal(size=(50, k)) - 0)[0]
    scores = np.linalg.qr(scores - scores.mean(axis=0))[0] * np.arange(k + 1, 1, -1)
    return scores @ p_s.T, scores @ p_t.T


@pytest.mark.parametrize(
    "angles", [[0.0, 0.0, 0.0], [1e-9, 0.3], [0.0, 0.7, 1e-5], [np.pi / 2, 0.4], [np.pi / 2, np.pi / 2]]
)
def test_angles_of_0_and_of_a_right_angle_take_their_limits(angles: list[float]) -> None:
    xs, xt = turned(angles, 9)
    gfk = GFK(dim=len(angles)).fit(xs, np.arange(50) % 2, xt)
    assert np.isfinite(gfk.kernel_).all()
    assert np.sort(gfk.angles_) == pytest.approx(np.sort(angles), abs=1e-8)
    p_s, p_t = (PCA(len(angles)).fit(x).components_.T for x in (xs, xt))
    if max(angles) < 1.5:
        assert gfk.kernel_ == pytest.approx(flow(p_s, p_t), abs=1e-6)
    else:  # P_SᵀP_T has no inverse; the trace of G is that of any Φ(t), and halfway is at 45°
        assert np.trace(gfk.kernel_) == pytest.approx(len(angles))
        assert p_s.T @ gfk.kernel_ @ p_s == pytest.approx(flipped(p_t.T @ gfk.kernel_ @ p_t, p_s, p_t, gfk.kernel_))


def flipped(seen_by_target: Matrix, p_s: Matrix, p_t: Matrix, g: Matrix) -> Matrix:
    """The flow looks the same from both ends: equal eigenvalues of G within the two subspaces."""
    values = np.linalg.eigvalsh(p_s.T @ g @ p_s)
    assert np.linalg.eigvalsh(seen_by_target) == pytest.approx(values)
    return p_s.T @ g @ p_s


def test_equal_domains_give_the_projection_on_their_subspace() -> None:
    xs, _ = turned([0.0, 0.0, 0.0], 9)
    p = PCA(3).fit(xs).components_.T
    assert GFK(dim=3).fit(xs, np.arange(50) % 2, xs + 7).kernel_ == pytest.approx(p @ p.T)


@pytest.mark.parametrize("dim", [3, 4, 5, 6])
def test_subspaces_of_more_than_half_of_the_dimensions_share_directions(dim: int) -> None:
    rng = np.random.default_rng(dim)
    xs, xt = (rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)) for _ in range(2))
    gfk = GFK(dim=dim).fit(xs, np.arange(60) % 2, xt)
    assert (gfk.angles_ < 1e-7).sum() == 2 * dim - 6
    if dim == 6:
        assert gfk.kernel_ == pytest.approx(np.eye(6), abs=1e-9)
