"""Digits of which some classes are held out: what is learned from, what describes the rest, and how both are scored.

Settings and a penalty are chosen by rehearsals, in which two of the seen classes play the unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity
from sklearn.preprocessing import StandardScaler

from tlbook._arrays import Labels, Matrix
from tlbook.data import Domain
from tlbook.evaluate import harmonic_mean
from tlbook.methods.zero_shot.dap import DAP
from tlbook.methods.zero_shot.estimator import ZeroShot
from tlbook.methods.zero_shot.eszsl import ESZSL
from tlbook.methods.zero_shot.generalised import calibrated_stacking, per_class, seen_unseen_curve
from tlbook.methods.zero_shot.linear_embedding import LinearEmbedding
from tlbook.methods.zero_shot.selection import Fold, choose
from tlbook.methods.zero_shot.strokes import frame, measure, signatures

__all__ = [
    "METHODS",
    "Digits",
    "NearestDescription",
    "Problem",
    "Setting",
    "describe",
    "draws",
    "problem",
    "rehearsals",
    "scored",
    "trial",
]

CLASSES = 10
HELD_OUT = 3
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
        >>> from tlbook import load
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
    "Embedding of pictures": Setting("pictures", "pictures", [LinearEmbedding(gamma=g) for g in (1.0, 10.0, 1e2, 1e3)]),
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
        named = calibrated_stacking(scores, task.seen, paid)
        seen, unseen = (per_class(named[part], task.test_y[part]) for part in (of_seen, ~of_seen))
        found |= {f"seen{name}": seen, f"unseen{name}": unseen, f"harmonic{name}": harmonic_mean(seen, unseen)}
    return found | {"area": seen_unseen_curve(scores, task.test_y, task.seen).area}


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
        penalties.append(seen_unseen_curve(method.scores(task.test_x, task.signatures), task.test_y, task.seen).best)
    final = problem(setting.reads, setting.described_by, train, printed, test)
    method = clone(best).fit(final.x, final.y, final.signatures[final.seen])
    return scored(method, final, float(np.median(penalties)))
