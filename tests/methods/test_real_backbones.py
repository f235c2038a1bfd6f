"""Networks of torchvision as they come, as the features of every method that reads images."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision import models

from tests.every_method import CLASSES, METHODS, READ_A_TARGET, make
from tlbook import evaluate, fit, nets
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods import Method

OF_IMAGES = sorted(METHODS.keys() - {"GLoMo", "CapsNet"})  # those read tokens, and draw what they read
NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "statistics of batches": lambda: models.resnet18(weights=None),
    "statistics per domain": lambda: nets.DomainBatchNorm.convert(models.resnet18(weights=None)),
    "activations in place, no statistics": lambda: models.squeezenet1_1(weights=None),
    "attention": lambda: models.VisionTransformer(32, 8, 2, 2, hidden_dim=16, mlp_dim=32),
}
BOTH_AT_ONCE = {*READ_A_TARGET} - {"ADDA", "IWAN"}  # those have a backbone for each domain
PAIRS = [(n, k) for n in OF_IMAGES for k in NETWORKS if k != "statistics per domain" or n in BOTH_AT_ONCE]


def images(name: str, labelled: bool = True) -> Domain:
    draw = torch.Generator().manual_seed(len(name))
    x = torch.randint(256, (12, 3, 32, 32), generator=draw, dtype=torch.uint8)
    return Domain(name, x, torch.arange(12) % 3 if labelled else None, CLASSES)


def built(name: str, network: nn.Module, seed: int = 0) -> Method:
    features = nn.Sequential(OrderedDict(pixels=nets.Pixels(), conv1=network, fc1=nn.Linear(1000, 12)))
    method = make(name, features, seed)
    if name == "SimCLR":
        method.augment = nn.Identity()  # type: ignore[assignment]
    return method


@pytest.mark.parametrize(("name", "network"), PAIRS)
def test_a_network_of_torchvision_trains_scores_and_is_kept(name: str, network: str, tmp_path: Path) -> None:
    method, again = (built(name, NETWORKS[network](), seed) for seed in (0, 1))
    before = {key: value.clone() for key, value in method.named_parameters()}
    source = images("source", labelled=name not in ("RotNet", "SimCLR"))
    target = images("target", labelled=False) if name in READ_A_TARGET else None
    fit(method, source, target, steps=3, batch_size=6, seed=0, device="cpu", precision="fp32", progress=False)

    assert all(value.isfinite().all() for value in method.state_dict().values())
    assert any(not torch.equal(value, before[key]) for key, value in method.named_parameters() if "conv1" in key)
    method.save(tmp_path / "method.pt")
    kept = again.load(tmp_path / "method.pt").state_dict()
    assert all(torch.equal(value, kept[key]) for key, value in method.state_dict().items())
    assert evaluate.apply(again, images("more")).isfinite().all()


@pytest.mark.parametrize("name", OF_IMAGES)
def test_auxiliary_outputs_in_training_are_one_line(name: str) -> None:
    method = built(name, models.googlenet(weights=None, init_weights=False))
    target = images("target", labelled=False) if name in READ_A_TARGET else None
    with pytest.raises(TlbookError, match=r"GoogLeNetOutputs[^\n]* without auxiliary outputs \(aux_logits=False\)$"):
        fit(method, images("source", name not in ("RotNet", "SimCLR")), target, steps=3, batch_size=6, progress=False)
