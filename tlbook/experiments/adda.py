"""MNIST ↔ USPS, the sampled protocol: source only, DANN and ADDA on one network (chapter ``adda``)."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

from tlbook import nets
from tlbook.data import Domain, jitter, load
from tlbook.experiments.experiment import Experiment, Published, Training, seeded
from tlbook.methods.adda import ADDA
from tlbook.methods.dann import DANN
from tlbook.methods.source_only import SourceOnly
from tlbook.train import gan_adam

PAPER = "Tzeng et al., Adversarial discriminative domain adaptation, CVPR 2017"
QUOTED = "table 2 of the paper, as quoted by the CatDA paper (Knowledge-Based Systems, 2020)"
MNIST_USPS, USPS_MNIST = "MNIST → USPS", "USPS → MNIST"
PROTOCOL = (
    "2,000 MNIST and 1,800 USPS training images, drawn once at random, grey, 28×28; the source's with labels, the "
    "target's without; accuracy on the target's whole official test set. Of each image seven copies more, turned by up "
    "to 15 degrees, moved by up to 3 pixels, scaled by up to 30 per cent, in both domains alike; the paper has none"
)
NETWORK = "LeNet of the authors' code: conv 20×5×5, pool, conv 50×5×5, pool, 500, labels 10"
NORM = "; batch normalisation after each convolution, which the paper does not have"
APART = NORM + ", with statistics for each domain"
SELECTION = (
    "the last step is reported. Settings were chosen among trainings of one seed by the mutual information of the "
    "predictions on unlabelled target images; the test accuracy was printed beside it and was not used"
)


def sample(name: str, n: int, seed: int) -> Domain:
    """That many training images of a domain, and seven moved copies of each."""
    domain = load(name)
    chosen = torch.randperm(len(domain), generator=torch.Generator().manual_seed(0))[:n]
    return jitter(domain.take(chosen).images(channels=1, size=28), 8, seed, degrees=15, pixels=3, scale=0.3)


def mnist_to_usps(seed: int) -> tuple[Domain, Domain, Domain]:
    """Source, target and test domain, the same for every seed."""
    test = load("usps", split="test").images(channels=1, size=28)
    return sample("mnist", 2_000, seed=0), sample("usps", 1_800, seed=1).unlabelled(), test


def usps_to_mnist(seed: int) -> tuple[Domain, Domain, Domain]:
    """Source, target and test domain, the same for every seed."""
    test = load("mnist", split="test").images(channels=1, size=28)
    return sample("usps", 1_800, seed=1), sample("mnist", 2_000, seed=0).unlabelled(), test


def lenet(norm: type[nn.Module]) -> nn.Sequential:
    """From grey images 28×28 to 500 features."""
    return nn.Sequential(*nets.conv_features(1, (20, 50), norm=norm), nets.mlp(800, 500), nn.ReLU())


def source_network() -> SourceOnly:
    """LeNet alone."""
    return SourceOnly(lenet(nn.BatchNorm2d), nets.mlp(500, 10))


def dann_network() -> DANN:
    """LeNet with statistics for each domain."""
    return DANN(lenet(nets.DomainBatchNorm), nets.mlp(500, 10), nets.mlp(500, 500, 1))


def adda_network() -> ADDA:
    """LeNet twice; each has its own domain's statistics, since each sees one domain."""
    return ADDA(lenet(nn.BatchNorm2d), nets.mlp(500, 10), nets.mlp(500, 500, 500, 1), share=0.3)


source_only = partial(
    Experiment,
    title="source only",
    paper=PAPER,
    table="table 2, row source only",
    protocol=PROTOCOL,
    network=NETWORK + NORM,
    selection=SELECTION,
    method=seeded(source_network),
    training=Training(750, optimizer=gan_adam),
    seeds=5,
)
dann = partial(
    Experiment,
    title="DANN",
    paper=PAPER,
    table="table 2, row gradient reversal",
    protocol=PROTOCOL,
    network=NETWORK + "; domain 500-1" + APART,
    selection=SELECTION,
    method=seeded(dann_network),
    training=Training(2_000, optimizer=partial(gan_adam, lr=2e-3)),
    seeds=5,
)
adda = partial(
    Experiment,
    title="ADDA",
    paper=PAPER,
    table="table 2, row ADDA",
    protocol=PROTOCOL,
    network=NETWORK + "; domain 500-500-1 on the 500, in the authors' code on the logits" + APART,
    selection=SELECTION,
    method=seeded(adda_network),
    training=Training(2_500, optimizer=gan_adam),
    seeds=5,
)

MU_SOURCE = source_only(
    name="adda-mnist-usps-source-only",
    task=MNIST_USPS,
    domains=mnist_to_usps,
    published=Published(0.752, QUOTED, "secondary"),
)
UM_SOURCE = source_only(
    name="adda-usps-mnist-source-only",
    task=USPS_MNIST,
    domains=usps_to_mnist,
    published=Published(0.571, QUOTED, "secondary"),
)
MU_DANN = dann(
    name="adda-mnist-usps-dann", task=MNIST_USPS, domains=mnist_to_usps, published=Published(0.771, QUOTED, "secondary")
)
UM_DANN = dann(
    name="adda-usps-mnist-dann", task=USPS_MNIST, domains=usps_to_mnist, published=Published(0.730, QUOTED, "secondary")
)
MU_ADDA = adda(
    name="adda-mnist-usps", task=MNIST_USPS, domains=mnist_to_usps, published=Published(0.894, QUOTED, "secondary")
)
UM_ADDA = adda(
    name="adda-usps-mnist", task=USPS_MNIST, domains=usps_to_mnist, published=Published(0.901, QUOTED, "secondary")
)
