"""Joint distribution adaptation: the means of the domains meet, and those of each class, by guessed labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tlbook._arrays import Matrix
from tlbook._checks import check_choice, check_number, check_whole
from tlbook.methods.classical_adaptation.eigen import leading_directions
from tlbook.methods.classical_adaptation.estimator import ClosedForm

__all__ = ["JDA", "mean_gaps"]


def mean_gaps(source_y: NDArray[Any], pseudo_y: NDArray[Any] | None, n_target: int, classes: NDArray[Any]) -> Matrix:
    """The vectors whose outer products are JDA's matrices M₀, M₁ … M_C, one a column: M_c = v_c v_cᵀ.

    v₀ has 1/n_s on the source and −1/n_t on the target, so that Xᵀv₀ is the difference of the means; v_c is the same
    among the samples of class c. A class that has no samples on one side has no column.

    Args:
        source_y: n_s labels.
        pseudo_y: n_t guessed labels, or None before there are any.
        n_target: n_t.
        classes: the labels that occur in the source.

    Returns:
        (n_s + n_t)×(1 + number of classes with samples on both sides).

    Example:
        >>> mean_gaps(np.array([0, 0, 1]), np.array([0, 0]), 2, np.array([0, 1])).round(2).tolist()
        [[0.33, 0.5], [0.33, 0.5], [0.33, 0.0], [-0.5, -0.5], [-0.5, -0.5]]
    """
    members = [(np.ones(len(source_y), bool), np.ones(n_target, bool))]
    if pseudo_y is not None:
        members += [(source_y == c, pseudo_y == c) for c in classes]
    return np.stack([np.concatenate([s / s.sum(), t / -t.sum()]) for s, t in members if s.any() and t.any()], axis=1)


class JDA(ClosedForm):
    """Joint distribution adaptation (Long, Wang, Ding, Sun and Yu, ICCV 2013, section 3), linear.

    In each iteration the solutions with the smallest eigenvalues, the diagonal of Λ, of

        (X Σ_{c=0…C} M_c Xᵀ + λI) A = X H Xᵀ A Λ   (X holds samples as columns)

    give the map x ↦ Aᵀx, a classifier on the mapped source labels the target, and the labels give the next M₁ … M_C.
    M₀, the distance between the domains' means, belongs to every iteration; the first has nothing else. A class that
    no target sample is given stays out until one is. The M_c are summed as in the paper's formula;
    jindongwang/transferlearning multiplies M₀ by C and divides the sum by its Frobenius norm in each iteration, which
    is another weight of M₀ and another λ.

    Args:
        dim: k, how many components, 1 … the rank of the centred rows of both domains together.
        lam: λ > 0.
        iterations: T; the labels of the last one count.
        whiten: False gives each column of A the length 1; True scales them so that AᵀXHXᵀA = I and all components
            weigh the same.
        classifier: any scikit-learn classifier; None is the nearest neighbour.

    Attributes:
        weights_: A, D×dim.
        pseudo_labels_: what each iteration guessed for the target rows, iterations×n_t.

    Raises:
        TlbookError: in ``fit``, for a setting out of range, or more dimensions than the rows vary in.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> source_y = np.arange(100) % 2
        >>> source_x = rng.normal(size=(100, 3)) + 6 * np.outer(source_y, [1, 0, 0])
        >>> target_x = source_x + [0, 9, 0]
        >>> method = JDA(dim=1).fit(source_x, source_y, target_x)
        >>> float((method.predict(target_x) == source_y).mean())
        1.0
    """

    def __init__(
        self, dim: int = 100, lam: float = 1.0, iterations: int = 10, whiten: bool = False, classifier: Any = None
    ) -> None:
        self.dim = dim
        self.lam = lam
        self.iterations = iterations
        self.whiten = whiten
        self.classifier = classifier

    def _adapt(self, xs: Matrix, ys: NDArray[Any], xt: Matrix) -> Matrix:
        x = np.concatenate([xs, xt])
        lam = check_number("lam", self.lam, above=0)
        d = x.shape[1]
        dim = check_whole("dim", self.dim, at_least=1, at_most=d, hint=f"n_features = {d}, choose another dim")
        iterations = check_whole("iterations", self.iterations, at_least=1)
        whiten = check_choice("whiten", self.whiten, (True, False))
        centred = x - x.mean(axis=0)

        def scatter(w: Matrix) -> Matrix:  # X H Xᵀ w
            product: Matrix = centred.T @ (centred @ w)
            return product

        guesses: list[NDArray[Any]] = []
        pseudo_y = self._first_guess(xs, ys, xt)
        for _ in range(iterations):
            gaps = centred.T @ self._gaps(xs, ys, xt, pseudo_y)  # each column of them sums to 0: as with x
            self.weights_, _ = leading_directions(scatter, gaps, lam, dim, whiten)
            pseudo_y = self._classify(xs @ self.weights_, ys).predict(xt @ self.weights_)
            guesses.append(pseudo_y)
        self.pseudo_labels_ = np.stack(guesses)
        return self._map(xs)

    def _map(self, x: Matrix) -> Matrix:
        z: Matrix = x @ self.weights_
        return z

    def _first_guess(self, xs: Matrix, ys: NDArray[Any], xt: Matrix) -> NDArray[Any] | None:
        return None

    def _gaps(self, xs: Matrix, ys: NDArray[Any], xt: Matrix, pseudo_y: NDArray[Any] | None) -> Matrix:
        return mean_gaps(ys, pseudo_y, len(xt), self.classes_)
