"""The key is right, the blank is not, and each plausible wrong answer gets its own sentence."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch

from tlbook.exercises import classical_adaptation


def blank(*_: Any) -> Any:
    return ...


def nothing(*_: Any) -> None:
    return None


def stops(*_: Any) -> Any:
    raise ValueError("no such row")


def form(K: Any, n: int, on_source: float, on_target: float) -> Any:
    v = np.concatenate([np.full(n, on_source), np.full(len(K) - n, on_target)])
    return v @ K @ v


def gap(K: Any, n: int) -> Any:
    return form(K, n, 1 / n, -1 / (len(K) - n))


@pytest.mark.parametrize("kind", [float, np.float32, torch.tensor, np.asarray])
def test_the_form_with_v_is_right_as_any_kind_of_number(kind: Callable[[Any], Any]) -> None:
    if kind is np.float32:
        assert "it gives" in classical_adaptation.two_means(lambda K, n: kind(gap(K, n) + 0.5)).wrong
    else:
        assert classical_adaptation.two_means(lambda K, n: kind(gap(K, n))).right


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (blank, "not answered yet"),
        (nothing, "not answered yet"),
        (stops, "your code stops: ValueError: no such row"),
        (lambda K, n: gap(K, n) ** 0.5, "it is the distance itself"),
        (lambda K, n: -gap(K, n), "the sign is turned round"),
        (lambda K, n: form(K, n, 1 / n, 1 / (len(K) - n)), "both means are added"),
        (lambda K, n: form(K, n, 1, -1), "every row weighs one"),
        (lambda K, n: form(K, n, 1 / len(K), -1 / len(K)), "the number of all rows"),
        (lambda K, n: form(K, n, 1 / (len(K) - n), -1 / n), "the number of the other's rows"),
        (lambda K, n: K[:n, :n].mean() + K[n:, n:].mean(), "are missing"),
        (lambda K, n: K[:n, :n].mean() + K[n:, n:].mean() - K[:n, n:].mean(), "are there once"),
        (lambda K, n: np.diag(K)[:n].sum() / n**2 + np.diag(K)[n:].sum() / (len(K) - n) ** 2, "the diagonal of K"),
        (lambda K, n: 2 * gap(K, n), "for 3 source rows and 5 target rows it gives"),
        (lambda K, n: K, "it returns an array of shape (8, 8); expected one number"),
        (lambda K, n: "small", "it returns str"),
        (lambda K, n: True, "it returns bool"),
        (lambda K, n: float("nan"), "it gives nan"),
    ],
)
def test_a_wrong_distance_is_named(answer: Callable[..., Any], sentence: str) -> None:
    assert sentence in classical_adaptation.two_means(answer).wrong


def general(P: Any, S: Any, m: int) -> Any:
    return scipy.linalg.eigh(S, P)[1][:, -m:]


def product(P: Any, S: Any) -> Any:
    return np.linalg.solve(P, S)


def by_eig(P: Any, S: Any, m: int) -> Any:
    values, vectors = np.linalg.eig(product(P, S))
    return vectors[:, np.argsort(values.real)[-m:]].real


def by_root(P: Any, S: Any, m: int) -> Any:
    level, axes = np.linalg.eigh(P)
    root = axes / np.sqrt(level) @ axes.T
    return root @ np.linalg.eigh(root @ S @ root)[1][:, -m:]


@pytest.mark.parametrize("answer", [general, by_eig, by_root, lambda *a: -5 * general(*a)[:, ::-1]])
def test_every_right_solver_is_right(answer: Callable[..., Any]) -> None:
    assert classical_adaptation.any_solver(answer).right


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (blank, "not answered yet"),
        (nothing, "not answered yet"),
        (stops, "your code stops"),
        (lambda P, S, m: np.linalg.eigh(product(P, S))[1][:, -m:], "eigh reads one triangle only"),
        (lambda P, S, m: np.linalg.eigh(product(P, S), UPLO="U")[1][:, -m:], "eigh reads one triangle only"),
        (lambda P, S, m: np.linalg.eigh(product(P, S) + product(P, S).T)[1][:, -m:], "it is another matrix"),
        (lambda P, S, m: scipy.linalg.eigh(S, P)[1][:, :m], "the smallest eigenvalues"),
        (lambda P, S, m: np.linalg.eigh(S)[1][:, -m:], "the penalty has no say"),
        (lambda P, S, m: np.linalg.solve(np.linalg.inv(P), general(P, S, m)), "the order of the product"),
        (lambda P, S, m: np.linalg.cholesky(P).T @ general(P, S, m), "the way back to w is missing"),
        (lambda P, S, m: scipy.linalg.sqrtm(P).real @ general(P, S, m), "the way back to w is missing"),
        (lambda P, S, m: general(P, S, m).T, "the directions are rows"),
        (lambda P, S, m: scipy.linalg.eigh(S, P)[1], "it returns all 6 directions"),
        (lambda P, S, m: general(P, S, m)[:, :1], "it returns an array of shape (6, 1)"),
        (lambda P, S, m: general(P, S, m)[:, 0], "it returns an array of shape (6,)"),
        (lambda P, S, m: general(P, S, m).astype(complex), "these are complex numbers"),
        (lambda P, S, m: general(P, S, m)[:, [0] * m], "a direction comes twice"),
        (lambda P, S, m: 0 * general(P, S, m), "a column holds zeros"),
        (lambda P, S, m: np.nan * general(P, S, m), "a column holds zeros or numbers that are not finite"),
        (lambda P, S, m: general(P, S, m) @ np.triu(np.ones((m, m))), "but not each direction in it"),
        (lambda P, S, m: scipy.linalg.eigh(S, P)[1][:, -m - 1 : -1], "not the ones with the largest"),
        (lambda P, S, m: np.eye(len(P))[:, :m], "point in different directions"),
        (lambda P, S, m: np.linalg.eigh(S), "it returns EighResult"),
        (lambda P, S, m: "both", "it returns str"),
    ],
)
def test_wrong_directions_are_named(answer: Callable[..., Any], sentence: str) -> None:
    assert sentence in classical_adaptation.any_solver(answer).wrong


def weights(V: Any, first: float, others: float) -> Any:
    return V * np.sqrt([first] + [others] * (V.shape[1] - 1))


def test_the_roots_of_both_weights_are_right_whatever_their_sign() -> None:
    assert classical_adaptation.the_balance(lambda V, b: weights(V, 1 - b, b)).right
    assert classical_adaptation.the_balance(lambda V, b: -weights(V, 1 - b, b)).right


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (blank, "not answered yet"),
        (nothing, "not answered yet"),
        (stops, "your code stops"),
        (lambda V, b: V, "nothing is weighed yet"),
        (lambda V, b: weights(V, (1 - b) ** 2, b**2), "the weights come out squared"),
        (lambda V, b: weights(V, b, 1 - b), "are exchanged: β weighs the classes"),
        (lambda V, b: weights(V, b**2, (1 - b) ** 2), "are exchanged, and the weights come out squared"),
        (lambda V, b: weights(V, 1 - b, 1), "the classes keep the weight one"),
        (lambda V, b: weights(V, 1, b), "the domains keep the weight one"),
        (lambda V, b: weights(V, b, b), "all vectors weigh the same"),
        (lambda V, b: weights(V, 1 - b, b / (V.shape[1] - 1)), "the classes share β"),
        (lambda V, b: V @ V.T, "a matrix of all pairs of rows"),
        (lambda V, b: V[:, 1:], "it returns an array of shape (8, 3); expected an array of shape (8, 4)"),
        (lambda V, b: V.tolist()[0], "it returns list"),
        (lambda V, b: np.nan * V, "not finite"),
        (lambda V, b: 3 * V, "for β = 0.2 the outer products do not add up"),
    ],
)
def test_a_wrong_balance_is_named(answer: Callable[..., Any], sentence: str) -> None:
    assert sentence in classical_adaptation.the_balance(answer).wrong
