"""Zero-shot learning on real digits, and on the standard benchmarks (chapter ``zero_shot``).

``python -m tlbook.experiments.zero_shot digits`` holds three of the ten digits out, ten times over, on MNIST and on
USPS; ``python -m tlbook.experiments.zero_shot benchmarks`` makes the table of the proposed splits, with whichever of
AwA2, aPY, CUB and SUN has its features under the data root. Each writes the table that the chapter reads.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import StandardScaler

from tlbook.data import Domain, checksum, load
from tlbook.data.specimens import specimens
from tlbook.data.xlsa17 import BENCHMARKS, load_benchmark
from tlbook.errors import TlbookError
from tlbook.evaluate import harmonic_mean
from tlbook.experiments.tables import write_table
from tlbook.methods import DAP, ESZSL, Embedding
from tlbook.methods.classical_adaptation.estimator import Matrix
from tlbook.methods.zero_shot.estimator import Labels, ZeroShot
from tlbook.methods.zero_shot.generalised import per_class, stack, trade
from tlbook.methods.zero_shot.selection import Fold, choose
from tlbook.methods.zero_shot.strokes import frame, measure, signatures

__all__ = [
    "BENCHMARKS",
    "DATASETS",
    "METHODS",
    "PUBLISHED",
    "Digits",
    "Problem",
    "benchmark",
    "describe",
    "draws",
    "problem",
    "trial",
]

DATASETS = ("mnist", "usps")
CLASSES = 10
HELD_OUT = 3
EXAMPLES = 200  # of each class, to learn from
BLUR = 1.5  # pixels
LEARN, CHECK = slice(0, None, 2), slice(1, None, 2)  # halves of a class, while settings are chosen


class Digits(NamedTuple):
    """Digits with everything that is read off each image by itself.

    Attributes:
        measures: N×28, of holes, bays, ends and strokes.
        pictures: N×400 grey values, framed and blurred.
        y: N, 0 … 9.
    """

    measures: Matrix
    pictures: Matrix
    y: Labels

    def of(self, classes: Iterable[int], every: slice = slice(None)) -> Digits:
        """Those of some classes; of each class, only ``every`` of its examples."""
        rows = np.sort(np.concatenate([np.flatnonzero(self.y == c)[every] for c in classes]))
        return Digits(self.measures[rows], self.pictures[rows], self.y[rows])


def describe(domain: Domain) -> Digits:
    """Read a labelled domain of images of digits, bright on dark.

    Example:
        >>> describe(load("digits", "test")).measures.shape
        (450, 28)
    """
    images = domain.images(channels=1, size=28)
    blurred = gaussian_filter(frame(images.x), (0, BLUR, BLUR))
    return Digits(measure(images.x), blurred.reshape(len(blurred), -1), domain.labels().numpy())


def draws(count: int = 10, seed: int = 0, held_out: int = HELD_OUT) -> list[list[int]]:
    """Sets of digits to hold out, no two alike.

    Example:
        >>> draws(count=2)
        [[4, 6, 2], [2, 9, 3]]
    """
    rng = np.random.default_rng(seed)
    found: dict[frozenset[int], list[int]] = {}
    while len(found) < count:
        held = rng.permutation(CLASSES)[:held_out].tolist()
        found.setdefault(frozenset(held), held)
    return list(found.values())


class Problem(NamedTuple):
    """Examples of seen classes to learn from, and examples of seen and unseen ones to name.

    Attributes:
        x: N×D examples of the seen classes.
        y: N, rows of ``signatures``.
        signatures: C×A, the seen classes first.
        seen: C, whether a class was seen.
        test_x: M×D.
        test_y: M, rows of ``signatures``.
    """

    x: Matrix
    y: Labels
    signatures: Matrix
    seen: NDArray[np.bool_]
    test_x: Matrix
    test_y: Labels

    @property
    def fold(self) -> Fold:
        """The examples of the unseen classes alone, to be named by the unseen classes alone."""
        of_unseen = ~self.seen[self.test_y]
        rows = self.test_y[of_unseen] - self.seen.sum()
        s = self.signatures
        return Fold(self.x, self.y, s[self.seen], self.test_x[of_unseen], rows, s[~self.seen])


def problem(reads: str, described_by: str, learn: Digits, printed: Digits, test: Digits) -> Problem:
    """Digits of seen classes to learn from, printed specimens, and digits to name; classes not in ``learn`` are unseen.

    Seen classes are described by their own examples, which also set means and spreads; unseen ones by specimens.

    Args:
        reads: what the examples are given as: ``"measures"`` or ``"pictures"``.
        described_by: what the classes are described by: ``"measures"``, or ``"pictures"``, which nobody thought of.
        learn: digits of the seen classes.
        printed: specimens of all classes in ``learn`` and ``test``.
        test: digits of seen and of other classes.
    """
    seen = np.unique(learn.y)
    unseen = np.setdiff1d(test.y, seen)
    own, prints = getattr(learn, described_by), getattr(printed, described_by)
    described = signatures(own, learn.y, prints, printed.y, unseen, scale=described_by == "measures")
    kept = described.kept if reads == described_by else slice(None)
    x, x_test = (getattr(digits, reads)[:, kept] for digits in (learn, test))
    scaler = StandardScaler(with_std=reads == "measures").fit(x)
    row = np.zeros(CLASSES, dtype=np.int64)
    row[[*seen, *unseen]] = np.arange(len(seen) + len(unseen))
    mark = np.arange(len(seen) + len(unseen)) < len(seen)
    return Problem(
        scaler.transform(x),
        row[learn.y],
        np.vstack([described.seen, described.others]),
        mark,
        scaler.transform(x_test),
        row[test.y],
    )


class NearestDescription(ZeroShot):
    """The control, which fits no weights: examples and classes measured with one ruler, and the smallest angle."""

    def _learn(self, x: Matrix, y: Labels, s: Matrix) -> None:
        """Nothing."""

    def _score(self, x: Matrix, s: Matrix) -> Matrix:
        scores: Matrix = cosine_similarity(x, s)
        return scores


class Setting(NamedTuple):
    """What a method is given, see :func:`problem`, and the candidates for its settings."""

    reads: str
    described_by: str
    candidates: Sequence[ZeroShot]


ESZSL_GRID = [ESZSL(g, a) for g in (10.0, 1e2, 1e3, 1e4) for a in (0.1, 1.0, 10.0)]
METHODS: dict[str, Setting] = {
    "DAP": Setting("measures", "measures", [DAP(LogisticRegression(C=c, max_iter=1000)) for c in (0.001, 0.01, 0.1)]),
    "ESZSL": Setting("measures", "measures", ESZSL_GRID),
    "ESZSL, from pictures": Setting("pictures", "measures", ESZSL_GRID),
    "Embedding of pictures": Setting("pictures", "pictures", [Embedding(gamma=g) for g in (1.0, 10.0, 1e2, 1e3)]),
    "nearest description": Setting("measures", "measures", [NearestDescription()]),
}
"""For each row of the digits' table what the method is given, and what may be chosen."""


