"""Transfer component analysis: directions in which the domains' means meet and the data still vary."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsymv
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import rbf_kernel

from tlbook._arrays import Matrix
from tlbook._checks import check_choice, check_number, check_whole
from tlbook.errors import TlbookError
from tlbook.methods.classical_adaptation.eigen import leading_directions
from tlbook.methods.classical_adaptation.estimator import ClosedForm

__all__ = ["TCA"]


class TCA(ClosedForm):
    """Transfer component analysis (Pan, Tsang, Kwok and Yang, IEEE Trans. Neural Networks 22(2), 2011, section III).

    With K the kernel matrix of all n = n_s + n_t samples, L the MMD matrix and H = I − 11ᵀ/n, it minimises

        tr WᵀKLKW + μ tr WᵀW   subject to   WᵀKHKW = I

    by the leading eigenvectors of (KLK + μI)⁻¹KHK. L = vvᵀ with v = 1/n_s on the source and −1/n_t on the target, so
    that KLK + μI is μ times the identity but for one direction: its inverse root is a formula, and Lanczos iterations
    find the eigenvectors of a symmetric matrix with products K·w only. Rows of K are not centred, as in the paper; for
    μ → ∞ the directions are therefore those of KHK, and those of kernel PCA, HKH, only where K is centred.

    Args:
        dim: m, how many components, 1 … the rank of KHK: below n, and at most D with the linear kernel.
        mu: μ > 0, the price of long w. It has the scale of K, so it depends on how the features are scaled.
        kernel: ``"linear"``, x·y, whose K is never formed; or ``"rbf"``, exp(−‖x − y‖²/2σ²).
        bandwidth: σ of ``"rbf"``; None is the median distance between samples (between at most 1,000 of them).
        landmarks: None for the exact kernel; a number for Nyström's approximation of ``"rbf"`` on so many samples
            drawn at random, whose memory grows as n·landmarks instead of n².
        whiten: the eigenproblem leaves the length of w open. False gives each w the length 1, as
            jindongwang/transferlearning does: components that vary more then weigh more in a distance, and more
            so than in PCA. True scales them so that the constraint holds as written and all components weigh the same.
        classifier: any scikit-learn classifier; None is the nearest neighbour.
        seed: of the draw of landmarks.

    Attributes:
        weights_: W, n×dim, source rows first.
        eigenvalues_: of (KLK + μI)⁻¹KHK, dim of them in descending order; the objective is the sum of 1/λ.

    Raises:
        TlbookError: in ``fit``, for a setting out of range, or more dimensions than the rows vary in.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> source_y = np.arange(100) % 2
        >>> source_x = rng.normal(size=(100, 3)) + 6 * np.outer(source_y, [1, 0, 0])
        >>> target_x = source_x + [0, 9, 0]  # shifted where the classes do not differ
        >>> method = TCA(dim=1).fit(source_x, source_y, target_x)
        >>> float((method.predict(target_x) == source_y).mean())
        1.0
    """

    def __init__(
        self,
        dim: int = 30,
        mu: float = 1.0,
        kernel: Literal["linear", "rbf"] = "linear",
        bandwidth: float | None = None,
        landmarks: int | None = None,
        whiten: bool = False,
        classifier: Any = None,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.mu = mu
        self.kernel = kernel
        self.bandwidth = bandwidth
        self.landmarks = landmarks
        self.whiten = whiten
        self.classifier = classifier
        self.seed = seed

    def _adapt(self, xs: Matrix, ys: NDArray[Any], xt: Matrix) -> Matrix:
        x = np.concatenate([xs, xt])
        n = len(x)
        self._check(n)
        check_whole("dim", self.dim, at_least=1, at_most=n - 1, hint=f"there are {n} sample(s); choose another dim")
        v = np.concatenate([np.full(len(xs), 1 / len(xs)), np.full(len(xt), -1 / len(xt))])  # L = vvᵀ
        self._fit_kernel(x)
        f = self._features(x)
        exact = self.kernel == "rbf" and self.landmarks is None  # f is then K itself; otherwise K = ffᵀ

        def k(w: Matrix) -> Matrix:
            if exact and w.ndim == 1:
                product: Matrix = dsymv(1.0, f.T, w)  # reads half of K, which is what takes the time
                return product
            return f @ (w if exact else f.T @ w)

        def khk(w: Matrix) -> Matrix:
            kw = k(w)
            return k(kw - kw.mean(axis=0))

        self.weights_, self.eigenvalues_ = leading_directions(khk, k(v)[:, None], self.mu, self.dim, self.whiten)
        self._coefficients = self.weights_ if exact else f.T @ self.weights_
        return f[: len(xs)] @ self._coefficients

    def _map(self, x: Matrix) -> Matrix:
        return self._features(x) @ self._coefficients  # KW, with K between x and the samples

    def _check(self, n: int) -> None:
        check_choice("kernel", self.kernel, ("linear", "rbf"))
        check_number("mu", self.mu, above=0)
        check_choice("whiten", self.whiten, (True, False))
        check_whole("seed", self.seed, at_least=0)
        if self.bandwidth is not None:
            check_number("bandwidth", self.bandwidth, above=0, hint="None is the median distance")
        if self.landmarks is not None:
            check_whole("landmarks", self.landmarks, at_least=1, at_most=n, hint=f"there are {n} samples")
        if self.kernel == "linear" and self.landmarks is not None:
            raise TlbookError(
                f"landmarks is {self.landmarks} with kernel 'linear'; expected None: only 'rbf' needs landmarks"
            )

    def _fit_kernel(self, x: Matrix) -> None:
        """Fix the bandwidth and the samples that new rows are compared with."""
        if self.kernel == "linear":
            return
        rng = np.random.default_rng(self.seed)
        if self.bandwidth is not None:
            self.bandwidth_ = self.bandwidth
        else:
            some = x if len(x) <= 1000 else x[rng.choice(len(x), 1000, replace=False)]
            self.bandwidth_ = float(np.median(pdist(some)))
            if self.bandwidth_ == 0:
                raise TlbookError("the median distance between samples is 0, most of them are equal; give a bandwidth")
        self._centres = x if self.landmarks is None else x[rng.choice(len(x), self.landmarks, replace=False)]
        if self.landmarks is not None:
            values, vectors = np.linalg.eigh(self._similarity(self._centres))
            kept = values > values[-1] * len(values) * np.finfo(float).eps
            self._root = vectors[:, kept] / np.sqrt(values[kept])  # K(landmarks)^(−1/2), on its range

    def _similarity(self, x: Matrix) -> Matrix:
        k: Matrix = rbf_kernel(x, self._centres, gamma=1 / (2 * self.bandwidth_**2))
        return k

    def _features(self, x: Matrix) -> Matrix:
        if self.kernel == "linear":
            return x
        return self._similarity(x) if self.landmarks is None else self._similarity(x) @ self._root
