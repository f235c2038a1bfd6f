"""MNIST ↔ USPS, the sampled protocol of chapter ``adda``: DDC, DAN and Deep CORAL (chapter ``deep_adaptation``)."""

from __future__ import annotations

from functools import partial

from tlbook import nets
from tlbook.experiments.adda import (
    APART,
    MNIST_USPS,
    NETWORK,
    PROTOCOL,
    USPS_MNIST,
    gan_adam,
    lenet,
    mnist_to_usps,
    usps_to_mnist,
)
from tlbook.experiments.experiment import Experiment, Training, seeded
from tlbook.methods.deep_adaptation import DAN, DDC, DeepCORAL

OWN = "none: the paper reports on photographs of office things"
SELECTION = (
    "the last step is reported. λ was chosen among three by the mutual information of the predictions on unlabelled "
    "target images, from one training each on USPS → MNIST; the test accuracy was printed beside it and "
    "was not used"
)


def ddc_network() -> DDC:
    """LeNet with statistics for each domain; the means of its 500 features."""
    return DDC(lenet(nets.DomainBatchNorm), nets.mlp(500, 10), lam=0.003)


def dan_network() -> DAN:
    """LeNet with statistics for each domain; five kernels on its 500 features and its logits."""
    return DAN(lenet(nets.DomainBatchNorm), nets.mlp(500, 10), lam=1.0)


def coral_network() -> DeepCORAL:
    """LeNet with statistics for each domain; the covariances of its logits."""
    return DeepCORAL(lenet(nets.DomainBatchNorm), nets.mlp(500, 10), lam=0.1)


shared = partial(
    Experiment,
    table=OWN,
    protocol=PROTOCOL,
    network=NETWORK + APART,
    selection=SELECTION,
    published=None,
    training=Training(500, optimizer=gan_adam),
    seeds=3,
)
ddc = partial(
    shared,
    title="DDC",
    paper="Tzeng et al., Deep domain confusion, arXiv 1412.3474, 2014",
    method=seeded(ddc_network),
)
dan = partial(
    shared,
    title="DAN",
    paper="Long et al., Learning transferable features with deep adaptation networks, ICML 2015",
    method=seeded(dan_network),
)
coral = partial(
    shared,
    title="Deep CORAL",
    paper="Sun and Saenko, Deep CORAL, ECCV workshops 2016",
    method=seeded(coral_network),
)

MU_DDC = ddc(name="deep-adaptation-mnist-usps-ddc", task=MNIST_USPS, domains=mnist_to_usps)
UM_DDC = ddc(name="deep-adaptation-usps-mnist-ddc", task=USPS_MNIST, domains=usps_to_mnist)
MU_DAN = dan(name="deep-adaptation-mnist-usps-dan", task=MNIST_USPS, domains=mnist_to_usps)
UM_DAN = dan(name="deep-adaptation-usps-mnist-dan", task=USPS_MNIST, domains=usps_to_mnist)
MU_CORAL = coral(name="deep-adaptation-mnist-usps-coral", task=MNIST_USPS, domains=mnist_to_usps)
UM_CORAL = coral(name="deep-adaptation-usps-mnist-coral", task=USPS_MNIST, domains=usps_to_mnist)
