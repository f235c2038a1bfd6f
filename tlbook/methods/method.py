"""What every trained method is: features, a label head, and a dictionary of loss terms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import torch
from torch import Tensor, nn

from tlbook.errors import TlbookError

__all__ = ["Batch", "Method", "Phase", "Place", "copy_weights", "evaluating", "rests"]


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
class Place:
    """Where a method stands in the classifications of transfer learning (chapter ``taxonomy``).

    Attributes:
        target_labels: what the method knows of the target: ``"all"``, ``"few"`` or ``"none"`` of its labels.
        transfers: what is carried over: instances, features, models or relations; one or more.
        spaces: ``"homogeneous"`` where source and target share their input space, else ``"heterogeneous"``.
        arrival: ``"offline"`` where all data is there at the start, else ``"online"``.
        source_labels: whether the source must be labelled.
        needs_target: whether it learns from unlabelled rows of the target.
    """

    target_labels: Literal["all", "few", "none"]
    transfers: tuple[Literal["instances", "features", "models", "relations"], ...]
    spaces: Literal["homogeneous", "heterogeneous"] = "homogeneous"
    arrival: Literal["offline", "online"] = "offline"
    source_labels: bool = True
    needs_target: bool = False


@dataclass(frozen=True)
class Phase:
    """A stretch of the training with an objective of its own and parts of its own that learn.

    Attributes:
        name: what one would call it, for messages.
        losses: the terms that are minimised, as :meth:`Method.losses`; progress runs from 0 to 1 *within* the phase.
        learns: the modules whose parameters move, those excepted that were frozen beforehand; all others stand still,
            in evaluation mode, so that their batch statistics do not move and their dropout is off.
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

    place: Place

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


def rests(module: nn.Module) -> bool:
    """Whether a module is frozen whole: it has parameters, its own or inside it, and none requires a gradient.

    Example:
        >>> rests(nn.Linear(2, 3).requires_grad_(False)), rests(nn.Linear(2, 3)), rests(nn.ReLU())
        (True, False, False)
    """
    needs = [p.requires_grad for p in module.parameters()]
    return bool(needs) and not any(needs)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; outside, every part has the mode that it had."""
    modes = {part: part.training for part in module.modules()}
    try:
        module.eval()
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """Give ``target`` the weights and statistics of ``source``, built alike; what is frozen in it stays as it is."""
    with torch.no_grad():
        for name, p in target.named_parameters():
            if p.requires_grad:
                p.copy_(source.get_parameter(name))
        for part_name, part in target.named_modules():
            if not rests(part):
                for name, buffer in part.named_buffers(recurse=False):
                    buffer.copy_(source.get_buffer(f"{part_name}.{name}" if part_name else name))
