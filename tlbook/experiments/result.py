"""Running an experiment and keeping what came out, with everything one needs to believe it."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pooch
import torch

from tlbook import data
from tlbook._checks import check_whole
from tlbook._files import whole_file
from tlbook._identity import differences, digest
from tlbook.errors import TlbookError
from tlbook.experiments.experiment import Experiment, PreTraining, Run, Training, find
from tlbook.experiments.records import INSTALLED, load, results_folder
from tlbook.methods.method import Method
from tlbook.train import History, fit

__all__ = ["reproduce", "run", "written_to"]

SCHEMA = Path(__file__).with_name("result.schema.json")
LIBRARIES = ("tlbook", "torch", "torchvision", "numpy", "scipy", "scikit-learn")


def reproduce(
    name: str, seeds: int | None = None, device: str = "auto", folder: Path | None = None, progress: bool = True
) -> dict[str, Any]:
    """Run an experiment's missing seeds and write ``NAME.json``.

    The file is written anew, whole, after every seed; a seed that was interrupted goes on from its checkpoint in
    the user's cache, and a seed that is in the file is not run again. Seeds of other settings or other code are not
    mixed in one file, nor is a checkpoint of theirs gone on from.

    Args:
        name: of the experiment.
        seeds: how many, counted from 0; the experiment's own number if not given.
        device: as in :func:`tlbook.fit`.
        folder: where the results lie; ``book/results`` of the checkout that one is in, if not given.
        progress: show a bar.

    Returns:
        The content of the file.

    Raises:
        TlbookError: for an unknown name, fewer than one seed, a folder that cannot be written to, a file that cannot be
            read or whose experiment was another, and a checkpoint of another run.
    """
    experiment = find(name)
    seeds = check_whole("seeds", experiment.seeds if seeds is None else seeds, at_least=1)
    path = _prepared(written_to() if folder is None else folder) / f"{name}.json"
    described, code = experiment.described(), identity(experiment)
    result = load(path, name) or {"experiment": described, "seeds": []}
    done = {entry["seed"]: entry for entry in result["seeds"]}
    changed = [f"{key} changed" for key in described if result["experiment"].get(key) != described[key]]
    if not done.keys() >= set(range(seeds)):
        changed += [change for entry in done.values() for change in differences(entry.get("code", code), code)]
    if changed:
        raise TlbookError(
            f"{path} was written by another {name} ({changed[0]}); expected the same experiment: delete the file to "
            "run it again, or take the change back"
        )
    for seed in range(seeds):
        if seed not in done:
            checkpoint = _checkpoint(name, seed, digest([described, code])[:12])
            done[seed] = _run_seed(experiment, seed, device, checkpoint, progress) | {"code": code}
            result = _write(described, done.values(), path)
            checkpoint.unlink(missing_ok=True)
    return result


def identity(experiment: Experiment) -> dict[str, str]:
    """For each part of an experiment the beginning of a digest of its settings and its code, by value."""
    parts = {key: getattr(experiment, key) for key in ("domains", "method", "training", "before", "measures")}
    return {key: digest(value)[:12] for key, value in parts.items()}


def written_to() -> Path:
    """Where a result goes if no folder is given: :func:`results_folder`, or ``book/results`` here where that is the
    package's own."""
    folder = results_folder()
    return Path("book", "results") if folder == INSTALLED else folder


