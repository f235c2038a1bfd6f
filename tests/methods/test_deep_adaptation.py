"""DaNN, DDC, DAN and Deep CORAL against their formulas written differently, and against source-only training."""

import itertools
import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from tlbook import evaluate, fit, nets
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.losses import mmd
from tlbook.methods import DAN, DDC, Batch, DaNN, DeepCORAL, SourceOnly
from tlbook.methods.deep_adaptation import DeepAdaptation
from tlbook.train import DivergedError

METHODS = [DaNN, DDC, DAN, DeepCORAL]
each_method = pytest.mark.parametrize("kind", METHODS)
sgd = partial(torch.optim.SGD, lr=0.05, momentum=0.9)
F64 = NDArray[np.float64]


def parts(seed: int = 0) -> tuple[nn.Sequential, nn.Sequential]:
    torch.manual_seed(seed)
    return nets.mlp(5, 8, 6), nets.mlp(6, 4, 3)


def batches(dtype: torch.dtype = torch.float64) -> tuple[Batch, Batch]:
    generator = torch.Generator().manual_seed(1)
    x, z = torch.randn(9, 5, generator=generator, dtype=dtype), torch.randn(7, 5, generator=generator, dtype=dtype)
    return Batch(x, torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 1])), Batch(2 * z + 1)


def domains(shift: float = 1.0) -> tuple[Domain, Domain]:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(90, 5, generator=generator), torch.randint(3, (90,), generator=generator)
    x[:, :3] += 3 * nn.functional.one_hot(y, 3)
    turned = 1.5 * x.roll(1, dims=1) + shift  # other means and another covariance
    return Domain("here", x, y, tuple("abc")), Domain("there", turned, y, tuple("abc"))


def gaussians(a: F64, b: F64, sigmas: list[float]) -> float:
    """MMD² by the double sum, pair by pair, averaged over the kernels."""

    def mean(p: F64, q: F64) -> float:
        return float(np.mean([math.exp(-((u - v) ** 2).sum() / (2 * s * s)) for u in p for v in q for s in sigmas]))

    return mean(a, a) + mean(b, b) - 2 * mean(a, b)


def median_distance(a: F64, b: F64) -> float:
    z = np.concatenate([a, b])
    distances = sorted(float(np.linalg.norm(u - v)) for u, v in itertools.permutations(z, 2))
    return distances[(len(distances) - 1) // 2]


def expected(kind: type[DeepAdaptation], a: F64, b: F64) -> float:
    if kind is DDC:
        return float(sum((a[:, j].mean() - b[:, j].mean()) ** 2 for j in range(a.shape[1])))
    if kind is DeepCORAL:
        return float(((np.cov(a.T) - np.cov(b.T)) ** 2).sum() / (4 * a.shape[1] ** 2))
    sigma = median_distance(a, b)
    octaves = [0.0] if kind is DaNN else [-1.0, -0.5, 0.0, 0.5, 1.0]
    return gaussians(a, b, [sigma * 2**octave for octave in octaves])


@each_method
@pytest.mark.parametrize("layers", [["features"], ["label_head"], ["features.fc1", "label_head.fc1", "label_head.fc2"]])
@pytest.mark.parametrize("lam", [0.3, 20.0])
def test_the_objective_is_label_loss_plus_lambda_times_the_sum_over_the_layers(
    kind: type[DeepAdaptation], layers: list[str], lam: float
) -> None:
    method, (source, target) = kind(*parts(), lam=lam, layers=layers).double(), batches()  # type: ignore[call-arg]
    terms = method.losses(source, target, 0.5)
    assert list(terms) == ["label", "distance"]

    def activations(x: Tensor) -> dict[str, F64]:
        found, named = {}, {"features": method.features, "label_head": method.label_head}
        with torch.no_grad():
            for part, module in named.items():
                for name, layer in module.named_children():
                    x = found[f"{part}.{name}"] = layer(x)
                found[part] = x
        return {name: value.numpy() for name, value in found.items()}

    s, t = activations(source.x), activations(target.x)
    distance = sum(expected(kind, s[name], t[name]) for name in layers)
    assert terms["distance"].item() == pytest.approx(lam * distance, rel=1e-9)
    label = nn.functional.cross_entropy(torch.from_numpy(s["label_head"]), source.labels)
    assert terms["label"].item() == pytest.approx(label.item(), abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "lam", "layers"),
    [
        (DaNN, 1000.0, ("features",)),
        (DDC, 0.25, ("features",)),
        (DAN, 1.0, ("features", "label_head")),
        (DeepCORAL, 1.0, ("label_head",)),
    ],
)
def test_what_is_adapted_unless_one_says_otherwise(kind: Any, lam: float, layers: tuple[str, ...]) -> None:
    method = kind(*parts())
    assert (method.lam, method.layers) == (lam, layers)


