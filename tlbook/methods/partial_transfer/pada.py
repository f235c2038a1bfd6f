"""Partial adversarial domain adaptation: the source's classes count as much as the target seems to have of them."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tlbook.errors import TlbookError
from tlbook.losses import gradient_reversal
from tlbook.methods.dann import lambda_schedule
from tlbook.methods.method import Batch, Method, Place

__all__ = ["PADA", "weighted_domain_adversarial"]


def weighted_domain_adversarial(domain_logits: Tensor, weights: Tensor) -> Tensor:
    """DANN's domain loss with a weight on each source row: mean of w·L_d over the source plus mean over the target.

    Args:
        domain_logits: N×1 or N logits of "from the target"; the source rows come first.
        weights: one for each source row, at least 0; constants, no gradient flows through them.

    Returns:
        A scalar, in nats; with weights of 1 it is ``losses.domain_adversarial``.

    Raises:
        TlbookError: when one of the two domains has no row.

    Example:
        >>> round(weighted_domain_adversarial(torch.zeros(3), torch.tensor([2.0, 0.0])).item(), 4)  # 2·log 2
        1.3863
    """
    z, n = domain_logits.flatten().to(torch.promote_types(domain_logits.dtype, torch.float32)), len(weights)
    if not 0 < n < len(z):
        raise TlbookError(f"weights is for {n} source rows of {len(z)} rows; expected rows of both domains")
    return (weights.detach() * F.softplus(z[:n])).mean() + F.softplus(-z[n:]).mean()


class PADA(Method):
    """Partial adversarial domain adaptation (Cao, Ma, Long and Wang, ECCV 2018).

    DANN in which a source row of class k counts γ_k, in the label loss and in the domain loss. γ is the mean of the
    predicted distributions over the target, divided by its largest entry.

    The paper recomputes γ over the whole target now and then. A step sees a batch only, so here γ is an average over
    the past target batches that forgets slowly; it starts uniform.

    Args:
        features: G_f, inputs N×… to features N×D.
        label_head: G_y, features to logits N×K.
        domain_head: G_d, features to one logit, positive for "target".
        classes: K.
        memory: what the average keeps of itself at each step, 0 … 1.

    Attributes:
        predicted: the running mean of the target's predicted distributions, K; sums to 1.

    Example:
        >>> from tlbook import nets
        >>> method = PADA(nets.mlp(2, 8), nets.mlp(8, 3), nets.mlp(8, 4, 1), classes=3)
        >>> method.class_weights()
        tensor([1., 1., 1.])
    """

    place = Place(target_labels="none", transfers=("instances", "features"), needs_target=True)
    predicted: Tensor

    def __init__(
        self, features: nn.Module, label_head: nn.Module, domain_head: nn.Module, classes: int, memory: float = 0.98
    ) -> None:
        super().__init__(features, label_head)
        self.domain_head = domain_head
        self.memory = memory
        self.register_buffer("predicted", torch.full((classes,), 1 / classes))

    def class_weights(self) -> Tensor:
        """γ, K numbers of which the largest is 1."""
        return self.predicted / self.predicted.max()

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        n = len(source.x)
        features = self.features(torch.cat([source.x, target.x]))
        logits = self.label_head(features)
        with torch.no_grad():
            mean = logits[n:].to(self.predicted.dtype).softmax(dim=1).mean(dim=0)
            self.predicted.lerp_(mean, 1 - self.memory)
        weights = self.class_weights()[source.labels]
        domain = self.domain_head(gradient_reversal(features, lambda_schedule(progress)))
        return {
            "label": (
                weights * F.cross_entropy(logits[:n], source.labels, reduction="none")
            ).mean(),  # the objective's first sum
            "domain": weighted_domain_adversarial(domain, weights),  # its second and third
        }
