"""Training from disk: the same weights as from memory, and no more memory than the limit allows."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tlbook import Domain, fit, load, nets
from tlbook.data import disk
from tlbook.methods import DANN

TRAIN = """
import resource, sys
import torch
from torch import nn
from tlbook import Domain, fit, nets
from tlbook.methods import SourceOnly

torch.set_num_threads(1)
domain = Domain("warm", torch.zeros(64, 3, 64, 64, dtype=torch.uint8), torch.zeros(64, dtype=torch.int64), ("a", "b"))
train = lambda domain: fit(
    SourceOnly(nn.Sequential(nets.Pixels(), nn.AdaptiveAvgPool2d(4), nn.Flatten()), nets.mlp(48, 2)),
    domain, steps=40, batch_size=64, seed=0, device="cpu", precision="fp32", progress=False,
)
train(domain)  # what torch itself takes
pages = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (pages + int(sys.argv[2]), -1))
stored = Domain.from_disk(sys.argv[1])
train(stored)
print(len(stored), stored.x[:1].nbytes * len(stored))
"""


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_weights_from_disk_are_those_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, precision: str
) -> None:
    monkeypatch.setattr(disk, "SHARD_BYTES", 100_000)
    source, target = load("digits", "test"), load("digits-m", "test").unlabelled()
    found = []
    for place in ("memory", "disk"):
        if place == "disk":
            source, target = source.to_disk(tmp_path / "source"), target.to_disk(tmp_path / "target")
        torch.manual_seed(0)
        method = DANN(nets.conv_features(), nets.mlp(768, 10), nets.mlp(768, 32, 1))
        history = fit(method, source, target, steps=20, batch_size=32, seed=3, precision=precision, progress=False)
        found.append([*method.state_dict().values(), torch.tensor(history.terms["domain"])])
    assert len(list((tmp_path / "source").glob("rows-*.npy"))) > 5
    assert all(map(torch.equal, *found))


def write_sparse(folder: Path, rows: int, per_shard: int) -> None:
    """A domain of black images 3×64×64 whose files take no space on the disk."""
    folder.mkdir()
    shards = []
    for number, first in enumerate(range(0, rows, per_shard)):
        n = min(per_shard, rows - first)
        path = folder / f"rows-{number:05d}.npy"
        with path.open("wb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": "|u1", "fortran_order": False, "shape": (n, 3, 64, 64)}
            )
            file.truncate(file.tell() + n * 3 * 64 * 64)
        shards.append({"file": path.name, "rows": n, "sha256": "not looked at"})
    labels = disk._save(folder / "labels.npy", np.arange(rows) % 2)
    content = {"version": 1, "name": "large", "classes": ["a", "b"], "dtype": "uint8", "row": [3, 64, 64]}
    (folder / "domain.json").write_text(json.dumps(content | {"shards": shards, "labels": labels}))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the limit on the address space is Linux's")
def test_a_set_of_twenty_times_the_limit_trains(tmp_path: Path) -> None:
    limit = 200 * 2**20
    write_sparse(tmp_path / "large", rows=20 * limit // (3 * 64 * 64), per_shard=disk.SHARD_BYTES // (3 * 64 * 64))
    command = [sys.executable, "-c", TRAIN, str(tmp_path / "large"), str(limit)]
    run = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    rows, size = map(int, run.stdout.split())
    assert size > 19 * limit
    assert rows == len(Domain.from_disk(tmp_path / "large"))
