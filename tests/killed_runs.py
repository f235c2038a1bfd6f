"""Runs that are killed by SIGKILL and started again; ``python killed_runs.py FOLDER`` prints their digests as JSON.

The parent imports everything and never computes, so that it may fork; each child is one attempt at a run.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import torch
import torch._dynamo  # otherwise each child would import it, with its first optimizer
from torch import nn

from tlbook import fit, nets
from tlbook.data import Domain
from tlbook.methods import DANN

STEPS = 200
OPTIMIZERS = {
    "adam": partial(torch.optim.Adam, lr=1e-3, fused=True),
    "sgd": partial(torch.optim.SGD, lr=0.01, momentum=0.9, fused=True),
}


def train(optimizer: str, checkpoint: Path | None) -> str:
    """Train a network with dropout and running statistics; return the digest of its weights and its history."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = torch.randint(256, (90, 1, 8, 8), dtype=torch.uint8), torch.randint(3, (90,))
    source, target = Domain("s", x[:50], y[:50], ("a", "b", "c")), Domain("t", x[50:], None, ("a", "b", "c"))
    features = nets.conv_features(channels=1, widths=(4,), kernel=3, norm=nets.DomainBatchNorm)
    method = DANN(features, nn.Sequential(nn.Dropout(0.4), nets.mlp(36, 8, 3)), nets.mlp(36, 8, 1))
    history = fit(
        method,
        source,
        target,
        steps=STEPS,
        batch_size=16,
        seed=5,
        optimizer=OPTIMIZERS[optimizer],
        schedule=lambda p: 1 - p / 2,
        precision="fp32",
        checkpoint=checkpoint,
    )
    digest = hashlib.sha256(repr(history.terms).encode())
    for tensor in method.state_dict().values():
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def child(work: Callable[[], object]) -> int:
    """Do the work in a process of its own; return the process's id."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return pid


def finish(optimizer: str, checkpoint: Path | None, result: Path) -> None:
    half = result.with_suffix(".half")
    half.write_text(train(optimizer, checkpoint))
    half.rename(result)  # whole or not there, wherever the kill falls


def killed_at_random(optimizer: str, folder: Path, chance: random.Random) -> dict[str, object]:
    """Kill the run a moment after it has written one to three more checkpoints, until it comes to its end."""
    checkpoint, result, kills = folder / "run.pt", folder / "result", 0
    while not result.exists():
        pid = child(lambda: finish(optimizer, checkpoint, result))
        changes, last = chance.randint(1, 3), mtime(checkpoint)
        while changes and os.waitpid(pid, os.WNOHANG) == (0, 0):
            time.sleep(0.0005)
            if mtime(checkpoint) != last:
                changes, last = changes - 1, mtime(checkpoint)
        if not changes:
            time.sleep(chance.uniform(0, 0.02))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            kills += not result.exists()
    return {"digest": result.read_text(), "kills": kills}


def mtime(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def killed_while_writing(folder: Path) -> dict[str, object]:
    """Kill the run when half of its third checkpoint is written, then let it go on."""
    checkpoint, result = folder / "run.pt", folder / "result"
    save, saves = torch.save, []

    def half(content: object, file: object) -> None:
        save(content, file)
        saves.append(file)
        if len(saves) == 3:
            file.flush()  # type: ignore[attr-defined]
            os.truncate(file.name, os.path.getsize(file.name) // 2)  # type: ignore[attr-defined]
            os.kill(os.getpid(), signal.SIGKILL)

    def die() -> NoReturn:
        torch.save = half  # type: ignore[assignment]
        train("adam", checkpoint)
        raise AssertionError("it lives")

    _, status = os.waitpid(child(die), 0)
    left = sorted(path.name for path in folder.iterdir())
    os.waitpid(child(lambda: finish("adam", checkpoint, result)), 0)
    return {
        "killed": os.WIFSIGNALED(status),
        "left": left,
        "digest": result.read_text(),
        "after": sorted(path.name for path in folder.iterdir()),
    }


def main(folder: Path) -> None:
    answer: dict[str, object] = {}
    for optimizer in OPTIMIZERS:
        for part in ("whole", "killed"):
            (folder / optimizer / part).mkdir(parents=True)
        whole = folder / optimizer / "whole" / "result"
        os.waitpid(child(partial(finish, optimizer, None, whole)), 0)
        seed = int.from_bytes(os.urandom(4))
        killed = killed_at_random(optimizer, folder / optimizer / "killed", random.Random(seed))
        answer[optimizer] = {"whole": whole.read_text(), **killed, "seed": seed}
    (folder / "half").mkdir()
    answer["half"] = killed_while_writing(folder / "half")
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
