"""What a row of a paper's table is made of."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple

import torch

from tlbook import evaluate
from tlbook._checks import shown
from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods.method import Method
from tlbook.train import Optimiser, adam, constant

__all__ = ["Experiment", "PreTraining", "Published", "Run", "Training", "accuracy", "find", "names", "seeded"]

TYPED = ("name", "title", "paper", "table", "task", "protocol", "network", "selection")


@dataclass(frozen=True)
class Published:
    """A number that a paper printed.

    Attributes:
        value: the number, accuracies as fractions; None where the paper has only what ``measures`` has.
        source: the document it was read from.
        certainty: ``"primary"`` when the paper itself was read, ``"secondary"`` when another text quotes it.
        measures: what else the paper printed of this row, by the names of the experiment's measures.
    """

    value: float | None
    source: str
    certainty: str
    measures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Training:
    """How a method is trained; what is said of it is read off it.

    Attributes:
        steps: optimizer steps.
        batch_size: rows of each domain a step.
        optimizer: as in :func:`tlbook.fit`.
        schedule: as in :func:`tlbook.fit`.
        precision: as in :func:`tlbook.fit`.
    """

    steps: int
    batch_size: int = 64
    optimizer: Optimiser = adam
    schedule: Callable[[float], float] = constant
    precision: str = "auto"

    def of(self, method: Method) -> str:
        """The optimizer, the rate, the steps of each phase, and the settings of the method.

        Example:
            >>> from torch import nn
            >>> from tlbook.methods import DANN
            >>> method = DANN(nn.Identity(), nn.Linear(2, 2), nn.Linear(2, 1))
            >>> Training(100, schedule=lambda progress: 1 - progress / 2).of(method)
            'Adam, rate 0.001 falling to 0.0005, 100 steps of 64 rows a domain; DANN with gamma = 10.0, lam = 1.0'
        """
        made = self.optimizer([torch.nn.Parameter(torch.zeros(1))])
        usual = inspect.signature(type(made)).parameters
        told = {k: v for k, v in made.defaults.items() if k not in ("lr", "fused") and v != usual[k].default}
        rate, last = made.defaults["lr"], self.schedule(1.0)
        phases = method.phases()
        ends = [
            round(self.steps * share / sum(p.share for p in phases)) for share in accumulate(p.share for p in phases)
        ]
        parts = [
            f"{end - begin:,} for {phase.name}" + (f" at {phase.rate:g} times the rate" if phase.rate != 1 else "")
            for phase, begin, end in zip(phases, [0, *ends], ends, strict=False)
        ]
        return (
            ", ".join([type(made).__name__, *(f"{name} {value}" for name, value in told.items())])
            + f", rate {rate:g}"
            + (f" falling to {rate * last:.2g}" if last < 1 else "")
            + (f" ({self.schedule.__name__})" if last < 1 and self.schedule.__name__.isidentifier() else "")
            + f", {self.steps:,} steps of {self.batch_size} rows a domain"
            + (f" ({', '.join(parts)})" if len(parts) > 1 else "")
            + _settings(method)
        )


@dataclass(frozen=True)
class PreTraining:
    """A training that rows begin with: run once for each seed, kept in the user's cache, and shared by all who name it.

    Attributes:
        name: one for each kind of training.
        domains: gives for a seed what is trained on: source and target; the target may be None.
        method: builds the untrained method for a seed.
        training: how it is trained.
        hand_over: puts what the first method has learned into the second, untrained one.
    """

    name: str
    domains: Callable[[int], tuple[Domain, Domain | None]]
    method: Callable[[int], Method]
    training: Training
    hand_over: Callable[[Any, Any], None]


class Run(NamedTuple):
    """A seed of an experiment, ready to be measured.

    Attributes:
        seed: which.
        method: what the experiment's ``method`` built, trained where the experiment has a training.
        source: the labelled domain.
        target: the domain to adapt to, without labels, or None.
        test: labelled, to score.
    """

    seed: int
    method: Any
    source: Domain
    target: Domain | None
    test: Domain


def accuracy(run: Run) -> dict[str, float]:
    """The accuracy of a trained method on the test domain."""
    return {"accuracy": evaluate.accuracy(run.method, run.test)}


def seeded(build: Callable[[], Method]) -> Callable[[int], Method]:
    """A builder of methods whose weights are drawn from a seed; random numbers outside are not touched.

    Example:
        >>> network = seeded(lambda: torch.nn.Linear(1, 1))
        >>> network(0).weight.item() == network(0).weight.item() != network(1).weight.item()
        True
    """

    def built(seed: int) -> Method:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return build()

    return built


@dataclass(frozen=True)
class Experiment:
    """One row of a paper's table, complete enough to run.

    Attributes:
        name: also the name of the result file; its first part names the chapter.
        title: what the row is called where it is shown.
        paper: the paper, with its year.
        table: the table and row of the paper.
        task: source → target.
        protocol: what is trained and tested on, and how that differs from the paper.
        network: the architecture, in words.
        selection: how the reported model and the settings were chosen.
        published: the paper's number, or None where the paper has no such row.
        domains: gives for a seed source, target and test domain; the target may be None. Only ``test`` has labels of
            the target.
        method: builds for a seed the untrained method.
        training: how it is trained; None where a formula or ``measures`` itself fits it.
        before: a training that the row begins with.
        measures: gives the numbers of a run, of which ``"accuracy"`` is the one that the paper's stands beside.
        seeds: how many a full record has.
        over: what the seeds tell apart, where it is more than the random numbers of the training.
    """

    name: str
    title: str
    paper: str
    table: str
    task: str
    protocol: str
    network: str
    selection: str
    published: Published | None
    domains: Callable[[int], tuple[Domain, Domain | None, Domain]]
    method: Callable[[int], Any]
    training: Training | None = None
    before: PreTraining | None = None
    measures: Callable[[Run], dict[str, float]] = accuracy
    seeds: int = 3
    over: str = "seeds"

    def described(self) -> dict[str, Any]:
        """What a record says of the experiment."""
        said = "no training: fitted by formula or search"
        if self.training is not None:
            said = self.training.of(self.method(0))
        if self.before is not None:
            said += (
                f"; before, once for all rows of a seed that share it: {self.before.training.of(self.before.method(0))}"
            )
        return {key: getattr(self, key) for key in TYPED} | {
            "training": said,
            "steps": self.training.steps if self.training else None,
            "batch_size": self.training.batch_size if self.training else None,
            "over": self.over,
            "published": None if self.published is None else asdict(self.published),
        }


def _settings(method: Method) -> str:
    """The numbers and words that a method was made with, where it keeps them under their names."""
    given = [name for name in inspect.signature(type(method)).parameters if hasattr(method, name)]
    told = {name: value for name in given if _plain(value := getattr(method, name))}
    listed = ", ".join(f"{name} = {value}" for name, value in told.items())
    return f"; {type(method).__name__}" + (f" with {listed}" if listed else "")


def _plain(value: object) -> bool:
    return isinstance(value, int | float | str) or type(value).__module__.startswith("tlbook.data")


def _all() -> dict[str, Experiment]:
    package = importlib.import_module("tlbook.experiments")
    modules = [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    found: dict[str, Experiment] = {}
    for module in modules:
        for value in vars(module).values():
            rows = value.values() if isinstance(value, dict) else [value]
            found |= {row.name: row for row in rows if isinstance(row, Experiment)}
    return found


def names() -> list[str]:
    """The names of all experiments.

    Example:
        >>> "dann-mnist-mnistm" in names()
        True
    """
    return sorted(_all())


def find(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        TlbookError: for an unknown name, with the nearest ones.
    """
    experiments = _all()
    if not isinstance(name, str) or name not in experiments:
        near = difflib.get_close_matches(str(name), experiments, n=3, cutoff=0.3)
        cure = f"nearest: {', '.join(near)}" if near else "`tlbook results` lists them"
        raise TlbookError(f"no experiment is called {shown(name)}; {cure}")
    return experiments[name]
