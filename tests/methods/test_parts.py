"""What each method asks of heads, backbones, rows and settings, and the one line in which it says so."""

import inspect
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.every_method import METHODS, READ_A_TARGET, domains, head, make
from tlbook import losses, methods, nets
from tlbook.errors import TlbookError
from tlbook.methods import Batch, GraphLearner, Method, SourceOnly
from tlbook.methods.capsules import capsule_features, decoder
from tlbook.methods.dann import lambda_schedule, mu_schedule
from tlbook.methods.deep_adaptation import DeepAdaptation
from tlbook.methods.glomo.graphs import GraphPredictor, attention
from tlbook.methods.glomo.transfer import MaxOverTime
from tlbook.methods.partial_transfer.iwan import iwan_lambda
from tlbook.methods.zero_shot.gate import Gate

LINE = r"^[^\n]+; expected [^\n]+$"
D = 12


def body() -> nn.Module:
    return nn.Linear(4, D)


ADVERSARIAL: dict[str, Callable[[nn.Module], Method]] = {
    "DANN": lambda d: methods.DANN(body(), head(), d),
    "ADDA": lambda d: methods.ADDA(body(), head(), d),
    "PADA": lambda d: methods.PADA(body(), head(), d, classes=3),
    "IWAN's D": lambda d: methods.IWAN(body(), head(), d, head(1)),
    "IWAN's D0": lambda d: methods.IWAN(body(), head(), head(1), d),
    "SAN": lambda d: methods.SAN(body(), head(), d),
}


def batches(n: int = 6) -> tuple[Batch, Batch]:
    return Batch(torch.randn(n, 4), torch.arange(n) % 3), Batch(torch.randn(n, 4))


@pytest.mark.parametrize("last", [nn.Sigmoid(), nn.LogSigmoid(), nn.Softmax(1), nn.LogSoftmax(1), nn.Hardsigmoid()])
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_a_domain_head_ends_in_logits(name: str, last: nn.Module) -> None:
    k = 3 if name == "SAN" else 1
    for squashed in (
        last,
        nn.Sequential(nn.Linear(D, k), last),
        nn.Sequential(nn.Linear(D, 5), nn.Sequential(nn.Linear(5, k), nn.Sequential(last)), nn.Flatten(), nn.Dropout()),
        nn.ModuleDict(OrderedDict(a=nn.Linear(D, k), b=last)),
    ):
        with pytest.raises(TlbookError, match=r"^(domain_heads?|weigher) ends in [^\n]*; expected a logit[^\n]*$"):
            ADVERSARIAL[name](squashed)


class Pair(nn.Linear):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x), None


