"""What a row of a paper's table is made of."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tlbook.data import Domain
from tlbook.errors import TlbookError
from tlbook.methods.method import Method
from tlbook.train import Optimiser, adam, constant

__all__ = ["Experiment", "Published", "find", "names"]


@dataclass(frozen=True)
class Published:
    """A number that a paper printed.

    Attributes:
        value: the number, accuracies as fractions.
        source: the document it was read from.
        certainty: ``"primary"`` when the paper itself was read, ``"secondary"`` when another text quotes it.
    """

    value: float
    source: str
    certainty: str


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
        training: optimizer, schedules and budget, in words.
        selection: how the reported model and the settings were chosen.
        published: the paper's number, or None where the paper has no such row.
        domains: gives source, target and test domain; the target may be None. Only ``test`` keeps its labels.
            Where ``drawn`` is set it takes the seed.
        method: builds the untrained method.
        steps: optimizer steps.
        batch_size: rows of each domain a step.
        optimizer: as in :func:`tlbook.fit`.
        schedule: as in :func:`tlbook.fit`.
        seeds: how many seeds a full run has.
        drawn: whether each seed has labelled examples of its own.
        measures: gives further numbers of the trained method, by name, to record beside the accuracy.
    """

    name: str
    title: str
    paper: str
    table: str
    task: str
    protocol: str
    network: str
    training: str
    selection: str
    published: Published | None
    domains: Callable[..., tuple[Domain, Domain | None, Domain]]
    method: Callable[[], Method]
    steps: int
    batch_size: int = 64
    optimizer: Optimiser = adam
    schedule: Callable[[float], float] = constant
    seeds: int = 3
    drawn: bool = False
    measures: Callable[[Any], dict[str, float]] | None = None


def _all() -> dict[str, Experiment]:
    package = importlib.import_module("tlbook.experiments")
    modules = [importlib.import_module(f"{package.__name__}.{m.name}") for m in pkgutil.iter_modules(package.__path__)]
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Experiment)]
    return {experiment.name: experiment for experiment in found}


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
    if name not in experiments:
        near = difflib.get_close_matches(name, experiments, n=3, cutoff=0.3) or sorted(experiments)
        raise TlbookError(f"no experiment is called {name!r}; nearest: {', '.join(near)}")
    return experiments[name]
