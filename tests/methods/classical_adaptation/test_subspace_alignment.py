"""Subspace alignment against least squares and the case it is made for."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from tlbook.methods import SubspaceAlignment


def test_the_alignment_is_the_least_squares_solution() -> None:
    rng = np.random.default_rng(0)
    xs, xt = (rng.normal(size=(n, 7)) @ rng.normal(size=(7, 7)) for n in (40, 30))
    method = SubspaceAlignment(dim=4).fit(xs, rng.integers(0, 2, 40), xt)
    p_s, p_t = (PCA(4).fit(x).components_.T for x in (xs, xt))
    m = np.linalg.lstsq(p_s, p_t, rcond=None)[0]
    # the signs of principal axes are free: products of the rows are what can be compared
    z_s, z_t = (xs - xs.mean(0)) @ p_s @ m, (xt - xt.mean(0)) @ p_t
    assert method.source_z_ @ method.transform(xt).T == pytest.approx(z_s @ z_t.T)
    assert method.source_z_ @ method.source_z_.T == pytest.approx(z_s @ z_s.T)
    assert np.abs(method.alignment_) == pytest.approx(np.abs(m))


def test_a_rotation_and_a_shift_of_the_target_are_undone() -> None:
    rng = np.random.default_rng(1)
    y = np.arange(300) % 3
    xs = rng.normal(size=(300, 6)) * [5, 3, 1, 0.1, 0.1, 0.1] + np.eye(6)[y] * 12
    turn = np.eye(6)
    turn[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
    xt = xs @ turn + 40
    method = SubspaceAlignment(dim=3).fit(xs, y, xt)
    assert (method.predict(xt) == y).mean() > 0.9
    assert (method.classifier_.predict((xt - xt.mean(0)) @ method._axes) == method.predict(xt)).all()


def test_all_dimensions_leave_the_distances_as_they_are() -> None:
    rng = np.random.default_rng(2)
    xs, xt = rng.normal(size=(30, 4)), rng.normal(size=(25, 4))
    method = SubspaceAlignment(dim=4).fit(xs, np.arange(30) % 2, xt)
    z_s, z_t = xs - xs.mean(0), xt - xt.mean(0)
    assert method.source_z_ @ method.transform(xt).T == pytest.approx(z_s @ z_t.T)