def rehearsals(setting: Setting, train: Digits, printed: Digits) -> list[Problem]:
    """Problems in which two of the seen classes play the unseen, each class in two of them.

    Half of the examples of each class are learned from, the other half named.
    """
    known = np.unique(train.y).tolist()
    couples = list(zip(known, [*known[1:], known[0]], strict=True))
    check = train.of(known, CHECK)
    given = setting.reads, setting.described_by
    return [problem(*given, train.of(set(known) - set(couple), LEARN), printed, check) for couple in couples]


def scored(method: ZeroShot, task: Problem, penalty: float) -> dict[str, float]:
    """Per-class accuracies of a fitted method: unseen among themselves, and all classes together."""
    fold = task.fold
    scores = method.scores(task.test_x, task.signatures)
    of_seen = task.seen[task.test_y]
    found = {"unseen alone": per_class(method.predict(fold.held_x, fold.held_signatures), fold.held_y)}
    for name, paid in (("", 0.0), (", calibrated", penalty)):
        named = stack(scores, task.seen, paid)
        seen, unseen = (per_class(named[part], task.test_y[part]) for part in (of_seen, ~of_seen))
        found |= {f"seen{name}": seen, f"unseen{name}": unseen, f"harmonic{name}": harmonic_mean(seen, unseen)}
    return found | {"area": trade(scores, task.test_y, task.seen).area}


