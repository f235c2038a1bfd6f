"""Rows to validate on, patience, clipped gradients and changed images: what each does, and all of them resumed."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.transforms import v2

from tests.every_method import domains, images, interrupted, make
from tlbook import evaluate, fit, nets, train
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods import DANN, Batch, Method, SourceOnly
from tlbook.train import History

sgd = partial(torch.optim.SGD, lr=0.05, momentum=0.9)


class Recorder(SourceOnly):
    """Source-only training that writes down what it is given."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.Dropout(0.3)), nn.Linear(12, 3))
        self.given: list[tuple[Batch, Batch]] = []

    def losses(self, source: Batch, target: Batch, progress: float) -> dict[str, Tensor]:
        self.given.append((source, target))
        return super().losses(source, target, progress)


def run(method: Method, steps: int = 20, target: Domain | None = None, **how: Any) -> History:
    how = {"batch_size": 8, "precision": "fp32", "device": "cpu", "optimizer": sgd} | how
    return fit(method, images(), target, steps=steps, **how)


def weights(method: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in method.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, b[name]) for name, value in a.items())


class Told:
    """Accuracies that are given beforehand, and the weights to which each was given."""

    def __init__(self, accuracies: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = list(accuracies)
        self.weights: list[dict[str, Tensor]] = []
        monkeypatch.setattr(train, "_accuracy", self.say)

    def say(self, method: nn.Module, validate: Domain, place: torch.device) -> float:
        self.weights.append(weights(method))
        return self.left.pop(0)


# validate


def test_the_accuracy_is_recorded_once_a_log_line_and_changes_nothing() -> None:
    held, with_it, without = images("held out"), Recorder(), Recorder()
    history = run(with_it, 250, validate=held)
    run(without, 250)
    assert list(history.validation) == [*range(2, 251, 2)]
    assert same(weights(with_it), weights(without))
    assert history.validation[250] == evaluate.accuracy(with_it, held)


def test_the_statistics_are_those_of_the_source() -> None:
    def build() -> DANN:
        torch.manual_seed(0)
        features = nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nets.DomainBatchNorm(12))
        return DANN(features, nets.mlp(12, 3), nets.mlp(12, 1))

    method, held = build(), images("held out")
    target = Domain("far", 20 * images("other").x, None, held.classes)
    history = run(method, 60, target, validate=held)
    by_domain = {which: evaluate.accuracy(method, held, statistics=which) for which in ("source", "target")}
    assert history.validation[60] == by_domain["source"] != by_domain["target"]


DRAWS: dict[str, Callable[[], float]] = {
    "torch": lambda: torch.rand(()).item(),
    "numpy": lambda: np.random.random(),
    "python": lambda: random.random(),
}


@pytest.mark.parametrize("draw", DRAWS)
def test_validation_draws_no_number_of_the_training(draw: str) -> None:
    class Noisy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + DRAWS[draw]()  # in evaluation as well

    def build() -> Recorder:
        method = Recorder()
        method.features.append(Noisy())  # type: ignore[operator]
        return method

    with_it, without = build(), build()
    run(with_it, validate=images("held out"))
    run(without)
    assert same(weights(with_it), weights(without))


# patience


