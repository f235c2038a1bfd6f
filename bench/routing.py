"""Routing of 1,152 capsules of 8 numbers to 10 of 16, three iterations, forward and backward: ours and û in full.

The usual implementations form û, batch × 1152 × 10 × 16, and broadcast over it. Two of them are written here: with
products and sums over whole tensors, as most public ones are, and with batched matrix products throughout, which is the
fastest way to use û. Their outputs are compared with ours first. Rounds alternate in one process. Then the memory that
each adds to a process of its own at its peak is taken from the operating system.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from tlbook.nets import CapsuleLayer, squash

Form = Callable[[Tensor, CapsuleLayer], Tensor]


def ours(u: Tensor, layer: CapsuleLayer) -> Tensor:
    """Without û."""
    out: Tensor = layer(u)
    return out


def products(u: Tensor, layer: CapsuleLayer) -> Tensor:
    """û once, by a batched product over the inputs; then batched products of couplings, û and outputs."""
    outputs, width, inputs, _ = layer.weight.shape
    matrices = layer.weight.permute(2, 1, 0, 3).reshape(inputs, width, -1)
    u_hat = torch.bmm(u.transpose(0, 1), matrices).view(inputs, len(u), outputs, -1).permute(1, 2, 0, 3).contiguous()
    held, b = u_hat.detach(), u.new_zeros(len(u), outputs, inputs)
    for left in reversed(range(layer.iterations)):
        v = squash((b.softmax(dim=1).unsqueeze(2) @ (held if left else u_hat)).squeeze(2))
        if left:
            b = b + (held @ v.unsqueeze(3)).squeeze(3)
    return v


def broadcast(u: Tensor, layer: CapsuleLayer) -> Tensor:
    """û and everything after it by broadcasting and sums."""
    u_hat = (layer.weight.permute(2, 0, 3, 1) @ u[:, :, None, :, None]).squeeze(4)
    held, b = u_hat.detach(), u.new_zeros(*u_hat.shape[:3], 1)
    for left in reversed(range(layer.iterations)):
        v = squash((b.softmax(dim=2) * (held if left else u_hat)).sum(dim=1, keepdim=True))
        if left:
            b = b + (held * v).sum(dim=3, keepdim=True)
    return v.squeeze(1)


FORMS: dict[str, Form] = {"ours": ours, "batched products": products, "broadcasting": broadcast}


def step(form: Form, u: Tensor, layer: CapsuleLayer) -> float:
    """Seconds of one forward and backward pass."""
    start = time.perf_counter()
    form(u, layer).sum().backward()
    spent = time.perf_counter() - start
    u.grad = layer.weight.grad = None
    return spent


def inputs(batch: int) -> tuple[Tensor, CapsuleLayer]:
    """The paper's layer and capsules for it."""
    torch.manual_seed(0)
    layer = CapsuleLayer(1152, 8, 10, 16)
    return squash(torch.randn(batch, 1152, 8)).requires_grad_(), layer


def megabytes(name: str, batch: int) -> float:
    """What a step adds to the peak of a fresh process that has made the inputs already."""
    here = str(Path(__file__).resolve())
    out = subprocess.run([sys.executable, here, "--peak", name, "--batch", str(batch)], capture_output=True, check=True)
    return float(out.stdout)


def peak(name: str, batch: int) -> None:
    """Print what a step adds to this process's peak."""
    u, layer = inputs(batch)
    step(FORMS[name], u[:1].detach().requires_grad_(), layer)  # what every first step needs
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # Linux: the highest so far becomes the present
    before = highest()
    step(FORMS[name], u, layer)
    print(highest() - before)


def highest() -> float:
    """The most memory that this process has held, in megabytes."""
    [line] = [
        line for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) / 1024


def main() -> None:
    """Print the table and write it beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--peak", choices=FORMS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.peak:
        peak(given.peak, given.batch)
    else:
        compare(given.threads, given.rounds, given.batch)


def compare(threads: int, rounds: int, batch: int) -> None:
    """Time the forms in turn, and take the memory of each."""
    u, layer = inputs(batch)
    for form in (products, broadcast):
        assert ours(u, layer).allclose(form(u, layer), atol=1e-5), "not the same routing"
    times: dict[str, list[float]] = {name: [] for name in FORMS}
    for _ in range(rounds + 1):
        for name, form in FORMS.items():
            times[name].append(step(form, u, layer))
    print(f"routing 1152 → 10, {batch} rows, {threads} threads, torch {torch.__version__}")
    rows = {}
    for name, spent in times.items():
        ratios = [b / a for a, b in zip(times["ours"][1:], spent[1:], strict=True)]
        rows[name] = {"times_slower": [round(r, 2) for r in ratios], "megabytes": round(megabytes(name, batch))}
        own, spread = statistics.median(spent[1:]) * 1e3, f"({min(ratios):.2f} … {max(ratios):.2f})"
        print(f"{name:17s} {own:7.1f} ms {statistics.median(ratios):6.2f}× {spread} {rows[name]['megabytes']:6d} MB")
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    whole = {"threads": threads, "torch": torch.__version__, "batch": batch, "forms": rows}
    (folder / "routing.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