def trial(setting: Setting, train: Digits, printed: Digits, test: Digits, held: Sequence[int]) -> dict[str, float]:
    """Choose a setting and a penalty, learn from the seen classes, and name the classes held out, alone and among all.

    The first step drops every example of the classes held out from ``train``: what follows cannot see them. ``test``
    is used to score; of the classes held out only printed specimens describe them.

    Returns:
        Accuracies, harmonic means and the area of :func:`scored`, by name.
    """
    train = train.of(set(range(CLASSES)) - set(held))
    practice = rehearsals(setting, train, printed)
    best = choose(setting.candidates, [task.fold for task in practice]).best
    penalties = []
    for task in practice:
        method = clone(best).fit(task.x, task.y, task.signatures[task.seen])
        penalties.append(trade(method.scores(task.test_x, task.signatures), task.test_y, task.seen).best)
    final = problem(setting.reads, setting.described_by, train, printed, test)
    method = clone(best).fit(final.x, final.y, final.signatures[final.seen])
    return scored(method, final, float(np.median(penalties)))


DIGITS_PROTOCOL = (
    f"{EXAMPLES} training images of each seen class, all test images. Seen classes are described by the mean of their "
    "training images' measures, classes held out by printed specimens in 22 fonts. Accuracies are means over classes: "
    "of the unseen among the unseen alone; of seen and unseen among all ten, without and with calibrated stacking; "
    "the area is that under the curve of unseen over seen accuracy"
)


def record_digits(folder: Path | None = None, datasets: Sequence[str] = DATASETS, count: int = 10) -> dict[str, Any]:
    """Run every row on every set of digits and every draw, and write the table."""
    printed = describe(specimens())
    held_out = draws(count)
    sets: dict[str, Any] = {}
    checksums: dict[str, str] = {}
    for name in datasets:
        parts = {split: load(name, split) for split in ("train", "test")}
        checksums |= {f"{name} {split}": checksum(part) for split, part in parts.items()}
        train, test = describe(parts["train"].per_class(EXAMPLES, seed=0)), describe(parts["test"])
        sets[name] = {}
        for row, setting in METHODS.items():
            start = time.perf_counter()
            found = [trial(setting, train, printed, test, held) for held in held_out]
            sets[name][row] = _summary(found) | {"seconds": round(time.perf_counter() - start, 1)}
            print(f"{name}, {row}: {sets[name][row]['mean']}", flush=True)
    table = {
        "title": f"Zero-shot recognition of {HELD_OUT} of ten digits, {count} draws of the classes held out",
        "protocol": DIGITS_PROTOCOL,
        "selection": "settings and penalties are chosen on pairs of seen classes that play the unseen; see trial",
        "held_out": held_out,
        "chance": {"unseen alone": round(1 / HELD_OUT, 4)},
        "datasets": sets,
        "checksums": checksums,
    }
    return write_table("zero-shot-digits", table, folder)


def _summary(found: Sequence[dict[str, float]]) -> dict[str, Any]:
    draws_of = {name: [round(each[name], 4) for each in found] for name in found[0]}
    spread = 1 if len(found) > 1 else 0
    return {
        "mean": {name: round(float(np.mean(values)), 4) for name, values in draws_of.items()},
        "sd": {name: round(float(np.std(values, ddof=spread)), 4) for name, values in draws_of.items()},
        "draws": draws_of,
    }


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


