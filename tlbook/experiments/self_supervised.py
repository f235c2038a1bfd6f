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
from tlbook.experiments.experiment import Experiment
from tlbook.experiments.pretraining import pre_train
from tlbook.methods.finetune import FineTune
from tlbook.methods.method import Method, Phase
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


class PreTrained(FineTune):
    """Fine-tuning, or a linear probe, on features that begin with a pretext task on all training images, unlabelled.

    The features of a pretext and a seed are trained once and kept in the user's cache, for all rows that start there,
    under a name that tells the settings, the images and the version of torch.

    Args:
        pretext: builds the method of the pretext task.
        steps: how long it is trained, and
        batch_size: on how many images a step.
        frozen: whether the labels move the head alone.
    """

    def __init__(self, pretext: Callable[[], Method], steps: int, batch_size: int, frozen: bool = False) -> None:
        super().__init__(features(), nets.mlp(WIDTH, 10), frozen)
        self.pretext, self.steps, self.batch_size = pretext, steps, batch_size

    def phases(self) -> tuple[Phase, ...]:
        """One, before which the pretext's features are put in."""
        return (Phase("labels", self.losses, (self,), start=self.pre_train),)

    def pre_train(self) -> None:
        """Train the pretext on all training images, or take what an earlier row kept, and copy its features."""
        seed = torch.initial_seed()  # the one of the run that begins
        images = load("usps").unlabelled()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            method = self.pretext()
        pre_train(
            f"self-supervised-{type(method).__name__}",
            method,
            images,
            seed=seed,
            steps=self.steps,
            batch_size=self.batch_size,
            optimizer=partial(adam, lr=2e-3),
            schedule=cosine,
            device=str(next(self.parameters()).device),
        )
        self.features.load_state_dict(method.features.state_dict())


BEFORE = (
    "; before, on all 7,291 training images without labels, once for all rows of a seed and in the time of the first: "
)
TURNS = (
    ROTNET,
    partial(PreTrained, rotnet, 600, 64),
    f"{BEFORE}Adam, 2e-3 falling to 0, 600 × 64 images in four turns",
)
VIEWS = (
    SIMCLR,
    partial(PreTrained, simclr, 1_000, 256),
    f"{BEFORE}Adam, 2e-3 falling to 0, 1,000 × 256 images in two views, {CHANGED}, projection 128-64, temperature 0.2",
)
PROBE = (SIMCLR, partial(PreTrained, simclr, 1_000, 256, frozen=True), VIEWS[2])
NONE = (SIMCLR, scratch, "")


def row(
    share: int, name: str, title: str, start: tuple[str, Callable[[], Method], str], changed: bool = False
) -> Experiment:
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
        network="conv 32×3×3, pool, conv 64×3×3, pool, 128, labels 10; batch normalisation after all but the last",
        training=f"Adam, {rate:.0e} falling to 0, {STEPS} steps of {BATCH} images with labels{before}".replace(
            "e-0", "e-"
        ),
        selection=SELECTION,
        published=None,
        domains=partial(usps, per_class=per_class, copies=copies),
        method=method,
        steps=STEPS,
        batch_size=BATCH,
        optimizer=partial(adam, lr=rate),
        schedule=cosine,
        drawn=True,
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
