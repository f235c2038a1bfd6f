"""Importance weighted adversarial nets: one discriminator says which source rows count, another aligns them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from tlbook._checks import check_number
from tlbook.losses import cross_entropy, domain_adversarial, entropy, gradient_reversal
from tlbook.methods._parts import both, check_domain_head, check_rows, encode
from tlbook.methods.method import Batch, Phase, Place, TwoEncoders, copy_weights, evaluating

__all__ = ["IWAN", "importance_weights", "iwan_lambda"]


def iwan_lambda(progress: float, upper: float = 0.1, alpha: float = 1.0) -> float:
    """λ_p = 2u/(1 + exp(−αp)) − u (Zhang, Ding, Li and Ogunbona, *Importance weighted
    adversarial nets for partial domain adaptation*, CVPR 2018).

    Args:
        progress: p, 0 … 1.
        upper: u. With the paper's u = 0.1 and α = 1, λ never exceeds 0.0462.
        alpha: how fast λ rises, at least 0.

    Raises:
        TlbookError: for progress outside 0 … 1, or a u or α below 0.

    Example:
        >>> [round(iwan_lambda(p), 4) for p in (0.0, 0.25, 0.5, 0.75, 1.0)]
        [0.0, 0.0124, 0.0245, 0.0358, 0.0462]
    """
    check_number("progress", progress, at_least=0, at_most=1)
    check_number("upper", upper, at_least=0)
    check_number("alpha", alpha, at_least=0)
    return 2 * upper / (1 + math.exp(-alpha * progress)) - upper


def importance_weights(domain_logits: Tensor) -> Tensor:
    """w(z) = w̃/mean(w̃) with w̃ = 1 − D*(z), the belief that a source row might be a target row.

    Args:
        domain_logits: N×1 or N logits of "from the target", of source rows.

    Returns:
        N weights with mean 1, without gradient.

    Example:
        >>> importance_weights(torch.tensor([0.0, -60.0]))  # the second could not be mistaken for a target row
        tensor([2.0000e+00, 3.5026e-26])
    """
    z = domain_logits.detach().flatten()
    w = z.to(
        torch.promote_types(z.dtype, torch.float32)
    ).sigmoid()  # D is the probability of the source, so 1 − D is this
    return w / w.mean().clamp_min(torch.finfo(w.dtype).tiny)  # all 0 rather than NaN where no row could be mistaken


class IWAN(TwoEncoders):
    """Importance weighted adversarial nets (Zhang, Ding, Li and Ogunbona, CVPR 2018).

    First F_s and the label head C learn from the source and are frozen. Then the target's features F_t, which begin as
    a copy of F_s, are drawn to the source's by a game against a discriminator D₀ in which each source row counts w. The
    weights come from a first discriminator D, which tells source features from target features and does nothing else:
    a source row that D would never take for a target row belongs to a class that the target does not have.

    ``forward`` classifies the target, by F_t and C; the source, by F_s and C, where ``nets.classify_as(method,
    "source")``, or ``statistics="source"`` in :mod:`tlbook.evaluate`, says that the rows come from there.

    Args:
        features: inputs N×… to features N×D; becomes F_t, and a copy of it F_s.
        label_head: C, features to logits N×K.
        weigher: D, features to one logit, positive for "target".
        domain_head: D₀, the same shape.
        upper: u of :func:`iwan_lambda`; 0.1 is the paper's, made for a pre-trained network. Training from scratch
            needs more.
        entropy_weight: γ, of the target's entropy, which moves F_t alone.
        rate: the learning rate of the second phase in terms of the first's, above 0.

    Raises:
        TlbookError: when the rate is not above 0, u or γ is below 0, or a discriminator does not end in one logit. In
            training, when the rows of both domains differ in type or shape.

    Example:
        >>> from tlbook import nets
        >>> method = IWAN(nets.mlp(2, 8), nets.mlp(8, 3), nets.mlp(8, 4, 1), nets.mlp(8, 4, 1))
        >>> [phase.name for phase in method.phases()]
        ['source', 'adaptation']
    """

    place = Place(target_labels="none", transfers=("instances", "features"), needs_target=True)

    def __init__(
        self,
        features: nn.Module,
        label_head: nn.Module,
        weigher: nn.Module,
        domain_head: nn.Module,
        upper: float = 0.1,
        entropy_weight: float = 0.1,
        rate: float = 1.0,
    ) -> None:
        check_number("upper", upper, at_least=0)
        check_number("entropy_weight", entropy_weight, at_least=0)
        check_number("rate", rate, above=0, hint="1 keeps the first phase's learning rate")
        check_domain_head("weigher", weigher)
        check_domain_head("domain_head", domain_head)
        super().__init__(features, label_head)
        self.weigher = weigher
        self.domain_head = domain_head
        self.upper = upper
        self.entropy_weight = entropy_weight
        self.rate = rate

    def phases(self) -> tuple[Phase, ...]:
        first = (self.source_features, self.label_head)
        second = (self.features, self.weigher, self.domain_head)
        return (
            Phase("source", self.source_losses, first),
            Phase("adaptation", self.losses, second, start=self.copy_features, rate=self.rate),
        )

    def copy_features(self) -> None:
        """F_t ← F_s."""
        copy_weights(self.source_features, self.features)

    def source_losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        """The first phase: the label loss of F_s and C on the source."""
        f_s = encode(self.source_features, source.x, self.label_head)
        return {"label": cross_entropy(self.label_head(f_s), source.labels)}

    @torch.no_grad()
    def weights(self, features: Tensor) -> Tensor:
        """w of source features, N×D: N numbers with mean 1, the same at each call."""
        with evaluating(self.weigher):  # without dropout: noise would be no weight
            return importance_weights(self.weigher(features))

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        check_rows(source.x, target.x)
        n = len(source.x)
        with torch.no_grad():
            f_s = encode(self.source_features, source.x, self.weigher)  # F_s stands still, its statistics too
        f_t = encode(self.features, target.x, self.domain_head)
        reversed_f_t = gradient_reversal(f_t, iwan_lambda(progress, self.upper))
        domain = self.domain_head(both(f_s, reversed_f_t))
        return {
            "weigher": domain_adversarial(self.weigher(both(f_s, f_t.detach())), n),  # nothing of it reaches F_t
            "domain": domain_adversarial(domain, n, self.weights(f_s)),
            "entropy": self.entropy_weight * entropy(self.label_head(f_t)),  # C is frozen
        }
