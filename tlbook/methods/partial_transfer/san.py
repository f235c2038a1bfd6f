"""Selective adversarial networks: a discriminator for each class, and a say for each class that is there."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tlbook.errors import TlbookError
from tlbook.losses import cross_entropy, entropy, gradient_reversal
from tlbook.methods.dann import lambda_schedule
from tlbook.methods.method import Batch, Method, Place

__all__ = ["SAN", "selective_adversarial"]


def selective_adversarial(domain_logits: Tensor, probabilities: Tensor, n_source: int) -> Tensor:
    """The third term of SAN's objective: Σ_k γ_k · 1/(n_s + n_t) Σ_i ŷ_i^k L_d^k, in nats.

    Cao, Long, Wang and Jordan, *Partial transfer learning with selective adversarial networks*, CVPR 2018, the last
    term of the objective C(θ_f, θ_y, θ_d), its sign left to the gradient reversal. γ_k, the mean of ŷ^k over the
    *target* rows, says how much of the target is of class k; ŷ_i^k says how much of row i is. Both are constants here:
    no gradient flows through them.

    Args:
        domain_logits: N×K, for each row and each class's discriminator its logit of "from the target"; source first.
        probabilities: N×K, ŷ, the label head's soft-max.
        n_source: how many rows are source rows, 0 < n_source < N.

    Returns:
        A scalar, at least 0.

    Raises:
        TlbookError: when the shapes differ or one of the domains has no row.

    Example:
        >>> ŷ = torch.tensor([[0.5, 0.5], [1.0, 0.0]])  # one source row; one target row, all of it class 0
        >>> round(selective_adversarial(torch.zeros(2, 2), ŷ, n_source=1).item(), 4)  # (½ + 1)/2 · log 2
        0.5199
    """
    if domain_logits.shape != probabilities.shape or domain_logits.dim() != 2:
        raise TlbookError(
            f"domain_logits has shape {tuple(domain_logits.shape)}, probabilities {tuple(probabilities.shape)}; "
            "expected N×K both: one discriminator a class, such as nets.ClasswiseMLP(width, hidden, classes)"
        )
    if not 0 < n_source < len(domain_logits):
        raise TlbookError(f"n_source is {n_source} of {len(domain_logits)} rows; expected rows of both domains")
    z, y_hat = domain_logits.to(torch.promote_types(domain_logits.dtype, torch.float32)), probabilities.detach()
    loss = torch.cat([F.softplus(z[:n_source]), F.softplus(-z[n_source:])])  # L_d^k of each row, d = 0 then 1
    gamma = y_hat[n_source:].mean(dim=0)
    return (gamma * (y_hat * loss).sum(dim=0)).sum() / len(z)


class SAN(Method):
    """Selective adversarial network (Cao, Long, Wang and Jordan, CVPR 2018).

    One discriminator for each of the source's K classes sits beside the label head. A row plays against discriminator
    k as much as the label head takes it for class k, and discriminator k counts as much as the target seems to have of
    class k; what the target does not have falls silent. The label head's entropy on the target is minimised as well.

    Args:
        features: G_f, inputs N×… to features N×D.
        label_head: G_y, features to logits N×K.
        domain_heads: the K discriminators as one module, features N×D to logits N×K: ``nets.ClasswiseMLP``.
        entropy_weight: of the target's entropy; 1 is the paper's equation, the authors' code has 0.1, 0.2 or 1 by
            data set. From random weights, 1 can put the whole target into one class.

    Example:
        >>> from tlbook import nets
        >>> method = SAN(nets.mlp(2, 8), nets.mlp(8, 3), nets.ClasswiseMLP(8, 4, 3))
        >>> terms = method.losses(Batch(torch.randn(4, 2), torch.tensor([0, 1, 2, 0])), Batch(torch.randn(4, 2)), 0.5)
        >>> list(terms)
        ['label', 'domain', 'entropy']
    """

    place = Place(target_labels="none", transfers=("instances", "features"), needs_target=True)

    def __init__(
        self,
        features: nn.Module,
        label_head: nn.Module,
        domain_heads: nn.Module,
        entropy_weight: float = 1.0,
    ) -> None:
        super().__init__(features, label_head)
        self.domain_heads = domain_heads
        self.entropy_weight = entropy_weight

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        n = len(source.x)
        features = self.features(torch.cat([source.x, target.x]))
        logits = self.label_head(features)
        reversed_features = gradient_reversal(features, lambda_schedule(progress))
        return {
            "label": cross_entropy(logits[:n], source.labels),  # C's first term
            "domain": selective_adversarial(
                self.domain_heads(reversed_features), logits.softmax(dim=1), n
            ),  # its third
            "entropy": self.entropy_weight * entropy(logits[n:]),  # its second, of the target alone
        }
