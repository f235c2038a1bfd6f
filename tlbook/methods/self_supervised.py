"""Learning from images without labels: which way is up, and which two views are of one image."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from tlbook._checks import check_function, check_module, check_number
from tlbook.data.views import PerImage
from tlbook.errors import TlbookError
from tlbook.losses import cross_entropy, nt_xent
from tlbook.methods._parts import encode
from tlbook.methods.method import Batch, Method, Place

__all__ = ["RotNet", "SimCLR", "per_image", "quarter_turns"]


def quarter_turns(x: Tensor) -> tuple[Tensor, Tensor]:
    """Each image in its four turns, by 0, 90, 180 and 270 degrees, and which turn it is.

    Args:
        x: N×C×S×S images.

    Returns:
        4N×C×S×S images, first all as they are, then all turned once to the left, and so on; and 4N labels 0 … 3.

    Raises:
        TlbookError: for images that are not square, whose shape would tell the turn.

    Example:
        >>> turned, turns = quarter_turns(torch.tensor([[[[1, 2], [3, 4]]]]))
        >>> turned[1].tolist(), turns.tolist()
        ([[[2, 4], [1, 3]]], [0, 1, 2, 3])
    """
    if x.dim() != 4 or x.shape[2] != x.shape[3]:
        raise TlbookError(
            f"x has shape {tuple(x.shape)}; expected square images N×C×S×S: crop them, or the shape tells the turn"
        )
    turned = torch.cat([x.rot90(k, dims=(2, 3)) for k in range(4)])
    return turned, torch.arange(4, device=x.device).repeat_interleave(len(x))


class RotNet(Method):
    """Predict by which multiple of 90 degrees an image was turned (Gidaris, Singh and Komodakis, ICLR 2018).

    Every image of a batch is seen in all four turns, and the loss is the cross-entropy of the turn (eq. 2 and 3). No
    label is read: ``fit`` takes the images alone, ``domain.unlabelled()``. What is transferred are the ``features``,
    for a probe or for :class:`tlbook.methods.FineTune`. ``forward`` gives the logits of the four turns.

    Args:
        features: from images N×C×S×S to features N×D.
        rotation_head: from features N×D to the logits of four turns, N×4.

    Example:
        >>> from tlbook import nets
        >>> method = RotNet(nets.conv_features(), nets.mlp(768, 4))
        >>> images = Batch(torch.zeros(4, 3, 28, 28, dtype=torch.uint8))
        >>> list(method.losses(images, Batch(images.x[:0]), progress=0.0))
        ['rotation']
    """

    place = Place(target_labels="few", transfers=("models",), source_labels=False)

    def __init__(self, features: nn.Module, rotation_head: nn.Module) -> None:
        super().__init__(features, rotation_head)

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        turned, turns = quarter_turns(source.x)
        logits = self(turned)
        if logits.shape[1:] != (4,):
            raise TlbookError(f"the rotation head gives {tuple(logits.shape)}; expected four, one for each turn")
        return {"rotation": cross_entropy(logits, turns)}


class SimCLR(Method):
    """Make two random views of an image agree, against all others (Chen, Kornblith, Norouzi and Hinton, ICML 2020).

    Each image of a batch is changed at random, twice. Features h go through a projection head g to z = g(h), and
    :func:`tlbook.losses.nt_xent` pulls the two z of one image together and pushes all others apart. The head serves
    the loss and is thrown away after: what is transferred are the ``features`` h, and ``forward`` gives them, N×D. No
    label is read: ``fit`` takes the images alone, ``domain.unlabelled()``.

    Args:
        features: from images N×C×H×W to features N×D.
        projection_head: from features N×D to projections N×d; two layers in the paper.
        augment: from a batch of images to a batch of images, each changed by a draw of its own, such as
            :class:`tlbook.data.views.Crop`. A module with a transform of torchvision in it, which would draw once for
            the whole batch, is called image by image; a function has to see to its draws itself.
        temperature: τ > 0 of the loss; the paper takes 0.1 on ImageNet and 0.5 on CIFAR-10.

    Raises:
        TlbookError: for a temperature that is not above 0; in training, for a batch of one image or values that are not
            finite.

    Example:
        >>> from tlbook import nets
        >>> from tlbook.data.views import Crop
        >>> method = SimCLR(nets.conv_features(), nets.mlp(768, 128, 64), Crop(scale=(0.3, 1.0)))
        >>> images = Batch(torch.zeros(4, 3, 28, 28, dtype=torch.uint8))
        >>> list(method.losses(images, Batch(images.x[:0]), progress=0.0))
        ['contrast']
        >>> method(images.x).shape  # features, not projections
        torch.Size([4, 768])
    """

    place = Place(target_labels="few", transfers=("models",), source_labels=False)

    def __init__(
        self,
        features: nn.Module,
        projection_head: nn.Module,
        augment: Callable[[Tensor], Tensor],
        temperature: float = 0.5,
    ) -> None:
        check_number("temperature", temperature, above=0, hint="the paper takes 0.5 for small images")
        super().__init__(features, nn.Identity())
        self.projection_head = check_module("projection_head", projection_head)
        self.augment = per_image(check_function("augment", augment, "a function from a batch of images to another"))
        self.temperature = temperature

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        with torch.autocast(source.x.device.type, enabled=False):  # places in an image want full precision
            views = torch.cat([self.augment(source.x), self.augment(source.x)])
        a, b = self.projection_head(encode(self.features, views, self.projection_head)).chunk(2)
        return {"contrast": nt_xent(a, b, self.temperature)}

    def extra_repr(self) -> str:
        """The settings, as they stand in a checkpoint's description of the run."""
        return f"temperature={self.temperature}" + ("" if isinstance(self.augment, nn.Module) else f", {self.augment}")


def per_image(augment: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same, with every transform of torchvision, also inside a Sequential, called image by image.

    Otherwise it would draw once for the whole batch.
    """
    if type(augment) is nn.Sequential:
        return nn.Sequential(*(cast(nn.Module, per_image(part)) for part in augment))
    parts = augment.modules() if isinstance(augment, nn.Module) and not isinstance(augment, PerImage) else [augment]
    return PerImage(augment) if any(map(_torchvisions, parts)) else augment


def _torchvisions(augment: object) -> bool:
    return any(base.__module__.startswith("torchvision.transforms") for base in type(augment).__mro__)
