"""What ``fit`` refuses, in one line and with the method as it was, and what it takes although it looks odd."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.every_method import METHODS, READ_A_TARGET, backbone, domains, images, make
from tlbook import fit, nets
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods import DANN, Batch, Method, Phase, Place, SourceOnly
from tlbook.train import DivergedError

sgd = partial(torch.optim.SGD, lr=0.05)
LINE = r"^[^\n]*1 source and 0 target rows[^\n]*; expected [^\n]* batch normalisation needs two rows[^\n]*$"


def run(method: Method, source: Domain | None = None, target: Domain | None = None, **how: Any) -> None:
    how = {"steps": 4, "batch_size": 8, "precision": "fp32", "device": "cpu", "optimizer": sgd} | how
    fit(method, images() if source is None else source, target, **how)


def flat(outputs: int = 3) -> SourceOnly:
    torch.manual_seed(0)
    return SourceOnly(nn.Flatten(), nn.Linear(64, outputs))


def modes(method: nn.Module) -> list[bool]:
    return [part.training for part in method.modules()]


def refused(method: Method, message: str, **how: Any) -> None:
    """It is one line, and no weight, mode or flag of the method is changed."""
    before, mode = {name: value.clone() for name, value in method.state_dict().items()}, modes(method)
    flags = [p.requires_grad for p in method.parameters()]
    with pytest.raises(TlbookError, match=rf"^[^\n]*{message}[^\n]*; expected [^\n]*$"):
        run(method, **how)
    assert all(torch.equal(value, before[name]) for name, value in method.state_dict().items())
    assert modes(method) == mode
    assert [p.requires_grad for p in method.parameters()] == flags


# a target that is missing, or that nobody reads


@pytest.mark.parametrize("name", READ_A_TARGET)
def test_a_method_that_adapts_needs_a_target(name: str) -> None:
    source, _ = domains(name)
    refused(make(name), f"no unlabelled rows are given to {name}", source=source)


@pytest.mark.parametrize(
    "name", ["CapsNet", "FineTune", "L2SP", "LayerTransfer", "OutputConservative", "RotNet", "SimCLR"]
)
def test_a_target_that_is_never_looked_at_is_refused(name: str) -> None:
    source, _ = domains(name)
    refused(make(name), f"{name} never looks at a target", source=source, target=images("others", labelled=False))


class Own(SourceOnly):
    """A reader's method, whose losses are what it is given."""

    place = Place(target_labels="few", transfers=("models",))

    def __init__(self, losses: Callable[..., Any]) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Flatten(), nn.Linear(64, 3))
        self.own = losses

    def phases(self) -> tuple[Phase, ...]:
        return (Phase("own", self.own, (self,)),)


def label(method: Method, source: Batch) -> dict[str, Tensor]:
    return {"label": nn.functional.cross_entropy(method(source.x), source.labels)}


