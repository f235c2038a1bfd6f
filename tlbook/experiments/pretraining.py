"""A training that several rows of a table begin with: run once, and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pooch
import torch

from tlbook._identity import digest
from tlbook.data import Domain, checksum
from tlbook.methods.method import Method
from tlbook.train import fit

__all__ = ["pre_train"]


def pre_train(
    name: str,
    method: Method,
    domain: Domain,
    target: Domain | None = None,
    *,
    seed: int,
    steps: int,
    batch_size: int,
    **how: Any,
) -> None:
    """Train a method in place, or put in what an earlier row kept in the user's cache.

    The file's name tells all that the result depends on, by value: the method with its weights, the data, the settings
    and the version of torch. Another training never takes it; ``fit`` compares once more when it opens the file.

    Args:
        name: what the file's name begins with, one for each kind of training.
        method: what to train.
        domain: on what.
        target: as in :func:`tlbook.fit`.
        seed: as in :func:`tlbook.fit`.
        steps: as in :func:`tlbook.fit`.
        batch_size: as in :func:`tlbook.fit`.
        how: the rest of what :func:`tlbook.fit` takes, ``checkpoint`` excepted.
    """
    data = [(checksum(rows), rows.classes) for rows in (domain, target) if rows is not None]
    run = digest((method, data, seed, steps, batch_size, how, str(torch.__version__)))
    kept = Path(pooch.os_cache("tlbook")) / "runs" / f"{name}-{seed}-{run[:12]}.pt"
    kept.parent.mkdir(parents=True, exist_ok=True)
    fit(method, domain, target, seed=seed, steps=steps, batch_size=batch_size, checkpoint=kept, **how)
