"""A checkpoint is taken by the run that wrote it and by no other: whatever its result depends on is told by value."""

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from tests.every_method import METHODS, backbone, domains, head, images, interrupted, make, tokens
from tlbook import fit, methods, nets
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods import GraphLearner, Method, SourceOnly
from tlbook.train import History

ANOTHER = r"^checkpoint .* is of another run, with [^\n]*; asked for is [^\n]*$"


def train(method: Method, source: Domain, target: Domain | None, checkpoint: Path, **how: Any) -> History:
    how = {"steps": 2, "batch_size": 8, "precision": "fp32", "device": "cpu"} | how
    return fit(method, source, target, checkpoint=checkpoint, **how)


def state(method: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in method.state_dict().items()}


def seeded(build: Callable[[], Method]) -> Method:
    torch.manual_seed(0)
    return build()


def learner(**how: Any) -> GraphLearner:
    return GraphLearner(9, 8, **how)


def glomo(**how: Any) -> Method:
    settings: dict[str, Any] = {"learner": learner(), "embedding": nn.Embedding(9, 4), "encoder": nn.Flatten()}
    return methods.GLoMo(**(settings | {"label_head": nets.mlp(24, 3), "width": 4} | how))


def plus(x: Tensor) -> Tensor:
    return x + 0.1 * torch.randn(x.shape)


def minus(x: Tensor) -> Tensor:
    return x - 0.1 * torch.randn(x.shape)


def shifting(by: float) -> Callable[[Tensor], Tensor]:
    return lambda x: x + by * torch.randn(x.shape)


PIECES: dict[str, Callable[..., Method]] = {
    "ADDA": lambda **how: methods.ADDA(backbone(), head(), head(1), **how),
    "CapsNet": lambda **how: methods.CapsNet(
        nn.Sequential(backbone(), nn.Unflatten(1, (3, 4))), nn.Sequential(nn.Flatten(), nn.Linear(12, 64)), **how
    ),
    "DAN": lambda **how: methods.DAN(backbone(), head(), **how),
    "DANN": lambda **how: methods.DANN(backbone(), head(), head(1), **how),
    "DDC": lambda **how: methods.DDC(backbone(), head(), **how),
    "DaNN": lambda **how: methods.DaNN(backbone(), head(), **how),
    "DeepCORAL": lambda **how: methods.DeepCORAL(backbone(), head(), **how),
    "FineTune": lambda **how: methods.FineTune(backbone(), head(), **how),
    "GLoMo": glomo,
    "IWAN": lambda **how: methods.IWAN(backbone(), head(), head(1), head(1), **how),
    "L2SP": lambda **how: methods.L2SP(backbone(), head(), **({"alpha": 0.1} | how)),
    "LayerTransfer": lambda **how: methods.LayerTransfer(
        SourceOnly(backbone(), head()), **({"copied": ["conv1"], "frozen": False} | how)
    ),
    "OutputConservative": lambda **how: methods.OutputConservative(
        SourceOnly(backbone(), head()), **({"rho": 0.5} | how)
    ),
    "PADA": lambda **how: methods.PADA(backbone(), head(), head(1), **({"classes": 3} | how)),
    "SAN": lambda **how: methods.SAN(backbone(), head(), nets.ClasswiseMLP(12, 4, 3), **how),
    "SimCLR": lambda **how: methods.SimCLR(backbone(), head(5), **({"augment": plus} | how)),
}
SETTINGS: list[tuple[str, dict[str, Any]]] = [
    ("ADDA", {"share": 0.6}),
    ("ADDA", {"rate": 0.3}),
    ("CapsNet", {"reconstruction": 0.001}),
    *[(name, {"lam": 100.0}) for name in ("DAN", "DDC", "DaNN", "DeepCORAL")],
    *[(name, {"layers": ["features.fc1"]}) for name in ("DAN", "DDC", "DaNN", "DeepCORAL")],
    ("DANN", {"gamma": 5.0}),
    ("DANN", {"lam": 0.0}),
    ("FineTune", {"frozen": True}),
    ("GLoMo", {"share": 0.6}),
    ("GLoMo", {"graph": "uniform"}),
    ("IWAN", {"upper": 1.0}),
    ("IWAN", {"entropy_weight": 0.2}),
    ("IWAN", {"rate": 0.5}),
    ("L2SP", {"alpha": 0.2}),
    ("L2SP", {"beta": 0.2}),
    ("LayerTransfer", {"copied": ["fc1"]}),
    ("LayerTransfer", {"frozen": True}),
    ("OutputConservative", {"rho": 0.6}),
    ("OutputConservative", {"temperature": 2.0}),
    ("PADA", {"memory": 0.9}),
    ("SAN", {"entropy_weight": 0.5}),
    ("SimCLR", {"augment": minus}),
    ("SimCLR", {"augment": shifting(0.2)}),
    ("SimCLR", {"temperature": 0.1}),
]


