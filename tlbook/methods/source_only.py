"""Training on the source alone: the baseline that every adaptation has to beat."""

from __future__ import annotations

from torch import Tensor

from tlbook.losses import cross_entropy
from tlbook.methods.method import Batch, Method, Place

__all__ = ["SourceOnly"]


class SourceOnly(Method):
    """Ordinary supervised training: minimise L_y on labelled data and hope.

    Trained on the source it is the baseline; trained on the labelled target it is the oracle. A target that
    :func:`tlbook.fit` is given is not looked at, so that one call serves this and the methods it is compared with: the
    only method of the book that takes one and reads nothing of it (see :class:`tlbook.methods.Place`).

    Args:
        features: a module from inputs N×… to features N×D.
        label_head: a module from features N×D to logits N×K.

    Example:
        >>> import torch
        >>> from tlbook import nets
        >>> method = SourceOnly(nets.conv_features(), nets.mlp(768, 10))
        >>> batch = Batch(torch.zeros(4, 3, 28, 28, dtype=torch.uint8), torch.tensor([0, 1, 2, 3]))
        >>> list(method.losses(batch, Batch(batch.x[:0]), progress=0.0))
        ['label']
    """

    place = Place(target_labels="none", transfers=("models",))

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        return {"label": cross_entropy(self(source.x), source.labels)}
