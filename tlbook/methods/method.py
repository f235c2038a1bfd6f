"""What every trained method is: features, a label head, and a dictionary of loss terms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from tlbook.errors import TlbookError
from tlbook.methods.place import Place

__all__ = ["Batch", "Method", "Phase", "Place"]


class Batch(NamedTuple):
    """Rows drawn from a domain: ``x`` of shape N×…, and ``y`` of shape N, or None where no labels are given."""

    x: Tensor
    y: Tensor | None = None

    @property
    def labels(self) -> Tensor:
        """The labels; an error if the domain has none.

        Raises:
            TlbookError: when the batch comes from an unlabelled domain.
        """
        if self.y is None:
            raise TlbookError("the batch has no labels; expected a labelled domain: give it as the source")
        return self.y


@dataclass(frozen=True)
class Phase:
    """A stretch of the training with an objective of its own and parts of its own that learn.

    Attributes:
        name: what one would call it, for messages.
        losses: the terms that are minimised, as :meth:`Method.losses`; progress runs from 0 to 1 *within* the phase.
        learns: the modules whose parameters move, those excepted that were frozen beforehand; all others stand still.
        share: of the steps, in proportion to the shares of the other phases; above 0.
        start: called once before the first step, for instance to copy weights.
        rate: the factor on the learning rate in this phase; above 0.
    """

    name: str
    losses: Callable[[Batch, Batch, float], dict[str, Tensor]]
    learns: tuple[nn.Module, ...]
    share: float = 1.0
    start: Callable[[], None] = lambda: None
    rate: float = 1.0


class Method(nn.Module, ABC):
    """A network that can say what it wants to minimise.

    A method names its ``features`` and its ``label_head``; ``forward`` is the classifier that one deploys.
    ``losses`` is the method: the named terms of its objective on one batch of each domain. The training loop adds
    them up and knows nothing else about the method. Parameters that are frozen have ``requires_grad`` off.

    Args:
        features: a module from inputs to features.
        label_head: a module from features to class logits.
    """

    place: ClassVar[Place]

    def __init__(self, features: nn.Module, label_head: nn.Module) -> None:
        super().__init__()
        self.features = features
        self.label_head = label_head

    def forward(self, x: Tensor) -> Tensor:
        """Class logits, N×K, of inputs N×…."""
        logits: Tensor = self.label_head(self.features(x))
        return logits

    @abstractmethod
    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        """The terms whose sum is minimised, by name.

        Args:
            source: rows of the labelled domain.
            target: rows of the unlabelled domain; ``target.y`` is always None. A method that uses no target
                receives an empty batch.
            progress: the fraction of the training done, from 0 at the first step to 1 at the last.
        """

    def phases(self) -> tuple[Phase, ...]:
        """The phases of the training, in order: one, unless the method says otherwise.

        Each has an optimizer of its own, and the schedule of the learning rate begins anew.
        """
        return (Phase("training", self.losses, (self,)),)
