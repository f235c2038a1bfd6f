"""Balanced distribution adaptation: JDA with a weight between the domains' distance and the classes'."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeClassifier

from tlbook._arrays import Matrix
from tlbook._checks import check_choice, check_number
from tlbook.methods.classical_adaptation.jda import JDA
from tlbook.probe import domain_error

__all__ = ["BDA", "estimate_balance"]


class BDA(JDA):
    """Balanced distribution adaptation (Wang, Chen, Hao, Feng and Shen, ICDM 2017, section III), linear.

    JDA's problem with (1 − μ)M₀ + μ Σ_{c=1…C} M_c in place of Σ_{c=0…C} M_c. Small μ suits domains that
    differ as a whole, large μ domains whose classes have moved each its own way; with μ = ½ the solution is JDA's
    with 2λ. The first guess of the target's labels is that of the classifier on the features as they are.

    Args:
        dim: k, how many components, 1 … the rank of the centred rows of both domains together.
        lam: λ > 0.
        iterations: T; the labels of the last one count.
        balance: μ, 0 … 1, or ``"estimate"``: anew in each iteration by :func:`estimate_balance`. The paper of 2017
            leaves μ to a search, which would need target labels; the estimate is that of the authors' later MEDA.
        whiten: as in :class:`JDA`.
        classifier: any scikit-learn classifier; None is the nearest neighbour.

    Attributes:
        weights_: A, D×dim.
        pseudo_labels_: what each iteration guessed for the target rows, iterations×n_t.
        balances_: μ of each iteration.

    Raises:
        TlbookError: in ``fit``, for a setting out of range, or more dimensions than the rows vary in.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> source_y = np.arange(100) % 2
        >>> source_x = rng.normal(size=(100, 3)) + 6 * np.outer(source_y, [1, 0, 0])
        >>> target_x = source_x + [0, 9, 0]
        >>> method = BDA(dim=1, iterations=3, balance="estimate").fit(source_x, source_y, target_x)
        >>> float((method.predict(target_x) == source_y).mean()), len(method.balances_)
        (1.0, 3)
    """

    def __init__(
        self,
        dim: int = 100,
        lam: float = 1.0,
        iterations: int = 10,
        balance: float | Literal["estimate"] = 0.5,
        whiten: bool = False,
        classifier: Any = None,
    ) -> None:
        super().__init__(dim=dim, lam=lam, iterations=iterations, whiten=whiten, classifier=classifier)
        self.balance = balance

    def _first_guess(self, xs: Matrix, ys: NDArray[Any], xt: Matrix) -> NDArray[Any]:
        if isinstance(self.balance, str):
            check_choice("balance", self.balance, ("estimate",), hint="or give a number, 0 … 1")
        else:
            check_number("balance", self.balance, at_least=0, at_most=1, hint="or give 'estimate'")
        self.balances_: list[float] = []
        guess: NDArray[Any] = self._classify(xs, ys).predict(xt)
        return guess

    def _gaps(self, xs: Matrix, ys: NDArray[Any], xt: Matrix, pseudo_y: NDArray[Any] | None) -> Matrix:
        assert pseudo_y is not None  # there from the start, by _first_guess
        mu = estimate_balance(xs, ys, xt, pseudo_y) if isinstance(self.balance, str) else float(self.balance)
        self.balances_.append(mu)
        gaps = super()._gaps(xs, ys, xt, pseudo_y)
        return gaps * np.sqrt([1 - mu] + [mu] * (gaps.shape[1] - 1))


def estimate_balance(source_x: Matrix, source_y: NDArray[Any], target_x: Matrix, pseudo_y: NDArray[Any]) -> float:
    """How much of the shift is within the classes: μ̂ = 1 − d_M / (d_M + Σ_c d_c).

    Wang, Feng, Chen, Yu, Huang and Yu, MEDA, ACM Multimedia 2018. d_M is the proxy A-distance 2(1 − 2ε)
    between the domains and d_c that between the rows of class c, by guessed labels in the target; ε is the held-out
    error of a linear classifier. Here it is ridge regression, trained on every other row and tested on the rest,
    and a distance below 0 counts as 0. A class with fewer than two rows in a domain is left out.

    Args:
        source_x: N×D.
        source_y: N labels.
        target_x: M×D.
        pseudo_y: M guessed labels.

    Returns:
        0 … 1; ½ where no distance is found at all.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = np.arange(200) % 2
        >>> x = rng.normal(size=(200, 2))
        >>> estimate_balance(x, y, x + 20, y)  # both classes have moved, and so has the whole
        0.6666666666666667
    """
    d_m = _a_distance(source_x, target_x)
    d_c = sum(_a_distance(source_x[source_y == c], target_x[pseudo_y == c]) for c in np.unique(source_y))
    return 1 - d_m / (d_m + d_c) if d_m + d_c > 0 else 0.5


def _a_distance(a: Matrix, b: Matrix) -> float:
    if min(len(a), len(b)) < 2:
        return 0.0
    error = domain_error((a[::2], b[::2]), (a[1::2], b[1::2]), [RidgeClassifier(class_weight="balanced")])
    return max(0.0, 2 * (1 - 2 * error))
