"""Adversarial discriminative adaptation: a second encoder learns to look like the first, which stands still."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from tlbook._checks import check_number
from tlbook.losses import cross_entropy, domain_adversarial
from tlbook.methods._parts import both, check_domain_head, check_rows, encode
from tlbook.methods.method import Batch, Phase, Place, TwoEncoders, copy_weights

__all__ = ["ADDA"]


class ADDA(TwoEncoders):
    """Adversarial discriminative domain adaptation (Tzeng, Hoffman, Saenko and Darrell, CVPR 2017).

    Two encoders, one for each domain, and two phases. First the source encoder M_s and the classifier C learn from
    the labels. Then both stand still, to the last bit; the target encoder M_t starts as a copy of M_s and plays
    against a domain head D. D learns to tell M_s's features from M_t's; M_t learns to be taken for the source. It
    does not walk against D's gradient, as in DANN, but minimises D's loss *with inverted labels*, whose gradient is
    strong where D is sure. The paper's labels are inverted here once more: D's logit is positive for "target".

    Where the network is cut into features and label head decides what D sees. The paper's text puts C behind the
    cut; its code gives D the class logits, and so has the whole network as M_t: features that end in the logits, and
    ``nn.Identity()`` as label head.

    ``forward`` classifies the target, by M_t and C; the source, by M_s and C, where ``nets.classify_as(method,
    "source")``, or ``statistics="source"`` in :mod:`tlbook.evaluate`, says that the rows come from there. While D and
    M_t learn, M_s is in evaluation mode: no statistics move and dropout is off.

    Args:
        features: M_t, from inputs N×… to features N×D; M_s is a copy of it.
        label_head: C, from features N×D to logits N×K.
        domain_head: D, from features N×D to one logit N×1, positive for "target".
        share: of the steps that the first phase takes, between 0 and 1; half in the authors' code.
        rate: the learning rate of the second phase in terms of the first's, above 0; a fifth in the authors' code.

    Raises:
        TlbookError: when the share is not between 0 and 1, the rate not above 0, or the domain head ends in more than
            one unit, a sigmoid or a soft-max: the loss has the sigmoid. In training, when the rows of both domains
            differ in type or shape.

    Example:
        >>> from tlbook import nets
        >>> method = ADDA(nets.conv_features(), nets.mlp(768, 10), nets.mlp(768, 100, 1))
        >>> [phase.name for phase in method.phases()]
        ['source', 'adaptation']
        >>> images = torch.zeros(4, 3, 28, 28, dtype=torch.uint8)
        >>> terms = method.losses(Batch(images), Batch(images), progress=0.0)
        >>> {name: term.shape for name, term in terms.items()}
        {'domain': torch.Size([]), 'encoder': torch.Size([])}
    """

    place = Place(target_labels="none", transfers=("features", "models"), needs_target=True)

    def __init__(
        self,
        features: nn.Module,
        label_head: nn.Module,
        domain_head: nn.Module,
        share: float = 0.5,
        rate: float = 0.2,
    ) -> None:
        check_number("share", share, above=0, below=1, hint="a half is usual")
        check_number("rate", rate, above=0, hint="1 keeps the first phase's learning rate")
        check_domain_head("domain_head", domain_head)
        super().__init__(features, label_head)
        self.domain_head = domain_head
        self.share, self.rate = share, rate

    def phases(self) -> tuple[Phase, ...]:
        """The source's encoder and classifier first, then the target's encoder against the domain head."""
        first = (self.source_features, self.label_head)
        second = (self.features, self.domain_head)
        return (
            Phase("source", self.source_losses, first, share=self.share),
            Phase("adaptation", self.losses, second, share=1 - self.share, start=self.copy_source, rate=self.rate),
        )

    def source_losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        """The terms of the first phase, as :meth:`losses`; the target is not looked at."""
        logits = self.label_head(encode(self.source_features, source.x, self.label_head))
        return {"label": cross_entropy(logits, source.labels)}  # L_cls

    def copy_source(self) -> None:
        """Let the target's encoder start where the source's has arrived."""
        copy_weights(self.source_features, self.features)

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        """The terms of the second phase, of which only the target's encoder and the domain head learn."""
        check_rows(source.x, target.x)
        with torch.no_grad():
            f_s = encode(self.source_features, source.x, self.domain_head)  # M_s(x_s): fixed
        f_t = encode(self.features, target.x, self.domain_head)  # M_t(x_t)
        domain = self.domain_head(both(f_s, f_t.detach()))
        held = {name: p.detach() for name, p in self.domain_head.named_parameters()}
        fooled = functional_call(self.domain_head, held, (f_t,))
        return {
            "domain": domain_adversarial(domain, len(f_s)),  # L_advD: D learns, the encoders do not
            "encoder": self.encoder_loss(fooled),  # M_t learns, D does not
        }

    def encoder_loss(self, logits: Tensor) -> Tensor:
        """L_advM, what M_t minimises: the price of the answer "source" on target rows, their labels inverted.

        Args:
            logits: D's answers on target features, N×1, positive for "target".

        Returns:
            The mean of -log σ(-logit), a scalar in nats.

        Example:
            >>> method = ADDA(nn.Linear(4, 3), nn.Linear(3, 2), nn.Linear(3, 1))
            >>> round(method.encoder_loss(torch.zeros(5, 1)).item(), 3)  # D is undecided: log 2
            0.693
        """
        return F.softplus(logits).mean()
