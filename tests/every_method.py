"""Every trained method in small, around a backbone that has all that could move in what should stand still."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tlbook import methods, nets
from tlbook.data import Domain
from tlbook.methods import GraphLearner, Method, SourceOnly

CLASSES = ("a", "b", "c")


def backbone() -> nn.Sequential:
    """Images 1×8×8 to 12 features: convolution, statistics of batches, dropout."""
    conv1 = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
    fc1 = nn.Sequential(nn.Linear(36, 12), nn.BatchNorm1d(12), nn.Dropout(0.3))
    return nn.Sequential(OrderedDict(conv1=conv1, pool=nn.MaxPool2d(2), flat=nn.Flatten(), fc1=fc1))


def images(name: str = "images", labelled: bool = True, n: int = 30) -> Domain:
    draw = torch.Generator().manual_seed(len(name))
    return Domain(name, torch.rand(n, 1, 8, 8, generator=draw), torch.arange(n) % 3 if labelled else None, CLASSES)


def tokens(name: str = "tokens", labelled: bool = True) -> Domain:
    draw = torch.Generator().manual_seed(len(name))
    x = torch.randint(1, 9, (30, 6), generator=draw)
    return Domain(name, x, torch.arange(30) % 3 if labelled else None, CLASSES)


def head(outputs: int = 3, width: int = 12) -> nn.Sequential:
    return nn.Sequential(
        OrderedDict(hidden=nn.Linear(width, 8), norm=nn.BatchNorm1d(8), drop=nn.Dropout(0.2), out=nn.Linear(8, outputs))
    )


def shifted(x: Tensor) -> Tensor:
    return x + 0.1 * torch.randn(x.shape)


def _glomo(features: nn.Module) -> Method:
    embedding = nn.Sequential(OrderedDict(conv1=nn.Embedding(9, 4)))
    for p in embedding.parameters():
        p.requires_grad = next(features.parameters()).requires_grad
    return methods.GLoMo(GraphLearner(9, 8), embedding, nn.Flatten(), nets.mlp(24, 3), width=4)


METHODS: dict[str, Callable[[nn.Module], Method]] = {
    "ADDA": lambda features: methods.ADDA(features, head(), head(1)),
    "CapsNet": lambda features: methods.CapsNet(
        nn.Sequential(features, nn.Unflatten(1, (3, 4))), nn.Sequential(nn.Flatten(), nn.Linear(12, 64), nn.Sigmoid())
    ),
    "DAN": lambda features: methods.DAN(features, head()),
    "DANN": lambda features: methods.DANN(features, head(), head(1)),
    "DDC": lambda features: methods.DDC(features, head()),
    "DaNN": lambda features: methods.DaNN(features, head()),
    "DeepCORAL": lambda features: methods.DeepCORAL(features, head()),
    "FineTune": lambda features: methods.FineTune(features, head()),
    "GLoMo": _glomo,
    "IWAN": lambda features: methods.IWAN(features, head(), head(1), head(1)),
    "L2SP": lambda features: methods.L2SP(features, head(), alpha=0.1),
    "LayerTransfer": lambda features: methods.LayerTransfer(
        SourceOnly(features, head()), copied=["conv1", "fc1"], frozen=False
    ),
    "OutputConservative": lambda features: methods.OutputConservative(SourceOnly(features, head()), rho=0.5),
    "PADA": lambda features: methods.PADA(features, head(), head(1), classes=3),
    "RotNet": lambda features: methods.RotNet(features, head(4)),
    "SAN": lambda features: methods.SAN(features, head(), nets.ClasswiseMLP(12, 4, 3)),
    "SimCLR": lambda features: methods.SimCLR(features, head(5), shifted),
    "SourceOnly": lambda features: methods.SourceOnly(features, head()),
}

READ_A_TARGET = ("ADDA", "DAN", "DANN", "DDC", "DaNN", "DeepCORAL", "GLoMo", "IWAN", "PADA", "SAN")


def make(name: str, features: nn.Module | None = None, seed: int = 0) -> Method:
    torch.manual_seed(seed)
    return METHODS[name](backbone() if features is None else features)


def domains(name: str) -> tuple[Domain, Domain | None]:
    """A source and a target of the kind that the method reads."""
    if name == "GLoMo":
        return tokens(), tokens("more tokens", labelled=False)
    target = images("other images", labelled=False) if name in READ_A_TARGET else None
    return images(labelled=name not in ("RotNet", "SimCLR")), target


@contextmanager
def interrupted(stop: int | None) -> Iterator[list[int]]:
    """Ctrl-C in some step, counted from the start of this part of the run."""
    backward, steps = torch.autograd.backward, []

    def counted(*args: Any, **how: Any) -> None:
        if len(steps) == stop:
            raise KeyboardInterrupt
        steps.append(0)
        backward(*args, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.autograd, "backward", counted)
        yield steps
