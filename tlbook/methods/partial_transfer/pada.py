"""Partial adversarial domain adaptation: the source's classes count as much as the target seems to have of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tlbook._checks import check_number, check_whole
from tlbook.errors import TlbookError
from tlbook.losses import cross_entropy, domain_adversarial, gradient_reversal
from tlbook.methods._parts import both, check_domain_head, encode
from tlbook.methods.dann import lambda_schedule
from tlbook.methods.method import Batch, Method, Place

__all__ = ["PADA"]


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
        memory: what the average keeps of itself at each step, from 0 to below 1; with 0.98 it is that of the last
            fifty batches or so.

    Raises:
        TlbookError: for a memory outside this range, fewer than one class, or a domain head that does not end in one
            logit. In training, when the rows of both domains differ in type or shape.

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
        check_whole("classes", classes, at_least=1)
        check_number("memory", memory, at_least=0, below=1, hint="0 looks at the last batch alone")
        check_domain_head("domain_head", domain_head)
        super().__init__(features, label_head)
        self.domain_head = domain_head
        self.memory = memory
        self.register_buffer("predicted", torch.full((classes,), 1 / classes))

    def class_weights(self) -> Tensor:
        """γ, K numbers of which the largest is 1."""
        return self.predicted / self.predicted.max()

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        n = len(source.x)
        features = encode(self.features, both(source.x, target.x), self.label_head, self.domain_head)
        logits = self.label_head(features)
        if logits.shape[1:] != self.predicted.shape:
            raise TlbookError(
                f"the label head gives {tuple(logits.shape)} for {len(self.predicted)} classes; expected as many"
            )
        with torch.no_grad():
            mean = logits[n:].to(self.predicted.dtype).softmax(dim=1).mean(dim=0)
            self.predicted.lerp_(mean, 1 - self.memory)
        weights = self.class_weights()[source.labels]
        domain = self.domain_head(gradient_reversal(features, lambda_schedule(progress)))
        return {
            "label": cross_entropy(logits[:n], source.labels, weights),  # the objective's first sum
            "domain": domain_adversarial(domain, n, weights),  # its second and third
        }