def reads(method: Method, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
    return label(method, source) | {"target": method(target.x).square().mean()}


def reads_inside(method: Method, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
    return label(method, source) | {"target": (lambda: method(target.x).square().mean())()}


def reads_not(method: Method, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
    return label(method, source)


class Reads:
    """Something callable whose code is not that of a function."""

    def __init__(self, method: Method) -> None:
        self.method = method

    def __call__(self, *batches: Any) -> dict[str, Tensor]:
        return reads(self.method, *batches)


def own(kind: str, how: Callable[..., Any]) -> Own:
    method = Own(how)
    method.own = {
        "a partial": lambda: partial(how, method),
        "a partial of a partial": lambda: partial(partial(how), method),
        "bound": lambda: how.__get__(method),
        "bound, in a partial": lambda: partial(how.__get__(method)),
    }[kind]()
    return method


@pytest.mark.parametrize("kind", ["a partial", "a partial of a partial", "bound", "bound, in a partial"])
def test_whether_losses_read_a_target_is_told_from_their_code(kind: str) -> None:
    target = images("others", labelled=False)
    run(own(kind, reads), target=target)
    run(own(kind, reads_inside), target=target)
    refused(own(kind, reads_not), "Own never looks at a target", target=target)


def test_losses_that_cannot_be_looked_into_may_read_a_target() -> None:
    target = images("others", labelled=False)
    method = Own(reads)
    method.own = Reads(method)
    run(method, target=target)
    method.own = lambda *batches: reads(method, *batches)
    run(method, target=target)


# statistics of two domains, and rows of one

ONE_BATCH = ("DAN", "DANN", "DDC", "DaNN", "DeepCORAL", "PADA", "SAN")


def own_statistics() -> nn.Module:
    return nets.DomainBatchNorm.convert(backbone())


@pytest.mark.parametrize("batch_size", [7, 8])
@pytest.mark.parametrize("name", [name for name in METHODS if name not in (*ONE_BATCH, "GLoMo")])
def test_rows_of_one_domain_are_not_cut_into_two(name: str, batch_size: int) -> None:
    source, target = domains(name)
    for given in {target, images("others", labelled=False) if name == "SourceOnly" else target}:
        said = (
            rf"features\.[^\n]* of {name} is a DomainBatchNorm and is given \d+ rows, of a batch of {batch_size} source"
        )
        refused(make(name, own_statistics()), said, source=source, target=given, batch_size=batch_size)


@pytest.mark.parametrize("name", ONE_BATCH)
def test_a_layer_that_sees_both_domains_may_keep_them_apart(name: str) -> None:
    source, target = domains(name)
    method = make(name, own_statistics())
    run(method, source, target, batch_size=7)
    method.label_head = nets.DomainBatchNorm.convert(method.label_head)
    if name == "DANN":  # its label head sees the source alone
        with pytest.raises(TlbookError, match=r"^label_head\.norm of DANN is a DomainBatchNorm and is given 8 [^\n]*$"):
            run(method, source, target)
    else:
        run(method, source, target)


def test_frozen_statistics_of_two_domains_rest_beside_a_head_that_learns() -> None:
    features = own_statistics().requires_grad_(False)
    before = {name: value.clone() for name, value in features.state_dict().items()}
    run(SourceOnly(features, nn.Linear(12, 3)))
    assert all(torch.equal(value, before[name]) for name, value in features.state_dict().items())


class EveryPixel(nn.Module):
    """A layer on rows that a batch is taken apart to: its halves are the domains' still."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nets.DomainBatchNorm(1)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.reshape(-1, 1)).reshape(len(x), -1)


def test_rows_that_are_taken_apart_are_of_both_domains() -> None:
    source, target = images(), images("others", labelled=False)
    run(DANN(EveryPixel(), nn.Linear(64, 3), nn.Linear(64, 1)), source, target)
    with pytest.raises(TlbookError, match=r"^features\.norm of SourceOnly is a DomainBatchNorm and is given 512 rows"):
        run(SourceOnly(EveryPixel(), nn.Linear(64, 3)), source)


# validation


@pytest.mark.parametrize("which", ["the same rows", "the same name", "the same values"])
def test_the_target_does_not_validate(which: str) -> None:
    source, target = images(), images("others")
    validate = {
        "the same rows": lambda: Domain("held out", target.x, target.labels(), target.classes),
        "the same name": lambda: Domain("others", target.x + 1, target.labels(), target.classes),
        "the same values": lambda: Domain("held out", target.x.clone(), target.labels(), target.classes),
    }[which]()
    refused(flat(), "validate is the target 'others'", source=source, target=target, validate=validate)


def test_rows_beside_a_target_validate() -> None:
    target = images("others")
    near = target.x.clone()
    near[-1, 0, 0, 0] += 1
    for x in (near, target.x[:-1], target.x.repeat(2, 1, 1, 1)):
        held = Domain("held out", x, torch.arange(len(x)) % 3, target.classes)
        run(flat(), target=target, validate=held)
    source = Domain("one name", images().x, images().labels(), target.classes)  # as halves of one domain have
    held, target = (Domain("one name", x, torch.arange(len(x)) % 3, target.classes) for x in (near, near + 1))
    run(flat(), source, target, validate=held)


def test_a_method_without_labels_is_not_validated() -> None:
    source, _ = domains("RotNet")
    refused(make("RotNet"), "RotNet reads no labels", source=source, validate=images())


def test_rows_to_validate_on_are_like_the_sources() -> None:
    held = images("held out")
    for x in (held.x.double(), held.x.repeat(1, 3, 1, 1)):
        refused(flat(), "validate is Domain", validate=Domain("held out", x, held.y, held.classes))


# phases


@pytest.mark.parametrize(
    ("how", "message"),
    [
        *[({"share": s}, f"share of the phase 'own' is {s}; expected a number, above 0") for s in (0, -1, math.nan)],
        *[({"rate": r}, f"rate of the phase 'own' is {r}; expected a number, above 0") for r in (0, -1, math.inf)],
    ],
)
def test_the_settings_of_a_phase_are_above_zero(how: dict[str, float], message: str) -> None:
    method = flat()
    phases = (Phase("own", method.losses, (method,), **how),)  # type: ignore[arg-type]
    method.phases = lambda: phases  # type: ignore[method-assign]
    with pytest.raises(TlbookError, match=message):
        run(method)


def test_a_method_has_phases() -> None:
    method = flat()
    method.phases = lambda: ()  # type: ignore[method-assign]
    refused(method, "SourceOnly has no phases")


# networks


class Gives(nn.Module):
    def __init__(self, what: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.linear, self.what = nn.Linear(64, 3), what

    def forward(self, x: Tensor) -> Any:
        return self.what(self.linear(x.flatten(1)))


class Whole(SourceOnly):
    """A method whose ``forward`` is that of its features."""

    def forward(self, x: Tensor) -> Any:
        return self.features(x)


class Careless(SourceOnly):
    """A method that hands its features on without looking."""

    def forward(self, x: Tensor) -> Any:
        return self.label_head(self.features(x))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (lambda: Whole(Gives(lambda z: (z, z)), nn.Linear(3, 3)), "Whole gives a tuple for a batch of rows"),
        (lambda: Whole(Gives(lambda z: z[:1]), nn.Linear(3, 3)), r"Whole gives \(1, 3\) for 2 rows"),
        (
            lambda: Whole(Gives(lambda z: z[:, :2]), nn.Linear(3, 3)),
            r"gives \(2,\) logits a row, source 'images' has 3",
        ),
        (lambda: Whole(Gives(lambda z: z[:, 0]), nn.Linear(3, 3)), r"gives \(\) logits a row, source 'images' has 3"),
        (
            lambda: SourceOnly(nn.Flatten(), nn.Sequential(nn.Identity(), nn.BatchNorm1d(9))),
            r"the label head cannot read features of shape \(64,\) a row",
        ),
        (lambda: SourceOnly(nn.Linear(9, 3), nn.Linear(3, 3)), r"cannot read rows of shape \(1, 8, 8\) and type torch"),
        (lambda: Careless(Gives(lambda z: {"z": z}), nn.Linear(3, 3)), "the features give a dict; expected a tensor"),
    ],
)
def test_a_network_that_does_not_fit_is_one_line_and_keeps_its_modes(
    method: Callable[[], Method], message: str
) -> None:
    built = method()
    built.label_head.eval()
    with pytest.raises(TlbookError, match=rf"^[^\n]*{message}[^\n]*$"):
        run(built)
    assert modes(built) == [m not in set(built.label_head.modules()) for m in built.modules()]


@pytest.mark.parametrize("name", METHODS)
def test_a_refused_method_keeps_its_modes(name: str) -> None:
    method = make(name)
    next(method.children()).eval()
    wrong = Domain("wrong", torch.rand(30, 2, 7), torch.arange(30) % 3, ("a", "b", "c"))
    refused(method, r"shape \((2, )?2, 7\)", source=wrong, target=wrong if name in READ_A_TARGET else None)


def test_a_network_of_volumes_is_trained_as_by_hand() -> None:
    def build() -> SourceOnly:
        torch.manual_seed(0)
        return SourceOnly(nn.Sequential(nn.Conv3d(2, 3, 2), nn.ReLU(), nn.Flatten()), nn.Linear(24, 3))

    method, by_hand = build(), build()
    volumes = Domain("volumes", torch.rand(12, 2, 3, 3, 3), torch.arange(12) % 3, ("a", "b", "c"))
    run(method, volumes, steps=3, batch_size=12)
    optimizer = sgd(by_hand.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(by_hand(volumes.x), volumes.labels()).backward()
        optimizer.step()
    for p, q in zip(method.parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(p, q)


# losses


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        (lambda loss: {}, "losses of Own are an empty dictionary"),
        (lambda loss: loss, "losses of Own are Tensor"),
        (lambda loss: [loss], "losses of Own are list"),
        (lambda loss: None, "losses of Own are NoneType"),
        (lambda loss: {"a": loss, "b": loss.expand(3)}, r"loss term 'b' of Own is of shape \(3,\)"),
        (lambda loss: {"a": loss[None]}, r"loss term 'a' of Own is of shape \(1,\)"),
        (lambda loss: {"a": loss, "b": 0.5}, "loss term 'b' of Own is a float"),
        (lambda loss: {"a": loss.detach()}, "no loss term of Own in the phase 'own' depends on what learns there"),
    ],
)
def test_losses_are_scalars_by_name_that_lead_to_what_learns(terms: Callable[[Tensor], Any], message: str) -> None:
    method = Own(reads)
    method.own = lambda source, target, progress: terms(label(method, source)["label"])
    with pytest.raises(TlbookError, match=rf"^[^\n]*{message}[^\n]*; expected [^\n]*$"):
        run(method)
    assert all(p.grad is None for p in method.parameters())


def test_a_term_may_be_constant_beside_one_that_learns() -> None:
    method = Own(reads)
    method.own = lambda source, target, progress: label(method, source) | {"constant": torch.tensor(1.0)}
    run(method)


def test_a_batch_of_one_with_batch_normalisation_is_one_line() -> None:
    method = SourceOnly(nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8)), nn.Linear(8, 3))
    mode = modes(method)
    with pytest.raises(TlbookError, match=LINE):
        run(method, batch_size=1)
    assert modes(method) == mode


def test_a_batch_of_one_without_it_is_trained_on() -> None:
    run(flat(), batch_size=1)


@pytest.mark.parametrize("error", [RuntimeError, ValueError, TypeError, IndexError, AttributeError, KeyError])
def test_an_error_in_the_losses_is_a_line_at_the_first_step_and_itself_later(error: type[Exception]) -> None:
    def failing(at: float) -> Own:
        method = Own(reads)

        def losses(source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
            if progress >= at:
                raise error("the cause\nand more")
            return label(method, source)

        method.own = losses
        return method

    with pytest.raises(TlbookError, match=r"^the losses of Own cannot be computed[^\n]* 8 source and 0 target[^\n]*$"):
        run(failing(0.0))
    with pytest.raises(error, match="and more"):
        run(failing(0.5))


# rates and weights that are no numbers


@pytest.mark.parametrize("factor", [math.nan, math.inf, -0.1, "half", None])
@pytest.mark.parametrize("late", [False, True])
def test_a_schedule_gives_numbers(factor: Any, late: bool) -> None:
    with pytest.raises(TlbookError, match=r"^the schedule's factor is [^\n]*; expected a number, at least 0$"):
        run(flat(), schedule=lambda p: factor if p == 1 or not late else 1.0)


def test_a_schedule_may_come_to_rest() -> None:
    method = flat()
    before = method.label_head.weight.detach().clone()
    run(method, schedule=lambda p: 0.0)
    assert torch.equal(method.label_head.weight, before)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("part", ["label_head.weight", "label_head.bias"])
def test_a_last_update_that_is_not_finite_is_found(value: float, part: str) -> None:
    class Breaks(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            super().step(closure)
            steps.append(0)
            if len(steps) == 4:
                with torch.no_grad():
                    method.get_parameter(part)[-1].fill_(value)

    steps: list[int] = []
    method = flat()
    with pytest.raises(DivergedError, match=rf"^training diverged at step 3: after it the weights {part} are[^\n]*$"):
        run(method, optimizer=partial(Breaks, lr=0.01))


def test_each_phase_is_looked_at_when_it_ends() -> None:
    method = SourceOnly(nn.Sequential(nn.Flatten(), nn.Linear(64, 4)), nn.Linear(4, 3))
    phases = (
        Phase("head", lambda s, t, p: label(method, s), (method.label_head,)),
        Phase("features", lambda s, t, p: label(method, s), (method.features,), start=lambda: pytest.fail("too late")),
    )
    method.phases = lambda: phases  # type: ignore[method-assign]

    class Breaks(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            with torch.no_grad():
                method.label_head.bias.fill_(math.nan)

    with pytest.raises(DivergedError, match=r"^training diverged at step 0: after it the weights label_head.bias"):
        run(method, steps=2, optimizer=partial(Breaks, lr=0.01))