def _prepared(folder: Path) -> Path:
    """The folder to write to, made where it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "no permission")
    except OSError as error:
        raise TlbookError(
            f"results cannot be written to {folder} ({error.strerror}); expected a folder that may be written to: give "
            "another, or start elsewhere"
        ) from error
    return folder


def _cache() -> Path:
    folder = Path(pooch.os_cache("tlbook")) / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def run(name: str, seed: int = 0, device: str = "auto", progress: bool = True) -> dict[str, float]:
    """Run one seed of an experiment here and now, and record nothing.

    Args:
        name: of the experiment.
        seed: which.
        device: as in :func:`tlbook.fit`.
        progress: show a bar.

    Returns:
        The accuracy, and what else the experiment measures, by name.

    Raises:
        TlbookError: for an unknown name, and where data is missing.
    """
    experiment = find(name)
    return experiment.measures(_ready(experiment, check_whole("seed", seed, at_least=0), device, None, progress)[0])


def _ready(
    experiment: Experiment, seed: int, device: str, checkpoint: Path | None, progress: bool
) -> tuple[Run, History | None, float]:
    """A seed that is trained and can be measured; and how many seconds what it begins with took."""
    source, target, test = experiment.domains(seed)
    method, history, start = experiment.method(seed), None, time.perf_counter()
    if experiment.before is not None:
        pre_train(experiment.before, method, seed, device, progress)
    before = time.perf_counter() - start
    if experiment.training is not None:
        history = _fit(experiment.training, method, source, target, seed, device, checkpoint, progress)
    return Run(seed, method, source, target, test), history, before


def _checkpoint(name: str, seed: int, run: str) -> Path:
    """Where a seed is kept while it runs, under a name that tells the settings and the code."""
    path = _cache() / f"{name}-{seed}-{run}.pt"
    for other in path.parent.glob(f"{name}-{seed}-*.pt"):
        if other != path:
            raise TlbookError(
                f"{other} is a seed of other settings or other code, interrupted; expected none: delete it to begin "
                "anew, or take the change back to go on with it"
            )
    return path


def _run_seed(experiment: Experiment, seed: int, device: str, checkpoint: Path, progress: bool) -> dict[str, Any]:
    commit, start = _commit(), time.perf_counter()  # now: the commit may be another when the run ends
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    ready, history, before = _ready(experiment, seed, device, checkpoint, progress)
    found = experiment.measures(ready)
    measures = {name: round(float(value), 4) for name, value in found.items() if name != "accuracy"}
    where = history.device if history else "cpu"
    seconds = before + history.seconds if history else time.perf_counter() - start
    roles = (("source", ready.source), ("target", ready.target), ("test", ready.test))
    entry = {
        "seed": seed,
        "accuracy": round(float(found["accuracy"]), 6),
        "seconds": float(f"{seconds:.4g}"),
        "peak_memory_mb": _peak_memory_mb(where),
        "device": _device_name(where),
        "threads": torch.get_num_threads(),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit,
        "versions": {name: version(name) for name in LIBRARIES} | {"python": platform.python_version()},
        "checksums": {role: data.checksum(domain) for role, domain in roles if domain is not None},
    }
    if measures:
        entry["measures"] = measures
    if experiment.training and history:
        entry |= {
            "steps_per_second": float(f"{experiment.training.steps / history.seconds:.4g}"),
            "precision": history.precision,
            "losses": {name: [round(v, 4) for v in _thinned(values)] for name, values in history.terms.items()},
        }
    return entry


def pre_train(before: PreTraining, method: Method, seed: int, device: str = "auto", progress: bool = True) -> None:
    """Train what a method begins with, or take what an earlier row kept, and hand it over.

    The kept file's name tells the method with its first weights, the training and the data, so that another training
    never takes it; :func:`tlbook.fit` checks the rest when it opens the file.
    """
    first, (source, target) = before.method(seed), before.domains(seed)
    run = digest([first, before.training, data.checksum(source), target and data.checksum(target), torch.__version__])
    kept = _cache() / f"{before.name}-{seed}-{run[:12]}.pt"
    _fit(before.training, first, source, target, seed, device, kept, progress)
    before.hand_over(first, method)


def _fit(
    training: Training,
    method: Method,
    source: data.Domain,
    target: data.Domain | None,
    seed: int,
    device: str,
    checkpoint: Path | None,
    progress: bool,
) -> History:
    return fit(
        method,
        source,
        target,
        steps=training.steps,
        batch_size=training.batch_size,
        seed=seed,
        optimizer=training.optimizer,
        schedule=training.schedule,
        device=device,
        precision=training.precision,
        checkpoint=checkpoint,
        progress=progress,
    )


def _thinned(values: list[float], points: int = 100) -> list[float]:
    size = max(1, len(values) // points)
    return [statistics.fmean(values[i : i + size]) for i in range(0, len(values), size)]


def _write(described: dict[str, Any], entries: Iterable[dict[str, Any]], path: Path) -> dict[str, Any]:
    seeds = sorted(entries, key=lambda entry: entry["seed"])
    accuracies = [entry["accuracy"] for entry in seeds]
    result = {
        "experiment": described,
        "mean": round(statistics.fmean(accuracies), 6),
        "sd": round(statistics.stdev(accuracies), 6) if len(accuracies) > 1 else None,
        "seeds": seeds,
    }
    with whole_file(path) as file:
        file.write((json.dumps(result, indent=1, ensure_ascii=False) + "\n").encode())
    return result


def _peak_memory_mb(device: str) -> int:
    if device.startswith("cuda"):
        return round(torch.cuda.max_memory_allocated(device) / 2**20)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit)


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.cpu.get_capabilities().get('cpu_name', platform.machine())}"


def _commit() -> str | None:
    """The commit of the checkout that the package is imported from, "-dirty" where the package differs from it; None
    outside a checkout."""
    package = Path(__file__).parents[1]

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=package, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("-dirty" if git("status", "--porcelain", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
