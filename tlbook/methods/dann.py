"""Domain-adversarial training: learn features from which the domain cannot be told."""

from __future__ import annotations

import math

from torch import Tensor, nn

from tlbook._checks import check_number
from tlbook.losses import cross_entropy, domain_adversarial, gradient_reversal
from tlbook.methods._parts import both, check_domain_head, encode
from tlbook.methods.method import Batch, Method, Place

__all__ = ["DANN", "lambda_schedule", "mu_schedule"]


def lambda_schedule(progress: float, gamma: float = 10.0) -> float:
    """How strongly the features are pushed: λ_p = 2 / (1 + exp(−γp)) − 1 (Ganin et al., JMLR 2016, section 5.2.2).

    Args:
        progress: p, the fraction of *this* training that is done, 0 … 1.
        gamma: how fast λ rises, at least 0; the paper takes 10 everywhere.

    Returns:
        A number from 0 at p = 0 to almost 1 at p = 1.

    Raises:
        TlbookError: for progress outside 0 … 1, or a γ below 0.

    Example:
        >>> [round(lambda_schedule(p), 3) for p in (0.0, 0.25, 0.5, 1.0)]
        [0.0, 0.848, 0.987, 1.0]
    """
    check_number("progress", progress, at_least=0, at_most=1)
    check_number("gamma", gamma, at_least=0, hint="10 is the paper's, 0 keeps λ at 0")
    return 2 / (1 + math.exp(-gamma * progress)) - 1


def mu_schedule(progress: float, alpha: float = 10.0, beta: float = 0.75) -> float:
    """The learning rate as a fraction of its start: μ_p / μ_0 = 1 / (1 + αp)^β (same section).

    Args:
        progress: p, 0 … 1.
        alpha: how early it falls, at least 0; the paper takes 10.
        beta: how far it falls, at least 0; the paper takes 0.75.

    Raises:
        TlbookError: for numbers outside these ranges.

    Example:
        >>> [round(0.01 * mu_schedule(p), 5) for p in (0.0, 0.25, 0.5, 1.0)]
        [0.01, 0.00391, 0.00261, 0.00166]
    """
    check_number("progress", progress, at_least=0, at_most=1)
    check_number("alpha", alpha, at_least=0)
    check_number("beta", beta, at_least=0)
    return math.pow(1 + alpha * progress, -beta)


class DANN(Method):
    """Domain-adversarial training of neural networks (Ganin et al., JMLR 17(59), 2016).

    Three players share one step. The label head and the features minimise L_y on the source; the domain head
    minimises L_d, telling source features from target features; the features *maximise* L_d, because the gradient
    is reversed between the domain head and them. λ scales only what reaches the features: the domain head always
    learns at full speed (section 5.2.2), so that there is a game to lose.

    Args:
        features: G_f, a module from inputs N×… to features N×D. One forward pass holds both domains, source rows
            first; with plain batch normalisation the domains' statistics would mix, so use
            ``nets.DomainBatchNorm`` or, as the paper, none.
        label_head: G_y, features N×D to logits N×K.
        domain_head: G_d, features N×D to one logit N×1, positive for "target".
        gamma: the slope of the λ schedule, at least 0; 10 in the paper.
        lam: what λ rises to, at least 0; 1 in the paper, 0 is the control in which the features take no notice of the
            domain head.

    Raises:
        TlbookError: when γ or λ is below 0, or the domain head ends in more than one unit, a sigmoid or a soft-max. The
            loss has the sigmoid; a soft-max over the one unit would be 1 whatever the features, and the method would
            be source-only. In training, when the rows of both domains differ in type or shape.

    Example:
        >>> import torch
        >>> from tlbook import nets
        >>> method = DANN(nets.conv_features(), nets.mlp(768, 100, 100, 10), nets.mlp(768, 100, 1))
        >>> images = torch.zeros(4, 3, 28, 28, dtype=torch.uint8)
        >>> terms = method.losses(Batch(images, torch.tensor([0, 1, 2, 3])), Batch(images), progress=0.5)
        >>> {name: term.shape for name, term in terms.items()}
        {'label': torch.Size([]), 'domain': torch.Size([])}
    """

    place = Place(target_labels="none", transfers=("features",), needs_target=True)

    def __init__(
        self,
        features: nn.Module,
        label_head: nn.Module,
        domain_head: nn.Module,
        gamma: float = 10.0,
        lam: float = 1.0,
    ) -> None:
        super().__init__(features, label_head)
        check_domain_head("domain_head", domain_head)
        check_number("gamma", gamma, at_least=0, hint="10 is the paper's, 0 is source-only training")
        self.domain_head = domain_head
        check_number("lam", lam, at_least=0, hint="1 is the paper's, 0 is source-only training")
        self.gamma = gamma
        self.lam = lam

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        lambda_p = self.lam * lambda_schedule(progress, self.gamma)
        rows = both(source.x, target.x)  # one forward pass for both domains
        features = encode(self.features, rows, self.label_head, self.domain_head)
        domain = self.domain_head(gradient_reversal(features, lambda_p))  # eq. 16, 17
        n = len(source.x)
        return {
            "label": cross_entropy(self.label_head(features[:n]), source.labels),  # L_y of eq. 9
            "domain": domain_adversarial(domain, n),  # the bracket of eq. 9
        }
