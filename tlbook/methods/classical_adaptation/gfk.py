"""The geodesic flow kernel: the inner product averaged over all subspaces between source and target."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tlbook._arrays import Matrix
from tlbook.methods.classical_adaptation.estimator import ClosedForm, principal_axes

__all__ = ["GFK"]


class GFK(ClosedForm):
    """Geodesic flow kernel (Gong, Shi, Sha and Grauman, CVPR 2012, section 3).

    The principal subspaces of the two domains are two points of a Grassmann manifold; the columns of Φ(t) span the
    subspaces on the shortest way from the one, t = 0, to the other, t = 1. The kernel is what they say together:

        G = ∫₀¹ Φ(t)Φ(t)ᵀ dt

    With P_Sᵀ P_T = U₁ cos(Θ) Vᵀ and P_T V = P_S U₁ cos(Θ) + U₂ sin(Θ), Φ(t) = P_S U₁ cos(tΘ) + U₂ sin(tΘ), and every
    angle θ contributes a 2×2 block. Angles that are 0, because the subspaces share directions or because
    2·dim > D, take the limits of these formulas. A distance needs no common origin, so rows are not centred.

    The paper takes U₂ from an orthogonal complement of P_S and has to ask for 2·dim ≤ D. Here U₂ sin(Θ) is what of
    P_T V lies outside P_S, and the integral exists for every dim: subspaces of more than D/2 dimensions share
    2·dim − D directions at least, along which nothing flows. With dim = D they are the same, G is the identity and
    nothing is adapted: the paper advises few dimensions.

    Args:
        dim: dimension of both subspaces, 1 … the rank of the centred rows of either domain.
        classifier: any scikit-learn classifier; None is the nearest neighbour.

    Attributes:
        kernel_: G, D×D, symmetric, positive semi-definite.
        angles_: Θ, the principal angles between the subspaces in radians, ascending.

    Raises:
        TlbookError: in ``fit``, when the rows of a domain, centred, span fewer than dim dimensions.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=(50, 3)) * [9, 4, 1]
        >>> method = GFK(dim=1).fit(x, np.arange(50) % 2, x @ [[0, 1, 0], [1, 0, 0], [0, 0, 1]])  # a quarter turn
        >>> abs(method.angles_ / np.pi).round(2).tolist()
        [0.48]
        >>> z = method.transform(x)
        >>> bool(np.allclose(z @ z.T, x @ method.kernel_ @ x.T))
        True
    """

    def __init__(self, dim: int = 20, classifier: Any = None) -> None:
        self.dim = dim
        self.classifier = classifier

    def _adapt(self, xs: Matrix, ys: NDArray[Any], xt: Matrix) -> Matrix:
        p_s = principal_axes(xs, self.dim, "source_x")[1]
        p_t = principal_axes(xt, self.dim, "target_x")[1]
        u1, cos, vt = np.linalg.svd(p_s.T @ p_t)
        a = p_s @ u1
        b = p_t @ vt.T - a * cos  # U₂ sin(Θ): precise for small angles too, where arccos is not
        sin = np.linalg.norm(b, axis=0)
        theta = self.angles_ = np.arctan2(sin, cos)
        b = np.divide(b, sin, out=np.zeros_like(b), where=sin > 0)
        # np.sinc(x) is sin(πx)/(πx), with its limit at 0
        l1 = (1 + np.sinc(2 * theta / np.pi)) / 2  # ∫ cos²(tθ) dt
        l2 = np.sinc(theta / np.pi) * np.sin(theta) / 2  # ∫ cos(tθ) sin(tθ) dt
        l3 = (1 - np.sinc(2 * theta / np.pi)) / 2  # ∫ sin²(tθ) dt
        # The Cholesky factor of each block [[l1, l2], [l2, l3]] makes G = FFᵀ with F of 2·dim columns.
        lower = l2 / np.sqrt(l1)
        self._factor = np.hstack([a * np.sqrt(l1) + b * lower, b * np.sqrt(np.maximum(l3 - lower**2, 0))])
        self.kernel_ = self._factor @ self._factor.T
        return self._map(xs)

    def _map(self, x: Matrix) -> Matrix:
        z: Matrix = x @ self._factor
        return z