@pytest.mark.parametrize(
    ("accuracies", "patience", "records", "best"),
    [
        ([0.1, 0.5, 0.5, 0.4, 0.9], 2, 4, 2),  # an equal one is no rise
        ([0.1, 0.5, 0.4, 0.9], 1, 3, 2),
        ([0.0, 0.0, 0.0], 2, 3, 1),  # the first is the best, even where nothing is right
        ([0.1, 0.3, 0.2, 0.4, 0.1, 0.2, 0.3, 0.5], 3, 7, 4),  # a rise starts the wait anew
        ([0.2, 0.8, *[0.5] * 8], 50, 10, 2),  # to the end, and the best all the same
        ([0.1 * i for i in range(10)], 1, 10, 10),
    ],
)
def test_it_stops_after_so_many_records_without_a_rise_and_puts_back_the_best(
    accuracies: list[float], patience: int, records: int, best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, told = Recorder(), Told(accuracies, monkeypatch)
    history = run(method, 10, validate=images("held out"), patience=patience)
    assert list(history.validation.items()) == list(enumerate(accuracies[:records], start=1))
    assert len(history.terms["label"]) == records == len(method.given)
    assert same(weights(method), told.weights[best - 1])
    assert not same(weights(method), told.weights[best - 2])


def test_without_patience_the_last_weights_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    method, told = Recorder(), Told([0.9, *[0.1] * 9], monkeypatch)
    run(method, 10, validate=images("held out"))
    assert same(weights(method), told.weights[-1])


def test_a_run_that_stopped_early_is_read_and_not_run_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    how: dict[str, Any] = {"validate": images("held out"), "patience": 2, "checkpoint": tmp_path / "run.pt"}
    first, again, told = Recorder(), Recorder(), Told([0.1, 0.5, 0.4, 0.3], monkeypatch)
    history = run(first, 40, **how)
    read = run(again, 40, **how)
    assert again.given == []
    assert told.left == []
    assert (read.terms, read.validation) == (history.terms, history.validation)
    assert same(weights(again), weights(first))


def test_patience_is_for_methods_of_one_phase() -> None:
    source, target = domains("IWAN")
    with pytest.raises(
        TlbookError, match=r"^patience is 3 and IWAN has the phases source, adaptation; expected[^\n]*$"
    ):
        fit(make("IWAN"), source, target, steps=4, batch_size=8, validate=images("held out"), patience=3)


# clip


def test_a_gradient_is_cut_to_the_norm_and_a_shorter_one_left() -> None:
    lengths = {}
    for clip in (0.01, 0.02, 1e6, None):
        method = Recorder()
        before = weights(method)
        run(method, 1, clip=clip, optimizer=partial(torch.optim.SGD, lr=1.0))
        step = torch.cat([(value - before[name]).flatten() for name, value in method.state_dict().items()])
        lengths[clip] = step.norm().item()
    assert lengths[0.01] == pytest.approx(0.01, rel=1e-3)
    assert lengths[0.02] == pytest.approx(0.02, rel=1e-3)
    assert lengths[1e6] == lengths[None] > 0.1


# augment


def far(x: Tensor) -> Tensor:
    return x + 100


@pytest.mark.parametrize(
    ("augment", "source_far", "target_far"),
    [(far, True, True), ({"source": far}, True, False), ({"target": far}, False, True)],
    ids=["both", "source", "target"],
)
def test_each_domain_is_changed_as_told_and_keeps_its_labels(augment: Any, source_far: bool, target_far: bool) -> None:
    method, plain, target = Recorder(), Recorder(), images("other images", labelled=False)
    run(method, 6, target, augment=augment)
    run(plain, 6, target)
    for (source, rows), (source_before, before) in zip(method.given, plain.given, strict=True):
        torch.testing.assert_close(source.x, source_before.x + 100 * source_far, rtol=0, atol=0)
        torch.testing.assert_close(rows.x, before.x + 100 * target_far, rtol=0, atol=0)
        assert torch.equal(source.labels, source_before.labels)
        assert rows.y is None
        assert not source.x.requires_grad


@pytest.mark.parametrize("draw", DRAWS)
def test_what_changes_the_images_draws_from_the_seed(draw: str) -> None:
    def shifts(seed: int, own: int) -> list[float]:
        torch.manual_seed(own)
        np.random.seed(own)
        random.seed(own)
        method, plain = Recorder(), Recorder()
        run(method, 4, seed=seed, augment=lambda x: x + DRAWS[draw]())
        run(plain, 4, seed=seed)
        return [round((a.x - b.x).mean().item(), 4) for (a, _), (b, _) in zip(method.given, plain.given, strict=True)]

    assert shifts(seed=1, own=0) == shifts(seed=1, own=5)
    assert shifts(seed=1, own=0) != shifts(seed=2, own=0)
    assert len(set(shifts(seed=1, own=0))) == 4  # each step anew
    assert len({shifts(seed, own=0)[0] for seed in (0, 1, 64, 65, 2**31)}) == 5
    assert shifts(seed=2**40, own=0)


def test_a_transform_of_torchvision_draws_for_each_image() -> None:
    method = Recorder()
    run(method, 1, augment=v2.ColorJitter(brightness=(0.1, 1.0)))
    plain = Recorder()
    run(plain, 1)
    factors = (method.given[0][0].x / plain.given[0][0].x.clamp_min(1e-6)).flatten(1).median(dim=1).values
    assert len(factors.unique()) == 8


def test_nothing_is_changed_in_validation() -> None:
    held, method = images("held out"), Recorder()
    seen: list[int] = []

    def counted(x: Tensor) -> Tensor:
        seen.append(len(x))
        return x

    run(method, 5, augment=counted, validate=held)
    assert seen == [8] * 5


@pytest.mark.parametrize(
    ("wrong", "given"),
    [
        (lambda x: x[:-1], r"shape \(7, 1, 8, 8\)"),
        (lambda x: (x, x), "tuple"),
        (lambda x: x.numpy(), "ndarray"),
    ],
)
def test_a_change_that_gives_other_rows_is_one_line(wrong: Callable[[Tensor], Any], given: str) -> None:
    message = rf"^augment gives {given} for rows of shape \(8, 1, 8, 8\); expected as many rows[^\n]*$"
    with pytest.raises(TlbookError, match=message):
        run(Recorder(), augment=wrong)


@pytest.mark.parametrize("augment", [{}, {"source": far, "target": 3}, {"source": far, "sorce": far}, 7])
def test_a_change_is_a_function_for_domains_that_are_there(augment: Any) -> None:
    method = Recorder()
    with pytest.raises(TlbookError, match=r"^augment is [^\n]*; expected a function [^\n]*'source' and 'target'"):
        run(method, target=images("other images", labelled=False), augment=augment)
    with pytest.raises(TlbookError, match=r"^augment is [^\n]*; expected a function [^\n]*one for each of 'source' in"):
        run(method, augment={"source": far, "target": far})
    assert method.given == []


# all of it, in parts


@pytest.mark.parametrize("stops", [(3, 11, 10), (17,), (25, 1)])
def test_a_run_with_everything_is_resumed_to_the_same_bits(stops: tuple[int, ...], tmp_path: Path) -> None:
    def jittered(x: Tensor) -> Tensor:
        return x * (1 + 0.1 * torch.randn(len(x), 1, 1, 1)) + np.random.normal(scale=0.1) + 0.1 * random.random()

    how: dict[str, Any] = {"validate": images("held out"), "patience": 12, "clip": 0.5, "schedule": lambda p: 1 - p / 2}
    how["augment"] = jittered
    whole, again = Recorder(), Recorder()
    expected = run(whole, 200, **how)
    done = len(expected.terms["label"])
    assert sum(stops) < done < 200  # it stops early, and after the last interruption
    for stop in stops:
        with pytest.raises(KeyboardInterrupt), interrupted(stop):
            run(Recorder(), 200, checkpoint=tmp_path / "run.pt", **how)
    history = run(again, 200, checkpoint=tmp_path / "run.pt", **how)
    assert len(again.given) < done
    assert (history.terms, history.validation) == (expected.terms, expected.validation)
    assert same(weights(again), weights(whole))
