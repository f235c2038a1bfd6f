"""ESZSL is its closed form, from either side, and the minimum of its objective."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from tlbook.methods import ESZSL
from tlbook.methods.zero_shot.estimator import ridge

Matrix = NDArray[np.float64]


def problem(n: int = 60, d: int = 7, a: int = 4, classes: int = 5, seed: int = 0) -> tuple[Matrix, Matrix, Matrix]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), np.arange(n) % classes, rng.normal(size=(classes, a))


def written_out(x: Matrix, y: Matrix, s: Matrix, gamma: float, alpha: float) -> Matrix:
    targets = np.where(y[:, None] == np.arange(len(s)), 1.0, -1.0)
    left = np.linalg.inv(x.T @ x + gamma * np.eye(x.shape[1]))
    return left @ x.T @ targets @ s @ np.linalg.inv(s.T @ s + alpha * np.eye(s.shape[1]))


@pytest.mark.parametrize(("gamma", "alpha"), [(1.0, 1.0), (0.01, 30.0), (100.0, 0.1)])
@pytest.mark.parametrize("shape", [(60, 7, 4, 5), (20, 50, 4, 5), (60, 7, 12, 5), (20, 50, 12, 5)])
def test_v_is_the_closed_form_whichever_side_is_longer(shape: tuple[int, ...], gamma: float, alpha: float) -> None:
    x, y, s = problem(*shape)
    method = ESZSL(gamma, alpha).fit(x, y, s)
    expected = written_out(x, y, s, gamma, alpha)
    np.testing.assert_allclose(method.V_, expected, rtol=1e-8, atol=1e-10 * np.abs(expected).max())
    new = np.random.default_rng(1).normal(size=(3, s.shape[1]))
    np.testing.assert_allclose(method.scores(x, new), x @ expected @ new.T, rtol=1e-7, atol=1e-8)


def objective(v: torch.Tensor, x: Matrix, y: Matrix, s: Matrix, gamma: float, alpha: float) -> torch.Tensor:
    a, b = torch.from_numpy(x), torch.from_numpy(s)
    targets = torch.from_numpy(np.where(y[:, None] == np.arange(len(s)), 1.0, -1.0))
    fit = ((a @ v @ b.T - targets) ** 2).sum()
    return fit + gamma * ((v @ b.T) ** 2).sum() + alpha * ((a @ v) ** 2).sum() + gamma * alpha * (v**2).sum()


def test_gradient_descent_on_the_objective_finds_the_same_v() -> None:
    x, y, s = problem()
    gamma, alpha = 2.0, 0.5
    v = torch.zeros(7, 4, dtype=torch.float64, requires_grad=True)
    curvature = (np.linalg.norm(x, 2) ** 2 + gamma) * (np.linalg.norm(s, 2) ** 2 + alpha)
    for _ in range(3000):
        (slope,) = torch.autograd.grad(objective(v, x, y, s, gamma, alpha), v)
        v = (v - slope / (2 * curvature)).detach().requires_grad_()
    found = ESZSL(gamma, alpha).fit(x, y, s).V_
    np.testing.assert_allclose(v.detach().numpy(), found, rtol=1e-6, atol=1e-9)


def test_targets_are_1_and_minus_1_not_1_and_0() -> None:
    x, y, s = problem()
    ones = (y[:, None] == np.arange(5)).astype(float)
    zero_one = np.linalg.inv(x.T @ x + np.eye(7)) @ x.T @ ones @ s @ np.linalg.inv(s.T @ s + np.eye(4))
    assert np.abs(ESZSL().fit(x, y, s).V_ - zero_one).max() > 0.01


def test_a_column_of_the_class_numbers_is_not_assumed_to_be_sorted() -> None:
    x, y, s = problem()
    order = np.random.default_rng(2).permutation(len(x))
    np.testing.assert_allclose(ESZSL().fit(x, y, s).V_, ESZSL().fit(x[order], y[order], s).V_)
    swap = np.array([4, 2, 0, 1, 3])  # row k of s[swap] is class swap[k]
    np.testing.assert_allclose(ESZSL().fit(x, y, s).V_, ESZSL().fit(x, np.argsort(swap)[y], s[swap]).V_)


def test_an_unseen_combination_of_attributes_is_named() -> None:
    rng = np.random.default_rng(3)
    all_classes = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)], float)
    reading = rng.normal(size=(3, 20))
    y = np.arange(1600) % 8
    x = all_classes[y] @ reading + rng.normal(size=(1600, 20))
    held = np.isin(y, [2, 5])
    seen = np.array([0, 1, 3, 4, 6, 7])
    method = ESZSL().fit(x[~held], np.searchsorted(seen, y[~held]), all_classes[seen])
    named = np.array([2, 5])[method.predict(x[held], all_classes[[2, 5]])]
    assert (named == y[held]).mean() > 0.95


@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (5, 5)])
def test_both_forms_of_the_ridge_regression_solve_its_normal_equations(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=shape), rng.normal(size=(shape[0], 2))
    w = ridge(a, b, 0.3)
    np.testing.assert_allclose(a.T @ (b - a @ w), 0.3 * w, atol=1e-12)
