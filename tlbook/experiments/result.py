"""Running an experiment and keeping what came out, with everything one needs to believe it."""

from __future__ import annotations

import json
import platform
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pooch
import torch

from tlbook import data, evaluate
from tlbook._files import whole_file
from tlbook.errors import TlbookError
from tlbook.experiments.experiment import Experiment, find
from tlbook.train import fit

__all__ = ["read", "reproduce", "results_folder"]

SCHEMA = Path(__file__).with_name("result.schema.json")
DESCRIBED = (
    "name",
    "title",
    "paper",
    "table",
    "task",
    "protocol",
    "network",
    "training",
    "selection",
    "steps",
    "batch_size",
)


def reproduce(
    name: str, seeds: int | None = None, device: str = "auto", folder: Path | None = None, progress: bool = True
) -> dict[str, Any]:
    """Run an experiment's missing seeds and write ``NAME.json``.

    The file is written anew, whole, after every seed; a seed that was interrupted goes on from its checkpoint in
    the user's cache, and a seed that is in the file is not run again.

    Args:
        name: of the experiment.
        seeds: how many, counted from 0; the experiment's own number if not given.
        device: as in :func:`tlbook.fit`.
        folder: where the results lie; ``book/results`` of the checkout that one is in, if not given.
        progress: show a bar.

    Returns:
        The content of the file.

    Raises:
        TlbookError: for an unknown name, fewer than one seed, or a file that cannot be read or whose experiment was
            described otherwise.
    """
    experiment = find(name)
    seeds = experiment.seeds if seeds is None else seeds
    if seeds < 1:
        raise TlbookError(f"seeds is {seeds}; expected at least 1")
    path = (folder or results_folder()) / f"{name}.json"
    described = {key: getattr(experiment, key) for key in DESCRIBED}
    described["published"] = None if experiment.published is None else asdict(experiment.published)
    result = _load(path) or {"experiment": described, "seeds": []}
    if changed := [key for key in described if result["experiment"].get(key) != described[key]]:
        raise TlbookError(
            f"{path} was written by another {name} ({', '.join(changed)} changed); expected the same experiment: "
            "delete the file to run it again"
        )
    done = {entry["seed"]: entry for entry in result["seeds"]}
    for seed in range(seeds):
        if seed not in done:
            checkpoint = Path(pooch.os_cache("tlbook")) / "runs" / f"{name}-{seed}.pt"
            done[seed] = _run_seed(experiment, seed, device, checkpoint, progress)
            result = _write(described, done.values(), path)
            checkpoint.unlink()
    return result


def read(name: str, folder: Path | None = None) -> dict[str, Any] | None:
    """The recorded result of that name, or None where it has not been run yet.

    Args:
        name: of the experiment.
        folder: as in :func:`reproduce`.

    Raises:
        TlbookError: for a file that is no result.
    """
    return _load((folder or results_folder()) / f"{name}.json")


def results_folder() -> Path:
    """``book/results`` of the nearest folder upwards that has a book: chapters run in ``book``, commands above it."""
    here = Path.cwd()
    return next((place for place in (here, *here.parents) if (place / "book").is_dir()), here) / "book" / "results"


def _load(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        content["experiment"], content["seeds"]
    except (ValueError, KeyError, TypeError) as error:
        raise TlbookError(
            f"{path} cannot be read ({error!r}); expected a result that `tlbook reproduce` wrote: restore or delete it"
        ) from error
    return content


def _run_seed(experiment: Experiment, seed: int, device: str, checkpoint: Path, progress: bool) -> dict[str, Any]:
    commit = _commit()  # now: it may be another when the run ends
    source, target, test = experiment.domains(seed) if experiment.drawn else experiment.domains()
    torch.manual_seed(seed)
    method = experiment.method()
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    history = fit(
        method,
        source,
        target,
        steps=experiment.steps,
        batch_size=experiment.batch_size,
        seed=seed,
        optimizer=experiment.optimizer,
        schedule=experiment.schedule,
        device=device,
        checkpoint=checkpoint,
        progress=progress,
    )
    measures = experiment.measures(method) if experiment.measures else {}
    return {
        "seed": seed,
        "accuracy": round(evaluate.accuracy(method, test), 6),
        "seconds": float(f"{history.seconds:.4g}"),
        "steps_per_second": float(f"{experiment.steps / history.seconds:.4g}"),
        "peak_memory_mb": _peak_memory_mb(history.device),
        "device": _device_name(history.device),
        "precision": history.precision,
        "threads": torch.get_num_threads(),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit,
        "versions": {name: version(name) for name in ("tlbook", "torch", "torchvision", "numpy")}
        | {"python": platform.python_version()},
        "checksums": {
            role: data.checksum(domain)
            for role, domain in (("source", source), ("target", target), ("test", test))
            if domain is not None
        },
        "losses": {name: [round(v, 4) for v in _thinned(values)] for name, values in history.terms.items()},
    } | ({"measures": {name: round(value, 4) for name, value in measures.items()}} if measures else {})


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
    path.parent.mkdir(parents=True, exist_ok=True)
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
