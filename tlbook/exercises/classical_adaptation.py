"""Checks of the answers to the exercises on classical adaptation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from tlbook.exercises.answer import Answer, ask, described

__all__ = ["any_solver", "the_balance", "two_means"]

Matrix = NDArray[np.float64]


def two_means(gap: Callable[[Matrix, int], Any]) -> Answer:
    """Check the squared distance of two means, computed from the matrix of inner products alone.

    Args:
        gap: the reader's function of K, n×n, source rows first, and of the number of source rows.

    Example:
        >>> two_means(lambda K, n: K[:n, :n].mean() + K[n:, n:].mean())
        Two means: the products between the domains are missing: they count twice, with a minus
        >>> two_means(lambda K, n: K[:n, :n].mean() + K[n:, n:].mean() - 2 * K[:n, n:].mean())
        Two means: right
    """
    title = "Two means"
    rng = np.random.default_rng(0)
    for n_s, n_t in ((3, 5), (6, 2)):
        x = rng.normal(size=(n_s + n_t, 4))
        K = x @ x.T
        value, wrong = ask(gap, K.copy(), n_s)
        if wrong := wrong or _wrong_gap(value, K, n_s):
            return Answer(title, wrong)
    return Answer(title)


def _wrong_gap(value: Any, K: Matrix, n_s: int) -> str:
    number = _array(value)
    if number is None or number.size != 1 or number.ndim:
        return f"it returns {_said(value)}; expected one number"
    n, n_t = len(K), len(K) - n_s
    if not np.isfinite(number):
        return f"it gives {float(number)}: does a division go wrong?"
    s, t, across = K[:n_s, :n_s].mean(), K[n_s:, n_s:].mean(), K[:n_s, n_s:].mean()

    def form(on_source: float, on_target: float) -> float:
        v = np.concatenate([np.full(n_s, on_source), np.full(n_t, on_target)])
        return float(v @ K @ v)

    right = form(1 / n_s, -1 / n_t)
    diagonal = K.diagonal()
    wrongs = {
        right**0.5: "it is the distance itself; expected its square",
        -right: "the sign is turned round: a squared distance is not negative",
        form(1 / n_s, 1 / n_t): "both means are added: the weights of the target's rows carry a minus",
        form(1, -1): "every row weighs one: divide by the number of rows of its own domain",
        form(1 / n, -1 / n): "every row is divided by the number of all rows; expected by that of its own domain",
        form(1 / n_t, -1 / n_s): "each domain is divided by the number of the other's rows",
        s + t: "the products between the domains are missing: they count twice, with a minus",
        s + t - across: "the products between the domains are there once; both blocks of K have them, so they count "
        "twice",
        float(diagonal[:n_s].sum() / n_s**2 + diagonal[n_s:].sum() / n_t**2): "it uses the diagonal of K alone: the "
        "mean of the products, not of the squares, is needed",
    }
    for other, sentence in wrongs.items():
        if abs(float(number) - other) <= 1e-9 * max(1, abs(other)) and abs(other - right) > 1e-6 * right:
            return sentence
    if abs(float(number) - right) > 1e-9 * max(1, right):
        return f"for {n_s} source rows and {n_t} target rows it gives {float(number):.3g}; expected {right:.3g}"
    return ""


def any_solver(leading: Callable[[Matrix, Matrix, int], Any]) -> Answer:
    """Check a function that finds the leading directions of penalty⁻¹·scatter, which is not symmetric.

    Args:
        leading: the reader's function of penalty (p×p, symmetric, positive definite), of scatter (p×p, symmetric) and
            of m; it returns p×m, one direction a column, of any length.

    Example:
        >>> any_solver(lambda penalty, scatter, m: np.linalg.eigh(np.linalg.solve(penalty, scatter))[1][:, -m:])
        Any solver: eigh reads one triangle only, and penalty⁻¹·scatter is not symmetric: these belong to another matrix
        >>> any_solver(lambda penalty, scatter, m: scipy.linalg.eigh(scatter, penalty)[1][:, -m:])
        Any solver: right
    """
    title = "Any solver"
    rng = np.random.default_rng(0)
    for p, m in ((6, 2), (7, 3)):
        a, b = rng.normal(size=(p, p)), rng.normal(size=(p, p - 1))
        penalty, scatter = a @ a.T + 0.1 * np.eye(p), b @ b.T
        value, wrong = ask(leading, penalty.copy(), scatter.copy(), m)
        if wrong := wrong or _wrong_directions(value, penalty, scatter, m):
            return Answer(title, wrong)
    return Answer(title)


def _wrong_directions(value: Any, penalty: Matrix, scatter: Matrix, m: int) -> str:
    p = len(penalty)
    if isinstance(value, np.ndarray) and np.iscomplexobj(value):
        return "these are complex numbers: the eigenvalues are all real, so take the real part and sort by them"
    w = _array(value)
    if w is None or w.ndim != 2:
        return f"it returns {_said(value)}; expected an array of shape ({p}, {m})"
    if w.shape == (m, p):
        return "the directions are rows; expected columns: eigh returns a vector a column"
    if w.shape == (p, p):
        return f"it returns all {p} directions; expected the {m} leading ones"
    if w.shape != (p, m):
        return f"it returns {_said(w)}; expected an array of shape ({p}, {m})"
    lengths = np.linalg.norm(w, axis=0)
    if not np.isfinite(w).all() or not lengths.all():
        return "a column holds zeros or numbers that are not finite"
    w = w / lengths
    vectors = scipy.linalg.eigh(scatter, penalty)[1]
    if np.linalg.matrix_rank(w, tol=1e-6) < m:
        return f"a direction comes twice; expected {m} different ones"
    if _same(w, vectors[:, -m:]):
        return "" if _each_one(w, penalty, scatter) else _MIXED
    return _other_directions(w, penalty, scatter, vectors)


_MIXED = "the plane is right, but not each direction in it: scatter·w must be a multiple of penalty·w for every column"


def _other_directions(w: Matrix, penalty: Matrix, scatter: Matrix, vectors: Matrix) -> str:
    m, product = w.shape[1], np.linalg.solve(penalty, scatter)
    below, above = (np.linalg.eigh(product, UPLO=triangle)[1] for triangle in ("L", "U"))
    level, axes = np.linalg.eigh(penalty)
    root = axes / np.sqrt(level) @ axes.T
    factor = np.linalg.inv(np.linalg.cholesky(penalty))
    moved = [np.linalg.eigh(r @ scatter @ r.T)[1][:, -m:] for r in (root, factor)]
    wrongs = [
        (vectors[:, :m], "these are the directions with the smallest eigenvalues: eigh sorts them upwards"),
        *((slip[:, part], _SLIP) for slip in (below, above) for part in (slice(-m, None), slice(m))),
        (np.linalg.eigh(product + product.T)[1][:, -m:], "the mean of the product and its transpose is symmetric, but "
         "it is another matrix, with other directions"),
        (np.linalg.eigh(scatter)[1][:, -m:], "these are the directions of scatter alone: the penalty has no say"),
        *((u, "these are directions in the coordinates in which the problem is symmetric: the way back to w is "
           "missing") for u in moved),
        (penalty @ vectors[:, -m:], "these belong to scatter·penalty⁻¹: the order of the product is turned round"),
    ]  # fmt: skip
    for plane, sentence in wrongs:
        if _same(w, plane):
            return sentence
    if _each_one(w, penalty, scatter):
        return "each column solves the problem, but these are not the ones with the largest eigenvalues"
    return "scatter·w and penalty·w point in different directions for some column; expected the same one for each"


_SLIP = "eigh reads one triangle only, and penalty⁻¹·scatter is not symmetric: these belong to another matrix"


def _same(a: Matrix, b: Matrix) -> bool:
    """Whether the columns of both span the same plane."""
    q, r = np.linalg.qr(a)[0], np.linalg.qr(b)[0]
    return bool(np.abs(q @ q.T - r @ r.T).max() < 1e-5)


def _each_one(w: Matrix, penalty: Matrix, scatter: Matrix) -> bool:
    s, p = scatter @ w, penalty @ w
    ratio = (w * s).sum(axis=0) / (w * p).sum(axis=0)
    return bool(np.abs(s - ratio * p).max() < 1e-5 * np.abs(s).max())


def the_balance(weigh: Callable[[Matrix, float], Any]) -> Answer:
    """Check the vectors that turn JDA into balanced distribution adaptation.

    Args:
        weigh: the reader's function of V, whose columns are v_0, v_1 … v_C, and of β; it returns the columns whose
            outer products add up to (1 − β)M_0 + β ΣM_c.

    Example:
        >>> the_balance(lambda V, beta: V * np.array([1 - beta] + [beta] * (V.shape[1] - 1)))
        The balance: the weights come out squared: an outer product holds each vector twice
        >>> the_balance(lambda V, beta: V * np.sqrt([1 - beta] + [beta] * (V.shape[1] - 1)))
        The balance: right
    """
    title = "The balance"
    rng = np.random.default_rng(0)
    for classes, beta in ((3, 0.2), (4, 0.7)):
        V = rng.normal(size=(8, 1 + classes))
        value, wrong = ask(weigh, V.copy(), beta)
        if wrong := wrong or _wrong_balance(value, V, beta):
            return Answer(title, wrong)
    return Answer(title)


def _wrong_balance(value: Any, V: Matrix, beta: float) -> str:
    ours = _array(value)
    n, columns = V.shape
    if ours is not None and ours.shape == (n, n):
        return "it returns a matrix of all pairs of rows; expected vectors, a column each"
    if ours is None or ours.shape != V.shape:
        return f"it returns {_said(value)}; expected an array of shape {V.shape}, as V has"
    if not np.isfinite(ours).all():
        return "it holds numbers that are not finite"

    def total(first: float, others: float) -> Matrix:
        weights = np.array([first] + [others] * (columns - 1))
        weighed: Matrix = V * weights @ V.T
        return weighed

    wrongs = {
        (1, 1): "nothing is weighed yet: with these vectors it is still JDA",
        ((1 - beta) ** 2, beta**2): "the weights come out squared: an outer product holds each vector twice",
        (beta, 1 - beta): "β and 1 − β are exchanged: β weighs the classes",
        (beta**2, (1 - beta) ** 2): "β and 1 − β are exchanged, and the weights come out squared",
        (1 - beta, 1): "the classes keep the weight one; expected β",
        (1, beta): "the domains keep the weight one; expected 1 − β",
        (beta, beta): "all vectors weigh the same; expected 1 − β for the first",
        (1 - beta, beta / (columns - 1)): "the classes share β among them; the formula gives β to each",
    }
    if _close(ours @ ours.T, total(1 - beta, beta)):
        return ""
    for (first, others), sentence in wrongs.items():
        if _close(ours @ ours.T, total(first, others)):
            return sentence
    return f"for β = {beta} the outer products do not add up to (1 − β)M_0 + β ΣM_c"


def _close(a: Matrix, b: Matrix) -> bool:
    return bool(np.abs(a - b).max() < 1e-8 * np.abs(b).max())


def _array(value: Any) -> Matrix | None:
    """What a reader's function returned as an array of numbers; None where it is something else."""
    if isinstance(value, bool | str):
        return None
    try:
        numbers = np.asarray(value)
        return numbers.astype(float) if numbers.dtype.kind in "iuf" else None
    except (TypeError, ValueError):
        return None


def _said(value: Any) -> str:
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else described(value)