@each_method
def test_the_gradient_in_float64(kind: type[DeepAdaptation], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mmd, "_median", lambda squared: torch.tensor(1.7).double())  # it is held

    class Total(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers = ["features", "label_head"]
            smooth = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3)).double()
            self.method = kind(smooth, nn.Linear(3, 2).double(), lam=2.0, layers=layers)  # type: ignore[call-arg]

        def forward(self, source: Tensor, target: Tensor) -> Tensor:
            y = torch.tensor([0, 1, 1, 0])
            return torch.stack(list(self.method.losses(Batch(source, y), Batch(target), 0.5).values())).sum()

    torch.manual_seed(0)
    total, source, target = Total(), torch.randn(4, 5).double(), torch.randn(3, 5).double()
    names = ["method.features.0.weight", "method.label_head.weight"]
    values = tuple(total.get_parameter(name).detach().clone().requires_grad_() for name in names)

    def of(*given: Tensor) -> Tensor:
        loss: Tensor = functional_call(total, dict(zip(names, given, strict=True)), (source, target))
        return loss

    assert torch.autograd.gradcheck(of, values)
    assert torch.autograd.gradcheck(total, (source.requires_grad_(), target.requires_grad_()))


@each_method
def test_without_lambda_it_is_source_only_bit_for_bit_and_with_it_it_is_not(kind: type[DeepAdaptation]) -> None:
    source, target = domains()

    def trained(lam: float | None) -> SourceOnly | DeepAdaptation:
        method = SourceOnly(*parts()) if lam is None else kind(*parts(), lam=lam)  # type: ignore[call-arg]
        fit(method, source, target, steps=20, batch_size=16, optimizer=sgd, precision="fp32")
        return method

    alone, without, with_ = (trained(lam) for lam in (None, 0.0, 1.0))
    for name, value in alone.state_dict().items():
        assert torch.equal(value, without.state_dict()[name]), name
        assert not torch.equal(value, with_.state_dict()[name]), name


@each_method
def test_training_brings_the_domains_closer(kind: type[DeepAdaptation]) -> None:
    source, target = domains()
    lam = {DaNN: 2.0, DDC: 0.25, DAN: 1.0, DeepCORAL: 1.0}[kind]
    left = []
    for strength in (0.0, lam):
        torch.manual_seed(0)
        method = kind(nets.mlp(5, 16, 8), nets.mlp(8, 3), lam=strength)  # type: ignore[call-arg]
        adam = partial(torch.optim.Adam, lr=3e-3)
        fit(method, source, target, steps=300, batch_size=32, optimizer=adam, precision="fp32")
        with torch.no_grad():
            _, activations = method._activations(torch.cat([source.x, target.x]))
            left.append(sum(method.distance(a[:90], a[90:]).item() for a in activations))
        assert evaluate.accuracy(method, source) > 0.8
    assert left[1] < 0.6 * left[0]


def test_a_shift_of_the_means_is_repaired_by_those_that_can_see_it() -> None:
    torch.manual_seed(0)
    y = torch.randint(3, (600,))
    x = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-1.0, -1.5]])[y] + 0.3 * torch.randn(600, 2)
    source, target = Domain("s", x, y, tuple("abc")), Domain("t", x + torch.tensor([-1.2, -1.2]), y, tuple("abc"))
    adam = partial(torch.optim.Adam, lr=5e-3)
    accuracy = {}
    for kind, lam in ((DDC, 0.0), (DaNN, 2.0), (DDC, 2.0), (DAN, 2.0)):
        torch.manual_seed(0)
        method = kind(nets.mlp(2, 16, 8), nets.mlp(8, 3), lam=lam)
        fit(method, source, target.unlabelled(), steps=400, batch_size=64, optimizer=adam, precision="fp32")
        accuracy[kind.__name__, lam] = evaluate.accuracy(method, target)
    alone = accuracy.pop(("DDC", 0.0))
    assert min(accuracy.values()) > alone + 0.03, accuracy
    assert accuracy["DAN", 2.0] > 0.97


