"""Zero-shot learning on real digits, and on the standard benchmarks (chapter ``zero_shot``).

On MNIST and on USPS three of the ten digits are held out, ten times over: a seed is a draw of them. The rows of the
benchmarks need the features of AwA2, aPY, CUB and SUN under the data root.
"""

from __future__ import annotations

from functools import cache, partial

import numpy as np
from sklearn.base import clone

from tlbook.data import Domain, load
from tlbook.data.specimens import specimens
from tlbook.data.xlsa17 import BENCHMARKS, load_benchmark
from tlbook.experiments.experiment import Experiment, Published, Run
from tlbook.methods import DAP, ESZSL
from tlbook.methods.zero_shot.estimator import ZeroShot
from tlbook.methods.zero_shot.problem import METHODS, Digits, Problem, Setting, describe, draws, scored, trial
from tlbook.methods.zero_shot.selection import Fold, choose

__all__ = ["BENCHMARK_ROWS", "DATASETS", "DIGIT_ROWS", "PUBLISHED"]

DATASETS = ("mnist", "usps")
EXAMPLES = 200  # of each class, to learn from
PAPERS = {
    "DAP": "Lampert, Nickisch and Harmeling, Learning to detect unseen object classes, CVPR 2009",
    "ESZSL": "Romera-Paredes and Torr, An embarrassingly simple approach to zero-shot learning, ICML 2015",
}

DIGITS_PROTOCOL = (
    f"{EXAMPLES} training images of each seen class, all test images. Seen classes are described by the mean of their "
    "training images' measures, classes held out by printed specimens in 22 fonts. Accuracies are means over classes: "
    "of the unseen among the unseen alone; of seen and unseen among all ten, without and with calibrated stacking; "
    "the area is that under the curve of unseen over seen accuracy"
)


def digits(seed: int, name: str) -> tuple[Domain, None, Domain]:
    """Training images of the seven digits that the seed does not hold out, no target, and all test images."""
    seen = sorted(set(range(10)) - set(draws(seed + 1)[seed]))
    return load(name).per_class(EXAMPLES, seed=0).subset(classes=seen), None, load(name, "test")


@cache
def printed() -> Digits:
    """The specimens of all digits."""
    return describe(specimens())


@cache
def tests(name: str) -> Digits:
    """The test images of a set of digits."""
    return describe(load(name, "test"))


def named(run: Run, name: str) -> dict[str, float]:
    """Choose a setting and a penalty, learn from the seen digits, and name the rest; see :func:`trial`."""
    learn = describe(run.source)
    held = sorted(set(range(10)) - set(learn.y.tolist()))
    found = trial(run.method, learn, printed(), tests(name), held)
    return {"accuracy": found.pop("unseen alone")} | found


def digit_row(name: str, method: str) -> Experiment:
    """A method on a set of digits; its accuracy is that of the unseen among themselves."""
    return Experiment(
        name=f"zero-shot-{name}-{method.lower().replace(',', '').replace(' ', '-')}",
        title=method,
        paper=PAPERS.get(method.partition(",")[0], "none: see the chapter"),
        table="none: the papers have no digits",
        task=f"seven digits of {name.upper()} → the other three",
        protocol=DIGITS_PROTOCOL,
        network="none",
        selection="settings and penalties are chosen on pairs of seen classes that play the unseen; see trial",
        published=None,
        domains=partial(digits, name=name),
        method=partial(setting, method=method),
        measures=partial(named, name=name),
        seeds=10,
        over="draws",
    )


def setting(seed: int, method: str) -> Setting:
    """What the method is given, and the candidates for its settings."""
    return METHODS[method]


PUBLISHED: dict[str, dict[str, dict[str, float]]] = {
    "ESZSL": {
        "SUN": {"unseen alone": 54.5, "unseen": 11.0, "seen": 27.9, "harmonic": 15.8},
        "CUB": {"unseen alone": 53.9, "unseen": 12.6, "seen": 63.8, "harmonic": 21.0},
        "AWA2": {"unseen alone": 58.6, "unseen": 5.9, "seen": 77.8, "harmonic": 11.0},
        "APY": {"unseen alone": 38.3, "unseen": 2.4, "seen": 70.1, "harmonic": 4.6},
    },
    "DAP": {
        "SUN": {"unseen": 4.2, "seen": 25.1, "harmonic": 7.2},
        "CUB": {"unseen": 1.7, "seen": 67.9, "harmonic": 3.3},
        "AWA2": {"unseen": 0.0, "seen": 84.7, "harmonic": 0.0},
        "APY": {"unseen": 4.8, "seen": 78.3, "harmonic": 9.0},
    },
}
"""Percentages on the proposed splits, by Xian et al. as ``PUBLISHED_SOURCE`` quotes them."""

