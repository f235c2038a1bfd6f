"""MNIST with capsules: the network of the paper, and a small one for a few minutes of CPU (chapter ``capsules``)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from torch.nn.functional import pad

from tlbook.data import Domain, load
from tlbook.experiments.experiment import Experiment, Published, Training, seeded
from tlbook.methods.capsules import CapsNet, capsule_features, decoder

SELECTION = "the last step is reported; nothing was chosen by test accuracy"


def shifted(domain: Domain, pixels: int) -> Domain:
    """Every image at every whole shift of up to so many pixels, with 0 coming in over the edge."""
    size, places = domain.x.shape[-1], range(2 * pixels + 1)
    wide = pad(domain.x, [pixels] * 4)
    moved = [wide[:, :, row : row + size, column : column + size] for row in places for column in places]
    return replace(domain, x=torch.cat(moved), y=domain.labels().repeat(len(moved)))


def mnist(seed: int) -> tuple[Domain, None, Domain]:
    """Training images at 25 places, no target, test images; the same for every seed."""
    train, test = (load("mnist", split=split).images(channels=1, size=28) for split in ("train", "test"))
    return shifted(train, 2), None, test


def papers_network() -> CapsNet:
    """8,215,568 parameters."""
    return CapsNet(capsule_features(), decoder())


def small_network() -> CapsNet:
    """A quarter of the channels and of the kinds of capsules, and a smaller decoder."""
    return CapsNet(capsule_features(width=64, kinds=8), decoder(hidden=(128, 256)))


def decay(progress: float) -> float:
    """What the authors' code has after as large a part of its 300,000 steps: a factor of 0.96 every 2,000."""
    return float(0.96 ** (150 * progress))


def short_decay(progress: float) -> float:
    """To a tenth: the authors' decay would leave a short run nothing to draw with after its first third."""
    return float(0.1**progress)


mnist_row = partial(
    Experiment,
    paper="Sabour et al., Dynamic routing between capsules, NIPS 2017",
    table="table 1, row CapsNet, routing 3, reconstruction yes",
    task="MNIST",
    selection=SELECTION,
    published=Published(0.9975, "table 1 of the paper", "primary"),
    domains=mnist,
    seeds=3,
)

MNIST = mnist_row(
    name="capsules-mnist",
    title="CapsNet",
    protocol=(
        "all 60,000 training images, each at all 25 whole shifts of up to 2 pixels, as in the paper; accuracy on the "
        "10,000 test images as they are. The paper does not say after how many steps; the authors' code takes 300,000"
    ),
    network="conv 256×9×9, 32 kinds of capsules of 8 by 9×9 with stride 2, 10 capsules of 16; decoder 512, 1024, 784",
    method=seeded(papers_network),
    training=Training(50_000, 128, schedule=decay),
)
MNIST_SHORT = mnist_row(
    name="capsules-mnist-short",
    title="CapsNet, small and short",
    protocol=(
        "all 60,000 training images, each at all 25 whole shifts of up to 2 pixels, of which the run sees about one in "
        "twelve; accuracy on the 10,000 test images as they are. Not the paper's network and not its budget"
    ),
    network="conv 64×9×9, 8 kinds of capsules of 8 by 9×9 with stride 2, 10 capsules of 16; decoder 128, 256, 784",
    method=seeded(small_network),
    training=Training(1_000, 128, schedule=short_decay),
)
