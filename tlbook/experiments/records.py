"""Reading what was recorded: the numbers behind claims and tables, or that there are none yet."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tlbook import plots
from tlbook.claims import NotRun
from tlbook.errors import TlbookError
from tlbook.experiments.experiment import Experiment, find

__all__ = ["Record", "read", "results_folder", "table"]

INSTALLED = Path(__file__).parents[1] / "_results"
"""Where the wheel carries the records of the book."""


@dataclass(frozen=True)
class Record:
    """An experiment and what was recorded of it, which may be nothing yet.

    A number that is not there, or of which some seeds are missing, is a :class:`~tlbook.claims.NotRun`: a claim about
    it is not checked.

    Attributes:
        experiment: what was run, or could be.
        content: of the file; None where there is none.
    """

    experiment: Experiment
    content: dict[str, Any] | None = None

    @property
    def entries(self) -> list[dict[str, Any]]:
        """What each seed recorded, as far as they were run."""
        return [] if self.content is None else self.content["seeds"]

    @property
    def complete(self) -> bool:
        """Whether all seeds of the experiment are there."""
        return len(self.entries) >= self.experiment.seeds

    @property
    def missing(self) -> NotRun:
        """In place of a number that is not there."""
        part = f", {len(self.entries)} of {self.experiment.seeds} {self.experiment.over}" if self.entries else ""
        return NotRun(self.experiment.name + part)

    @property
    def accuracies(self) -> NDArray[np.float64] | NotRun:
        """One a seed."""
        return self.measure("accuracy")

    @property
    def mean(self) -> float | NotRun:
        """Of the accuracies."""
        return self._of_all("mean")

    @property
    def sd(self) -> float | NotRun:
        """The standard deviation of the accuracies over the seeds."""
        return self._of_all("sd")

    @property
    def paper(self) -> float | None:
        """The paper's accuracy, or None where the paper has none."""
        return self.experiment.published.value if self.experiment.published else None

    def measure(self, name: str) -> NDArray[np.float64] | NotRun:
        """A number that was measured beside the accuracy, one a seed.

        Raises:
            TlbookError: where the experiment was recorded without it.
        """
        return self._values(name) if self.complete else self.missing

    def _of_all(self, key: str) -> float | NotRun:
        return self.missing if self.content is None or not self.complete else self.content[key]

    def _values(self, name: str) -> NDArray[np.float64]:
        found = [entry.get("measures", {}) | {"accuracy": entry["accuracy"]} for entry in self.entries]
        if lacking := [each for each in found if name not in each]:
            raise TlbookError(
                f"{self.experiment.name} was recorded without {name!r}; expected one of: {', '.join(lacking[0])}"
            )
        return np.array([each[name] for each in found])


def read(name: str, folder: Path | None = None) -> Record:
    """The record of an experiment; one that has not been run yet gives a record whose numbers say so.

    Args:
        name: of the experiment.
        folder: where records lie; if not given, :func:`results_folder`, then what came with the package.

    Raises:
        TlbookError: for a name that no experiment has, and for a file that is no result.

    Example:
        >>> read("dann-mnist-mnistm", Path("nowhere")).mean > 0.5
        not yet run: dann-mnist-mnistm
    """
    experiment = find(name)
    for place in [folder] if folder else [results_folder(), INSTALLED]:
        if content := load(place / f"{name}.json", name):
            return Record(experiment, content)
    return Record(experiment)


def results_folder() -> Path:
    """``book/results`` of the nearest folder upwards that has a book (chapters run in ``book``, commands above it);
    where there is none, the records that came with the package."""
    here = Path.cwd()
    for place in (here, *here.parents):
        if (place / "book").is_dir():
            return place / "book" / "results"
    return INSTALLED if INSTALLED.is_dir() else here / "book" / "results"


def load(path: Path, name: str) -> dict[str, Any] | None:
    """The content of a record, or None where there is none.

    Raises:
        TlbookError: for a file that cannot be read, or is no record of that experiment.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        fault = _fault(content, name)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        fault = "its folder is a file"
    except OSError as error:
        fault = error.strerror or type(error).__name__
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        fault = f"{type(error).__name__}: {error}".splitlines()[0]
    if fault:
        raise TlbookError(
            f"{path} cannot be read ({fault}); expected a result that `tlbook reproduce {name}` wrote: restore or "
            "delete it"
        )
    return content


def _fault(content: dict[str, Any], name: str) -> str:
    """What is wrong with a record, in a few words; empty for a good one."""
    if content["experiment"]["name"] != name:
        return f"it is of the experiment {content['experiment']['name']!r}"
    accuracies = [float(entry["accuracy"]) for entry in content["seeds"]]
    seeds = [entry["seed"] for entry in content["seeds"]]
    if not seeds or sorted(set(seeds)) != seeds or not all(type(seed) is int and seed >= 0 for seed in seeds):
        return f"its seeds are {seeds}"
    if not all(0 <= accuracy <= 1 for accuracy in accuracies):
        return f"its accuracies are {accuracies}"
    sd = statistics.stdev(accuracies) if len(seeds) > 1 else None
    spread = content["sd"]
    if abs(content["mean"] - statistics.fmean(accuracies)) > 1e-5 or (spread is None) != (sd is None):
        return "its mean is not that of its seeds"
    return ""


def table(names: Sequence[str], *columns: str, folder: Path | None = None) -> plots.Table:
    """The recorded rows beside the paper's, one an experiment; a row that was not run says so.

    Args:
        names: of the experiments.
        columns: what is shown of each: ``"name"``, ``"task"``, ``"method"``, ``"accuracy"`` (mean, and standard
            deviation over seeds or draws), ``"seeds"``, ``"paper"``, ``"steps"``, ``"training"``, ``"minutes"`` (a
            seed), the name of a measure (its mean), or ``"paper: "`` with the name of a measure. Task, method,
            accuracy, seeds and paper, if not given.
        folder: as in :func:`read`.

    Raises:
        TlbookError: for a name that no experiment has.

    Example:
        >>> table(["capsules-mnist"], "method", "accuracy", "paper", folder=Path("nowhere"))
        method   accuracy     paper
        CapsNet  not yet run  0.9975
    """
    columns = columns or ("task", "method", "accuracy", "seeds", "paper")
    records = [read(name, folder) for name in names]
    return plots.table(columns, [[_cell(record, column) for column in columns] for record in records])


def _cell(record: Record, column: str) -> str:
    row, seeds = record.experiment, len(record.entries)
    if column in ("name", "task", "method", "steps", "training", "paper") or column.startswith("paper: "):
        match column:
            case "name":
                return row.name
            case "task":
                return row.task
            case "method":
                return row.title
            case "training":
                return str(row.described()["training"])
            case "steps":
                return f"{row.training.steps:,}" if row.training else ""
            case "paper":
                return "" if record.paper is None else f"{record.paper:.4f}"
        published = row.published.measures if row.published else {}
        value = published.get(column.removeprefix("paper: "))
        return "" if value is None else f"{value:.3f}"
    if not seeds:
        return "not yet run" if column == "accuracy" else ""
    if column == "seeds":
        whole = str(seeds) if record.complete else f"{seeds} of {row.seeds}"
        return whole if row.over == "seeds" else f"{whole} {row.over}"
    if column == "minutes":
        return f"{statistics.fmean(entry['seconds'] for entry in record.entries) / 60:.1f}"
    values = record._values(column)
    spread = f" ± {values.std(ddof=1):.3f}" if seeds > 1 and column == "accuracy" and row.over != "tasks" else ""
    return f"{values.mean():.3f}{spread}"
