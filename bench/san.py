"""SAN's 31 discriminators, one ``nets.ClasswiseMLP`` against a loop over 31 modules, forward and backward.

The loop has the same weights, and before anything is timed its logits and gradients are compared with ours. Rounds of
the two alternate in one process, so that a noisy machine is noisy for both; the table gives the ratio of every round's
times. The more hidden units, the more of the time is arithmetic, which is the same in both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from tlbook import nets

CLASSES = 31
SHAPES = [(64, 256, 32), (64, 256, 64), (64, 256, 256)]  # rows of both domains, width of the features, hidden units


class Loop(nn.Module):
    """The same perceptrons, one module a class."""

    def __init__(self, ours: nets.ClasswiseMLP) -> None:
        super().__init__()
        classes, hidden, _ = ours.weight.shape
        self.heads = nn.ModuleList(nets.mlp(ours.hidden.in_features, hidden, 1) for _ in range(classes))
        slices = zip(ours.hidden.weight.split(hidden), ours.hidden.bias.split(hidden), strict=True)
        with torch.no_grad():
            for k, (head, (weight, bias)) in enumerate(zip(self.heads, slices, strict=True)):
                for p, value in zip(
                    head.parameters(), (weight, bias, ours.weight[k].T, ours.bias[k : k + 1]), strict=True
                ):
                    p.copy_(value)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([head(x) for head in self.heads], dim=1)


def gradient(heads: nn.Module, x: Tensor) -> Tensor:
    """Of a sum of losses by the features; the heads' own gradients are made and dropped."""
    nn.functional.softplus(heads(x)).sum().backward()
    slope, x.grad = x.grad, None
    heads.zero_grad()
    return slope


def seconds(heads: nn.Module, x: Tensor, times: int) -> float:
    """Time of one forward and backward pass."""
    start = time.perf_counter()
    for _ in range(times):
        gradient(heads, x)
    return (time.perf_counter() - start) / times


def main() -> None:
    """Print the table and write it beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--times", type=int, default=30)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)

    rows = []
    print(f"{CLASSES} discriminators, forward and backward, {given.threads} threads, torch {torch.__version__}")
    for n, width, hidden in SHAPES:
        torch.manual_seed(0)
        ours = nets.ClasswiseMLP(width, hidden, CLASSES)
        loop, x = Loop(ours), torch.randn(n, width, requires_grad=True)
        assert torch.allclose(ours(x), loop(x), atol=1e-5), "not the same logits"
        assert torch.allclose(gradient(ours, x), gradient(loop, x), atol=1e-5), "not the same gradients"
        times: dict[str, list[float]] = {"ours": [], "loop": []}
        for _ in range(given.rounds + 1):
            times["ours"].append(seconds(ours, x, given.times))
            times["loop"].append(seconds(loop, x, given.times))
        ratios = [b / a for a, b in zip(times["ours"][1:], times["loop"][1:], strict=True)]
        rows.append({"rows": n, "width": width, "hidden": hidden, "times_faster": [round(r, 2) for r in ratios]})
        middle, spread = statistics.median(ratios), f"({min(ratios):.2f} … {max(ratios):.2f})"
        own = statistics.median(times["ours"][1:])
        print(f"{n} rows of {width}, {hidden:3d} hidden   {own * 1e3:6.2f} ms   {middle:5.2f}× {spread}")
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    whole = {"threads": given.threads, "torch": torch.__version__, "rows": rows}
    (folder / "san.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
