"""One DANN step, ours and pytorch-adapt's, on the same network and the same 64 + 64 images of 3×28×28.

Both train the paper's digit network with Adam. Ours includes drawing the batch from the data in memory, as
``tlbook.fit`` does; pytorch-adapt gets its batch ready-made, as floats. Rounds of the two alternate in one process,
so that a noisy machine is noisy for both; the table gives the ratio of every round's times.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ["TQDM_DISABLE"] = "1"
warnings.filterwarnings("ignore")

import torch  # noqa: E402
from torch import nn  # noqa: E402

from tlbook import fit, nets  # noqa: E402
from tlbook._torchvision import declare_missing_operators  # noqa: E402
from tlbook.data import Domain  # noqa: E402
from tlbook.methods import DANN  # noqa: E402

ROWS, BATCH = 4096, 64


def domains() -> tuple[Domain, Domain]:
    """Random images: the arithmetic is the same for every image."""
    draw = torch.Generator().manual_seed(0)
    classes = tuple("0123456789")
    x = torch.randint(0, 256, (2, ROWS, 3, 28, 28), dtype=torch.uint8, generator=draw)
    y = torch.randint(0, 10, (ROWS,), generator=draw)
    return Domain("source", x[0], y, classes), Domain("target", x[1], None, classes)


def ours(precision: str) -> Callable[[int], float]:
    """Seconds a step of ``tlbook.fit`` over so many steps."""
    source, target = domains()
    method = DANN(nets.conv_features(), nets.mlp(768, 100, 100, 10), nets.mlp(768, 100, 1))

    def run(steps: int) -> float:
        history = fit(method, source, target, steps=steps, batch_size=BATCH, seed=0, precision=precision)
        return history.seconds / steps

    return run


def pytorch_adapt() -> Callable[[int], float]:
    """Seconds a step of pytorch-adapt's DANN adapter over so many steps."""
    declare_missing_operators()  # pytorch-adapt imports torchvision
    from pytorch_adapt.adapters import DANN as Adapter
    from pytorch_adapt.containers import Models, Optimizers

    source, target = domains()
    features = nn.Sequential(
        nn.Conv2d(3, 32, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 48, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
    )
    labels = nets.mlp(768, 100, 100, 10)
    domain = nn.Sequential(*nets.mlp(768, 100, 1), nn.Flatten(0))
    models = Models({"G": features, "C": labels, "D": domain})
    adapter = Adapter(models, Optimizers((torch.optim.Adam, {"lr": 1e-3})))
    adapter.models.train()
    batch = {
        "src_imgs": source.x[:BATCH].float() / 255 - 0.5,
        "src_labels": source.labels()[:BATCH],
        "src_domain": torch.zeros(BATCH),
        "target_imgs": target.x[:BATCH].float() / 255 - 0.5,
        "target_domain": torch.ones(BATCH),
    }

    def run(steps: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            adapter.training_step(batch)
        return (time.perf_counter() - start) / steps

    return run


def main() -> None:
    """Print the table and write it beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=40)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)

    runs = {"pytorch-adapt": pytorch_adapt(), "tlbook fp32": ours("fp32"), "tlbook auto": ours("auto")}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run(10)
    for _ in range(given.rounds):
        for name, run in runs.items():
            times[name].append(run(given.steps))
    report = {
        name: {
            "ms_per_step": round(statistics.median(seconds) * 1e3, 2),
            "times_faster": [round(a / b, 2) for a, b in zip(times["pytorch-adapt"], seconds, strict=True)],
        }
        for name, seconds in times.items()
    }
    print(f"DANN step, 64 + 64 images of 3×28×28, {given.threads} threads, torch {torch.__version__}")
    for name, row in report.items():
        ratios = row["times_faster"]
        middle = statistics.median(ratios)
        print(f"{name:15s} {row['ms_per_step']:7.2f} ms   {middle:5.2f}× ({min(ratios):.2f} … {max(ratios):.2f})")
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    whole = {"threads": given.threads, "torch": torch.__version__, "rows": report}
    (folder / "dann_step.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