@pytest.mark.parametrize(
    ("name", "setting"), SETTINGS, ids=lambda part: part if isinstance(part, str) else next(iter(part))
)
def test_every_setting_of_every_method_counts(name: str, setting: dict[str, Any], tmp_path: Path) -> None:
    build, (source, target) = PIECES[name], domains(name)
    first, again = seeded(build), seeded(build)
    train(first, source, target, tmp_path / "run.pt")
    train(again, source, target, tmp_path / "run.pt")  # an equal run takes it
    assert all(torch.equal(value, first.state_dict()[key]) for key, value in again.state_dict().items())
    other = seeded(lambda: build(**setting))
    before = state(other)
    with pytest.raises(TlbookError, match=ANOTHER):
        train(other, source, target, tmp_path / "run.pt")
    assert all(torch.equal(value, before[key]) for key, value in other.state_dict().items())


def net(p: float = 0.3, stride: int = 1, momentum: float = 0.1, last: nn.Module | None = None) -> nn.Sequential:
    conv = nn.Sequential(nn.Conv2d(1, 4, 3, stride), nn.BatchNorm2d(4, momentum=momentum), nn.AdaptiveMaxPool2d(3))
    return nn.Sequential(conv, nn.Flatten(), nn.Dropout(p), last or nn.ReLU())


def learning_all(method: Method) -> None:
    pass


CHANGES: dict[str, Callable[[], tuple[Method, dict[str, Any]]]] = {
    "dropout inside": lambda: (SourceOnly(net(p=0.4), nn.Linear(36, 3)), {}),
    "stride inside": lambda: (SourceOnly(net(stride=2), nn.Linear(36, 3)), {}),
    "momentum inside": lambda: (SourceOnly(net(momentum=0.2), nn.Linear(36, 3)), {}),
    "activation inside": lambda: (SourceOnly(net(last=nn.GELU()), nn.Linear(36, 3)), {}),
    "steps": lambda: (plain(), {"steps": 3}),
    "batch_size": lambda: (plain(), {"batch_size": 9}),
    "seed": lambda: (plain(), {"seed": 1}),
    "precision": lambda: (plain(), {"precision": "bf16"}),
    "optimizer": lambda: (plain(), {"optimizer": partial(torch.optim.SGD, lr=1e-3)}),
    "rate": lambda: (plain(), {"optimizer": partial(torch.optim.Adam, lr=1e-2, fused=True)}),
    "decay": lambda: (plain(), {"optimizer": partial(torch.optim.Adam, lr=1e-3, fused=True, weight_decay=0.1)}),
    "rate of a part": lambda: (plain(), {"optimizer": tenfold}),
    "schedule": lambda: (plain(), {"schedule": lambda p: 1 - p}),
    "clip": lambda: (plain(), {"clip": 1.0}),
    "augment": lambda: (plain(), {"augment": plus}),
    "validate": lambda: (plain(), {"validate": images("more")}),
    "target": lambda: (plain(), {"target": images("others")}),
    "rows": lambda: (plain(), {"source": images(n=31)}),
    "labels": lambda: (plain(), {"source": Domain("images", images().x, images().labels().flip(0), images().classes)}),
    "classes": lambda: (plain(), {"source": Domain("images", images().x, images().labels(), ("a", "b", "d"))}),
    "frozen": lambda: (frozen(), {}),
    "weights": lambda: (moved(), {}),
}


def plain() -> Method:
    return seeded(lambda: SourceOnly(net(), nn.Linear(36, 3)))


def frozen() -> Method:
    method = plain()
    method.features[0].requires_grad_(False)  # type: ignore[operator]
    return method


def moved() -> Method:
    method = plain()
    with torch.no_grad():
        next(method.parameters()).add_(1e-3)
    return method


def tenfold(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.Adam([{**group, "lr": 1e-2 if group["name"] == "label_head" else 1e-3} for group in groups])


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_refused(change: str, tmp_path: Path) -> None:
    train(plain(), images(), None, tmp_path / "run.pt")
    torch.manual_seed(0)
    method, how = CHANGES[change]()
    source, target = how.pop("source", images()), how.pop("target", None)
    with pytest.raises(TlbookError, match=ANOTHER):
        train(method, source, target, tmp_path / "run.pt", **how)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (v2.Compose([v2.RandomCrop(8, padding=1)]), v2.Compose([v2.RandomCrop(8, padding=2)])),
        (v2.Compose([v2.Lambda(lambda x: x * 0.5)]), v2.Compose([v2.Lambda(lambda x: x * 0.25)])),
        (shifting(0.1), shifting(0.2)),
        (partial(torch.roll, shifts=1), partial(torch.roll, shifts=2)),
    ],
    ids=["Compose", "function in a Compose", "closure", "partial"],
)
def test_what_changes_the_images_counts_by_value(one: Any, other: Any, tmp_path: Path) -> None:
    train(plain(), images(), None, tmp_path / "run.pt", augment=one)
    train(plain(), images(), None, tmp_path / "run.pt", augment=copy.deepcopy(one))
    with pytest.raises(TlbookError, match=ANOTHER):
        train(plain(), images(), None, tmp_path / "run.pt", augment=other)


