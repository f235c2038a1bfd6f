"""MK-MMD of two batches under five Gaussian kernels, value and gradient, ours and pytorch-adapt's.

Both compute the unbiased estimate with bandwidths around a median distance (pytorch-adapt's is that of the source
rows); before anything is timed, their values are compared. Rounds of the two alternate in one process, so that a noisy
machine is noisy for both; the table gives the ratio of every round's times.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

warnings.filterwarnings("ignore")

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from tlbook._torchvision import declare_missing_operators  # noqa: E402
from tlbook.losses import DOUBLINGS, mk_mmd2  # noqa: E402

SHAPES = [(64, 256), (64, 2048), (128, 256), (128, 2048)]


def pytorch_adapt() -> Callable[[Tensor, Tensor], Tensor]:
    """Its loss with the mixture that is ours: exp(−s·d²/median) averaged over five s."""
    declare_missing_operators()  # pytorch-adapt imports torchvision
    from pytorch_adapt.layers import MMDLoss

    return MMDLoss(kernel_scales=torch.tensor([1 / (2 * m * m) for m in DOUBLINGS]), mmd_type="quadratic")


def seconds(loss: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor, times: int) -> float:
    """Time of one forward and backward pass."""
    start = time.perf_counter()
    for _ in range(times):
        loss(x, y).backward()
        x.grad = y.grad = None
    return (time.perf_counter() - start) / times


def main() -> None:
    """Print the table and write it beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--times", type=int, default=30)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)

    ours, theirs = partial(mk_mmd2, unbiased=True), pytorch_adapt()
    rows = []
    print(f"MK-MMD, five kernels, forward and backward, {given.threads} threads, torch {torch.__version__}")
    for n, d in SHAPES:
        draw = torch.Generator().manual_seed(0)
        x, y = (torch.randn(n, d, generator=draw).add(shift).requires_grad_() for shift in (0.0, 0.1))
        assert ours(x, y).isclose(theirs(x, y), atol=2e-4), "not the same loss"
        times: dict[str, list[float]] = {"ours": [], "theirs": []}
        for _ in range(given.rounds + 1):
            times["ours"].append(seconds(ours, x, y, given.times))
            times["theirs"].append(seconds(theirs, x, y, given.times))
        ratios = [b / a for a, b in zip(times["ours"][1:], times["theirs"][1:], strict=True)]
        rows.append({"rows": n, "width": d, "times_faster": [round(r, 2) for r in ratios]})
        middle, spread = statistics.median(ratios), f"({min(ratios):.2f} … {max(ratios):.2f})"
        own = statistics.median(times["ours"][1:])
        print(f"{n:4d} + {n:3d} rows of {d:4d}   {own * 1e3:6.2f} ms   {middle:5.2f}× {spread}")
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    whole = {"threads": given.threads, "torch": torch.__version__, "rows": rows}
    (folder / "mk_mmd.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