PUBLISHED_SOURCE = "Xian et al., IEEE TPAMI 41(9), 2019, as quoted by Yeh and Li, arXiv 2007.11814, 2020"
DECADES = [10.0**power for power in range(-3, 4)]


def proposed_split(seed: int, name: str) -> tuple[Domain, None, Domain]:
    """The examples of the seen classes to learn from, no target, and those of the unseen."""
    data = load_benchmark(name)
    return data.part("trainval"), None, data.part("test_unseen")


def candidates(seed: int, method: str) -> list[ZeroShot]:
    """DAP has nothing to choose; ESZSL has γ and α."""
    return [DAP()] if method == "DAP" else [ESZSL(gamma, alpha) for gamma in DECADES for alpha in DECADES]


def benchmarked(run: Run, name: str) -> dict[str, float]:
    """The scores of a method on a benchmark of xlsa17; the accuracy is that of the unseen among themselves.

    Settings are chosen on the validation classes, which are among the seen ones; nothing is paid for a seen name.

    Raises:
        TlbookError: as :func:`tlbook.data.xlsa17.load_benchmark`, above all when the features are missing.
    """
    data = load_benchmark(name)
    s = data.splits.signatures

    def fold(learn: Domain, held: Domain) -> Fold:
        seen, others = (np.unique(part.labels().numpy()) for part in (learn, held))
        kept = np.ptp(s[seen], axis=0) > 0
        x, held_x = (part.x.double().numpy() for part in (learn, held))
        y, held_y = (np.searchsorted(c, part.labels().numpy()) for c, part in ((seen, learn), (others, held)))
        return Fold(x, y, s[seen][:, kept], held_x, held_y, s[others][:, kept])

    best = (
        choose(run.method, [fold(data.part("train"), data.part("val"))]).best if len(run.method) > 1 else run.method[0]
    )
    task = fold(run.source, run.test)
    test_seen = data.part("test_seen")
    everything = Problem(
        task.x,
        task.y,
        np.vstack([task.signatures, task.held_signatures]),
        np.arange(len(data.seen) + len(data.unseen)) < len(data.seen),
        np.vstack([test_seen.x.double().numpy(), task.held_x]),
        np.concatenate([np.searchsorted(data.seen, test_seen.labels().numpy()), len(data.seen) + task.held_y]),
    )
    scores = scored(clone(best).fit(task.x, task.y, task.signatures), everything, penalty=0.0)
    chosen = {"gamma": best.gamma, "alpha": best.alpha} if isinstance(best, ESZSL) else {}
    return {"accuracy": scores["unseen alone"]} | {key: scores[key] for key in ("unseen", "seen", "harmonic")} | chosen


def benchmark_row(name: str, method: str) -> Experiment:
    """A method on a benchmark, with the numbers that Xian et al. printed."""
    printed = {key: round(value / 100, 4) for key, value in PUBLISHED[method][name].items()}
    return Experiment(
        name=f"zero-shot-{name.lower()}-{method.lower()}",
        title=method,
        paper=PAPERS[method],
        table="Xian et al., proposed splits",
        task=name,
        protocol="ResNet-101 features as released; per-class accuracies; generalised without a penalty",
        network="none: features of a ResNet-101",
        selection="ESZSL: γ and α on the validation classes; DAP: logistic regression, C = 1",
        published=Published(printed.pop("unseen alone", None), PUBLISHED_SOURCE, "secondary", printed),
        domains=partial(proposed_split, name=name),
        method=partial(candidates, method=method),
        measures=partial(benchmarked, name=name),
        seeds=1,
    )


DIGIT_ROWS = {(name, method): digit_row(name, method) for name in DATASETS for method in METHODS}
"""The rows of the digits, by data set and method."""

BENCHMARK_ROWS = {(name, method): benchmark_row(name, method) for name in BENCHMARKS for method in ("ESZSL", "DAP")}
"""The rows of the benchmarks, by data set and method."""