def test_what_has_no_value_is_one_line_and_only_where_a_checkpoint_is_asked_for(tmp_path: Path) -> None:
    method = plain()
    method.features.file = (tmp_path / "log").open("w")
    before = state(method)
    with pytest.raises(TlbookError, match=r"^[^\n]* cannot be told from another by its value[^\n]*$"):
        train(method, images(), None, tmp_path / "run.pt")
    assert all(torch.equal(value, before[key]) for key, value in method.state_dict().items())
    fit(method, images(), steps=2, batch_size=8)


def test_the_same_object_goes_on_after_ctrl_c_and_is_read_at_the_end(tmp_path: Path) -> None:
    whole, method = plain(), plain()
    how: dict[str, Any] = {"steps": 40, "optimizer": partial(torch.optim.SGD, lr=0.05, momentum=0.9)}
    expected = fit(whole, images(), batch_size=8, precision="fp32", device="cpu", **how)
    for stop in (1, 7, 12):
        with pytest.raises(KeyboardInterrupt), interrupted(stop):
            train(method, images(), None, tmp_path / "run.pt", **how)
    with interrupted(None) as steps:
        history = train(method, images(), None, tmp_path / "run.pt", **how)
        assert len(steps) < 30
        train(method, images(), None, tmp_path / "run.pt", **how)
        assert len(steps) < 30
    assert history.terms == expected.terms
    assert all(torch.equal(value, whole.state_dict()[key]) for key, value in method.state_dict().items())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_resumed_to_the_same_bits(name: str, tmp_path: Path) -> None:
    source, target = domains(name)
    whole, again = make(name), make(name)
    how: dict[str, Any] = {"steps": 12, "optimizer": partial(torch.optim.SGD, lr=0.01, momentum=0.9)}
    expected = fit(whole, source, target, batch_size=8, precision="fp32", device="cpu", **how)
    with pytest.raises(KeyboardInterrupt), interrupted(7):
        train(make(name), source, target, tmp_path / "run.pt", **how)
    history = train(again, source, target, tmp_path / "run.pt", **how)
    assert history.terms == expected.terms
    assert all(torch.equal(value, whole.state_dict()[key]) for key, value in again.state_dict().items())


PROGRAM = """
import sys, torch
from torch import nn
from tlbook import fit, nets
from tlbook.data import Domain
from tlbook.methods import SimCLR
FACTORS = {"a": 0.1, "b": STRENGTH}
class Noise(nn.Module):
    words = {"x", "y", "z"}
    def forward(self, x):
        return x + FACTORS["b"] * torch.randn(x.shape) if "x" in self.words else x
torch.manual_seed(0)
x = torch.rand(20, 4)
method = SimCLR(nets.mlp(4, 3), nets.mlp(3, 2), lambda x: Noise()(x))
fit(method, Domain("d", x, None, ("a",)), steps=4, batch_size=5, checkpoint=sys.argv[1], schedule=lambda p: 1 - p / 2)
"""


def test_a_new_process_takes_its_own_checkpoint_and_not_that_of_an_edited_program(tmp_path: Path) -> None:
    def run(strength: str, seed: str) -> subprocess.CompletedProcess[str]:
        program = tmp_path / f"{seed}.py"
        program.write_text(PROGRAM.replace("STRENGTH", strength))
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[1])}
        command = [sys.executable, str(program), str(tmp_path / "run.pt")]
        return subprocess.run(command, env=env, capture_output=True, text=True)

    assert run("0.2", "1").returncode == 0
    written = (tmp_path / "run.pt").read_bytes()
    assert run("0.2", "2").returncode == 0
    assert (tmp_path / "run.pt").read_bytes() == written
    assert "is of another run" in run("0.3", "1").stderr


def test_the_optimizer_of_every_phase_counts(tmp_path: Path) -> None:
    def optimizer(head: float) -> Callable[[Any], torch.optim.Optimizer]:
        return lambda groups: torch.optim.SGD(
            [{**group, "lr": head if group["name"] == "label_head" else 0.01} for group in groups], lr=0.01
        )

    source, target = domains("IWAN")
    train(make("IWAN"), source, target, tmp_path / "run.pt", optimizer=optimizer(0.01))
    with pytest.raises(TlbookError, match=ANOTHER):  # the label head learns in the first phase alone
        train(make("IWAN"), source, target, tmp_path / "run.pt", optimizer=optimizer(0.02))


def test_a_learner_built_otherwise_counts(tmp_path: Path) -> None:
    source, target = tokens(), tokens("more tokens", labelled=False)
    train(seeded(glomo), source, target, tmp_path / "run.pt")
    for how in ({"context": 2}, {"sampled": 3}, {"normalisation": "softmax"}, {"decoupled": False}, {"graph": "none"}):
        with pytest.raises(TlbookError, match=ANOTHER):
            train(seeded(lambda how=how: glomo(learner=learner(**how))), source, target, tmp_path / "run.pt")
