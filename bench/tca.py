"""Fitting TCA, ours and that of skada and ADAPT, on the same n samples of 100 features, 30 components.

The three solve the same problem for the same trade-off: their μ stands where ours is 1/μ. Rounds alternate in one
process, so that a noisy machine is noisy for all; the table gives the ratio of every round's times. Below it, how our
time grows: the exponent p of n^p between one n and the next. A library that is not installed is left out.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # ADAPT imports TensorFlow
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402
import sklearn  # noqa: E402
from threadpoolctl import threadpool_limits  # noqa: E402

from tlbook.methods import TCA  # noqa: E402

FEATURES, DIM, MU = 100, 30, 1.0
Fit = Callable[[np.ndarray, np.ndarray], object]


def samples(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two domains of n/2 rows each: the same mixture, the target shifted."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(FEATURES, FEATURES)) / FEATURES
    xs, xt = (rng.normal(size=(n // 2, FEATURES)) @ mix for _ in range(2))
    return xs, xt + 0.1


def ours(kernel: str) -> Fit:
    """TCA of this package."""
    return lambda xs, xt: TCA(DIM, MU, kernel).fit(xs, np.arange(len(xs)) % 10, xt)


def skada(kernel: str) -> Fit:
    """TCA of skada."""
    from skada import TransferComponentAnalysisAdapter

    def fit(xs: np.ndarray, xt: np.ndarray) -> object:
        domains = np.concatenate([np.ones(len(xs)), -np.ones(len(xt))])
        adapter = TransferComponentAnalysisAdapter(kernel, DIM, 1 / MU)
        return adapter.fit(np.concatenate([xs, xt]), sample_domain=domains)

    return fit


def adapt(kernel: str) -> Fit:
    """TCA of ADAPT."""
    from adapt.feature_based import TCA as Theirs

    return lambda xs, xt: Theirs(n_components=DIM, mu=1 / MU, kernel=kernel, verbose=0).fit_transform(xs, xt)


def seconds(fit: Fit, n: int) -> float:
    """How long one fit on n samples takes."""
    xs, xt = samples(n)
    start = time.perf_counter()
    fit(xs, xt)
    return time.perf_counter() - start


def compare(kernel: str, n: int, rounds: int) -> dict[str, dict[str, object]]:
    """Every library's median time, and by how much ours is faster in each round."""
    fits: dict[str, Fit] = {"tlbook": ours(kernel)}
    for library in (skada, adapt):
        try:
            fits[library.__name__] = library(kernel)
        except ImportError as error:
            print(f"{library.__name__} is left out: {error}")
    for fit in fits.values():
        seconds(fit, 200)
    times: dict[str, list[float]] = {name: [] for name in fits}
    for _ in range(rounds):
        for name, fit in fits.items():
            times[name].append(seconds(fit, n))
    return {
        name: {
            "seconds": round(statistics.median(spent), 3),
            "ours_times_faster": [round(b / a, 1) for a, b in zip(times["tlbook"], spent, strict=True)],
        }
        for name, spent in times.items()
    }


def growth(kernel: str, sizes: list[int], rounds: int) -> list[float]:
    """Our seconds at each size, the least of the rounds: what other programs take from the machine is not ours."""
    fit = ours(kernel)
    return [min(seconds(fit, n) for _ in range(rounds)) for n in sizes]


def main() -> None:
    """Print the tables and write them beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--n", type=int, default=2000)
    given = parser.parse_args()

    report: dict[str, object] = {"threads": given.threads, "scikit-learn": sklearn.__version__, "n": given.n}
    sizes = [given.n // 2, given.n, 2 * given.n, 4 * given.n]
    with threadpool_limits(given.threads):
        for kernel in ("linear", "rbf"):
            rows = compare(kernel, given.n, given.rounds)
            print(f"TCA, {kernel} kernel, n = {given.n}, {given.threads} thread(s)")
            for name, row in rows.items():
                ratios = row["ours_times_faster"]
                print(f"{name:8s} {row['seconds']:8.3f} s   ours is {statistics.median(ratios):6.1f}× faster {ratios}")
            spent = growth(kernel, sizes, given.rounds)
            powers = [round(math.log2(b / a), 2) for a, b in itertools.pairwise(spent)]
            print(f"ours at n = {sizes}: {[round(s, 3) for s in spent]} s, growing as n^{powers}")
            report[kernel] = {"rows": rows, "sizes": sizes, "seconds": spent, "exponents": powers}
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "tca.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
