"""Every public entry given what means nothing: one line, never a traceback of something deeper."""

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tlbook import evaluate, experiments, load, losses, methods, nets, selection, theory
from tlbook.data import Domain, jitter, views
from tlbook.errors import TlbookError
from tlbook.methods import SourceOnly

JUNK: dict[str, Any] = {
    "None": None,
    "a word": "no such thing",
    "bytes": b"x",
    "below zero": -1,
    "not finite": math.nan,
    "an empty list": [],
    "a mixed list": [1, "a"],
    "a dictionary": {},
    "an object": object(),
    "an empty array": np.zeros((0, 3)),
    "NaN": np.full((6, 3), math.nan),
    "words": np.array([["a", "b"]]),
    "objects": np.array([1, "a", None], dtype=object),
    "an empty tensor": torch.zeros(0, 3),
    "a tensor of NaN": torch.full((6, 3), math.nan),
    "complex": torch.zeros(6, 3, dtype=torch.complex64),
    "another shape": torch.zeros(2, 2, 2),
    "labels out of range": torch.tensor([0, 1, 9, 0, 1, 2]),
    "negative labels": torch.tensor([0, 1, -1, 0, 1, 2]),
    "a module": nn.Sequential(nn.Linear(7, 2), nn.ReLU()),
    "a class": dict,
}


def rows(name: str = "rows", labelled: bool = True) -> Domain:
    return Domain(name, torch.rand(6, 3), torch.arange(6) % 3 if labelled else None, ("a", "b", "c"))


def images() -> Domain:
    return Domain(
        "images", torch.randint(0, 255, (6, 3, 8, 8), dtype=torch.uint8), torch.arange(6) % 3, ("a", "b", "c")
    )


def always(source: Any, target: Any) -> Any:
    return lambda domain: np.zeros(len(domain), dtype=int)


