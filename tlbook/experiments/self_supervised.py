"""USPS with labels for one image in a hundred and in ten: scratch, RotNet, SimCLR (chapter ``self_supervised``)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from tlbook import nets
from tlbook.data import Domain, jitter, load
from tlbook.data.views import Affine
from tlbook.experiments.experiment import Experiment, PreTraining, Training, seeded
from tlbook.methods.finetune import FineTune
from tlbook.methods.method import Method
from tlbook.methods.self_supervised import RotNet, SimCLR
from tlbook.methods.source_only import SourceOnly

ROTNET = "Gidaris, Singh and Komodakis, Unsupervised representation learning by predicting image rotations, ICLR 2018"
SIMCLR = "Chen et al., A simple framework for contrastive learning of visual representations, ICML 2020"
WIDTH = 128
STEPS, BATCH = 250, 64  # with labels, in every row
LABELS = {
    1: (7, 1e-3),
    10: (73, 3e-3),
}  # per cent of the training images: of each digit how many, and the learning rate
NETWORK = "conv 32×3×3, pool, conv 64×3×3, pool, 128, labels 10; batch normalisation after all but the last"
CHANGED = "turned by up to 15 degrees, moved by up to 2 pixels and scaled by up to 20 per cent"
SELECTION = (
    "the last step is reported. The views (moved or cropped) and the learning rate with labels (1e-3 or 3e-3; for each "
    "share the one that serves the rows from scratch best) were chosen by the accuracy on 2,000 training images with "
    "one seed; the test images were not looked at"
)
adam = partial(torch.optim.Adam, lr=1e-3, fused=True)


def cosine(progress: float) -> float:
    """The learning rate falls along half a cosine to 0."""
    return (1 + math.cos(math.pi * progress)) / 2


def usps(seed: int, per_class: int, copies: int) -> tuple[Domain, None, Domain]:
    """So many labelled images of each digit, drawn by the seed, with changed copies; and the test images."""
    few = load("usps").per_class(per_class, seed)
    return jitter(few, copies, seed, degrees=15, pixels=2, scale=0.2), None, load("usps", split="test")


def features() -> nn.Sequential:
    """From grey images 16×16 to 128 features."""
    convolutions = nets.conv_features(1, (32, 64), kernel=3, norm=nn.BatchNorm2d)
    return nn.Sequential(convolutions, nets.mlp(256, WIDTH), nn.BatchNorm1d(WIDTH), nn.ReLU())


def scratch() -> SourceOnly:
    """The network as it starts."""
    return SourceOnly(features(), nets.mlp(WIDTH, 10))


def rotnet() -> RotNet:
    """To tell the four turns apart."""
    return RotNet(features(), nets.mlp(WIDTH, 4))


def simclr() -> SimCLR:
    """To match views that are turned, moved and scaled."""
    return SimCLR(features(), nets.mlp(WIDTH, WIDTH, 64), Affine(15, 2, 0.2), temperature=0.2)


def fine_tuned(frozen: bool = False) -> FineTune:
    """The network for labels on the features of a pretext, or a linear probe on them."""
    return FineTune(features(), nets.mlp(WIDTH, 10), frozen)


def unlabelled(seed: int) -> tuple[Domain, None]:
    """All training images, the same for every seed."""
    return load("usps").unlabelled(), None


def hand_over(pretext: Method, method: Method) -> None:
    """The features."""
    method.features.load_state_dict(pretext.features.state_dict())


def pretext(build: Callable[[], Method], steps: int, batch_size: int) -> PreTraining:
    """A pretext task on all training images without labels."""
    training = Training(steps, batch_size, partial(adam, lr=2e-3), cosine)
    return PreTraining(f"self-supervised-{build.__name__}", unlabelled, seeded(build), training, hand_over)


Start = tuple[str, Callable[[], Method], PreTraining | None]
TURNS: Start = (ROTNET, fine_tuned, pretext(rotnet, 600, 64))
VIEWS: Start = (SIMCLR, fine_tuned, pretext(simclr, 1_000, 256))
PROBE: Start = (SIMCLR, partial(fine_tuned, frozen=True), VIEWS[2])
NONE: Start = (SIMCLR, scratch, None)


def row(share: int, name: str, title: str, start: Start, changed: bool = False) -> Experiment:
    """A share of the labels and what the network starts from; with ``changed`` every step sees other copies."""
    (per_class, rate), (paper, method, before) = LABELS[share], start
    copies = STEPS * BATCH // (10 * per_class) if changed else 1
    return Experiment(
        name=f"self-supervised-usps-{share}-{name}",
        title=title,
        paper=paper,
        table="none: the paper has no digits",
        task=f"USPS without labels → USPS with {share} % of them",
        protocol=f"{per_class} labelled training images of each digit, drawn anew for each seed"
        + (f", in {copies} copies, {CHANGED}" if changed else "")
        + "; accuracy on the 2,007 test images",
        network=NETWORK,
        selection=SELECTION,
        published=None,
        domains=partial(usps, per_class=per_class, copies=copies),
        method=seeded(method),
        training=Training(STEPS, BATCH, partial(adam, lr=rate), cosine),
        before=before,
    )


SCRATCH_1 = row(1, "scratch", "from scratch", NONE)
SCRATCH_CHANGED_1 = row(1, "scratch-changed", "from scratch, changed copies", NONE, changed=True)
ROTNET_1 = row(1, "rotnet", "RotNet, fine-tuned", TURNS)
ROTNET_CHANGED_1 = row(1, "rotnet-changed", "RotNet, fine-tuned, changed copies", TURNS, changed=True)
SIMCLR_1 = row(1, "simclr", "SimCLR, fine-tuned", VIEWS)
SIMCLR_CHANGED_1 = row(1, "simclr-changed", "SimCLR, fine-tuned, changed copies", VIEWS, changed=True)
PROBE_1 = row(1, "simclr-probe", "SimCLR, features frozen, the same steps", PROBE)
SCRATCH_10 = row(10, "scratch", "from scratch", NONE)
SCRATCH_CHANGED_10 = row(10, "scratch-changed", "from scratch, changed copies", NONE, changed=True)
ROTNET_10 = row(10, "rotnet", "RotNet, fine-tuned", TURNS)
ROTNET_CHANGED_10 = row(10, "rotnet-changed", "RotNet, fine-tuned, changed copies", TURNS, changed=True)
SIMCLR_10 = row(10, "simclr", "SimCLR, fine-tuned", VIEWS)
SIMCLR_CHANGED_10 = row(10, "simclr-changed", "SimCLR, fine-tuned, changed copies", VIEWS, changed=True)
PROBE_10 = row(10, "simclr-probe", "SimCLR, features frozen, the same steps", PROBE)
