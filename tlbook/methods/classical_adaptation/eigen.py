"""The eigenproblem that TCA, JDA and BDA have in common, solved without forming its matrices."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse.linalg import LinearOperator, eigsh

from tlbook._arrays import Matrix
from tlbook._checks import check_whole

__all__ = ["leading_directions"]


def leading_directions(
    scatter: Callable[[Matrix], Matrix], gaps: Matrix, weight: float, dim: int, whiten: bool
) -> tuple[Matrix, Matrix]:
    """The W that minimises tr Wᵀ(VVᵀ + weight·I)W subject to WᵀSW = I.

    It consists of the leading eigenvectors of (VVᵀ + weight·I)⁻¹S. That matrix is not symmetric, but it is similar to
    R·S·R with R = (VVᵀ + weight·I)^(−1/2). V has few columns, so R costs a thin SVD: it multiplies a left singular
    vector of V by (weight + s²)^(−1/2), s its singular value, and what is orthogonal to them all by weight^(−1/2).
    Lanczos iterations then need products with S only.

    Args:
        scatter: p → p, the product of S (p×p, symmetric, positive semi-definite) with a vector.
        gaps: V, p×r with r much smaller than p.
        weight: above 0.
        dim: number of columns of W.
        whiten: whether WᵀSW = I; otherwise the columns have length 1.

    Returns:
        W, p×dim, and the eigenvalues in descending order.

    Raises:
        TlbookError: when S has fewer than dim directions.

    Example:
        >>> s = np.diag([4.0, 1.0, 9.0])
        >>> w, values = leading_directions(s.dot, np.array([[0.0], [0.0], [3.0]]), 1.0, 2, whiten=True)
        >>> values.round(6).tolist(), abs(w.T @ s @ w).round(6).tolist()
        ([4.0, 1.0], [[1.0, 0.0], [0.0, 1.0]])
    """
    p = len(gaps)
    basis, s, _ = np.linalg.svd(gaps, full_matrices=False)
    shrink = 1 - np.sqrt(weight / (weight + s**2))

    def root(x: Matrix) -> Matrix:  # R·x·√weight
        shrunk: Matrix = x - basis * shrink @ (basis.T @ x)
        return shrunk

    def product(x: Matrix) -> Matrix:  # R·S·R·x
        rsr: Matrix = root(scatter(root(x))) / weight
        return rsr

    start = np.random.default_rng(0).standard_normal(p)
    if 2 * dim + 1 < p:
        operator = LinearOperator((p, p), matvec=lambda x: product(x.ravel()), dtype=np.float64)
        values, vectors = eigsh(operator, k=dim, which="LA", v0=start)
    else:
        values, vectors = np.linalg.eigh(product(np.eye(p)))
    values, vectors = values[::-1], vectors[:, ::-1]
    rank = int((values > values[0] * p * np.finfo(float).eps).sum())
    hint = f"rows vary measurably in {rank} directions; choose another dim, give more data, or standardise the features"
    check_whole("dim", dim, at_least=1, at_most=rank, hint=hint)
    values, w = values[:dim], root(vectors[:, :dim])
    length = np.sqrt(values * weight) if whiten else np.linalg.norm(w, axis=0)
    return w / length * np.sign(w[np.abs(w).argmax(axis=0), np.arange(dim)]), values