X, Y = torch.linspace(-1, 1, 18).view(6, 3), torch.linspace(0, 3, 15).view(5, 3)
METHOD = SourceOnly(nn.Linear(3, 4), nn.Linear(4, 3))
NAMED = SourceOnly(nn.Sequential(OrderedDict(a=nn.Linear(3, 4))), nn.Linear(4, 3))
PARTS: dict[str, Any] = {"features": nn.Linear(3, 4), "label_head": nn.Linear(4, 3)}
HEAD = nn.Linear(4, 1)
SIGNS = np.array([0, 1, 0, 1, 0, 1])
PIXELS = torch.rand(2, 3, 8, 8)
LABELS = torch.arange(6) % 3
ANY_NUMBER = {"NaN", "a tensor of NaN"}  # a loss of it is NaN, which fit finds
ANY_SHAPE = ANY_NUMBER | {"an empty tensor", "another shape"}
ANY_LABEL = {"labels out of range", "negative labels"}  # any whole numbers are names of classes
# An entry, arguments that are right, and the kinds of junk that mean something after all in a place.
ENTRIES: dict[str, tuple[Callable[..., Any], dict[str, Any], dict[str, set[str]]]] = {
    "coral": (losses.coral, {"x": X, "y": Y}, {}),
    "mmd2": (losses.mmd2, {"x": X, "y": Y, "bandwidths": (1.0,), "unbiased": False}, {"bandwidths": {"None"}}),
    "mk_mmd2": (
        losses.mk_mmd2,
        {"x": X, "y": Y, "multipliers": (1.0,), "weights": (1.0,), "unbiased": False},
        {"weights": {"None"}},
    ),
    "linear_mmd2": (
        losses.linear_mmd2,
        {"x": X, "y": X + 1, "multipliers": (1.0,), "weights": (1.0,)},
        {"weights": {"None"}},
    ),
    "cross_entropy": (losses.cross_entropy, {"logits": X, "y": LABELS}, {"logits": ANY_NUMBER}),
    "distillation": (
        losses.distillation,
        {"student": X, "teacher": X, "temperature": 2.0},
        {"student": ANY_NUMBER, "teacher": ANY_NUMBER},
    ),
    "domain_adversarial": (
        losses.domain_adversarial,
        {"logits": X[:, :1], "n_source": 3, "weights": torch.ones(3)},
        {"logits": ANY_LABEL, "weights": {"None"}},
    ),
    "gradient_reversal": (losses.gradient_reversal, {"x": X, "strength": 1.0}, {"x": ANY_SHAPE}),
    "l2_sp": (losses.l2_sp, {"module": nn.Linear(2, 2), "reference": nn.Linear(2, 2)}, {}),
    "nt_xent": (losses.nt_xent, {"x": X, "y": X + 1, "temperature": 0.5, "rows": 4}, {}),
    "margin_loss": (losses.margin_loss, {"lengths": X, "target": LABELS}, {"lengths": ANY_NUMBER}),
    "route": (nets.route, {"u_hat": torch.rand(2, 3, 4, 5), "iterations": 2, "through": "last"}, {}),
    "squash": (nets.squash, {"s": X, "dim": -1}, {"s": ANY_SHAPE | ANY_LABEL, "dim": {"below zero"}}),
    "CapsuleLayer": (
        nets.CapsuleLayer,
        {"inputs": 6, "width": 4, "outputs": 3, "out_width": 5, "iterations": 3, "through": "last"},
        {},
    ),
    "PrimaryCapsules": (
        nets.PrimaryCapsules,
        {"channels": 3, "kinds": 2, "width": 4, "kernel": 3, "stride": 2},
        {},
    ),
    "ClasswiseMLP": (nets.ClasswiseMLP, {"width": 3, "hidden": 4, "classes": 3}, {}),
    "conv_features": (
        nets.conv_features,
        {"channels": 3, "widths": (4,), "kernel": 3, "norm": nn.BatchNorm2d},
        {"norm": {"None", "a class"}},
    ),
    "Pixels": (nets.Pixels, {"mean": 0.5, "std": 1.0}, {}),
    "Pixels()": (lambda x: nets.Pixels()(x), {"x": PIXELS}, {"x": {"an empty tensor", "another shape"}}),
    "DomainBatchNorm": (
        nets.DomainBatchNorm,
        {"channels": 3, "eps": 1e-5, "momentum": 0.1, "affine": True},
        {"momentum": {"None"}},
    ),
    "DomainBatchNorm()": (lambda x: nets.DomainBatchNorm(3)(x), {"x": X}, {"x": ANY_NUMBER}),
    "DomainBatchNorm.convert": (nets.DomainBatchNorm.convert, {"module": nn.BatchNorm1d(3)}, {"module": {"a module"}}),
    "classify_as": (nets.classify_as, {"module": METHOD, "domain": "source"}, {"module": {"a module"}}),
    "accuracy": (
        evaluate.accuracy,
        {"method": METHOD, "domain": rows(), "batch_size": 3, "statistics": None},
        {"batch_size": {"None"}, "statistics": {"None"}},
    ),
    "apply": (evaluate.apply, {"module": METHOD, "x": X, "batch_size": 3}, {"batch_size": {"None"}}),
    "features_of": (evaluate.features_of, {"method": METHOD, "domain": rows()}, {}),
    "predict": (evaluate.predict, {"method": METHOD, "domain": rows()}, {}),
    "harmonic_mean": (evaluate.harmonic_mean, {"seen": 0.5, "unseen": 0.5}, {}),
    "proxy_a_distance": (evaluate.proxy_a_distance, {"x": X, "y": Y, "seed": 0}, {}),
    "transfer_matrix": (
        evaluate.transfer_matrix,
        {"train": always, "domains": [rows(), rows("more")], "tests": [rows(), rows("more")]},
        {"train": {"a module"}},
    ),
    "choose": (selection.choose, {"risks": {"a": 1.0, "b": 2.0}}, {}),
    "information_risk": (selection.information_risk, {"method": METHOD, "target": rows(labelled=False)}, {}),
    "target_entropy": (selection.target_entropy, {"method": METHOD, "target": rows(labelled=False)}, {}),
    "source_risk": (selection.source_risk, {"method": METHOD, "validation": rows()}, {}),
    "reverse_risk": (
        selection.reverse_risk,
        {
            "method": METHOD,
            "source": rows(),
            "validation": rows(),
            "target": rows(labelled=False),
            "train": lambda source, target: METHOD,
        },
        {"train": {"a module"}},
    ),
    "best_stump": (theory.best_stump, {"x": X, "y": SIGNS}, {}),
    "joint_error": (
        theory.joint_error,
        {"learner": theory.best_linear, "xs": X, "ys": SIGNS, "xt": X + 1, "yt": SIGNS},
        {"learner": {"a module"}, "ys": ANY_LABEL, "yt": ANY_LABEL},
    ),
    "linear_pair_divergence": (theory.linear_pair_divergence, {"x": X, "y": Y, "seed": 0}, {}),
    "stump_divergence": (theory.stump_divergence, {"x": X, "y": Y}, {}),
    "sample_term": (theory.sample_term, {"vc": 3, "n": 100, "delta": 0.05}, {}),
    "Domain": (
        Domain,
        {"name": "rows", "x": X, "y": LABELS, "classes": ("a", "b", "c")},
        {"name": {"a word"}, "y": {"None"}, "x": {"a tensor of NaN"}},
    ),
    "from_arrays": (
        Domain.from_arrays,
        {"name": "rows", "x": X, "y": LABELS, "classes": ("a", "b", "c")},
        {"name": {"a word"}, "y": {"None"}, "classes": {"None"}},
    ),
    "from_dataset": (
        Domain.from_dataset,
        {"name": "rows", "dataset": [(PIXELS[0], 0)] * 4, "classes": ("a", "b")},
        {"name": {"a word"}, "classes": {"None"}, "dataset": {"another shape"}},
    ),
    "take": (rows().take, {"index": [0, 1]}, {"index": {"negative labels"}}),
    "subset": (rows().subset, {"classes": ["a"]}, {"classes": {"a mixed list"}}),
    "per_class": (rows().per_class, {"n": 1, "seed": 0}, {}),
    "split": (rows().split, {"fraction": 0.5, "seed": 0}, {}),
    "images": (images().images, {"channels": 3, "size": 8}, {"channels": {"None"}, "size": {"None"}}),
    "to": (rows().to, {"device": "cpu"}, {}),
    "jitter": (jitter, {"domain": images(), "times": 2, "seed": 0}, {}),
    "load": (load, {"name": "digits", "split": "train"}, {}),
    "experiments.find": (experiments.find, {"name": "dann-mnist-mnistm"}, {}),
    "Crop": (views.Crop, {"scale": (0.2, 1.0), "ratio": (0.75, 1.3)}, {}),
    "Affine": (views.Affine, {"degrees": 10.0, "pixels": 1.0, "scale": 0.1}, {}),
    "Light": (views.Light, {"brightness": 0.1, "contrast": 0.1}, {}),
    "Crop()": (lambda x: views.Crop()(x), {"x": PIXELS}, {}),
    "Affine()": (lambda x: views.Affine()(x), {"x": PIXELS}, {}),
    "Light()": (lambda x: views.Light()(x), {"x": PIXELS}, {}),
    "ADDA": (methods.ADDA, {**PARTS, "domain_head": HEAD, "share": 0.5, "rate": 0.1}, {}),
    "DAN": (methods.DAN, {**PARTS, "lam": 1.0, "layers": ("features",)}, {}),
    "DANN": (methods.DANN, {**PARTS, "domain_head": HEAD, "gamma": 10.0, "lam": 1.0}, {}),
    "FineTune": (methods.FineTune, {**PARTS, "frozen": False}, {}),
    "IWAN": (methods.IWAN, {**PARTS, "weigher": HEAD, "domain_head": HEAD, "upper": 0.1}, {}),
    "L2SP": (methods.L2SP, {**PARTS, "alpha": 0.1, "beta": 0.01}, {}),
    "LayerTransfer": (
        methods.LayerTransfer,
        {"source_model": NAMED, "copied": ["a"], "frozen": True},
        {"copied": {"an empty list", "a dictionary", "an empty array", "an empty tensor"}},
    ),
    "OutputConservative": (methods.OutputConservative, {"source_model": NAMED, "rho": 0.5, "temperature": 1.0}, {}),
    "PADA": (methods.PADA, {**PARTS, "domain_head": HEAD, "classes": 3, "memory": 0.5}, {}),
    "RotNet": (methods.RotNet, {"features": nn.Linear(3, 4), "rotation_head": nn.Linear(4, 4)}, {}),
    "SAN": (methods.SAN, {**PARTS, "domain_heads": nets.ClasswiseMLP(4, 4, 3), "entropy_weight": 0.1}, {}),
    "SimCLR": (
        methods.SimCLR,
        {"features": nn.Linear(3, 4), "projection_head": nn.Linear(4, 2), "augment": nn.Identity(), "temperature": 0.5},
        {},
    ),
    "TCA": (lambda **how: methods.TCA(**how).fit(X, LABELS, target_x=Y), {"dim": 2, "mu": 1.0, "kernel": "linear"}, {}),
    "TCA.fit": (methods.TCA(dim=2).fit, {"source_x": X, "source_y": LABELS, "target_x": Y}, {"source_y": ANY_LABEL}),
}
# What a part of a network is, no more can be told before it has seen rows; labels may be any words or whole numbers.
MODULES = {"features", "label_head", "domain_head", "domain_heads", "weigher", "rotation_head", "projection_head"}
MODULES |= {"augment", "module", "method"}
LABELLED = {("TCA.fit", "source_y")}