def test_images_that_come_out_of_a_layer_are_one_row_an_example() -> None:
    features = nets.conv_features(1, (3, 4), kernel=3)
    method = DDC(features, nets.mlp(4, 2), lam=1.0, layers=["features.conv1"])
    images = torch.randint(256, (6, 1, 10, 10), dtype=torch.uint8)
    s, t = images[:4], images[4:]
    found = method.losses(Batch(s, torch.tensor([0, 1, 0, 1])), Batch(t), 0.0)["distance"].item()
    maps = features.conv1(features.pixels(images)).flatten(1).detach().double().numpy()
    assert maps.shape[1] == 3 * 4 * 4
    assert found == pytest.approx(((maps[:4].mean(0) - maps[4:].mean(0)) ** 2).sum(), rel=1e-4)


@each_method
def test_nothing_is_left_hooked(kind: type[DeepAdaptation]) -> None:
    method, (source, target) = kind(*parts()).double(), batches()  # type: ignore[call-arg]
    method.losses(source, target, 0.5)
    with pytest.raises(RuntimeError):
        method.losses(Batch(source.x[:, :2], source.y), Batch(target.x[:, :2]), 0.5)
    assert not any(module._forward_hooks for module in method.modules())


@each_method
def test_no_target_label_is_seen(kind: type[DeepAdaptation]) -> None:
    source, target = domains()
    found = []
    for y in (target.y, None, target.labels().roll(1)):
        method = kind(*parts())  # type: ignore[call-arg]
        fit(method, source, Domain("t", target.x, y, target.classes), steps=5, batch_size=8, precision="fp32")
        found.append(method.state_dict())
    assert all(torch.equal(found[0][name], other[name]) for other in found[1:] for name in found[0])


# what it refuses, and what it does not


@each_method
@pytest.mark.parametrize(
    "how", [{"lam": -1.0}, {"lam": math.nan}, {"layers": []}, {"layers": ["fc9"]}, {"layers": "features"}]
)
def test_choices_that_make_no_sense_are_one_line(kind: Any, how: dict[str, Any]) -> None:
    with pytest.raises(TlbookError, match=r"^lam is .*, layers .*; expected lam at least 0 and a list out of \['feat"):
        kind(*parts(), **how)


@each_method
def test_a_missing_target_is_one_line(kind: Any) -> None:
    with pytest.raises(TlbookError, match=r"^no unlabelled rows are given to \w+; [^\n]*give fit a target$"):
        fit(kind(*parts()), domains()[0], steps=2, batch_size=8)


def test_one_row_has_no_covariance() -> None:
    with pytest.raises(TlbookError, match=r"^x has 1 rows; expected at least 2: make the batches larger$"):
        fit(DeepCORAL(*parts()), *domains(), steps=2, batch_size=1)


@pytest.mark.parametrize("kind", [DaNN, DDC, DAN])
def test_one_row_a_domain_is_enough_for_the_means(kind: Any) -> None:
    history = fit(kind(*parts()), *domains(), steps=3, batch_size=1)
    assert all(map(math.isfinite, history.terms["distance"]))


@each_method
def test_constant_inputs_give_finite_losses_and_gradients(kind: Any) -> None:
    method, (source, target) = kind(*parts()).double(), batches()
    terms = method.losses(Batch(torch.ones_like(source.x), source.y), Batch(torch.ones_like(target.x)), 0.5)
    assert terms["distance"].item() == pytest.approx(0, abs=1e-9)
    torch.stack(list(terms.values())).sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in method.parameters())


@each_method
def test_values_that_are_not_finite_stop_the_training_with_one_line(kind: Any) -> None:
    source, target = domains()
    target.x[7, 2] = math.nan
    with pytest.raises(TlbookError, match=r"^[^\n]*(not finite|is nan)[^\n]*$") as caught:
        fit(kind(*parts()), source, target, steps=20, batch_size=16, precision="fp32")
    assert kind is not DDC or caught.type is DivergedError
