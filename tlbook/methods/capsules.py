"""Capsules: vectors in the place of neurons, which choose by agreement where to send what they say."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from tlbook._checks import check_number, check_whole
from tlbook.errors import TlbookError
from tlbook.losses import margin_loss
from tlbook.methods._parts import encode
from tlbook.methods.method import Batch, Method
from tlbook.nets import CapsuleLayer, Lengths, Pixels, PrimaryCapsules, mlp

__all__ = ["CapsNet", "capsule_features", "decoder"]


def capsule_features(
    channels: int = 1,
    size: int = 28,
    width: int = 256,
    kinds: int = 32,
    kernel: int = 9,
    classes: int = 10,
    iterations: int = 3,
) -> nn.Sequential:
    """From images to class capsules of 16 numbers: convolution, primary capsules of 8 numbers, routing.

    With the defaults it is the network of the paper's figure 1, with 6,804,224 parameters.

    Args:
        channels: of the image.
        size: its side; the two convolutions need at least 2 · kernel − 1.
        width: the channels of the first convolution.
        kinds: how many primary capsules at each place.
        kernel: the side of both kernels; the second has stride 2.
        classes: K.
        iterations: of the routing.

    Returns:
        A module from images, uint8 or float, to batch × K × 16.

    Raises:
        TlbookError: when the image is smaller than the kernels need, or a number is below 1.

    Example:
        >>> sum(p.numel() for p in capsule_features().parameters())
        6804224
    """
    sizes = {"channels": channels, "size": size, "width": width, "kinds": kinds, "kernel": kernel, "classes": classes}
    for name, number in sizes.items():
        check_whole(name, number, at_least=1)
    places = (size - 2 * kernel + 1) // 2 + 1
    if places < 1:
        raise TlbookError(f"size is {size}; expected at least {2 * kernel - 1} for two kernels of {kernel}×{kernel}")
    return nn.Sequential(
        Pixels(),
        nn.Conv2d(channels, width, kernel),
        nn.ReLU(),
        PrimaryCapsules(width, kinds, 8, kernel, stride=2),
        CapsuleLayer(kinds * places**2, 8, classes, 16, iterations),
    )


def decoder(classes: int = 10, pixels: int = 784, hidden: tuple[int, int] = (512, 1024)) -> nn.Sequential:
    """From class capsules, all but one of them 0, to the pixels 0 … 1 (the paper's figure 2; 1,411,344 parameters).

    Raises:
        TlbookError: for a number below 1.

    Example:
        >>> sum(p.numel() for p in decoder().parameters())
        1411344
    """
    check_whole("classes", classes, at_least=1)
    check_whole("pixels", pixels, at_least=1)
    return nn.Sequential(nn.Flatten(), mlp(classes * 16, *hidden, pixels), nn.Sigmoid())


class CapsNet(Method):
    """A network of capsules (Sabour, Frosst and Hinton, *Dynamic routing between capsules*, NIPS 2017).

    The length of a class capsule says how surely the class is there; its direction is meant to say how it looks. The
    label loss is :func:`tlbook.losses.margin_loss` on the lengths. A decoder must draw the image again from the capsule
    of its true class, the others masked, which keeps the capsules from forgetting how things look.

    Args:
        features: inputs to class capsules, batch × K × d, such as :func:`capsule_features`.
        decoder: class capsules to as many numbers as the image has pixels, 0 … 1, such as :func:`decoder`.
        reconstruction: the weight of the sum of squared errors over the pixels; 0.0005 in the paper.

    Raises:
        TlbookError: for a weight below 0; in training, for images that are neither uint8 nor floats in 0 … 1, and when
            the decoder draws another number of pixels than the image has.

    Example:
        >>> import torch
        >>> method = CapsNet(capsule_features(size=14, width=8, kinds=2, kernel=5), decoder(pixels=196))
        >>> images = Batch(torch.zeros(4, 1, 14, 14, dtype=torch.uint8), torch.tensor([0, 1, 2, 3]))
        >>> list(method.losses(images, Batch(images.x[:0]), progress=0.0))
        ['margin', 'reconstruction']
    """

    def __init__(self, features: nn.Module, decoder: nn.Module, reconstruction: float = 0.0005) -> None:
        check_number("reconstruction", reconstruction, at_least=0, hint="0.0005 is the paper's")
        super().__init__(features, Lengths())
        self.decoder = decoder
        self.reconstruction = reconstruction

    def draw(self, capsules: Tensor, classes: Tensor) -> Tensor:
        """The decoder's pixels, batch × D, from the capsule of the given class of each row, the others masked."""
        mask = F.one_hot(classes, capsules.shape[1]).to(capsules.dtype)
        pixels: Tensor = self.decoder(capsules * mask.unsqueeze(2))
        return pixels

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        capsules = encode(self.features, source.x)
        pixels = (Pixels()(source.x) + 0.5).flatten(1)
        drawn = self.draw(capsules, source.labels)
        if drawn.shape != pixels.shape:
            raise TlbookError(
                f"the decoder draws {drawn.shape[1]} pixels, the images have {pixels.shape[1]}; expected as many: "
                f"decoder(pixels={pixels.shape[1]})"
            )
        return {
            "margin": margin_loss(self.label_head(capsules), source.labels),  # eq. 4
            "reconstruction": self.reconstruction * (drawn - pixels).square().sum(dim=1).mean(),  # section 4.1
        }