def refused(entry: Callable[[], Any], *, what: str) -> None:
    with pytest.raises(TlbookError) as caught:
        pytest.fail(f"{what} is taken: {entry()!r:.200}")
    message = str(caught.value)
    assert "\n" not in message, what
    assert len(message) < 500, what


@pytest.mark.parametrize("name", ENTRIES)
def test_what_means_nothing_is_one_line(name: str) -> None:
    entry, right, exceptions = ENTRIES[name]
    entry(**right)
    for argument in right:
        for kind, junk in JUNK.items():
            if kind in exceptions.get(argument, ()) or (argument in MODULES and kind == "a module"):
                continue
            if (name, argument) in LABELLED and kind == "None":
                continue
            refused(partial(entry, **{**right, argument: junk}), what=f"{name}({argument}={kind})")


@pytest.mark.parametrize("kind", JUNK)
def test_a_folder_that_is_none_is_one_line(kind: str, tmp_path: Path) -> None:
    for word in ("cat", "dog"):
        (tmp_path / word).mkdir()
        Image.new("RGB", (9, 9)).save(tmp_path / word / "1.png")
    read = partial(Domain.from_folder, tmp_path, size=8)
    read()
    refused(lambda: Domain.from_folder(JUNK[kind]), what="path")
    refused(lambda: Domain.from_disk(JUNK[kind]), what="folder")
    for argument in ("size", "channels", "classes", "name"):
        if (argument, kind) not in {("classes", "None"), ("name", "None"), ("name", "a word")}:
            refused(partial(read, **{argument: JUNK[kind]}), what=argument)