class Hidden(nn.Module):
    """Two units, which nobody can tell from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(D, 2))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight


@pytest.mark.parametrize("name", ADVERSARIAL)
@pytest.mark.parametrize(
    "wrong",
    [
        nn.Linear(D, 2),
        nn.Sequential(nn.Linear(D, 8), nn.ReLU(), nn.Linear(8, 2)),
        Hidden(),
        nn.Sequential(nn.Linear(D, 1), nn.Unflatten(1, (1, 1, 1))),
        Pair(D, 1),
    ],
)
def test_a_domain_head_has_one_logit_a_row_or_one_a_class(name: str, wrong: nn.Module) -> None:
    source, target = batches()
    with pytest.raises(TlbookError, match=LINE):
        ADVERSARIAL[name](wrong).losses(source, target, 0.5)


@pytest.mark.parametrize("name", [n for n in ADVERSARIAL if n != "SAN"])
def test_one_logit_may_be_flat(name: str) -> None:
    source, target = batches()
    flat = nn.Sequential(nn.Linear(D, 1), nn.Flatten(0))
    method = ADVERSARIAL[name](flat)
    column = ADVERSARIAL[name](flat[0])
    column.load_state_dict({k.replace(".0.", "."): v for k, v in method.state_dict().items()}, strict=False)
    assert method.losses(source, target, 0.5)["domain"].isfinite()


def rows(method: str) -> tuple[Batch, Batch]:
    source, target = domains(method)
    y = source.y
    return Batch(source.x[:6], None if y is None else y[:6]), Batch((target or source).x[:6])


@pytest.mark.parametrize("name", [n for n in READ_A_TARGET if n != "GLoMo"])
@pytest.mark.parametrize(
    "change",
    [
        lambda x: (255 * x).to(torch.uint8),
        lambda x: x.double(),
        lambda x: x.half(),
        lambda x: x.long(),
        lambda x: x.repeat(1, 3, 1, 1),
        lambda x: x[:, :, :7],
        lambda x: x[:0],
        lambda x: x.tolist(),
        lambda x: x.to("meta"),
    ],
)
def test_rows_of_two_domains_fit_together(name: str, change: Callable[[Tensor], Any]) -> None:
    source, target = rows(name)
    for s, t in ((source, Batch(change(target.x))), (Batch(change(source.x), source.y), target)):
        with pytest.raises(TlbookError, match=LINE):
            make(name).losses(s, t, 0.5)


class Gives(nn.Module):
    """A backbone that gives its features in some other form."""

    def __init__(self, form: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.linear, self.form = nn.Linear(64, D), form

    def forward(self, x: Tensor) -> Any:
        return self.form(self.linear(x.flatten(1)))


@pytest.mark.parametrize("name", [n for n in METHODS if n not in ("GLoMo", "LayerTransfer", "CapsNet")])
@pytest.mark.parametrize(
    "form",
    [
        lambda f: (f, f),
        lambda f: {"out": f},
        lambda f: OrderedDict(last_hidden_state=f),
        lambda f: f[:, :, None, None].expand(-1, -1, 2, 2),
        lambda f: f[:-1],
        lambda f: f[0],
        lambda f: f[:, :5],
    ],
)
def test_a_backbone_gives_rows_of_features(name: str, form: Callable[[Tensor], Any]) -> None:
    source, target = rows(name)
    method = make(name, Gives(form))
    with pytest.raises(TlbookError, match=LINE):
        method.losses(source, target, 0.5)
    if name != "SimCLR":
        with pytest.raises(TlbookError, match=LINE):
            method(source.x)


@pytest.mark.parametrize("name", [n for n in METHODS if n not in ("GLoMo", "SimCLR")])
def test_bytes_do_not_enter_a_convolution(name: str) -> None:
    source, target = rows(name)
    source, target = (Batch((255 * b.x).to(torch.uint8), b.y) for b in (source, target))
    with pytest.raises(TlbookError, match=r"^the rows are uint8, [^\n]*put nets.Pixels\(\) before it$"):
        make(name).losses(source, target, 0.5)


# activations


KINDS: list[type[DeepAdaptation]] = [methods.DaNN, methods.DDC, methods.DAN, methods.DeepCORAL]


@pytest.mark.parametrize("kind", KINDS)
def test_activations_are_those_of_the_named_layer_whatever_comes_after(kind: type[DeepAdaptation]) -> None:
    found = []
    for inplace in (False, True):
        torch.manual_seed(0)
        features = nn.Sequential(nn.Linear(4, D), nn.ReLU(inplace=inplace), nn.Linear(D, D))
        label_head = nn.Sequential(nn.ReLU(inplace=inplace), nn.Linear(D, 3))
        method = kind(features, label_head, lam=1.0, layers=["features.0", "features", "label_head"])
        terms = method.losses(*batches(), 0.5)
        sum(terms.values()).backward()  # type: ignore[union-attr]
        found.append([terms["distance"], *(p.grad for p in method.parameters())])
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_is_used_once_and_gives_a_tensor(kind: type[DeepAdaptation]) -> None:
    shared = nn.Linear(4, 4)
    twice = nn.Sequential(shared, nn.ReLU(), shared)
    unused = Gives(lambda f: f)
    unused.linear = nn.Linear(4, D)
    unused.other = nn.Linear(2, 2)
    gives = Gives(lambda f: f)
    gives.linear = nn.Sequential(OrderedDict(pair=Gives(lambda f: (f, f)), first=Gives(lambda f: f)))  # type: ignore[assignment]
    gives.linear.pair.linear = nn.Linear(4, D)
    gives.linear.first.forward = lambda pair: pair[0]  # type: ignore[method-assign]
    for features, label_head, layer, fault in (
        (twice, nn.Linear(4, 3), "features.0", "is used twice"),
        (unused, nn.Linear(D, 3), "features.other", "not used"),
        (gives, nn.Linear(D, 3), "features.linear.pair", "gives a tuple"),
    ):
        with pytest.raises(TlbookError, match=rf"^[^\n]*{fault}[^\n]*; expected [^\n]*$"):
            kind(features, label_head, layers=["label_head", layer]).losses(*batches(), 0.5)


# settings

WRONG = [math.nan, math.inf, "text", None]
SETTINGS: dict[str, tuple[Callable[..., object], tuple[Any, ...]]] = {
    "DANN(gamma)": (lambda v: methods.DANN(body(), head(), head(1), gamma=v), (-1, True)),
    "ADDA(share)": (lambda v: methods.ADDA(body(), head(), head(1), share=v), (-1, 0, 1, True)),
    "ADDA(rate)": (lambda v: methods.ADDA(body(), head(), head(1), rate=v), (-1, 0, True)),
    "PADA(memory)": (lambda v: methods.PADA(body(), head(), head(1), 3, memory=v), (-1, 1, 2, True)),
    "PADA(classes)": (lambda v: methods.PADA(body(), head(), head(1), v), (-1, 0, 2.5, True)),
    "IWAN(upper)": (lambda v: methods.IWAN(body(), head(), head(1), head(1), upper=v), (-1, True)),
    "IWAN(entropy_weight)": (lambda v: methods.IWAN(body(), head(), head(1), head(1), entropy_weight=v), (-1, True)),
    "IWAN(rate)": (lambda v: methods.IWAN(body(), head(), head(1), head(1), rate=v), (-1, 0, True)),
    "SAN(entropy_weight)": (lambda v: methods.SAN(body(), head(), head(3), entropy_weight=v), (-1, True)),
    "DaNN(lam)": (lambda v: methods.DaNN(body(), head(), lam=v), (-1, True)),
    "DDC(lam)": (lambda v: methods.DDC(body(), head(), lam=v), (-1, True)),
    "DAN(lam)": (lambda v: methods.DAN(body(), head(), lam=v), (-1, True)),
    "DeepCORAL(lam)": (lambda v: methods.DeepCORAL(body(), head(), lam=v), (-1, True)),
    "DDC(layers)": (lambda v: methods.DDC(body(), head(), layers=v), ([], "features", ["feature"], 3)),
    "FineTune(frozen)": (lambda v: methods.FineTune(body(), head(), frozen=v), (1, 0)),
    "LayerTransfer(frozen)": (lambda v: methods.LayerTransfer(SourceOnly(body(), head()), [], frozen=v), (1, 0)),
    "L2SP(alpha)": (lambda v: methods.L2SP(body(), head(), alpha=v), (-1, True)),
    "L2SP(beta)": (lambda v: methods.L2SP(body(), head(), alpha=1, beta=v), (-1, True)),
    "OutputConservative(rho)": (lambda v: methods.OutputConservative(SourceOnly(body(), head()), rho=v), (-1, 2, True)),
    "OutputConservative(T)": (
        lambda v: methods.OutputConservative(SourceOnly(body(), head()), rho=0.5, temperature=v),
        (-1, 0, True),
    ),
    "SimCLR(temperature)": (lambda v: methods.SimCLR(body(), head(), nn.Identity(), temperature=v), (-1, 0, True)),
    "CapsNet(reconstruction)": (lambda v: methods.CapsNet(body(), body(), reconstruction=v), (-1, True)),
    "capsule_features(size)": (lambda v: capsule_features(size=v), (-1, 0, 20.5, True)),
    "capsule_features(iterations)": (lambda v: capsule_features(iterations=v), (-1, 0, 2.5, True)),
    "decoder(classes)": (lambda v: decoder(classes=v), (-1, 0, 2.5, True)),
    "decoder(pixels)": (lambda v: decoder(pixels=v), (-1, 0, 2.5, True)),
    "decoder(hidden)": (lambda v: decoder(hidden=(8, v)), (-1, 0, 2.5, True)),
    "lambda_schedule(progress)": (lambda_schedule, (-0.1, 1.1, True)),
    "lambda_schedule(gamma)": (lambda v: lambda_schedule(0.5, v), (-1, True)),
    "mu_schedule(progress)": (mu_schedule, (-0.1, 1.1, True)),
    "mu_schedule(alpha)": (lambda v: mu_schedule(0.5, v), (-1, True)),
    "mu_schedule(beta)": (lambda v: mu_schedule(0.5, 10, v), (-1, True)),
    "iwan_lambda(progress)": (iwan_lambda, (-0.1, 1.1, True)),
    "iwan_lambda(upper)": (lambda v: iwan_lambda(0.5, v), (-1, True)),
    "iwan_lambda(alpha)": (lambda v: iwan_lambda(0.5, 0.1, v), (-1, True)),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_that_mean_nothing_are_one_line(setting: str) -> None:
    build, more = SETTINGS[setting]
    for wrong in (*WRONG, *more):
        with pytest.raises(TlbookError, match=LINE):
            pytest.fail(f"{setting} took {wrong!r}: {build(wrong)}")


EDGES: dict[str, Callable[[], object]] = {
    "DANN(gamma)": lambda: methods.DANN(body(), head(), head(1), gamma=0),
    "ADDA(share)": lambda: methods.ADDA(body(), head(), head(1), share=0.001),
    "ADDA(rate)": lambda: methods.ADDA(body(), head(), head(1), rate=0.001),
    "PADA(memory)": lambda: methods.PADA(body(), head(), head(1), 1, memory=0),
    "IWAN(upper)": lambda: methods.IWAN(body(), head(), head(1), head(1), upper=0, entropy_weight=0, rate=0.001),
    "SAN(entropy_weight)": lambda: methods.SAN(body(), head(), head(3), entropy_weight=0),
    "DaNN(lam)": lambda: methods.DaNN(body(), head(), lam=0),
    "L2SP": lambda: methods.L2SP(body(), head(), alpha=0, beta=0),
    "OutputConservative(0)": lambda: methods.OutputConservative(SourceOnly(body(), head()), rho=0, temperature=0.001),
    "OutputConservative(1)": lambda: methods.OutputConservative(SourceOnly(body(), head()), rho=1),
    "SimCLR(temperature)": lambda: methods.SimCLR(body(), head(), nn.Identity(), temperature=0.001),
    "CapsNet(reconstruction)": lambda: methods.CapsNet(body(), body(), reconstruction=0),
    "capsule_features": lambda: capsule_features(
        channels=1, size=3, width=1, kinds=1, kernel=1, classes=1, iterations=1
    ),
    "decoder": lambda: decoder(classes=1, pixels=1, hidden=(1,)),
    "conv_features": lambda: nets.conv_features(channels=1, widths=(1,), kernel=1),
    "mlp": lambda: nets.mlp(1, 1),
    "ClasswiseMLP": lambda: nets.ClasswiseMLP(1, 1, 1),
}


@pytest.mark.parametrize("setting", EDGES)
def test_settings_at_the_end_of_their_range_are_taken(setting: str) -> None:
    assert EDGES[setting]() is not None


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_schedules_take_the_whole_range(value: float) -> None:
    assert lambda_schedule(value, 0.5) == pytest.approx(2 / (1 + math.exp(-0.5 * value)) - 1)
    assert lambda_schedule(value, 0) == 0
    assert mu_schedule(value, 0.5, 0.25) == pytest.approx((1 + 0.5 * value) ** -0.25)
    assert mu_schedule(value, 0, 0) == 1
    assert iwan_lambda(value, 0.5, 0.25) == pytest.approx(1 / (1 + math.exp(-0.25 * value)) - 0.5)
    assert iwan_lambda(value, 0, 0) == 0


DEFAULTS: dict[str, dict[str, object]] = {
    "ADDA": {"share": 0.5, "rate": 0.2},
    "CapsNet": {"reconstruction": 0.0005},
    "DAN": {"lam": 1.0, "layers": ("features", "label_head")},
    "DANN": {"gamma": 10.0, "lam": 1.0},
    "DDC": {"lam": 0.25, "layers": ("features",)},
    "DaNN": {"lam": 1000.0, "layers": ("features",)},
    "DeepCORAL": {"lam": 1.0, "layers": ("label_head",)},
    "FineTune": {"frozen": False},
    "GLoMo": {"share": 0.5, "graph": "learned"},
    "IWAN": {"upper": 0.1, "entropy_weight": 0.1, "rate": 1.0},
    "L2SP": {"beta": 0.01},
    "LayerTransfer": {"frozen": True},
    "OutputConservative": {"temperature": 1.0},
    "PADA": {"memory": 0.98},
    "RotNet": {},
    "SAN": {"entropy_weight": 1.0},
    "SimCLR": {"temperature": 0.5},
    "SourceOnly": {},
}


def defaults(of: Callable[..., object]) -> dict[str, object]:
    given = inspect.signature(of).parameters.values()
    return {p.name: p.default for p in given if p.default is not inspect.Parameter.empty}


@pytest.mark.parametrize("name", METHODS)
def test_the_defaults_are_those_that_the_docstrings_give_reasons_for(name: str) -> None:
    assert defaults(getattr(methods, name)) == DEFAULTS[name]


@pytest.mark.parametrize(
    ("of", "values"),
    [
        (lambda_schedule, {"gamma": 10.0}),
        (mu_schedule, {"alpha": 10.0, "beta": 0.75}),
        (iwan_lambda, {"upper": 0.1, "alpha": 1.0}),
        (losses.gradient_reversal, {"strength": 1.0}),
        (losses.domain_adversarial, {"weights": None}),
        (losses.cross_entropy, {"weights": None}),
        (losses.nt_xent, {"temperature": 0.5, "rows": 4096}),
        (losses.mmd2, {"bandwidths": None, "unbiased": False}),
        (losses.mk_mmd2, {"multipliers": losses.DOUBLINGS, "weights": None, "unbiased": False}),
        (losses.linear_mmd2, {"multipliers": losses.DOUBLINGS, "weights": None}),
        (nets.conv_features, {"channels": 3, "widths": (32, 48), "kernel": 5, "norm": None}),
        (nets.PrimaryCapsules, {"kinds": 32, "width": 8, "kernel": 9, "stride": 2}),
        (nets.CapsuleLayer, {"iterations": 3, "through": "last"}),
        (nets.route, {"iterations": 3, "through": "last"}),
        (nets.routing_steps, {"iterations": 3, "through": "last"}),
        (nets.squash, {"dim": -1}),
        (nets.DomainBatchNorm, {"eps": 1e-5, "momentum": 0.1, "affine": True}),
        (nets.ClasswiseMLP, {}),
        (attention, {"normalisation": "sparse"}),
        (GraphPredictor, {"head_width": 16, "depth": 2, "normalisation": "sparse", "positions": 0}),
        (MaxOverTime, {"kernel": 3}),
        (methods.ESZSL, {"gamma": 1.0, "alpha": 1.0}),
        (methods.DAP, {"classifier": None}),
        (methods.LinearEmbedding, {"dim": None, "gamma": 1.0}),
        (Gate, {"detector": None, "alarms": 0.05, "seed": 0}),
        (decoder, {"classes": 10, "pixels": 784, "hidden": (512, 1024)}),
        (
            capsule_features,
            {"channels": 1, "size": 28, "width": 256, "kinds": 32, "kernel": 9, "classes": 10, "iterations": 3},
        ),
        (
            GraphLearner,
            {
                "width": 32,
                "layers": 2,
                "heads": 2,
                "head_width": 16,
                "depth": 2,
                "context": 3,
                "sampled": 20,
                "normalisation": "sparse",
                "decoupled": True,
                "positions": 0,
                "graph": "learned",
            },
        ),
    ],
)
def test_the_defaults_of_functions_and_layers(of: Callable[..., object], values: dict[str, object]) -> None:
    assert defaults(of) == values
