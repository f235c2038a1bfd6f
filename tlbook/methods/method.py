"""What every trained method is: features, a label head, and a dictionary of loss terms."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from tlbook._checks import check_module
from tlbook._files import whole_file
from tlbook.errors import TlbookError
from tlbook.methods._parts import encode
from tlbook.methods.place import Place
from tlbook.nets.norm import PerDomain

__all__ = ["Batch", "Method", "Phase", "Place", "TwoEncoders", "copy_weights", "evaluating", "parts_of", "rests"]


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
        self.features = check_module("features", features, "a torch module from inputs to features")
        self.label_head = check_module("label_head", label_head, "a torch module from features to logits")

    def forward(self, x: Tensor) -> Tensor:
        """Class logits, N×K, of inputs N×…."""
        logits: Tensor = self.label_head(encode(self.current_features, x, self.label_head))
        return logits

    @property
    def current_features(self) -> nn.Module:
        """The features that ``forward`` uses: where there are two, those for the domain that is classified."""
        return self.features

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

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the weights and statistics to a file, for :meth:`load`; no code and no settings.

        Raises:
            TlbookError: when it cannot be written.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> from tlbook.methods import SourceOnly
            >>> method, again = (SourceOnly(nn.Identity(), nn.Linear(2, 3)) for _ in range(2))
            >>> with TemporaryDirectory() as folder:
            ...     method.save(Path(folder, "method.pt"))
            ...     again.load(Path(folder, "method.pt")).label_head.weight.equal(method.label_head.weight)
            True
        """
        with whole_file(Path(path)) as file:
            torch.save({"method": type(self).__name__, "state": self.state_dict()}, file)

    def load(self, path: str | os.PathLike[str]) -> Self:
        """Take the weights and statistics from a file that :meth:`save` wrote of a method built in the same way.

        Returns:
            The method itself.

        Raises:
            TlbookError: for another file, or one of a method built otherwise; nothing is changed then.
        """
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            name, state = saved["method"], saved["state"]
            found = {key: (tuple(value.shape), value.dtype) for key, value in state.items()}
        except Exception as error:  # a broken file makes torch.load raise almost anything
            raise TlbookError(
                f"{path} cannot be read ({type(error).__name__}); expected a file that method.save wrote: give that one"
            ) from error
        own = {key: (tuple(value.shape), value.dtype) for key, value in self.state_dict().items()}
        odd = [key for key in {**own, **found} if own.get(key) != found.get(key)]
        if odd or name != type(self).__name__:
            key = odd[0] if odd else ""
            what = f": {key} is {found.get(key, 'not there')}, here {own.get(key, 'not there')}" if odd else ""
            raise TlbookError(
                f"{path} is of a {name}, not built as this {type(self).__name__}{what:.200}; expected the same parts: "
                "build the method as it was built when it was saved"
            )
        self.load_state_dict(state)
        return self


class TwoEncoders(PerDomain, Method):
    """A method with an encoder for each domain, alike at first.

    ``forward`` classifies rows of the target, by ``features``; rows of the source, by ``source_features``, where
    :func:`tlbook.nets.classify_as` says so, or ``statistics="source"`` in :mod:`tlbook.evaluate`.

    Args:
        features: the target's encoder; the source's, ``source_features``, is a copy.
        label_head: of both.

    Example:
        >>> from tlbook import nets
        >>> from tlbook.methods import ADDA
        >>> method = ADDA(nn.Linear(2, 3), nn.Linear(3, 2), nn.Linear(3, 1))
        >>> _ = method.source_features.requires_grad_(False).weight.zero_()
        >>> x = torch.ones(1, 2)
        >>> with nets.classify_as(method, "source"):
        ...     method(x).equal(method.label_head(method.source_features(x)))
        True
        >>> method(x).equal(method.label_head(method.features(x)))
        True
    """

    source_features: nn.Module

    def __init__(self, features: nn.Module, label_head: nn.Module) -> None:
        super().__init__(features, label_head)
        self.source_features = copy.deepcopy(features)
        self.domain = "target"

    @property
    def current_features(self) -> nn.Module:
        """The encoder of the domain that is classified."""
        return self.source_features if self.domain == "source" else self.features


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


def parts_of(method: Method, parameters: Iterable[nn.Parameter]) -> list[dict[str, Any]]:
    """Groups of parameters for an optimizer, one for each part of the method that has some of them.

    Args:
        method: whose parts: its children, ``features`` and ``label_head`` among them, and itself for what it holds
            directly, called ``method``.
        parameters: those that are to be trained.

    Returns:
        ``{"params": [...], "name": "features"}`` and so on, in the method's order.
    """
    left = set(parameters)
    groups = []
    parts = {"method": method.parameters(recurse=False)} | {n: part.parameters() for n, part in method.named_children()}
    for name, own in parts.items():
        if chosen := [p for p in own if p in left]:
            groups.append({"params": chosen, "name": name})
            left.difference_update(chosen)
    return groups
