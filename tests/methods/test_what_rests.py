"""What learns and what rests: said by the phases, kept by the loop, for every method."""

import copy
from collections import OrderedDict
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.every_method import METHODS, backbone, domains, head, make
from tlbook import fit, methods
from tlbook.methods import FineTune, LayerTransfer, Method, SourceOnly
from tlbook.methods.method import copy_weights, evaluating, rests

sgd = partial(torch.optim.SGD, lr=0.05, momentum=0.9)


def train(method: Method, name: str, **how: Any) -> None:
    source, target = domains(name)
    how = {"steps": 6, "batch_size": 8, "optimizer": sgd, "precision": "fp32", "device": "cpu"} | how
    fit(method, source, target, **how)


def state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def moved(module: nn.Module, before: dict[str, Tensor]) -> set[str]:
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


def inside(method: Method, chosen: list[nn.Module]) -> set[str]:
    """The names, in the method's state, of all that the chosen modules hold."""
    return {
        f"{path}.{name}" for path, module in method.named_modules() if module in chosen for name in module.state_dict()
    }


def modes_and_flags(method: Method) -> tuple[list[bool], list[bool]]:
    return [m.training for m in method.modules()], [p.requires_grad for p in method.parameters()]


def test_every_trained_method_is_here() -> None:
    classes = {name: getattr(methods, name) for name in methods.__all__}
    trained = {name for name, cls in classes.items() if isinstance(cls, type) and issubclass(cls, Method)}
    assert trained - {"Method"} == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("frozen", ["a layer", "all features", "all features in evaluation mode"])
def test_what_was_frozen_stands_still_to_the_last_bit(name: str, frozen: str) -> None:
    features = backbone()
    (features.conv1 if frozen == "a layer" else features).requires_grad_(False)
    features.train("evaluation" not in frozen)
    method = make(name, features)
    still = inside(method, [module for module in method.modules() if rests(module)])
    assert any("conv1" in entry for entry in still)
    before, how = state(method), modes_and_flags(method)
    train(method, name)
    assert moved(method, before) & still == set()
    assert moved(method, before) >= {
        entry for entry, p in method.named_parameters() if p.requires_grad and "head" in entry and "bias" not in entry
    }
    assert modes_and_flags(method) == how


@pytest.mark.parametrize("name", METHODS)
def test_what_is_frozen_after_it_was_built_stands_still(name: str) -> None:
    method = make(name)
    part = method.get_submodule("features.reader.embedding" if name == "GLoMo" else "features")
    part.requires_grad_(False)
    before = state(part)
    train(method, name)
    assert moved(part, before) == set()


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_modes_and_flags_are_as_before_after_an_error(name: str, error: type[BaseException]) -> None:
    class Stops(torch.optim.SGD):
        def step(self, closure: Any = None) -> Any:
            super().step(closure)
            if len(steps) == 4:
                raise error
            steps.append(0)

    steps: list[int] = []
    method = make(name)
    method.label_head.eval()
    next(method.features.parameters()).requires_grad_(False)
    how, numbers = modes_and_flags(method), torch.get_rng_state()
    with pytest.raises(error):
        train(method, name, optimizer=partial(Stops, lr=0.01))
    assert modes_and_flags(method) == how
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(p.grad is None for p in method.parameters())


@pytest.mark.parametrize("name", METHODS)
def test_in_each_phase_what_learns_is_in_training_mode_and_the_rest_is_not(name: str) -> None:
    method, seen = make(name), []
    phases = method.phases()

    def looking(losses: Any, learns: tuple[nn.Module, ...]) -> Any:
        def look(*args: Any) -> dict[str, Tensor]:
            training = {m for part in learns for m in part.modules() if not rests(m)}
            assert {m for m in method.modules() if m.training} == training
            needs = {p for part in learns for p in part.parameters()}
            assert {p for p in method.parameters() if p.requires_grad} <= needs
            seen.append(1)
            terms: dict[str, Tensor] = losses(*args)
            return terms

        return look

    for phase in phases:
        object.__setattr__(phase, "losses", looking(phase.losses, phase.learns))
    method.phases = lambda: phases  # type: ignore[method-assign]
    method.eval()
    train(method, name)
    assert len(seen) == 6


@pytest.mark.parametrize("name", METHODS)
def test_a_backbone_that_says_itself_what_rests_is_heard(name: str) -> None:
    class Careful(nn.Sequential):
        """The usual way of keeping batch statistics: a ``train`` of its own."""

        def train(self, mode: bool = True) -> "Careful":
            super().train(mode)
            for part in self.modules():
                if isinstance(part, nn.BatchNorm2d):
                    part.eval()
            return self

    method = make(name, Careful(OrderedDict(backbone().named_children())))
    before = state(method)
    train(method, name)
    assert not any("conv1.1.running" in entry or "conv1.1.num" in entry for entry in moved(method, before))


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_features_are_a_matter_of_the_phase(frozen: bool) -> None:
    method = FineTune(backbone(), head(), frozen=frozen)
    before = state(method.features)
    train(method, "FineTune")
    assert (moved(method.features, before) == set()) is frozen
    assert all(p.requires_grad for p in method.parameters())


def test_frozen_copies_rest_and_dropout_between_what_learns_does_not() -> None:
    method = LayerTransfer(SourceOnly(backbone(), head()), copied=["conv1", "out"])
    [phase] = method.phases()
    assert phase.learns == (
        method.features.pool,
        method.features.flat,
        method.features.fc1,
        method.label_head.hidden,
        method.label_head.norm,
        method.label_head.drop,
    )


def test_a_copy_leaves_what_is_frozen() -> None:
    one, two = backbone(), backbone()
    two.fc1.requires_grad_(False)
    two.conv1[0].bias.requires_grad_(False)
    with torch.no_grad():
        for tensor in one.state_dict().values():
            tensor.add_(1)
    before = state(two)
    copy_weights(one, two)
    same = {name for name, value in one.state_dict().items() if torch.equal(value, two.state_dict()[name])}
    assert moved(two, before) == same == {name for name in before if "conv1" in name} - {"conv1.0.bias"}


def test_a_look_in_evaluation_mode_puts_every_mode_back() -> None:
    part = copy.deepcopy(backbone()).train()
    part.conv1.eval()
    modes = [m.training for m in part.modules()]
    looks: list[bool] = []

    def look() -> None:
        with evaluating(part):
            looks.extend(m.training for m in part.modules())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look()
    assert set(looks) == {False}
    assert [m.training for m in part.modules()] == modes
