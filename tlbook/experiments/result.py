"""Running an experiment and keeping what came out, with everything one needs to believe it."""

from __future__ import annotations

import json
import os
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
from tlbook.errors import TlbookError
from tlbook.experiments.experiment import Experiment, find
from tlbook.train import fit

__all__ = ["read", "reproduce"]

RESULTS = Path("book/results")
SCHEMA = Path(__file__).with_name("result.schema.json")
DESCRIBED = ("name", "title", "paper", "table", "task", "protocol", "network", "training", "selection", "steps", "batch_size")


def reproduce(
    name: str, seeds: int | None = None, device: str = "auto", folder: Path = RESULTS, progress: bool = True
) -> dict[str, Any]:
    """Run an experiment's missing seeds and write ``NAME.json``.

    The file is written anew, whole, after every seed; a seed that was interrupted goes on from its checkpoint in
    the user's cache, and a seed that is in the file is not run again.

    Args:
        name: of the experiment.
        seeds: how many, counted from 0; the experiment's own number if not given.
        device: as in :func:`tlbook.fit`.
        folder: where the results lie.
        progress: show a bar.

    Returns:
        The content of the file.

    Raises:
        TlbookError: for an unknown name, or a file whose experiment was described otherwise.
    """
    experiment = find(name)
    described = {key: getattr(experiment, key) for key in DESCRIBED}
    described["published"] = None if experiment.published is None else asdict(experiment.published)
    before = read(name, folder) or {"experiment": described, "seeds": []}
    if before["experiment"] != described:
        changed = [key for key in described if before["experiment"].get(key) != described[key]]
        raise TlbookError(
            f"{folder / name}.json was written by another {name} ({', '.join(changed)} changed); expected the same "
            "experiment: delete the file to run it again"
        )
    done = {entry["seed"]: entry for entry in before["seeds"]}
    result = before
    for seed in range(experiment.seeds if seeds is None else seeds):
        if seed not in done:
            done[seed] = _run_seed(experiment, seed, device, progress)
            result = _write(described, done.values(), folder / f"{name}.json")
    return result


def read(name: str, folder: Path = RESULTS) -> dict[str, Any] | None:
    """The recorded result of that name, or None where it has not been run yet."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _run_seed(experiment: Experiment, seed: int, device: str, progress: bool) -> dict[str, Any]:
    source, target, test = experiment.domains()
    torch.manual_seed(seed)
    method = experiment.method()
    checkpoint = Path(pooch.os_cache("tlbook")) / "runs" / f"{experiment.name}-{seed}.pt"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
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
    entry = {
        "seed": seed,
        "accuracy": round(evaluate.accuracy(method, test), 6),
        "seconds": round(history.seconds, 1),
        "steps_per_second": round(experiment.steps / history.seconds, 1),
        "peak_memory_mb": _peak_memory_mb(history.device),
        "device": _device_name(history.device),
        "precision": history.precision,
        "threads": torch.get_num_threads(),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "versions": {name: version(name) for name in ("tlbook", "torch", "torchvision", "numpy")}
        | {"python": platform.python_version()},
        "checksums": {
            role: data.checksum(domain)
            for role, domain in (("source", source), ("target", target), ("test", test))
            if domain is not None
        },
        "losses": {name: [round(v, 4) for v in _thinned(values)] for name, values in history.terms.items()},
    }
    checkpoint.unlink()
    return entry


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
    half_written = path.with_name(f".{path.name}.{os.getpid()}")
    half_written.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(half_written, path)
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
    """The commit of the checkout that the package is imported from; None outside one."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    answer = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    return answer.stdout.strip() or None