def benchmark(name: str, root: Path | None = None, decades: Sequence[float] = DECADES) -> dict[str, Any]:
    """The rows of one benchmark of xlsa17 on its proposed split.

    ESZSL's γ and α are chosen on the validation classes, which are among the seen ones; DAP has nothing to choose.

    Args:
        name: ``"AWA2"``, ``"APY"``, ``"CUB"`` or ``"SUN"``.
        root: as in :func:`tlbook.load`.
        decades: the values that γ and α may take.

    Raises:
        TlbookError: as :func:`tlbook.data.xlsa17.load_benchmark`, above all when the features are missing.
    """
    data = load_benchmark(name, root)
    s = data.splits.signatures

    def fold(learn: Domain, held: Domain) -> Fold:
        seen, others = (np.unique(part.labels().numpy()) for part in (learn, held))
        kept = np.ptp(s[seen], axis=0) > 0
        x, held_x = (part.x.double().numpy() for part in (learn, held))
        y, held_y = (np.searchsorted(c, part.labels().numpy()) for c, part in ((seen, learn), (others, held)))
        return Fold(x, y, s[seen][:, kept], held_x, held_y, s[others][:, kept])

    grid = [ESZSL(gamma, alpha) for gamma in decades for alpha in decades]
    found = choose(grid, [fold(data.part("train"), data.part("val"))])
    task = fold(data.part("trainval"), data.part("test_unseen"))
    test_seen = data.part("test_seen")
    everything = Problem(
        task.x,
        task.y,
        np.vstack([task.signatures, task.held_signatures]),
        np.arange(len(data.seen) + len(data.unseen)) < len(data.seen),
        np.vstack([test_seen.x.double().numpy(), task.held_x]),
        np.concatenate([np.searchsorted(data.seen, test_seen.labels().numpy()), len(data.seen) + task.held_y]),
    )
    rows: dict[str, Any] = {}
    for row, method in {"ESZSL": found.best, "DAP": DAP()}.items():
        scores = scored(clone(method).fit(task.x, task.y, task.signatures), everything, penalty=0.0)
        rows[row] = {key: round(scores[key], 4) for key in ("unseen alone", "unseen", "seen", "harmonic")}
    rows["ESZSL"] |= {"gamma": found.best.gamma, "alpha": found.best.alpha, "search": found.scores[:, 0].tolist()}
    return rows


def record_benchmarks(folder: Path | None = None, root: Path | None = None) -> dict[str, Any]:
    """Run the benchmarks that are there, say what the others need, and write the table.

    Raises:
        TlbookError: when none of them is there.
    """
    rows, missing = {}, {}
    for name in BENCHMARKS:
        try:
            rows[name] = benchmark(name, root)
        except TlbookError as error:
            missing[name] = str(error)
            print(f"{name}: {error}")
    if not rows:
        raise TlbookError(f"no benchmark can be run; {next(iter(missing.values()))}")
    table = {
        "title": "Zero-shot benchmarks, proposed splits",
        "protocol": "ResNet-101 features as released; per-class accuracies; generalised without a penalty",
        "selection": "ESZSL: γ and α on the validation classes; DAP: logistic regression, C = 1",
        "rows": rows,
        "published": PUBLISHED,
        "published_source": PUBLISHED_SOURCE,
    }
    return write_table("zero-shot-benchmarks", table, folder)


def main(arguments: Sequence[str]) -> None:
    """Record the one table that is asked for; what is missing is said in one line."""
    if list(arguments) not in (["digits"], ["benchmarks"]):
        sys.exit(f"given {' '.join(arguments) or 'nothing'}; expected one of: digits, benchmarks")
    try:
        (record_digits if arguments[0] == "digits" else record_benchmarks)()
    except TlbookError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
